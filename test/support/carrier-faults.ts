/**
 * What Node's own event loop calls may not throw: there an exception ends the process. So every method of what stands on node:http2,
 * node:http and node:tls is made to throw, one after the other, while a tunnel comes, is used and goes.
 */

import { expect } from 'chai'
import type { HttpVersion } from '../../src/carriers/http-connection.ts'
import { closeLoopback, connectClient, newClient, ping, startServer, until } from './loopback.ts'

const IDLE = { quic: { idleTimeoutMs: 1000 } }

/** `boundaries`: what catches faults, and tells of an end, cannot be what throws them (`Class.method`). */
export function describeFaults(
  carrier: HttpVersion,
  classes: Readonly<Record<string, { readonly prototype: object }>>,
  boundaries: ReadonlySet<string>,
): void {
  const settings = { tunnel: { carrier }, ...IDLE }

  describe(`a fault anywhere, over ${carrier}`, () => {
    afterEach(closeLoopback)

    it('ends at most the connection that it is about, and never the process', async () => {
      const escaped: string[] = []
      const note = (error: unknown): void => void escaped.push(String(error instanceof Error ? error.stack : error))
      const events = ['uncaughtException', 'unhandledRejection'] as const
      const mochas = events.map(event => process.listeners(event as 'uncaughtException'))
      for (const event of events) process.removeAllListeners(event).on(event, note)
      try {
        const server = await startServer(IDLE)
        const { client: bystander } = await connectClient(server, settings)
        let thrown = 0
        for (const [className, { prototype }] of Object.entries(classes)) {
          for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
            const key = `${className}.${name}`
            if (name === 'constructor' || boundaries.has(key)) continue
            let left = 1
            const strike = (): void => {
              if (left-- <= 0) return
              thrown++
              throw new Error(`fault: ${key}`)
            }
            const restore = replace(prototype, name, property, strike)
            const client = await newClient(server, settings, { timeouts: { connectMs: 500, graceMs: 50 } })
            await client
              .connect()
              .then(() => ping(client, '10.90.0.1', { timeoutMs: 300 }))
              .catch(() => {})
            // A client whose `close` has failed is closed once more.
            await client.close().catch(() => client.close())
            restore()
            // The bystander's is another object: it may have met the fault, and then has a right to be gone; the proxy has not.
            expect(escaped, key).to.deep.equal([])
          }
        }
        expect(thrown).to.be.greaterThan(40)
        await bystander.close().catch(() => {})
        await until(() => server.status().connections === 0 && server.status().tunnels === 0)
        expect(server.status().pools.map(pool => pool.used)).to.deep.equal([0, 0])
        const { client } = await connectClient(server, settings)
        await ping(client, '10.90.0.1')
      } finally {
        for (const [i, event] of events.entries()) {
          process.removeListener(event, note)
          for (const listener of mochas[i]) process.on(event, listener)
        }
      }
    })
  })
}

/** Puts `before` in front of a method or accessor. Returns what takes it away again. */
function replace(prototype: object, name: string, property: PropertyDescriptor, before: () => void): () => void {
  const guarded = (original: (...args: never[]) => unknown) =>
    function (this: object, ...args: never[]) {
      before()
      return original.apply(this, args)
    }
  if (typeof property.value === 'function') {
    Object.defineProperty(prototype, name, { ...property, value: guarded(property.value) })
  } else if (property.get !== undefined)
    Object.defineProperty(prototype, name, { ...property, get: guarded(property.get) })
  return () => Object.defineProperty(prototype, name, property)
}

/**
 * How long a client that knocks waits for its tunnel once its proxy is there again: in virtual time, so that it is a number and not a measurement.
 *
 *   client                                             proxy
 *     | a knock ───────────────────────────────────>     |   starts after this one has come, or before
 *     | the next, 25 ms later: ClientHello ────────────> |
 *     | <─────────────── ServerHello … Finished, SETTINGS |
 *     | Finished, SETTINGS, Extended CONNECT ──────────> |
 *     | <──────────────────────────────── 200, addresses |
 */

import { expect } from 'chai'
import { H3ClientConnection } from '../../src/carriers/h3/client-connection.ts'
import { H3ServerConnection } from '../../src/carriers/h3/server-connection.ts'
import { ClientTunnel } from '../../src/client/client-tunnel.ts'
import { defaultClientConfig } from '../../src/client/config.ts'
import type { Clock } from '../../src/hosts/clock.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { ComponentLogs } from '../../src/log/component-logs.ts'
import { LogBudget } from '../../src/log/log-budget.ts'
import { createLogger } from '../../src/log/logger.ts'
import { chooseEngine } from '../../src/quic/choose-engine.ts'
import { QuicDriver } from '../../src/quic/driver.ts'
import { KeptTokens } from '../../src/quic/kept-tokens.ts'
import {
  DEFAULT_QUIC_SETTINGS,
  type QuicConnection,
  type SocketAddress,
  type TlsMaterial,
} from '../../src/quic/quic.ts'
import { defaultServerConfig } from '../../src/server/config.ts'
import { MasqueHandler } from '../../src/server/masque-handler.ts'
import { clientTls, serverTls, testCertificates } from '../support/certificates.ts'
import { newHandlerContext } from '../support/handler-context.ts'
import { PATIENCE_MS } from '../support/patience.ts'
import { VirtualWire } from '../support/virtual-wire.ts'

const SERVER: SocketAddress = { host: '198.51.100.1', port: 443 }
const RTT_MS = 20
const { limits } = defaultServerConfig()
const { knockMs } = defaultClientConfig().reconnect
const settings = DEFAULT_QUIC_SETTINGS

/** Processes on one network, all of them with the engine in TypeScript. */
async function newWorld() {
  const wire = new VirtualWire(RTT_MS / 2)
  const faults: unknown[] = []
  const onError = (error: unknown): void => void faults.push(error)
  const { make } = await chooseEngine('typescript')
  const clientEngine = make({ role: 'client', settings, tls: await clientTls(), peerCertificate: 'required' })
  const tls = await serverTls()
  const logs = new ComponentLogs(createLogger({ level: 'silent' }))
  const config = defaultClientConfig({
    proxy: { template: 'https://localhost/.well-known/masque/ip/{target}/{ipproto}/' },
    tls: { ca: (await testCertificates()).ca },
    tunnel: { requestAddresses: ['ipv4'] },
  })
  const clock: Clock = {
    now: () => wire.now(),
    setTimeout: (callback, ms) => wire.setTimer(callback, ms),
    clearTimeout: stop => (stop as (() => void) | undefined)?.(),
  }
  let attempts = 0
  /** What attempts have been given, each once: QUIC makes an engine for each. */
  const materials = new Set<TlsMaterial>()
  let hasBegun = false

  /** Lets so much time pass, or less: until the condition holds. */
  const run = async (ms: number, until: () => boolean = () => false): Promise<void> => {
    const end = wire.now() + ms
    do {
      wire.run(end - wire.now(), () => hasBegun || until())
      hasBegun = false
      // The connection of an attempt is a promise.
      await new Promise(resolve => setImmediate(resolve))
    } while (!until() && wire.now() < end)
  }

  /** `inside`: the address that it asks for. */
  const newClient = (host: string, inside: string) => {
    const tokens = new KeptTokens()
    let resumptionTicket: Uint8Array | undefined
    const open = (knockMs?: number): ClientTunnel => {
      const tunnel = new ClientTunnel({
        config,
        proxy: { addresses: [SERVER], serverName: 'localhost' },
        logs,
        logBudget: new LogBudget(logs),
        carrier: 'h3',
        connect: async ({ remote, serverName, resumptionTicket, tls }) => {
          hasBegun = true
          materials.add(tls)
          const sockets = [wire.socket({ host, port: ++attempts })]
          const driver = new QuicDriver({ engine: clientEngine, settings, io: wire, sockets, onError })
          return new H3ClientConnection(driver.connect({ remote, serverName, resumptionTicket, tokens }))
        },
        before: [IpAddress.parse(inside)],
        ...(resumptionTicket && { resumptionTicket }),
        ...(knockMs !== undefined && { knockMs }),
        clock,
        // Of the time that this machine takes for it.
        timeouts: { connectMs: PATIENCE_MS, graceMs: PATIENCE_MS },
        onPacket() {},
        onChanged() {},
        onLost() {},
      })
      tunnel.connect().catch(onError)
      return tunnel
    }
    return {
      /** In ms. */
      connect: async (): Promise<number> => {
        const begunAt = wire.now()
        const tunnel = open()
        await run(1000, () => tunnel.open)
        const ms = wire.now() - begunAt
        await run(1000, () => tunnel.resumptionTicket !== undefined)
        resumptionTicket = tunnel.resumptionTicket
        return ms
      },
      /** With all that it has of its tunnel before. */
      knock: (): ClientTunnel => open(knockMs),
    }
  }

  /** A new process, in the place of the one before. */
  const startProxy = () => {
    const { context } = newHandlerContext()
    const onConnection = (quic: QuicConnection): H3ServerConnection => {
      const transport = new H3ServerConnection(quic)
      new MasqueHandler(transport, context)
      return transport
    }
    const { retry, maxConnections, maxConnectionsPerAddress } = limits
    const driver = new QuicDriver({
      engine: make({ role: 'server', settings, tls, peerCertificate: 'none' }),
      settings,
      io: wire,
      sockets: [wire.socket(SERVER)],
      accept: { retry, maxConnections, maxConnectionsPerAddress, onConnection },
      onError,
    })
    const stop = async (): Promise<void> => {
      await driver.close()
      await run(RTT_MS)
    }
    return { driver, stop }
  }
  return { wire, run, newClient, startProxy, attempts: () => attempts, materials, faults }
}

describe('a client that knocks where its proxy was', () => {
  it('has its tunnel again within two round trips and 50 ms, at whichever of 100 moments the proxy is back, and its address in it', async () => {
    const { wire, run, newClient, startProxy, faults } = await newWorld()
    const client = newClient('192.0.2.1', '10.89.0.77')
    let proxy = startProxy()
    await client.connect()
    const waits: number[] = []
    for (let moment = 0; moment < 100; moment++) {
      await proxy.stop()
      const tunnel = client.knock()
      await run((moment / 100) * knockMs)
      const backAt = wire.now()
      proxy = startProxy()
      await run(1000, () => tunnel.open)
      waits.push(wire.now() - backAt)
      expect(tunnel.info.assigned.map(String)).to.deep.equal(['10.89.0.77/32'])
    }
    await proxy.stop()
    expect(Math.max(...waits)).to.be.at.most(2 * RTT_MS + 50)
    // A knock comes at last, and then it is a round trip and a half.
    expect(Math.max(...waits)).to.be.at.most(knockMs + 1.5 * RTT_MS)
    expect(faults).to.deep.equal([])
  })

  it('sends one packet for each knock, however long the proxy is away, and makes what they need once', async () => {
    const { wire, run, newClient, startProxy, attempts, materials, faults } = await newWorld()
    const client = newClient('192.0.2.1', '10.89.0.77')
    const proxy = startProxy()
    await client.connect()
    await proxy.stop()
    const before = { attempts: attempts(), packets: wire.sent.length }
    materials.clear()
    const tunnel = client.knock()
    await run(2000 - 1)
    const knocks = attempts() - before.attempts
    expect(knocks).to.equal(2000 / knockMs)
    expect(wire.sent.length - before.packets).to.equal(knocks)
    expect(materials.size).to.equal(1)
    expect(faults).to.deep.equal([])
    void tunnel.close()
    await run(RTT_MS)
  })

  it('leaves nothing of its knocks in vain to the proxy, which would take it for a flood and ask those who come next to prove their addresses', async () => {
    const { run, newClient, startProxy, faults } = await newWorld()
    const clients = [newClient('192.0.2.1', '10.89.0.77'), newClient('192.0.2.2', '10.89.0.78')]
    const before = startProxy()
    for (const client of clients) await client.connect()
    await before.stop()
    const tunnels = clients.map(client => client.knock())
    // Between two knocks.
    await run(1000 + knockMs / 2)
    const { driver, stop } = startProxy()
    await run(1000, () => tunnels.every(tunnel => tunnel.open))
    await run(RTT_MS)
    expect(driver.counters).to.include({ accepted: 2, retried: 0 })
    expect(await newClient('192.0.2.3', '10.89.0.79').connect()).to.equal(2 * RTT_MS)
    expect(driver.counters).to.include({ accepted: 3, retried: 0 })
    await stop()
    expect(faults).to.deep.equal([])
  })
})

/** The proxy of interop/connect-ip-go, where Go and the modules that it needs are installed. Commands and events are lines of JSON. */
import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'
import type { TestCertificates } from '../../src/cert/make-certificates.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { ROOT } from '../kit/lab/registry.ts'

export const GO = 'connect-ip-go'

const BUILD_TIMEOUT_MS = 180_000
const PATIENCE_MS = 8000
/** Longer than any class takes; the proxy would end by itself before. */
const LIFETIME = '6h'

interface GoEvent {
  event: string
  id?: number
  host?: string
  port?: number
  received?: number
  error?: string
}

export class GoProxy {
  readonly host: string
  readonly port: number
  readonly certificates: TestCertificates
  /** A host behind it, which answers to pings. */
  readonly library = IpAddress.parse('192.0.2.7')
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  /** Who waits for the end of a command. */
  readonly #waiting: Map<number, (event: GoEvent) => void>
  #commands = 0

  private constructor(
    child: ChildProcessByStdio<Writable, Readable, null>,
    certificates: TestCertificates,
    { host, port }: GoEvent,
    waiting: Map<number, (event: GoEvent) => void>,
  ) {
    this.#waiting = waiting
    this.#child = child
    this.certificates = certificates
    this.host = host!
    this.port = port!
  }

  /** Compiles it into `scratch` and starts it; or says why it cannot. */
  static async start(certificates: TestCertificates, scratch: string): Promise<GoProxy | { reason: string }> {
    const program = join(scratch, 'connect-ip-go-proxy')
    try {
      const options = { cwd: join(ROOT, 'interop', 'connect-ip-go'), timeout: BUILD_TIMEOUT_MS }
      await promisify(execFile)('go', ['build', '-buildvcs=false', '-o', program, './cmd/proxy'], options)
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'Go is not installed' : 'it cannot be compiled'
      return { reason: `${GO} was left out: ${why}` }
    }
    const args = ['-certificate', certificates.server, '-key', certificates.serverKey, '-assign-on-request']
    const child = spawn(program, [...args, '-lifetime', LIFETIME], { stdio: ['pipe', 'pipe', 'ignore'] })
    child.stdin.on('error', () => {})
    return await new Promise(resolve => {
      const waiting = new Map<number, (event: GoEvent) => void>()
      child.once('error', error => resolve({ reason: `${GO} was left out: ${error.message}` }))
      child.once('close', () => resolve({ reason: `${GO} was left out: it ended` }))
      createInterface({ input: child.stdout }).on('line', line => {
        const event = JSON.parse(line) as GoEvent
        if (event.event === 'listening') resolve(new GoProxy(child, certificates, event, waiting))
        if (event.event === 'done') waiting.get(event.id!)?.(event)
      })
    })
  }

  /** Pings a client, once with each number of bytes. What went wrong is a sentence. */
  async ping(target: IpAddress, sizes: readonly number[]): Promise<string | undefined> {
    for (const size of sizes) {
      const id = ++this.#commands
      const done = await new Promise<GoEvent | undefined>(resolve => {
        const timer = setTimeout(() => resolve(undefined), 2 * PATIENCE_MS)
        this.#waiting.set(id, event => {
          clearTimeout(timer)
          resolve(event)
        })
        const ping = { target: String(target), size, count: 1, timeout_ms: PATIENCE_MS }
        this.#child.stdin.write(`${JSON.stringify({ id, ping })}\n`)
      })
      this.#waiting.delete(id)
      if (done?.received === 1) continue
      return done?.error ?? `no answer to a ping of ${size} bytes from ${GO}`
    }
    return undefined
  }

  async close(): Promise<void> {
    const closed = new Promise(resolve => this.#child.once('close', resolve))
    this.#child.kill('SIGKILL')
    await closed
  }
}

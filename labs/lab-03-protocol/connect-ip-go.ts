/** The proxy of interop/connect-ip-go, where Go and the modules that it needs are installed. Commands and events are lines of JSON. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { TestCertificates } from '../../src/cert/make-certificates.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { userCache } from '../../src/process/cache-folder.ts'
import { GoUnavailable, goProgram } from '../../src/process/go-program.ts'
import { printable } from '../../src/text/printable.ts'
import { ROOT } from '../kit/lab/registry.ts'

export const GO = 'connect-ip-go'

const START_TIMEOUT_MS = 20_000
const PATIENCE_MS = 8000
/** How long it may take until what it has to say about something is here. */
const WORDS_TIMEOUT_MS = 500
const MOST_WORDS = 20
const MOST_WORD_LENGTH = 300
/** Longer than any class takes; the proxy would end by itself before. */
const LIFETIME = '6h'

interface GoEvent {
  event: string
  id?: number
  host?: string
  port?: number
  received?: number
  error?: string
  status?: number
  reason?: string
  where?: string
  message?: string
  by?: string
}

export interface GoProxyOptions {
  certificates: TestCertificates
  /** Where the program is kept when the user's cache cannot be written to. */
  scratch: string
  signal: AbortSignal
  /** How long compiling may take, in milliseconds; it takes half a minute once, and nothing from then on. */
  buildTimeoutMs: number
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
  /** What it did not like, in its own words. */
  readonly #words: string[]
  #commands = 0
  #ended = false

  private constructor(
    child: ChildProcessByStdio<Writable, Readable, null>,
    certificates: TestCertificates,
    { host, port }: GoEvent,
    waiting: Map<number, (event: GoEvent) => void>,
    words: string[],
  ) {
    this.#waiting = waiting
    this.#words = words
    this.#child = child
    this.certificates = certificates
    this.host = host!
    this.port = port!
    child.once('close', () => (this.#ended = true))
  }

  /** Compiles it, unless that was done before, and starts it. Rejects with `GoUnavailable`, or with the signal's reason. */
  static async start({ certificates, scratch, signal, buildTimeoutMs }: GoProxyOptions): Promise<GoProxy> {
    const program = await goProgram(
      { module: join(ROOT, 'interop', 'connect-ip-go'), command: 'proxy' },
      { signal, timeoutMs: buildTimeoutMs, folders: [join(userCache(), 'go'), scratch] },
    )
    signal.throwIfAborted()
    const args = ['-certificate', certificates.server, '-key', certificates.serverKey, '-assign-on-request']
    // It ends when its standard input does: also when this process is killed.
    const child = spawn(program, [...args, '-lifetime', LIFETIME], { stdio: ['pipe', 'pipe', 'ignore'] })
    child.stdin.on('error', () => {})
    const waiting = new Map<number, (event: GoEvent) => void>()
    const words: string[] = []
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise((resolve, reject) => {
        const left = (why: string) => reject(new GoUnavailable(why))
        timer = setTimeout(() => left(`it did not start within ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS)
        signal.addEventListener('abort', () => left('it was stopped'), { once: true })
        child.once('error', error => left(`it cannot be started: ${error.message}`))
        child.once('close', () => left(`it ended at once${words.length > 0 ? `: ${words.join('; ')}` : ''}`))
        createInterface({ input: child.stdout }).on('line', line => {
          const event = parsed(line)
          if (event?.event === 'listening') resolve(new GoProxy(child, certificates, event, waiting, words))
          if (event?.event === 'done') waiting.get(event.id!)?.(event)
          const word = event && objection(event)
          if (word !== undefined && words.length < MOST_WORDS) words.push(word)
        })
      })
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Whether it has ended by itself. */
  get ended(): boolean {
    return this.#ended
  }

  /** What it did not like, as sentences; waits a moment for the first of them, which comes on another way than the packets. */
  async objections(): Promise<readonly string[]> {
    const deadline = performance.now() + WORDS_TIMEOUT_MS
    while (this.#words.length === 0 && !this.#ended && performance.now() < deadline) {
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    return this.#words
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
    if (this.#ended) return
    const closed = new Promise(resolve => this.#child.once('close', resolve))
    this.#child.kill('SIGKILL')
    await closed
  }
}

function parsed(line: string): GoEvent | undefined {
  try {
    return JSON.parse(line) as GoEvent
  } catch {
    return undefined
  }
}

/** What an event says that speaks against the client; undefined for all others. */
function objection({ event, status, reason, where, message, by }: GoEvent): string | undefined {
  const words = printable(message ?? reason ?? '').slice(0, MOST_WORD_LENGTH)
  switch (event) {
    case 'rejected':
      return `it answered the request with status ${status}: ${words}`
    case 'error':
      return `${where}: ${words}`
    case 'log':
      // What it says whenever a tunnel is closed.
      return /H3_NO_ERROR/.test(words) ? undefined : words
    case 'connection-closed':
      return by === 'us' ? `it closed the connection: ${words}` : undefined
    default:
      return undefined
  }
}

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { goProgram } from './go-programs.ts'

/** One line of a Go program's output. `event` names it; the other keys are listed in interop/README.md. */
export interface PeerEvent {
  event: string
  // biome-ignore lint/suspicious/noExplicitAny: the events are read by tests, which check what they use
  [key: string]: any
}

export interface PingCommand {
  target: string
  /** ICMP payload in bytes, as in `ping -s`. */
  size: number
  count?: number
  ttl?: number
  timeoutMs?: number
}

export interface PingReport {
  sent: number
  received: number
  /** Events `pong`, one an answer. */
  pongs: PeerEvent[]
  /** Events `ping-failed` (an ICMP error came back) and `ping-timeout`. */
  failures: PeerEvent[]
}

const DEFAULT_TIMEOUT_MS = 5000
const EXIT_TIMEOUT_MS = 8000
const EVENTS_IN_A_MESSAGE = 25

const EXPECTED_LOGS = [
  /^handling stream failed: H3_NO_ERROR( \(local\))?$/,
  /^dropping proxied packet: .* not allowed: ff02::1 \(protocol: 58\)$/,
]

/**
 * A running Go program. Every wait is bounded, and a wait that fails says which events did come, so that a red
 * test shows both sides of the conversation.
 */
export class GoPeer {
  readonly events: PeerEvent[] = []
  readonly #name: string
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #exited: Promise<number | null>
  readonly #watchers = new Set<() => void>()
  #stderr = ''
  #running = true
  #nextId = 1

  constructor(program: 'client' | 'proxy' | 'streams', args: string[]) {
    this.#name = program
    this.#child = spawn(goProgram(program), args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr.on('data', chunk => (this.#stderr += chunk))
    this.#child.stdin.on('error', () => {}) // it has exited: the wait for its events says so
    const lines = createInterface({ input: this.#child.stdout })
    lines.on('line', line => {
      this.events.push(JSON.parse(line))
      this.#notify()
    })
    // 'close' comes after the last line, 'exit' may come before it.
    this.#exited = once(this.#child, 'close').then(([code]) => {
      this.#running = false
      this.#notify()
      return code
    })
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher()
  }

  /** The first event `name` for which `where` holds, whether it has come already or is still to come. */
  waitFor(
    name: string,
    where: (event: PeerEvent) => boolean = () => true,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<PeerEvent> {
    return new Promise((resolve, reject) => {
      let seen = 0
      const finish = (settle: () => void) => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        settle()
      }
      const fail = (why: string) => finish(() => reject(new Error(`${why}; ${this.describe()}`)))
      const look = () => {
        for (; seen < this.events.length; seen++) {
          const event = this.events[seen] as PeerEvent
          if (event.event === name && where(event)) return finish(() => resolve(event))
        }
        if (!this.#running) fail(`the Go ${this.#name} ended without the event '${name}'`)
      }
      const timer = setTimeout(
        () => fail(`no event '${name}' from the Go ${this.#name} within ${timeoutMs} ms`),
        timeoutMs,
      )
      this.#watchers.add(look)
      look()
    })
  }

  /** The latest events and what went to standard error. */
  describe(): string {
    const latest = this.events.slice(-EVENTS_IN_A_MESSAGE).map(event => `  ${JSON.stringify(event)}`)
    return [`its latest events:`, ...latest, ...(this.#stderr ? [`and on stderr:`, this.#stderr] : [])].join('\n')
  }

  /** For a client: waits until it has addresses and routes, and so can send; resolves with its addresses. */
  async ready(): Promise<string[]> {
    // They are two capsules, and the library hands them out independently of each other.
    const [{ prefixes }] = await Promise.all([this.waitFor('assigned'), this.waitFor('routes')])
    return prefixes.map((prefix: string) => prefix.replace(/\/.*/, ''))
  }

  /**
   * Everything that the Go side did not like: errors, packets that its library dropped or its host had no use for. Not
   * among them: that a connection did not come about, what the library logs whenever it closes a tunnel itself, and that
   * it drops pings to all nodes on the link (ff02::1), which RFC 9484 §7.2 asks for.
   */
  complaints(): PeerEvent[] {
    return this.events.filter(({ event, where, message }) => {
      if (event === 'log') return !EXPECTED_LOGS.some(pattern => pattern.test(message))
      return event === 'ignored' || event === 'late' || (event === 'error' && where !== 'connect')
    })
  }

  #command(command: object): void {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`)
  }

  /** Lets the Go side ping, one echo request after the other. */
  async ping({ target, size, count = 1, ttl, timeoutMs }: PingCommand): Promise<PingReport> {
    const id = this.#nextId++
    const start = this.events.length
    this.#command({ id, ping: { target, size, count, ttl, timeout_ms: timeoutMs } })
    const done = await this.waitFor(
      'done',
      event => event.id === id,
      DEFAULT_TIMEOUT_MS + count * (timeoutMs ?? DEFAULT_TIMEOUT_MS),
    )
    if (done.error !== undefined) throw new Error(`the Go ${this.#name} could not ping ${target}: ${done.error}`)
    // Commands run one after the other, so what came in between belongs to this one.
    const between = this.events.slice(start)
    return {
      sent: done.sent,
      received: done.received,
      pongs: between.filter(event => event.event === 'pong'),
      failures: between.filter(event => event.event === 'ping-failed' || event.event === 'ping-timeout'),
    }
  }

  /** Asks for an orderly end and waits for it. The exit status is 0 when all went well. */
  async close(): Promise<number | null> {
    this.#command({ close: true })
    return this.exited()
  }

  /** Waits until the program ends by itself. */
  async exited(): Promise<number | null> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`the Go ${this.#name} did not end within ${EXIT_TIMEOUT_MS} ms; ${this.describe()}`)),
        EXIT_TIMEOUT_MS,
      )
    })
    try {
      return await Promise.race([this.#exited, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Ends the program at once, for the clean-up after a test; harmless when it has ended. */
  async kill(): Promise<void> {
    if (this.#running) this.#child.kill('SIGKILL')
    await this.#exited
  }
}

/**
 * The child process that holds a student's code, and the limits that are put on it from outside.
 *
 * | what                      | by                                                                  |
 * | ------------------------- | ------------------------------------------------------------------- |
 * | files, processes, threads | Node's permission model: none                                       |
 * | network, Unix sockets     | namespaces, where the system permits them (isolation.ts)            |
 * | environment               | the PATH of the system, of which code sees nothing                  |
 * | time                      | CPU time of a call where it can be read, else wall-clock time; SIGKILL |
 * | memory                    | V8's heap limit; resident memory, looked at all the time; SIGKILL    |
 * | output                    | counted; the beginning is kept; SIGKILL                             |
 * | an orphan's time          | RLIMIT_CPU, should this process be killed first                     |
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { hostScript } from './build.ts'
import { encodeFrame, FrameReader, MAX_FRAME_BYTES } from './frames.ts'
import { type Isolation, isolation, SYSTEM_PATH } from './isolation.ts'
import type { Request, WireError } from './protocol.ts'

export interface Limits {
  /** CPU time of one call, in milliseconds. A busy machine does not shorten it. */
  cpuMs: number
  /** Wall-clock time of one call. */
  wallMs: number
  /** CPU time of all calls together, and three times that much by the clock; by the clock alone where no CPU time is told. */
  totalMs: number
  heapMb: number
  /** Resident memory of the whole process, of which Node itself takes about 50. */
  memoryMb: number
  outputBytes: number
}

export const DEFAULT_LIMITS: Limits = {
  cpuMs: 3000,
  wallMs: 10_000,
  totalMs: 60_000,
  heapMb: 64,
  memoryMb: 256,
  outputBytes: 1024 * 1024,
}

const KEPT_OUTPUT_BYTES = 64 * 1024
const WATCH_MS = 25
/** Starting Node takes some tens of milliseconds. It does not get longer than this, whoever else needs the machine. */
const START_MS = 60_000
const RESERVED_MB = 3072
const WORKING_CPU_MS = 250
const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4096

/** Why the process is gone. `sandbox`: nothing that student code has done. */
export interface End {
  kind: 'timeout' | 'memory' | 'exited' | 'output' | 'threw' | 'sandbox'
  message: string
  error?: WireError
}

/** `printed`: the beginning of what the call has printed. */
export type WireOutcome = { value: unknown; printed?: string } | { error: WireError; printed?: string }

interface Pending {
  outcomes: WireOutcome[]
  count: number
  /** When the call that is running now was first seen to run, and what the process had used then. */
  since: { outcomes: number; at: number; cpuMs: number }
  settle(result: { outcomes: WireOutcome[]; all?: WireError; end?: End }): void
}

/** Without the members' `id`, which the sandbox gives. */
export type Ask = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never

const running = new Set<Sandbox>()
process.on('exit', () => {
  for (const sandbox of running) sandbox.kill()
})

export class Sandbox {
  readonly limits: Limits
  #child: ChildProcess
  #questions: Writable
  #frames = new FrameReader()
  #pending = new Map<number, Pending>()
  #nextId = 1
  #end: End | undefined
  #exited: Promise<void>
  #printed = 0
  #output: Buffer[] = []
  #watch: NodeJS.Timeout
  #readyAt: number | undefined
  /** What it has ended itself with. */
  #exitStatus: number | undefined
  #startedAt = performance.now()
  #busySince: number | undefined
  #busyMs = 0
  /** When it was last looked at. */
  #cpuMs = 0

  /** `behind`: another wall than the strongest there is. */
  static async start(limits: Partial<Limits> = {}, behind?: Isolation): Promise<Sandbox> {
    const [script, wall] = await Promise.all([hostScript(), behind ?? isolation()])
    return new Sandbox(script, { ...DEFAULT_LIMITS, ...limits }, wall)
  }

  private constructor(script: string, limits: Limits, wall: Isolation) {
    this.limits = limits
    const node = [
      process.execPath,
      process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission',
      '--no-warnings',
      `--max-old-space-size=${limits.heapMb}`,
      '--single-threaded-gc',
      '-e',
      script,
    ]
    // The shell sets what only a process itself can set, then becomes node. No core dumps, CPU time in seconds (for all
    // requests together, start included), data in KiB (far above what is watched: Node itself reserves more than a
    // gigabyte in some versions), open files.
    const cpuSeconds = Math.ceil(limits.totalMs / 1000) + 5
    const rlimits = `ulimit -c 0; ulimit -t ${cpuSeconds}; ulimit -d ${(limits.memoryMb + RESERVED_MB) * 1024}; ulimit -n 64`
    const [command, ...args] = wall.command(node, rlimits)
    const env = process.platform === 'win32' ? {} : { PATH: SYSTEM_PATH }
    this.#child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], env, cwd: '/' })
    this.#questions = this.#child.stdin as Writable
    const replies = this.#child.stdio[3] as Readable
    running.add(this)

    this.#exited = new Promise(resolve => {
      this.#child.once('error', error => {
        this.#finish({ kind: 'sandbox', message: `the process for student code cannot be started: ${error.message}` })
        resolve()
      })
      // Not 'exit': what the process said last is still in the pipes then.
      this.#child.once('close', (code, signal) => {
        this.#finish(this.#whyItEnded(code, signal))
        resolve()
      })
    })
    for (const stream of [this.#child.stdout, this.#child.stderr] as Readable[]) {
      stream.on('data', (piece: Buffer) => this.#print(piece))
      stream.on('error', () => {})
    }
    replies.on('data', (piece: Buffer) => this.#read(piece))
    for (const stream of [this.#questions, replies]) stream.on('error', () => {})
    this.#watch = setInterval(() => this.#look(), WATCH_MS)
  }

  get ended(): End | undefined {
    return this.#end
  }

  /** The beginning of what was printed. */
  get output(): string {
    return Buffer.concat(this.#output).toString('utf8')
  }

  /** How long the process took to start, in ms, once it has. */
  get startMs(): number | undefined {
    return this.#readyAt === undefined ? undefined : this.#readyAt - this.#startedAt
  }

  /**
   * Asks, and waits for `count` outcomes. Fewer come when the process ends first (`end` says why), none when all would
   * be the same error (`all`).
   */
  async ask(ask: Ask, count = 1): Promise<{ outcomes: WireOutcome[]; all?: WireError; end?: End }> {
    if (this.#end) return { outcomes: [], end: this.#end }
    const id = this.#nextId++
    const frame = encodeFrame({ ...ask, id })
    if (frame.length > MAX_FRAME_BYTES)
      throw new RangeError(`arguments of ${frame.length} bytes; at most ${MAX_FRAME_BYTES}`)
    return await new Promise(settle => {
      const startedAt = performance.now()
      if (this.#pending.size === 0) this.#busySince = startedAt
      const since = { outcomes: 0, at: startedAt, cpuMs: this.#usage()?.cpuMs ?? 0 }
      this.#pending.set(id, { outcomes: [], count, since, settle })
      this.#questions.write(frame)
      if (count === 0) this.#settle(id)
    })
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Ends the process and waits until it is gone. */
  async close(): Promise<void> {
    this.#finish({ kind: 'exited', message: 'it was closed' })
    await this.#exited
  }

  #read(piece: Buffer): void {
    if (this.#end) return
    try {
      for (const message of this.#frames.push(piece)) this.#receive(message)
    } catch {
      this.#finish({ kind: 'exited', message: 'it wrote into the pipe through which its results are fetched' })
    }
  }

  /** The message comes from a process that a student's code controls: nothing is taken for granted. */
  #receive(message: unknown): void {
    if (typeof message !== 'object' || message === null) throw new TypeError('not a reply')
    const { id, value, error, all, ready, printed, exit } = message as Record<string, unknown>
    if (id === 0 && ready === true) {
      this.#readyAt ??= performance.now()
      // What was asked meanwhile has not run yet.
      const cpuMs = this.#usage()?.cpuMs ?? 0
      for (const { since } of this.#pending.values()) Object.assign(since, { at: this.#readyAt, cpuMs })
      return
    }
    if (id === -2 && typeof exit === 'number') {
      this.#exitStatus ??= exit
      this.kill()
      return
    }
    if (error !== undefined && !isWireError(error)) throw new TypeError('not a reply')
    const output = typeof printed === 'string' ? { printed } : {}
    if (id === -1 && error) {
      this.#finish({ kind: 'threw', message: 'it threw after the function had returned', error })
      return
    }
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined
    // An answer to a question that nobody asked.
    if (!pending) return
    if (error && all === true) {
      this.#settle(id as number, { all: error })
      return
    }
    pending.outcomes.push(error ? { error, ...output } : { value, ...output })
    if (pending.outcomes.length >= pending.count) this.#settle(id as number)
  }

  #settle(id: number, more: { all?: WireError; end?: End } = {}): void {
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#pending.delete(id)
    if (this.#pending.size === 0 && this.#busySince !== undefined) {
      this.#busyMs += performance.now() - this.#busySince
      this.#busySince = undefined
    }
    pending.settle({ outcomes: pending.outcomes, ...more })
  }

  #finish(end: End): void {
    if (this.#end) return
    this.#end = end
    clearInterval(this.#watch)
    running.delete(this)
    this.kill()
    for (const id of [...this.#pending.keys()]) this.#settle(id, { end })
  }

  /** It ended, and nobody here has ended it. */
  #whyItEnded(code: number | null, signal: NodeJS.Signals | null): End {
    const { limits } = this
    if (this.#exitStatus !== undefined) {
      return { kind: 'exited', message: `it ended its process (exit status ${this.#exitStatus})` }
    }
    if (this.#readyAt === undefined) {
      const said = this.output.trim().split('\n').slice(0, 3).join(' ')
      const how = signal ?? `exit status ${code}`
      return {
        kind: 'sandbox',
        message: `the process for student code ended before it was ready, on Node ${process.versions.node} (${how})${said === '' ? '' : `: ${said}`}`,
      }
    }
    if (signal === 'SIGABRT' || code === 134 || /heap out of memory/.test(this.output))
      return { kind: 'memory', message: `it took more than ${limits.heapMb} MB of heap` }
    if (signal === 'SIGXCPU' || (signal === 'SIGKILL' && this.#cpuMs >= limits.totalMs))
      return { kind: 'timeout', message: `all calls together took more than ${limits.totalMs / 1000} s` }
    // Its code has no way to send a signal. These come from outside: from a kernel that is out of memory, from an administrator.
    if (signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT' || signal === 'SIGHUP')
      return {
        kind: 'sandbox',
        message: `the process for student code was ended from outside (${signal}); this machine may have run out of memory`,
      }
    return {
      kind: 'exited',
      message: signal ? `its process was ended by ${signal}` : `it ended its process (exit status ${code})`,
    }
  }

  #print(piece: Buffer): void {
    const room = KEPT_OUTPUT_BYTES - this.#printed
    if (room > 0) this.#output.push(Buffer.from(piece.subarray(0, room)))
    this.#printed += piece.length
    if (this.#printed > this.limits.outputBytes) {
      this.#finish({ kind: 'output', message: `it printed more than ${this.limits.outputBytes} bytes` })
    }
  }

  #look(): void {
    const { limits } = this
    const usage = this.#usage()
    if (usage && usage.residentBytes > limits.memoryMb * 1024 * 1024) {
      this.#finish({ kind: 'memory', message: `it took more than ${limits.memoryMb} MB of memory` })
      return
    }
    const now = performance.now()
    this.#cpuMs = usage?.cpuMs ?? this.#cpuMs
    if (this.#readyAt === undefined) {
      const message = `the process for student code was not ready after ${START_MS / 1000} s; this machine is too busy`
      if (now - this.#startedAt > START_MS) this.#finish({ kind: 'sandbox', message })
      return
    }
    for (const pending of this.#pending.values()) {
      const { since, outcomes } = pending
      if (outcomes.length !== since.outcomes) {
        pending.since = { outcomes: outcomes.length, at: now, cpuMs: usage?.cpuMs ?? 0 }
        continue
      }
      const cpuMs = usage ? usage.cpuMs - since.cpuMs : 0
      // One that works, and gets little of a busy machine, is given longer than one that only waits.
      const wallMs = cpuMs > WORKING_CPU_MS ? 3 * limits.wallMs : limits.wallMs
      const what = cpuMs > limits.cpuMs ? limits.cpuMs : now - since.at > wallMs ? wallMs : undefined
      if (what === undefined) continue
      this.#finish({ kind: 'timeout', message: `it had not ended after ${what / 1000} s` })
      return
    }
    const busy = this.#busyMs + (this.#busySince === undefined ? 0 : now - this.#busySince)
    // Where its CPU time is known and limited, a busy machine does not shorten what it has.
    if (busy > (usage ? 3 : 1) * limits.totalMs) {
      this.#finish({ kind: 'timeout', message: `all calls together took more than ${limits.totalMs / 1000} s` })
    }
  }

  /** From /proc, where there is one. */
  #usage(): { cpuMs: number; residentBytes: number } | undefined {
    try {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1')
      // The name, in parentheses, may hold anything.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const [user, system, resident] = [fields[11], fields[12], fields[21]].map(Number)
      return {
        cpuMs: ((user! + system!) * 1000) / TICKS_PER_SECOND,
        residentBytes: resident! * PAGE_BYTES,
      }
    } catch {
      return undefined
    }
  }
}

function isWireError(value: unknown): value is WireError {
  if (typeof value !== 'object' || value === null) return false
  const { kind, message, errorName, classes, at } = value as Record<string, unknown>
  return (
    typeof kind === 'string' &&
    typeof message === 'string' &&
    (errorName === undefined || typeof errorName === 'string') &&
    (classes === undefined || (Array.isArray(classes) && classes.every(one => typeof one === 'string'))) &&
    (at === undefined || (Array.isArray(at) && at.length === 3 && typeof at[0] === 'string'))
  )
}

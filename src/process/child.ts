/**
 * A process of ours beside this one, which runs one file of TypeScript and does what it is asked to. This is the parent's side; the
 * child's is `serve-parent.ts`.
 *
 *     // in double-child.ts                                // here
 *     const orders = {                                     const child = new Child<DoubleOrders>(
 *       double: (given: number) => given * 2,                new URL('./double-child.ts', import.meta.url),
 *     }                                                      { name: 'the doubling process' },
 *     export type DoubleOrders = typeof orders             )
 *     serveParent(orders)                                  await child.ask('double', 21)
 *
 * The child ends with its parent, on every way on which that can end.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

const require = createRequire(import.meta.url)

/** How long a child has to end in good order; then it is killed. */
export const CLOSE_TIMEOUT_MS = 4_000
/** Starting takes half a second on an idle machine; this is for one that is busy, or emulated. */
const START_TIMEOUT_MS = 60_000
/** A timer that is up so much later tells of a pause of its own process. */
const OWN_PAUSE_MS = 1_000
/** From the end of the process to the end of its output, which a grandchild may hold open. */
const OUTPUT_TIMEOUT_MS = 500
/** Of an error of sending: nobody listens. */
const HAS_ENDED: readonly (string | undefined)[] = ['EPIPE', 'ECONNRESET', 'ERR_IPC_CHANNEL_CLOSED']
/** How much of what it said last is kept for the error message. */
const OUTPUT_LENGTH = 4_000
const OUTPUT_LINES = 8

/** What a child can be asked to do, by name: the functions that do it there. `Given` and results pass by structured clone. */
export type Orders = Record<string, (given: never, call: Call<never>) => unknown>

/** One order that is being carried out, as its function in the child sees it. */
export interface Call<Report> {
  /** Aborted when nobody wants the answer any more. */
  signal: AbortSignal
  /** Tells the parent something before the answer. */
  report(report: Report): void
}

type ReportOf<F> = F extends (given: never, call: Call<infer R>) => unknown ? R : never

export interface AskOptions<Report> {
  /** Tells the child to stop; what it then answers is the answer. */
  signal?: AbortSignal | undefined
  onReport?: (report: Report) => void
  /**
   * How long the answer may take, in ms from when the process has loaded its code, for orders that it answers at once as long as it runs. Then it rejects with LateAnswerError, and until that answer
   * has come, other orders with a limit reject without being sent: a process that stands still collects none.
   */
  limitMs?: number | undefined
}

type AskArguments<F extends Orders[string]> =
  Parameters<F> extends [] ? [] : [given: Parameters<F>[0], options?: AskOptions<ReportOf<F>>]

export type ToChild = { id: number; order: string; given: unknown } | { stop: number } | 'close'

export type FromChild =
  | 'ready'
  | { id: number; report: unknown }
  | { id: number; result: unknown }
  | { id: number; error: string }

export interface ChildOptions {
  /** As the sentences about it call it, such as "the link emulator's process". */
  name: string
  /** The class of all errors. Default: ChildError. */
  error?: new (
    message: string,
  ) => Error
  arguments?: readonly string[]
  /** A command in front of Node's own, which runs it somewhere else: `nsenter` and its options, say. */
  within?: readonly string[]
  env?: NodeJS.ProcessEnv
  /** Called once when the process ends although nobody closed it. Orders without an answer, and later ones, reject with that error. */
  onDeath?: (error: Error) => void
  /**
   * It has to tidy up when its parent ends without a word, as by `process.exit`, and takes its time for that. Otherwise it is killed
   * then, which ends one that is stuck, too.
   */
  tidiesUp?: boolean
}

/** Those that are killed when this process ends. */
const running = new Set<{ kill(): void }>()
process.on('exit', () => {
  for (const child of running) child.kill()
})

/** A child process failed, or could not be started. The message is for people. */
export class ChildError extends Error {
  override name = 'ChildError'
}

/** A child process is there, and does not answer: it was stopped (SIGSTOP), or gets no time. */
export class LateAnswerError extends ChildError {
  override name = 'LateAnswerError'
}

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
  onReport?: ((report: never) => void) | undefined
  timer?: NodeJS.Timeout
}

export class Child<O extends Orders> {
  readonly #options: ChildOptions
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  readonly #ended: Promise<void>
  readonly #startTimer: NodeJS.Timeout
  #hangUpTimer: NodeJS.Timeout | undefined
  /** Resolves when it has loaded its code; never, when it ends before. */
  readonly #ready: Promise<void>
  #isNowReady!: () => void
  /** Orders whose time was up before their answer came. */
  readonly #overdue = new Map<number, Error>()
  #isReady = false
  #lastId = 0
  #output = ''
  #dead: Error | undefined
  #closed: Promise<void> | undefined

  /** Starts the process; orders wait until it has loaded its code. Whoever makes it closes it. */
  constructor(file: URL, options: ChildOptions) {
    this.#options = options
    const [program, ...args] = [...(options.within ?? []), process.execPath]
    const child = fork(fileURLToPath(file), options.arguments, {
      execPath: program,
      // Found from here and not from the working directory; and none of the parent's own options, such as a debugger's port.
      execArgv: [
        ...args,
        ...['--import', new URL('./end-with-parent.mjs', import.meta.url).href],
        ...(file.pathname.endsWith('.ts') ? ['--import', pathToFileURL(require.resolve('tsx')).href] : []),
      ],
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Structured clone: JSON has neither bytes nor undefined nor Infinity.
      serialization: 'advanced',
    })
    this.#process = child
    this.#ready = new Promise(resolve => {
      this.#isNowReady = resolve
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', text => {
        this.#output = (this.#output + text).slice(-OUTPUT_LENGTH)
      })
    }
    child.on('message', message => this.#receive(message as FromChild))
    child.once('disconnect', () => {
      if (this.#closed !== undefined) return
      // Nearly always it has just ended, which is told next. One that lives on without a channel is of no use.
      this.#hangUpTimer = setTimeout(() => {
        this.#die('cannot be talked to any more')
        this.kill()
      }, CLOSE_TIMEOUT_MS + OUTPUT_TIMEOUT_MS)
    })
    this.#startTimer = setTimeout(() => {
      this.#die(`did not start within ${START_TIMEOUT_MS / 1000} s`)
      this.kill()
    }, START_TIMEOUT_MS)
    if (options.tidiesUp !== true) running.add(this)
    this.#ended = new Promise(resolve => {
      const ended = (how: string): void => {
        running.delete(this)
        this.#die(how)
        resolve()
      }
      child.once('error', error => ended(`could not be started: ${error.message}`))
      child.once('exit', (status, signal) => {
        const how = signal === null ? `ended with status ${status}` : `was ended by ${signal}`
        const timer = setTimeout(ended, OUTPUT_TIMEOUT_MS, how)
        // By then its last words have been read.
        child.once('close', () => {
          clearTimeout(timer)
          ended(how)
        })
      })
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Asks for something and waits for the answer. Rejects with what went wrong there, or when the process has ended. */
  ask<N extends keyof O & string>(name: N, ...rest: AskArguments<O[N]>): Promise<Awaited<ReturnType<O[N]>>> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead)
    const [given, { signal, onReport, limitMs } = {}] = rest as [unknown?, AskOptions<never>?]
    if (limitMs !== undefined) for (const late of this.#overdue.values()) return Promise.reject(late)
    const id = ++this.#lastId
    const stop = (): void => this.#send({ stop: id })
    const answered = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, onReport })
    }).finally(() => signal?.removeEventListener('abort', stop))
    this.#send({ id, order: name, given })
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    if (limitMs !== undefined) void this.#ready.then(() => this.#limit(id, name, limitMs))
    return answered as Promise<Awaited<ReturnType<O[N]>>>
  }

  /** Ends it in good order, and in any case; resolves when it is gone. Idempotent; never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  /** Ends it at once. */
  kill(): void {
    this.#process.kill('SIGKILL')
  }

  async #shutDown(): Promise<void> {
    // While it still loads its code it would not listen, and has nothing yet to end in good order.
    if (!this.#isReady) this.kill()
    const timer = setTimeout(() => this.kill(), CLOSE_TIMEOUT_MS)
    this.#send('close')
    await this.#ended
    clearTimeout(timer)
  }

  #limit(id: number, order: string, limitMs: number): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    const until = performance.now() + limitMs
    waiting.timer = setTimeout(() => {
      // This process has stood still itself (Ctrl-Z, a suspended machine): so may the other one have.
      if (performance.now() - until > OWN_PAUSE_MS) return this.#limit(id, order, limitMs)
      const seconds = Math.round(limitMs / 100) / 10
      const late = new LateAnswerError(
        `${this.#options.name} runs, and has not answered within ${seconds} s (order '${order}'): it was stopped, or the machine is too busy for it`,
      )
      this.#waiting.delete(id)
      this.#overdue.set(id, late)
      waiting.reject(late)
    }, limitMs)
  }

  #send(message: ToChild): void {
    if (!this.#process.connected) return
    this.#process.send(message, error => {
      // What fails because the process has just ended is told by its end.
      if (error === null || HAS_ENDED.includes((error as NodeJS.ErrnoException).code)) return
      if (typeof message === 'object' && 'order' in message) {
        this.#receive({ id: message.id, error: `the order '${message.order}' could not be sent: ${error.message}` })
      }
    })
  }

  #receive(message: FromChild): void {
    if (message === 'ready') {
      this.#isReady = true
      this.#isNowReady()
      clearTimeout(this.#startTimer)
      return
    }
    const waiting = this.#waiting.get(message.id)
    if ('report' in message) {
      waiting?.onReport?.(message.report as never)
      return
    }
    this.#waiting.delete(message.id)
    this.#overdue.delete(message.id)
    clearTimeout(waiting?.timer)
    if ('error' in message) waiting?.reject(this.#error(message.error))
    else waiting?.resolve(message.result)
  }

  #die(how: string): void {
    clearTimeout(this.#hangUpTimer)
    if (this.#dead !== undefined) return
    clearTimeout(this.#startTimer)
    const words = this.#output.trim().split('\n').slice(-OUTPUT_LINES).join('\n')
    const end = words === '' ? ' and said nothing' : `; its last words:\n${words}`
    this.#dead = this.#error(`${this.#options.name} ${how}${end}`)
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer)
      reject(this.#dead)
    }
    this.#waiting.clear()
    if (this.#closed === undefined) this.#options.onDeath?.(this.#dead)
  }

  #error(message: string): Error {
    return new (this.#options.error ?? ChildError)(message)
  }
}

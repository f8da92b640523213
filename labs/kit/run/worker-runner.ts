/**
 * Runs demonstrations and checks in a process of their own. Loading and running them there leaves the terminal UI free to
 * answer keys at once, and its drawing does not disturb what is measured.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Cleanup } from '../check/cleanup.ts'
import type { Lab, Task } from '../lab/types.ts'
import type { DemonstrationOptions, DemonstrationOutcome } from './demonstrate.ts'
import { DEFAULT_TIMEOUT_MS, type RunOptions, type TaskResult } from './engine.ts'
import { NOTHING_YET } from './live.ts'
import type { Runner } from './runner.ts'
import type { FromWorker, ToWorker } from './worker-protocol.ts'

/** A worker that has not ended by itself after this time is killed. */
const GRACE_MS = 4000

type Listener = (message: FromWorker | { type: 'gone'; message: string }) => void

export class WorkerRunner implements Runner {
  #worker: ChildProcess | undefined
  readonly #listeners = new Map<number, Listener>()
  /** Holds the temporary directories of the worker, also of one that had to be killed. */
  readonly #cleanup = new Cleanup()
  #lastId = 0

  constructor() {
    this.#cleanup.defer(() => this.#stopWorker())
  }

  warmUp(): void {
    this.#worker ?? this.#start()
  }

  async demonstrate(lab: Lab, options: DemonstrationOptions): Promise<DemonstrationOutcome> {
    const id = ++this.#lastId
    const startedAt = performance.now()
    const phases = lab.demonstration?.phases.map(phase => ({ ...phase, state: 'waiting' as const })) ?? []
    return await new Promise(resolve => {
      const failed = (failure: string) => resolve({ phases, summary: [], failure, ms: performance.now() - startedAt })
      this.#ask({ type: 'demonstrate', id, lab: lab.id }, options.signal, message => {
        if (message.type === 'phases') options.onPhases?.(message.phases)
        else if (message.type === 'live') options.onLive?.(message.live)
        else if (message.type === 'demonstrated') resolve(message.outcome)
        else if (message.type === 'broken' || message.type === 'gone') failed(message.message)
      })
    })
  }

  async check(lab: Lab, task: Task, options: RunOptions): Promise<TaskResult> {
    const id = ++this.#lastId
    const startedAt = performance.now()
    options.onEvent?.({ type: 'started', task })
    let timer: NodeJS.Timeout | undefined
    const result = await new Promise<TaskResult>(resolve => {
      const failed = (found: string) =>
        resolve({
          task: task.id,
          passed: false,
          feedback: { passed: false, broken: true, expected: 'the check to run to its end', found, read: task.reading },
          steps: [],
          live: NOTHING_YET,
          ms: performance.now() - startedAt,
        })
      const { root, mode, seed } = options
      const what = { lab: lab.id, task: task.id, root, mode, ...(seed === undefined ? {} : { seed }) }
      this.#ask({ type: 'check', id, ...what }, options.signal, message => {
        if (message.type === 'steps') options.onEvent?.({ type: 'step', task, steps: message.steps })
        else if (message.type === 'live') options.onEvent?.({ type: 'live', task, live: message.live })
        else if (message.type === 'checked') resolve(message.result)
        else if (message.type === 'broken' || message.type === 'gone') failed(message.message)
      })
      // The worker stops a check whose time is up. This is for one that keeps the worker from doing anything at all.
      timer = setTimeout(() => this.kill(), (task.timeoutMs ?? DEFAULT_TIMEOUT_MS) + GRACE_MS)
    })
    clearTimeout(timer)
    options.onEvent?.({ type: 'finished', task, result })
    return result
  }

  /** Ends what runs without asking; the next call starts a new process. */
  kill(): void {
    this.#worker?.kill('SIGKILL')
  }

  async close(): Promise<void> {
    await this.#cleanup.run()
  }

  #start(): ChildProcess {
    const worker = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), [], {
      execArgv: ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href],
      env: { ...process.env, MASQUE_LAB_SCRATCH: this.#cleanup.scratch() },
      // Nothing that it prints may get into the picture.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // Structured clone, as live.ts has it: bytes and bigints pass as they are.
      serialization: 'advanced',
    })
    worker.on('message', (message: FromWorker) => this.#listeners.get(message.id)?.(message))
    const gone = (what: string) => {
      if (this.#worker !== worker) return
      this.#worker = undefined
      const listeners = [...this.#listeners.values()]
      this.#listeners.clear()
      for (const listener of listeners) listener({ type: 'gone', message: what })
    }
    worker.on('error', error => gone(`the process that runs it failed: ${error.message}`))
    worker.on('exit', (status, signal) => gone(`the process that runs it ended (${signal ?? `exit status ${status}`})`))
    this.#worker = worker
    return worker
  }

  #ask(message: Exclude<ToWorker, { type: 'stop' }>, signal: AbortSignal | undefined, listener: Listener): void {
    const worker = this.#worker ?? this.#start()
    const { id } = message
    const stop = () => send(worker, { type: 'stop', id })
    signal?.addEventListener('abort', stop, { once: true })
    this.#listeners.set(id, reply => {
      if (reply.type !== 'phases' && reply.type !== 'steps' && reply.type !== 'live') {
        this.#listeners.delete(id)
        signal?.removeEventListener('abort', stop)
      }
      listener(reply)
    })
    send(worker, message)
  }

  async #stopWorker(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    if (!worker || worker.exitCode !== null || worker.signalCode !== null) return
    const exited = once(worker, 'exit')
    const timer = setTimeout(() => worker.kill('SIGKILL'), GRACE_MS)
    if (worker.connected) worker.disconnect()
    await exited
    clearTimeout(timer)
  }
}

/** A worker that has just ended takes no messages; its end is reported by its `exit`. */
function send(worker: ChildProcess, message: ToWorker): void {
  if (worker.connected) worker.send(message, () => {})
}

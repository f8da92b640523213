/**
 * Runs demonstrations and checks in a process of their own. Loading and running them there leaves the terminal UI free to
 * answer keys at once, and its drawing does not disturb what is measured.
 */
import { Child } from '../../../src/process/child.ts'
import { Cleanup } from '../check/cleanup.ts'
import type { Lab, Task } from '../lab/types.ts'
import type { DemonstrationOptions, DemonstrationOutcome } from './demonstrate.ts'
import { checkInTurn, DEFAULT_TIMEOUT_MS, type RunOptions, type TaskResult } from './engine.ts'
import { NOTHING_YET } from './live.ts'
import type { Runner } from './runner.ts'
import type { WorkerOrders } from './worker.ts'

/** A check that has not ended by itself so long after its time is ended with its process. */
const GRACE_MS = 4000

export class WorkerRunner implements Runner {
  #worker: Child<WorkerOrders> | undefined
  /** Holds the temporary directories of the worker, also of one that had to be killed. */
  readonly #cleanup = new Cleanup()

  constructor() {
    this.#cleanup.defer(() => this.#worker?.close())
  }

  warmUp(): void {
    this.#running()
  }

  async demonstrate(lab: Lab, options: DemonstrationOptions): Promise<DemonstrationOutcome> {
    const startedAt = performance.now()
    try {
      return await this.#running().ask('demonstrate', lab.id, {
        signal: options.signal,
        onReport: report => ('phases' in report ? options.onPhases?.(report.phases) : options.onLive?.(report.live)),
      })
    } catch (error) {
      const phases = lab.demonstration?.phases.map(phase => ({ ...phase, state: 'waiting' as const })) ?? []
      return { phases, summary: [], failure: (error as Error).message, ms: performance.now() - startedAt }
    }
  }

  /** Waits for its turn here, in the process that has the terminal, so that the time limit begins with the check. */
  async check(lab: Lab, task: Task, options: RunOptions): Promise<TaskResult> {
    const result = await checkInTurn(task, options, () => this.#check(lab, task, options))
    return result ?? broken(task, 'the check was stopped before it was its turn', 0)
  }

  async #check(lab: Lab, task: Task, options: RunOptions): Promise<TaskResult> {
    const startedAt = performance.now()
    const { root, mode, withOthers, failures, seed, signal, onEvent } = options
    onEvent?.({ type: 'started', task })
    // The worker stops a check whose time is up. This is for one that keeps the worker from doing anything at all.
    const timer = setTimeout(() => this.kill(), (task.timeoutMs ?? DEFAULT_TIMEOUT_MS) + GRACE_MS)
    const given = { lab: lab.id, task: task.id, root, mode, withOthers, failures, seed }
    const result = await this.#running()
      .ask('check', given, {
        signal,
        onReport: report =>
          onEvent?.('steps' in report ? { type: 'step', task, ...report } : { type: 'live', task, ...report }),
      })
      .catch((error: Error) => broken(task, error.message, performance.now() - startedAt))
    clearTimeout(timer)
    onEvent?.({ type: 'finished', task, result })
    return result
  }

  /** Ends what runs without asking; the next call starts a new process. */
  kill(): void {
    this.#worker?.kill()
  }

  async close(): Promise<void> {
    await this.#cleanup.run()
  }

  #running(): Child<WorkerOrders> {
    this.#worker ??= new Child<WorkerOrders>(new URL('./worker.ts', import.meta.url), {
      name: 'the process that runs it',
      env: { ...process.env, MASQUE_LAB_SCRATCH: this.#cleanup.scratch() },
      tidiesUp: true,
      onDeath: () => {
        this.#worker = undefined
      },
    })
    return this.#worker
  }
}

function broken(task: Task, found: string, ms: number): TaskResult {
  const expected = 'the check to run to its end'
  return {
    task: task.id,
    passed: false,
    feedback: { passed: false, broken: true, expected, found, read: task.reading },
    steps: [],
    live: NOTHING_YET,
    ms,
  }
}

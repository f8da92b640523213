/** Where demonstrations and checks run: in this process, or in one of their own (worker-runner.ts). */

import type { Lab, Task } from '../lab/types.ts'
import { type DemonstrationOptions, type DemonstrationOutcome, runDemonstration } from './demonstrate.ts'
import { type RunOptions, runCheck, type TaskResult } from './engine.ts'

export interface Runner {
  /** Gets ready for what will be asked for soon. */
  warmUp?(): void
  demonstrate(lab: Lab, options: DemonstrationOptions): Promise<DemonstrationOutcome>
  check(lab: Lab, task: Task, options: RunOptions): Promise<TaskResult>
  /** Stops what runs and waits until it has cleaned up. */
  close(): Promise<void>
}

export const inProcess: Runner = {
  async demonstrate(lab, options) {
    if (!lab.demonstration) throw new Error(`${lab.id} has no demonstration`)
    return await runDemonstration(lab.demonstration, options)
  },
  check: runCheck,
  async close() {},
}

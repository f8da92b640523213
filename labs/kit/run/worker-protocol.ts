/** What the terminal UI and the process that runs checks say to each other. */

import type { CheckMode, LiveState, Phase } from '../lab/types.ts'
import type { DemonstrationOutcome } from './demonstrate.ts'
import type { Step, TaskResult } from './engine.ts'

export type ToWorker =
  | { type: 'demonstrate'; id: number; lab: string }
  | { type: 'check'; id: number; lab: string; task: string; root: string; mode: CheckMode; seed?: string }
  | { type: 'stop'; id: number }

export type FromWorker =
  | { type: 'phases'; id: number; phases: readonly Phase[] }
  | { type: 'steps'; id: number; steps: readonly Step[] }
  | { type: 'live'; id: number; live: LiveState }
  | { type: 'demonstrated'; id: number; outcome: DemonstrationOutcome }
  | { type: 'checked'; id: number; result: TaskResult }
  /** It could not even be begun. */
  | { type: 'broken'; id: number; message: string }

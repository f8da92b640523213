/**
 * Do two measurements of the same plan agree? One verdict for each property of each direction of each case. Sans-IO.
 *
 * Everything random is compared by a two-sample test (src/stats/two-sample.ts) with one false-alarm rate, `falseAlarm`; what
 * is not random (a rate, a full queue) by a tolerance. Times are compared after the backend's own median delay, as measured
 * on the profile `clean`, has been taken off, and with a tolerance for the spread that is left there (noise.ts).
 *
 *   steady-rows.ts     packets that do not fill the link
 *   overload-rows.ts   more than it lets through
 *   timeline-rows.ts   gaps and changes of address
 *
 * Each says what a bound is; verdict.ts what comes of a difference, and of a disturbance.
 */

import { DIRECTIONS } from '../../src/link/profile/profile.ts'
import type { Case, CaseRun } from './cases.ts'
import type { Measurement, Plan, RunResult } from './measurement.ts'
import type { CompareOptions } from './noise.ts'
import { overloadRows } from './overload-rows.ts'
import { steadyRows } from './steady-rows.ts'
import { compareTimelines } from './timeline-rows.ts'
import type { MakeRow, Row } from './verdict.ts'

/** All rows, in the order of the plan. */
export function compare(plan: Plan, kernel: Measurement, emulator: Measurement, options: CompareOptions): Row[] {
  const rows = plan.cases.flatMap((one, i) =>
    one.runs.flatMap((run, j) => compareRun(one, run, kernel.cases[i][j], emulator.cases[i][j], options)),
  )
  const timelines = plan.timelines.flatMap((profile, i) =>
    compareTimelines(profile, kernel.timelines[i], emulator.timelines[i]),
  )
  return [...rows, ...timelines]
}

function compareRun(one: Case, run: CaseRun, kernel: RunResult, emulator: RunResult, options: CompareOptions): Row[] {
  return DIRECTIONS.flatMap(direction => {
    if (!kernel.trails[direction] || !emulator.trails[direction]) return []
    const row: MakeRow = (property, part) => ({
      profile: one.profile,
      state: one.state,
      direction,
      property,
      kernel: '',
      emulator: '',
      difference: '',
      bound: '',
      ...part,
    })
    const rows = run.kind === 'steady' ? steadyRows : overloadRows
    return rows(row, { run, direction, impairment: one.link[direction], kernel, emulator }, options)
  })
}

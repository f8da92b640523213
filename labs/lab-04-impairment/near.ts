/** What is said right after a measurement that is far from its prediction. */
import { formatNumber } from '../kit/check/format.ts'
import type { CheckContext, Reading } from '../kit/lab/types.ts'
import type { PredictionRow } from './panel-data.ts'

/** A machine with little else to do stays within that, however short the time is. */
const MOST = { times: 1.5, moreMs: 50 }

/** Fails the check once, behind a run that a busy machine has made much longer. The run is kept, and the next check goes on with it. */
export function expectNear(
  context: Pick<CheckContext, 'expect'>,
  task: string,
  rows: readonly PredictionRow[],
  read: Reading[],
): void {
  const far = rows.find(
    ({ predicted, measured = 0 }) => measured > Math.max(MOST.times * predicted, predicted + MOST.moreMs),
  )
  if (far === undefined) return
  const { name, predicted, measured = 0, unit } = far
  context.expect('the run is near what was predicted', false, {
    expected: `${name} ${formatNumber(predicted)} ${unit}, and a little more`,
    found: `${formatNumber(measured)} ${unit}: the machine was busy meanwhile. The run is kept, and you may answer about it. For another one, take its section [[${task}]] out of measured.toml, and check again`,
    read,
  })
}

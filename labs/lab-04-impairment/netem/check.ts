/**
 * Does a link do what lab 4 says?
 *
 *     labs/lab-04-impairment/netem/check.sh [--backend auto|emulator|kernel]
 *
 * First losses in bursts (`bursty`): their rate, and that they come together. Then three seconds without a network (`outage-3s`):
 * the session survives, nothing passes meanwhile, and packets flow again. What is a matter of chance fails a correct link
 * once in 10 000 runs at most.
 */
import { expectedLoss } from '../../../src/link/model/loss.ts'
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import type { Profile } from '../../../src/link/profile/profile.ts'
import { clopperPearson } from '../../../src/stats/intervals.ts'
import type { Cleanup } from '../../kit/check/cleanup.ts'
import { openImpairedLink, pingsThrough } from '../../kit/check/impaired-link.ts'
import { type Expect, netemScript, type ScriptOptions } from '../../kit/check/netem-script.ts'
import type { Pings } from '../../kit/check/tunnel-pings.ts'

const COUNT = 3000
const EVERY_MS = 5
/** A burst of losses is worth about one independent loss: this many packets count as one. */
const DESIGN_EFFECT = 12
const FALSE_ALARM = 1e-4
const TIMEOUT_MS = 2000

await netemScript(
  { description: 'Losses that come in bursts, and a session that lives through three seconds without a network.' },
  async (_, options, cleanup, expect) => {
    await bursts(options, cleanup, expect)
    await cleanup.run()
    await outage(options, cleanup, expect)
  },
)

async function bursts(options: ScriptOptions, cleanup: Cleanup, expect: Expect): Promise<void> {
  const profile = loadProfile('bursty')
  const { records } = await pings(profile, COUNT, EVERY_MS, options, cleanup)
  const arrive = (1 - (expectedLoss(profile.up.loss) ?? 0)) * (1 - (expectedLoss(profile.down.loss) ?? 0))
  const lost = records.filter(({ rttMs }) => rttMs === undefined)
  const share = (count: number) => `${((100 * count) / records.length).toFixed(1)} %`
  const { low, high } = clopperPearson(
    Math.round(lost.length / DESIGN_EFFECT),
    Math.round(records.length / DESIGN_EFFECT),
    1 - FALSE_ALARM,
  )
  expect(
    low <= 1 - arrive && 1 - arrive <= high,
    `${lost.length} of ${records.length} pings lost, ${share(lost.length)}: compatible with ${share(low * records.length)} to ${share(high * records.length)}, and the profile has ${share((1 - arrive) * records.length)}`,
  )
  // Independent losses follow each other as often as losses happen at all. These do several times as often.
  const missing = new Set(lost.map(({ sequence }) => sequence))
  const followed = lost.filter(({ sequence }) => missing.has(sequence + 1)).length
  const independent = lost.length ** 2 / records.length
  expect(
    followed > 2 * independent,
    `losses come together: ${followed} follow another one directly; independent ones would ${independent.toFixed(1)} times`,
  )
}

async function outage(options: ScriptOptions, cleanup: Cleanup, expect: Expect): Promise<void> {
  const profile = loadProfile('outage-3s')
  const phase = profile.timeline[0]
  const count = Math.ceil((phase.atMs + phase.durationMs + 3000) / 50)
  const { records, lost } = await pings(profile, count, 50, options, cleanup)
  expect(lost === undefined, lost === undefined ? 'the session survives' : `the session is lost: ${lost}`)
  const silent = records.filter(({ rttMs }) => rttMs === undefined)
  const [first, last] = [silent[0]?.sentMs ?? Number.NaN, silent.at(-1)?.sentMs ?? Number.NaN]
  const length = last - first + 50
  expect(
    Math.abs(length - phase.durationMs) <= 500,
    `nothing passes for ${length.toFixed(0)} ms; ${phase.durationMs} expected, and half a second for a busy machine`,
  )
  const after = records.filter(({ sentMs, rttMs }) => sentMs > last && rttMs !== undefined).length
  expect(after > 10, `packets flow again: ${after} pings answered after it`)
}

async function pings(
  profile: Profile,
  count: number,
  everyMs: number,
  options: ScriptOptions,
  cleanup: Cleanup,
): Promise<Pings> {
  const link = await openImpairedLink({ profile, ...options }, cleanup)
  const because = link.reason === undefined ? '' : ` (${link.reason})`
  console.log(`${link.backend}${because}: ${profile.title}; ${count} pings, ${(count * everyMs) / 1000} s …`)
  return await pingsThrough(link, { count, intervalMs: everyMs, timeoutMs: TIMEOUT_MS })
}

/**
 * Do round trips, and loss on streams and in datagrams, cost what lab 2 says? On the kernel's netem, or on the emulator.
 *
 *     labs/lab-02-performance/netem/check.sh [--backend auto|emulator|kernel]
 *
 * First the time until a tunnel is there, in round trips of 200 ms. Then pings through a link that loses 2 % on one way, in each
 * of the three encapsulations: which are lost, which are late. What is a matter of chance fails a correct tunnel once in 10 000
 * runs at most.
 */
import { fileURLToPath } from 'node:url'
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import { acceptRate } from '../../../src/stats/acceptance.ts'
import type { Cleanup } from '../../kit/check/cleanup.ts'
import { openImpairedLink, pingsThrough } from '../../kit/check/impaired-link.ts'
import { type Expect, netemScript, type ScriptOptions } from '../../kit/check/netem-script.ts'
import type { PingPlan, Pings } from '../../kit/check/tunnel-pings.ts'

const RTT_MS = 200
/** A busy machine makes a run longer, never shorter; half a round trip is beyond what it does in the best of several. */
const RUNS = 4
const TOLERANCE_MS = 0.4 * RTT_MS
const COUNT = 600
const INTERVAL_MS = 10
/** A stream on a lossy link takes its time. */
const PATIENCE_MS = 10_000
const LOSS = 0.02
/** Later than the fastest by so much: it was sent again, or waited for one that was. */
const LATE_MS = RTT_MS / 2
const NOTHING = { sent: 0, late: 0, lost: 0 }
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

await netemScript(
  { description: 'Round trips until there is a tunnel; and what a lost packet holds up, on streams and in datagrams.' },
  async (_, options, cleanup, expect) => {
    await roundTrips(options, cleanup, expect)
    await cleanup.run()
    await encapsulations(options, cleanup, expect)
  },
)

async function roundTrips(options: ScriptOptions, cleanup: Cleanup, expect: Expect): Promise<void> {
  const profile = loadProfile(here('far.toml'))
  const link = await openImpairedLink({ profile, ...options }, cleanup)
  console.log(`${link.backend}${link.reason === undefined ? '' : ` (${link.reason})`}: ${profile.title}`)
  const runs: Pings[] = []
  for (let run = 0; run < RUNS; run++) runs.push(await pingsThrough(link, plan(1)))
  for (const [name, trips, values] of [
    ['QUIC handshake', 1, runs.map(run => run.handshakeMs)],
    ['MASQUE session', 2, runs.map(run => run.sessionMs)],
    ['ping', 1, runs.flatMap(answered)],
  ] as const) {
    const best = Math.min(...values)
    const expected = trips * RTT_MS
    expect(
      Math.abs(best - expected) <= TOLERANCE_MS,
      `${name}: ${best.toFixed(0)} ms in the best of ${values.length} runs; ${expected} ms expected, ${trips === 1 ? 'one round trip' : `${trips} round trips`}`,
    )
  }
}

async function encapsulations(options: ScriptOptions, cleanup: Cleanup, expect: Expect): Promise<void> {
  const profile = loadProfile(here('far-lossy.toml'))
  const link = await openImpairedLink({ profile, ...options }, cleanup)
  console.log(`${link.backend}: ${profile.title}; ${COUNT} pings in each encapsulation …`)
  const measured = { datagram: NOTHING, 'stream-per-packet': NOTHING, 'single-stream': NOTHING }
  for (const encapsulation of ['datagram', 'stream-per-packet', 'single-stream'] as const) {
    const pings = await pingsThrough(link, plan(COUNT), encapsulation)
    const sent = pings.records.length
    const rttMs = answered(pings)
    const late = rttMs.filter(rtt => rtt > RTT_MS + LATE_MS).length
    measured[encapsulation] = { sent, late, lost: sent - rttMs.length }
    console.log(`  ${encapsulation}: ${late} late, ${sent - rttMs.length} lost of ${sent}`)
  }
  const { datagram, 'stream-per-packet': perPacket, 'single-stream': single } = measured
  const lost = acceptRate({
    name: 'pings lost in datagrams',
    successes: datagram.lost,
    n: datagram.sent,
    expected: { min: 0.9 * LOSS, max: 1.1 * LOSS },
  })
  expect(lost.accepted, lost.text)
  expect(perPacket.lost + single.lost === 0, `streams lose nothing: ${perPacket.lost} and ${single.lost} lost`)
  const late = acceptRate({
    name: 'pings late on streams of their own',
    successes: perPacket.late,
    n: perPacket.sent,
    expected: { min: 0.9 * LOSS },
  })
  expect(late.accepted, `what is lost on a stream is sent again, and late: ${late.text}`)
  expect(
    single.late > 3 * perPacket.late,
    `on a single stream, the packets behind a lost one are late as well: ${single.late}, more than three times ${perPacket.late}`,
  )
}

function plan(count: number): PingPlan {
  return { count, intervalMs: INTERVAL_MS, timeoutMs: PATIENCE_MS }
}

/** Round trips of those that were answered, in ms. */
function answered({ records }: Pings): number[] {
  return records.flatMap(({ rttMs }) => rttMs ?? [])
}

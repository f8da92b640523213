/**
 * Does the link of task 4 do to a tunnel what the lab says: a queue for nearly half a second, which one sender keeps long?
 *
 *     labs/lab-05-congestion/netem/check.sh [--backend auto|emulator|kernel]
 *
 * Pings through a tunnel over the profile `lte-bloat`: first a few small ones, which find the queue empty; then large ones, more than
 * the link carries, for as long as it takes to fill the queue and to be told of it by a loss several times. `netem check lte-bloat`
 * measures the emulated link itself. The round trip of the small ones fails a correct link once in 10 000 runs at most; what the large ones
 * show is far from its bounds.
 */
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import { acceptPercentile } from '../../../src/stats/acceptance.ts'
import { percentileOf } from '../../../src/stats/statistics.ts'
import type { Cleanup } from '../../kit/check/cleanup.ts'
import { openImpairedLink, pingsThrough } from '../../kit/check/impaired-link.ts'
import { type Expect, netemScript, type ScriptOptions } from '../../kit/check/netem-script.ts'
import type { Pings } from '../../kit/check/tunnel-pings.ts'

const IDLE = { count: 100, intervalMs: 50, timeoutMs: 2000 }
/** 1000 bytes each 2.5 ms: 3.2 Mbit/s of pings, where 2 Mbit/s get through. */
const LOADED = { count: 4800, intervalMs: 2.5, timeoutMs: 5000, dataBytes: 1000 }
/** The connection looks for its rate before. */
const STEADY_FROM_MS = 4000
/** ICMP and IP; then, of QUIC, the least that a packet with a DATAGRAM has around it, UDP and IP: the link counts them all. */
const PACKET_BYTES = LOADED.dataBytes + 8 + 20 + 30 + 8 + 20
/** Of the link's rate: less where a loss makes the sender pause; more by what the bytes around a packet are wrong by. */
const LEAST_SHARE = 0.8
const MOST_SHARE = 1.05
/** What two busy processes may add, in ms. */
const ALLOWANCE_MS = 40

await netemScript({ description: 'One sender, and a queue for nearly half a second: who waits how long?' }, check)

async function check(_: string[], options: ScriptOptions, cleanup: Cleanup, expect: Expect): Promise<void> {
  const profile = loadProfile('lte-bloat')
  const { up, down } = profile
  const { rate } = up
  if (rate === undefined || !('packets' in rate.limit)) throw new Error('lte-bloat has no rate, or no queue in packets')
  const link = await openImpairedLink({ profile, ...options }, cleanup)
  console.log(`${link.backend}${link.reason === undefined ? '' : ` (${link.reason})`}: ${profile.title}`)

  console.log(`${IDLE.count} small pings, nothing else …`)
  const idle = answered(await pingsThrough(link, IDLE)).map(({ rttMs }) => rttMs)
  const pathMs = up.delayMs + down.delayMs
  const alone = acceptPercentile({
    name: 'lower quartile of the round trip with an empty queue',
    values: idle,
    fraction: 0.25,
    unit: 'ms',
    expected: { min: pathMs - 4 * up.jitterMs, max: pathMs + ALLOWANCE_MS },
  })
  expect(alone.accepted, alone.text)

  const loadedMs = LOADED.count * LOADED.intervalMs
  console.log(`${LOADED.count} large pings, ${loadedMs / 1000} s …`)
  const pings = await pingsThrough(link, LOADED)
  expect(pings.lost === undefined, `the session survives${pings.lost === undefined ? '' : `: ${pings.lost}`}`)
  const steady = answered(pings)
    .map(({ sentMs, rttMs }) => ({ atMs: sentMs + rttMs, rttMs }))
    .filter(({ atMs }) => atMs > STEADY_FROM_MS && atMs < loadedMs)
  // Second by second: a process that had to wait reads late what came in time, and that second, or the next, has more than the link gave.
  const seconds = new Array<number>((loadedMs - STEADY_FROM_MS) / 1000).fill(0)
  for (const { atMs } of steady) seconds[Math.floor((atMs - STEADY_FROM_MS) / 1000)]++
  const carried = 8 * PACKET_BYTES * percentileOf(seconds, 0.5)
  expect(
    carried > LEAST_SHARE * rate.bitsPerSecond && carried < MOST_SHARE * rate.bitsPerSecond,
    `the link carries ${(carried / 1e6).toFixed(2)} Mbit/s of them; its rate is ${rate.bitsPerSecond / 1e6} Mbit/s`,
  )
  const waited = percentileOf(
    steady.map(({ rttMs }) => rttMs),
    0.5,
  )
  const queueMs = (8000 * PACKET_BYTES * rate.limit.packets) / rate.bitsPerSecond
  expect(
    waited > pathMs + queueMs / 2,
    `they wait: ${waited.toFixed(0)} ms there and back (median), ${pathMs} without a queue; ${queueMs.toFixed(0)} ms is a full queue, and the rest the tunnel’s own`,
  )
  const counters = await link.counters()
  if (counters === undefined) return
  const { overflow } = counters.up[0]
  expect(overflow > 0, `the sender is told by losses alone: ${overflow} packets found the queue full`)
}

function answered({ records }: Pings): { sentMs: number; rttMs: number }[] {
  return records.flatMap(({ sentMs, rttMs }) => (rttMs === undefined ? [] : [{ sentMs, rttMs }]))
}

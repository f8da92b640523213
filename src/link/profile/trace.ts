/**
 * Trace-driven links in the format of Mahimahi (Netravali et al., "Mahimahi: Accurate Record-and-Replay for HTTP", USENIX
 * ATC 2015; mm-link(1)).
 *
 * One line is one opportunity to deliver 1500 bytes, as a whole number of milliseconds since the start. Lines are in
 * ascending order; the same number on several lines means several opportunities in that millisecond. After the last line
 * the trace begins again, so its last number is also its length. An opportunity at which nothing waits is lost.
 * (Mahimahi itself counts 1504 bytes: with the four that its TUN device puts in front of each packet.)
 *
 *     0        12 Mbit/s would be one line a millisecond;
 *     3        this is a link that carries four packets
 *     3        in ten milliseconds, two of them together,
 *     10       over and over again
 */
import { ConfigError } from '../../config/config-error.ts'
import type { Trace } from './profile.ts'

/** What one opportunity carries: bytes of IP packets, headers included. */
export const OPPORTUNITY_BYTES = 1500

/** The Ethernet frame of such a packet, which is what tbf counts on a veth. */
const FRAME_BYTES = OPPORTUNITY_BYTES + 14

const MOST_LINES = 2_000_000
const LONGEST_MS = 86_400_000

/** Empty lines and lines that begin with # do not count. Throws ConfigError that names FILE:LINE. */
export function parseTrace(text: string, where: { file: string }): Trace {
  const fail = (line: number, what: string): never => {
    throw new ConfigError(where.file, [`${where.file}:${line}: ${what}`])
  }
  const times: number[] = []
  let number = 0
  for (const [index, raw] of text.split('\n').entries()) {
    number = index + 1
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const found = line.length > 30 ? `${line.slice(0, 30)}...` : line
    if (!/^[0-9]{1,8}$/.test(line) || Number(line) > LONGEST_MS) {
      fail(number, `found ${JSON.stringify(found)}, expected a whole number of milliseconds from 0 to ${LONGEST_MS}`)
    }
    const time = Number(line)
    const before = times.at(-1) ?? 0
    if (time < before) fail(number, `found ${time} after ${before}, expected times in ascending order`)
    if (times.length === MOST_LINES) fail(number, `expected at most ${MOST_LINES} delivery opportunities`)
    times.push(time)
  }
  if (times.length === 0) {
    fail(number, 'expected at least one delivery opportunity: a line with a number of milliseconds')
  }
  const periodMs = times[times.length - 1]
  if (periodMs === 0) fail(number, 'expected the last time to be above 0: it is the length of the trace')
  return { name: where.file.split(/[/\\]/).at(-1) ?? '', opportunitiesMs: Float64Array.from(times), periodMs }
}

/** How many opportunities a trace has had before `ms` of its (repeated) time. */
function opportunitiesBefore(trace: Trace, ms: number): number {
  const rounds = Math.floor(ms / trace.periodMs)
  return rounds * trace.opportunitiesMs.length + firstAtOrAfter(trace, ms - rounds * trace.periodMs)
}

/** Index of the first opportunity at or after `ms` of one round; the number of opportunities if there is none. */
export function firstAtOrAfter(trace: Trace, ms: number): number {
  const times = trace.opportunitiesMs
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (times[middle] < ms) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * What a trace carries from `fromMs` to `toMs` of its (repeated) time, in bit/s of Ethernet frames, as tbf counts them on a
 * veth. A backend without traces can follow one by setting this rate step by step.
 */
export function traceRate(trace: Trace, fromMs: number, toMs: number): number {
  const count = opportunitiesBefore(trace, toMs) - opportunitiesBefore(trace, fromMs)
  return toMs > fromMs ? (count * FRAME_BYTES * 8) / ((toMs - fromMs) / 1000) : 0
}

/**
 * From a list of [time, throughput], as measurement programs write them, to a trace of delivery opportunities (trace.ts).
 *
 * CSV: two columns, with a comma, a semicolon or blanks between them; a first line without numbers is a heading, `#` a comment.
 * JSON: `[[0, 12.5], [1, 8], …]`, or objects with two numbers. Each throughput holds from its time until the next.
 */
import { OPPORTUNITY_BYTES } from './trace.ts'

export interface Sample {
  atMs: number
  bitsPerSecond: number
}

export interface Units {
  /** What one of the first column is, in ms. */
  timeMs: number
  /** What one of the second column is, in bit/s. */
  bitsPerSecond: number
}

/** The list is none. The message continues "FILE:", with the line where there is one. */
export class ThroughputError extends Error {
  override name = 'ThroughputError'
}

const MOST_SAMPLES = 1_000_000
const LONGEST_MS = 86_400_000
const MOST_OPPORTUNITIES = 2_000_000

/** Throws ThroughputError. */
export function readThroughput(text: string, units: Units): Sample[] {
  const rows = /^\s*[[{]/.test(text) ? jsonRows(text) : csvRows(text)
  if (rows.length > MOST_SAMPLES)
    throw new ThroughputError(`found ${rows.length} samples, expected at most ${MOST_SAMPLES}`)
  if (rows.length < 2) throw new ThroughputError('expected two samples at least: [time, throughput], one a line')
  const [{ time: first }] = rows
  const samples = rows.map(({ time, rate, where }, i) => {
    if (rate < 0) throw new ThroughputError(`${where}: found a throughput of ${rate}, expected 0 or more`)
    if (i > 0 && time <= rows[i - 1].time) {
      throw new ThroughputError(
        `${where}: found the time ${time} after ${rows[i - 1].time}, expected times in ascending order`,
      )
    }
    return { atMs: (time - first) * units.timeMs, bitsPerSecond: rate * units.bitsPerSecond }
  })
  if (samples.every(({ bitsPerSecond }) => bitsPerSecond === 0))
    throw new ThroughputError('expected a throughput above 0 somewhere')
  return samples
}

/**
 * The times of opportunities to deliver 1500 bytes, in whole ms; the last of them is the length of the trace. The last sample holds as
 * long as the one before it did. Throws ThroughputError where the trace would be too long.
 */
export function toOpportunities(samples: readonly Sample[]): number[] {
  const last = samples[samples.length - 1]
  const lastsMs = last.atMs - samples[samples.length - 2].atMs
  const lengthMs = Math.max(1, Math.round(last.atMs + lastsMs))
  if (lengthMs > LONGEST_MS) {
    throw new ThroughputError(
      `found ${Math.round(lengthMs / 1000)} s, expected a day at most: is the unit of the times another one?`,
    )
  }
  const opportunityBits = OPPORTUNITY_BYTES * 8
  const times: number[] = []
  /** Carried since the last opportunity. */
  let bits = 0
  for (const [i, { atMs, bitsPerSecond }] of samples.entries()) {
    const bitsPerMs = bitsPerSecond / 1000
    const untilMs = samples[i + 1]?.atMs ?? atMs + lastsMs
    const opportunities = Math.floor((bits + (untilMs - atMs) * bitsPerMs) / opportunityBits + 1e-9)
    if (times.length + opportunities > MOST_OPPORTUNITIES) {
      throw new ThroughputError(
        `expected at most ${MOST_OPPORTUNITIES} opportunities to deliver a packet: is the unit of the throughput another one?`,
      )
    }
    for (let k = 1; k <= opportunities; k++) {
      times.push(Math.min(lengthMs, Math.round(atMs + (k * opportunityBits - bits) / bitsPerMs)))
    }
    bits = Math.max(0, bits + (untilMs - atMs) * bitsPerMs - opportunities * opportunityBits)
  }
  // The format has no other way to say how long it is.
  if (times.at(-1) !== lengthMs) times.push(lengthMs)
  return times
}

interface Row {
  time: number
  rate: number
  where: string
}

function csvRows(text: string): Row[] {
  const rows: Row[] = []
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const cells = line.split(/\s*[,;\t]\s*|\s+/).map(cell => cell.replace(/^"(.*)"$/, '$1'))
    const [time, rate] = cells.map(cell => (cell === '' ? Number.NaN : Number(cell)))
    const where = `line ${index + 1}`
    if (cells.length < 2 || !Number.isFinite(time) || !Number.isFinite(rate)) {
      // A heading.
      if (rows.length === 0 && cells.every(cell => !Number.isFinite(Number(cell)))) continue
      throw new ThroughputError(
        `${where}: found ${JSON.stringify(line.slice(0, 60))}, expected a time and a throughput, such as 1.5,12.3`,
      )
    }
    rows.push({ time, rate, where })
  }
  return rows
}

function jsonRows(text: string): Row[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ThroughputError(`this is not valid JSON: ${(cause as Error).message}`, { cause })
  }
  if (!Array.isArray(value)) throw new ThroughputError('expected a JSON array of [time, throughput]')
  return value.map((item, index) => {
    const where = `entry ${index}`
    const numbers = typeof item === 'object' && item !== null ? Object.values(item as object) : []
    const [time, rate] = numbers
    if (numbers.length < 2 || !isNumber(time) || !isNumber(rate)) {
      throw new ThroughputError(`${where}: found ${JSON.stringify(item)?.slice(0, 60)}, expected [time, throughput]`)
    }
    return { time, rate, where }
  })
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/**
 * The kinds of value that profiles hold, written as netem writes them (tc-netem(8), tc-tbf(8)): `30ms`, `2%`, `10mbit`,
 * `50 packets`, in any of tc's own spellings (tc-units.ts). Times, rates and sizes always with a unit, because tc's meaning of a
 * bare number is seldom what is meant.
 *
 * As in src/config/fields.ts, an error text continues "expected …".
 */
import { z } from 'zod'
import { parsed } from '../../config/fields.ts'
import { type Chance, DISTRIBUTIONS, type Distribution, type LossModel, type QueueLimit } from './profile.ts'
import { bitsPerSecond, bytes as bytesOf, fraction, timeMs } from './tc-units.ts'

/** The range of `jitter` is the kernel's: it keeps it as nanoseconds in 31 bits. */
const LONGEST_DELAY_MS = 60_000
const LONGEST_JITTER_MS = 2000
const MOST_BITS_PER_SECOND = 10e9

/** A time, in ms. */
export function time(lowestMs: number, highestMs: number) {
  const error = `a time with its unit (us, ms, s, min), such as "30ms", from ${timeText(lowestMs)} to ${timeText(highestMs)}`
  return parsed(error, value => within(timeMs(value), lowestMs, highestMs))
}

export interface Delay {
  delayMs: number
  /** undefined: not said here. */
  jitterMs?: number
  correlation?: number
}

/** `TIME [JITTER [CORRELATION]]`. */
export function delay() {
  const error =
    `a time with its unit from 0ms to ${timeText(LONGEST_DELAY_MS)}, if need be with jitter (0ms to ` +
    `${timeText(LONGEST_JITTER_MS)}) and correlation (0% to 100%), such as "30ms", "30ms 5ms" or "30ms 5ms 25%"`
  return parsed(error, (value): Delay | undefined => {
    const [first, second, third, ...more] = value.trim().split(/\s+/)
    const delayMs = within(timeMs(first), 0, LONGEST_DELAY_MS)
    if (delayMs === undefined || more.length > 0) return undefined
    const spread = second === undefined ? {} : spreadOf([second, third])
    return spread && { delayMs, ...spread }
  })
}

/** `JITTER [CORRELATION]`. */
export function jitter() {
  const error = `a time with its unit from 0ms to ${timeText(LONGEST_JITTER_MS)}, if need be with a correlation (0% to 100%), such as "5ms" or "5ms 25%"`
  return parsed(error, value => {
    const [first, second, ...more] = value.trim().split(/\s+/)
    return more.length > 0 ? undefined : spreadOf([first, second])
  })
}

function spreadOf([jitterText, correlationText]: [string, string | undefined]) {
  const jitterMs = within(timeMs(jitterText), 0, LONGEST_JITTER_MS)
  const correlation = correlationText === undefined ? 0 : fraction(correlationText)
  return jitterMs === undefined || correlation === undefined ? undefined : { jitterMs, correlation }
}

export function distribution() {
  const error = `one of ${DISTRIBUTIONS.map(name => `"${name}"`).join(', ')}`
  return parsed(error, value => DISTRIBUTIONS.find((name): name is Distribution => name === value))
}

/** `PERCENT [CORRELATION]`. */
export function chance() {
  const error = 'a percentage from 0% to 100%, if need be with a correlation (0% to 100%), such as "2%" or "2% 25%"'
  return parsed(error, (value): Chance | undefined => {
    const numbers = percentages(value.trim().split(/\s+/), 1, 2)
    return numbers && { rate: numbers[0], correlation: numbers[1] ?? 0 }
  })
}

/** `none`, `[random] PERCENT [CORRELATION]`, `gemodel P [R [1-H [1-K]]]`, `state P13 [P31 [P32 [P23 [P14]]]]`. Defaults as in tc. */
export function loss() {
  const error =
    '"none", "PERCENT [CORRELATION]" such as "2%", "gemodel P [R [1-H [1-K]]]" such as "gemodel 1% 10% 70% 0.1%", or ' +
    '"state P13 [P31 [P32 [P23 [P14]]]]"; each from 0% to 100%, and P13 + P14 and P31 + P32 at most 100%'
  return parsed(error, parseLoss)
}

function parseLoss(value: string): LossModel | undefined {
  const [first, ...rest] = value.trim().split(/\s+/)
  if (first === 'none') return rest.length === 0 ? { model: 'none' } : undefined
  if (first === 'gemodel') {
    const numbers = percentages(rest, 1, 4)
    if (numbers === undefined) return undefined
    const [p, r = 1 - p, oneMinusH = 1, oneMinusK = 0] = numbers
    return { model: 'gemodel', p, r, oneMinusH, oneMinusK }
  }
  if (first === 'state') {
    const numbers = percentages(rest, 1, 5)
    if (numbers === undefined) return undefined
    const [p13, p31 = 1 - p13, p32 = 0, p23 = 1, p14 = 0] = numbers
    const slack = 1e-9
    return p13 + p14 > 1 + slack || p31 + p32 > 1 + slack ? undefined : { model: 'state', p13, p31, p32, p23, p14 }
  }
  const numbers = percentages(first === 'random' ? rest : [first, ...rest], 1, 2)
  if (numbers === undefined) return undefined
  const [rate, correlation = 0] = numbers
  return rate === 0 ? { model: 'none' } : { model: 'random', rate, correlation }
}

/** In bit/s. */
export function rate() {
  const error =
    'a rate with its unit (bit, kbit, mbit, gbit; bps is bytes per second, as in tc), such as "10mbit", from 1kbit to 10gbit'
  return parsed(error, value => {
    const bits = within(bitsPerSecond(value), 1000, MOST_BITS_PER_SECOND)
    return bits === undefined ? undefined : Math.round(bits)
  })
}

/** Bytes. */
export function size(lowest: number, highest: number, example: string) {
  const error = `a size with its unit (b, kb, mb), such as "${example}", from ${sizeText(lowest)} to ${sizeText(highest)}`
  return parsed(error, value => {
    const bytes = within(bytesOf(value), lowest, highest)
    return bytes === undefined ? undefined : Math.round(bytes)
  })
}

/** How much a queue holds. At least one whole frame: a queue without room for a packet lets nothing pass. */
export function queueLimit() {
  const error = 'packets or a size, such as "50 packets" (1 to 65536) or "64kb" (1600b to 256mb)'
  return parsed(error, (value): QueueLimit | undefined => {
    const match = /^([0-9]{1,5})\s*packets?$/.exec(value.trim())
    if (match) {
      const packets = within(Number(match[1]), 1, 65_536)
      return packets === undefined ? undefined : { packets }
    }
    const bytes = within(bytesOf(value), 1600, 256 * 1024 ** 2)
    return bytes === undefined ? undefined : { bytes: Math.round(bytes) }
  })
}

/** Optional keys of a table: undefined stays undefined. */
export function optional<T extends z.ZodType>(schema: T) {
  return z.optional(schema)
}

function percentages(texts: string[], least: number, most: number): number[] | undefined {
  if (texts.length < least || texts.length > most) return undefined
  const numbers = texts.map(fraction)
  return numbers.includes(undefined) ? undefined : (numbers as number[])
}

function within(value: number | undefined, lowest: number, highest: number): number | undefined {
  return value === undefined || value < lowest || value > highest ? undefined : value
}

function timeText(ms: number): string {
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000}min`
  return ms >= 1000 ? `${ms / 1000}s` : `${ms}ms`
}

function sizeText(bytes: number): string {
  if (bytes % 1024 ** 2 === 0) return `${bytes / 1024 ** 2}mb`
  return bytes % 1024 === 0 ? `${bytes / 1024}kb` : `${bytes}b`
}

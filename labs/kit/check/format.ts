/** Values of a student's code in words, and whether two of them are the same. */

const LONGEST = 300
/** So many that two numbers which count as different (`ROUNDING`) look different. */
const DIGITS = 11

/** As it is written in TypeScript, short enough for one line of feedback: `{ size: 1350 }`; bytes as `<45000054 … 84 bytes>`. */
export function format(value: unknown): string {
  const text = formatValue(value)
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)} …`
}

function formatValue(value: unknown): string {
  if (value instanceof Uint8Array) return `<${hex(value)}>`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number')
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(DIGITS)))
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`
  if (value instanceof Map)
    return `Map(${[...value].map(([key, entry]) => `${formatValue(key)} → ${formatValue(entry)}`).join(', ')})`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, entry]) => `${key}: ${formatValue(entry)}`)
    return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
  }
  return String(value)
}

/** `45000054 00010000`; of long ones the beginning and the length. */
export function hex(bytes: Uint8Array, most = 48): string {
  if (bytes.length === 0) return 'no bytes'
  const digits = Array.from(bytes.subarray(0, most), byte => byte.toString(16).padStart(2, '0')).join('')
  const groups = digits.match(/.{1,8}/g)!.join(' ')
  return bytes.length <= most ? groups : `${groups} … ${bytes.length} bytes`
}

/** What floating point may make of the same formula, written in another order. */
export const ROUNDING = 1e-9

/** What is smaller counts as large as this, when numbers are compared: one way to round gives 0, and another nearly. */
const SMALL = 1e-6

/**
 * Is what was found what is expected, by content? Numbers are within `tolerance`, relative to the larger one; NaN is the same as NaN; a
 * number is no bigint. An object may have more properties than are expected, and one that is undefined may as well be missing.
 */
export function same(found: unknown, expected: unknown, tolerance = 0): boolean {
  if (Object.is(found, expected) || found === expected) return true
  if (typeof found === 'number' && typeof expected === 'number') {
    if (!Number.isFinite(found) || !Number.isFinite(expected)) return false
    return Math.abs(found - expected) <= tolerance * Math.max(Math.abs(found), Math.abs(expected), SMALL)
  }
  if (typeof found !== 'object' || typeof expected !== 'object' || found === null || expected === null) return false
  if (expected instanceof Uint8Array) {
    if (!(found instanceof Uint8Array) || found.length !== expected.length) return false
    return expected.every((byte, index) => byte === found[index])
  }
  if (expected instanceof Map) return found instanceof Map && same([...found], [...expected], tolerance)
  if (Array.isArray(expected)) {
    if (!Array.isArray(found) || found.length !== expected.length) return false
    return expected.every((entry, index) => same(found[index], entry, tolerance))
  }
  if (found instanceof Uint8Array || Array.isArray(found)) return false
  return Object.entries(expected).every(([key, value]) =>
    same((found as Record<string, unknown>)[key], value, tolerance),
  )
}

/** Four digits that mean something. */
export function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)))
}

/** `2.13 %` */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}

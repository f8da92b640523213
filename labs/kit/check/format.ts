/** Values of a student's code in words, and whether two of them are the same. */

const LONGEST = 300

/** As it is written in TypeScript, short enough for one line of feedback: `{ size: 1350 }`; bytes as `<45000054 … 84 bytes>`. */
export function format(value: unknown): string {
  const text = formatValue(value)
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)} …`
}

function formatValue(value: unknown): string {
  if (value instanceof Uint8Array) return `<${hex(value)}>`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(8)))
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, entry]) => `${key}: ${formatValue(entry)}`)
    return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
  }
  return String(value)
}

/** `45000054 00010000`; of long ones the beginning and the length. */
export function hex(bytes: Uint8Array, most = 24): string {
  if (bytes.length === 0) return 'no bytes'
  const digits = Array.from(bytes.subarray(0, most), byte => byte.toString(16).padStart(2, '0')).join('')
  const groups = digits.match(/.{1,8}/g)!.join(' ')
  return bytes.length <= most ? groups : `${groups} … ${bytes.length} bytes`
}

/** What floating point may make of the same formula, written in another order. */
export const ROUNDING = 1e-9

/** What is smaller counts as large as this, when numbers are compared: one way to round gives 0, and another nearly. */
const SMALL = 1e-6

/** Equal by content; numbers within `tolerance`, relative to the larger one. NaN is the same as NaN. */
export function same(a: unknown, b: unknown, tolerance = 0): boolean {
  if (Object.is(a, b) || a === b) return true
  if (typeof a === 'number' && typeof b === 'number') {
    if (!Number.isFinite(a) || !Number.isFinite(b)) return false
    return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b), SMALL)
  }
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array) || a.length !== b.length) return false
    return a.every((byte, index) => byte === b[index])
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!(Array.isArray(a) && Array.isArray(b)) || a.length !== b.length) return false
    return a.every((entry, index) => same(entry, b[index], tolerance))
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(
    key => key in b && same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], tolerance),
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

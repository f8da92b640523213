/** Values as the student writes them in TypeScript, short enough for one line of feedback, and compared with tolerance. */

const LONGEST = 240
/** Relative; what is left between two ways to round the same formula. */
export const ROUNDING = 1e-6

/** `{ low: 0.0552, high: 0.174 }`; of long arrays the beginning and the length. */
export function format(value: unknown): string {
  const text = formatValue(value)
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)} …`
}

function formatValue(value: unknown): string {
  if (typeof value === 'number') return formatNumber(value)
  if (typeof value === 'string') return JSON.stringify(value)
  if (value instanceof Uint8Array) return `<${sequence([...value].map(String))}>`
  if (Array.isArray(value)) return `[${sequence(value.map(formatValue), ', ')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, entry]) => `${key}: ${formatValue(entry)}`)
    return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
  }
  return String(value)
}

function sequence(items: readonly string[], between = ' '): string {
  return items.length <= 24 ? items.join(between) : `${items.slice(0, 24).join(between)} … ${items.length} in all`
}

/** Four digits that mean something. */
export function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)))
}

/** `2.13 %` */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}

/** Equal by content; numbers up to `tolerance`, relative to the larger one. */
export function same(a: unknown, b: unknown, tolerance = ROUNDING): boolean {
  if (typeof a === 'number' && typeof b === 'number') {
    if (!Number.isFinite(a) || !Number.isFinite(b)) return Object.is(a, b)
    return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b), 1e-6)
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!(Array.isArray(a) && Array.isArray(b)) || a.length !== b.length) return false
    return a.every((entry, index) => same(entry, b[index], tolerance))
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(
    key => key in b && same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], tolerance),
  )
}

/** Values as the student writes them in TypeScript, short enough for one line of feedback. */

import { IpAddress } from '../../../src/ip/address.ts'

const LONGEST = 300

/** `{ value: 37n, length: 2 }`; bytes as hex in groups of four. */
export function format(value: unknown): string {
  const text = formatValue(value)
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)} …`
}

function formatValue(value: unknown): string {
  if (value instanceof Uint8Array) return `<${hex(value)}>`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`
  if (value instanceof Map)
    return `Map(${[...value].map(([k, v]) => `${formatValue(k)} → ${formatValue(v)}`).join(', ')})`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, entry]) => `${key}: ${formatValue(entry)}`)
    return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
  }
  return String(value)
}

/** `c2197c5e ff14e88c`; of long ones the beginning and the length. */
export function hex(bytes: Uint8Array, most = 48): string {
  if (bytes.length === 0) return 'no bytes'
  const digits = Array.from(bytes.subarray(0, most), byte => byte.toString(16).padStart(2, '0')).join('')
  const groups = digits.match(/.{1,8}/g)!.join(' ')
  return bytes.length <= most ? groups : `${groups} … ${bytes.length} bytes`
}

/** The bytes that a text of hexadecimal digits and blanks stands for. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16))
}

/** Equal by content. A number and a bigint are not equal: which of them is meant is part of the task. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array) || a.length !== b.length) return false
    return a.every((byte, index) => byte === b[index])
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!(Array.isArray(a) && Array.isArray(b)) || a.length !== b.length) return false
    return a.every((entry, index) => same(entry, b[index]))
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(key => key in b && same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
}

/** `10.89.1.2`, `fd00:89:1::2`; anything that is no address as it is written in TypeScript. */
export function addressText(value: unknown): string {
  if (!(value instanceof Uint8Array) || (value.length !== 4 && value.length !== 16)) return format(value)
  return IpAddress.from(value.length === 4 ? 4 : 6, value).toString()
}

/**
 * What a student types to join a class, from the blackboard: eight digits and letters in which nobody takes one for another. They say
 * where the classroom is, so that several on one machine need no more, and that whoever types them was told.
 *
 *     3YC4-J07Q      16 bits: its port; 24 bits: random
 *
 * 24 bits are few: they hold because wrong ones are counted (classroom/join-gate.ts).
 */
import { isPort } from './classroom.ts'

/** Crockford's Base32: no I, L, O or U. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const LENGTH = 8
const SECRET_BYTES = 3

export interface JoinCode {
  port: number
  /** As it is written, however it was typed. */
  text: string
}

/** `random`: three bytes. */
export function makeJoinCode(port: number, random: Uint8Array): string {
  if (!isPort(port) || random.length !== SECRET_BYTES) throw new RangeError('a port and three bytes are expected')
  let value = port
  for (const byte of random) value = value * 256 + byte
  let text = ''
  for (let i = 0; i < LENGTH; i++) {
    text = DIGITS[value % 32] + text
    value = Math.floor(value / 32)
  }
  return `${text.slice(0, LENGTH / 2)}-${text.slice(LENGTH / 2)}`
}

/** Small letters, blanks and dashes do not matter, and O is 0, I and L are 1. Undefined: it is none. */
export function parseJoinCode(given: string): JoinCode | undefined {
  if (given.length > 64) return undefined
  const typed = given.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1')
  if (typed.length !== LENGTH || [...typed].some(digit => !DIGITS.includes(digit))) return undefined
  let value = 0
  for (const digit of typed) value = value * 32 + DIGITS.indexOf(digit)
  const port = Math.floor(value / 2 ** (8 * SECRET_BYTES))
  return isPort(port) ? { port, text: `${typed.slice(0, LENGTH / 2)}-${typed.slice(LENGTH / 2)}` } : undefined
}

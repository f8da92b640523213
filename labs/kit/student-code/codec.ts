/**
 * Values on their way between a check and the student's process, as JSON.
 *
 * Not `v8.serialize`: what comes back was written by a process that a student's code controls, and JSON is a form that
 * can be read without trusting its writer. What JSON cannot say is an array that begins with a tag:
 *
 *     ["u"]  ["n", "NaN"]  ["i", "123"]  ["b", "Uint8Array", base64]  ["a", …items]  ["o", [key, value]…]
 *     ["m", [key, value]…]  ["s", …items]  ["d", milliseconds]  ["d", null] (no date)
 *
 * An item ["h"] of an array is a hole: nothing is there, not even undefined.
 */
import { MAX_FRAME_BYTES } from './frames.ts'

const MAX_DEPTH = 100
/** An item takes two bytes at least. */
const MAX_LENGTH = MAX_FRAME_BYTES / 2

const VIEWS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as const

export class NotCloneable extends Error {}

/** Throws `NotCloneable`, which says where in the value something cannot be copied. */
export function toWire(value: unknown, path = 'the value', above: readonly object[] = []): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'undefined':
      return ['u']
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : ['n', Object.is(value, -0) ? '-0' : String(value)]
    case 'bigint':
      return ['i', String(value)]
    case 'object':
      break
    default:
      throw new NotCloneable(`${path} is a ${typeof value}, which cannot be handed to another process`)
  }
  if (value === null) return null
  const object: object = value
  if (above.includes(object)) throw new NotCloneable(`${path} contains itself`)
  if (above.length >= MAX_DEPTH) throw new NotCloneable(`${path} is nested more than ${MAX_DEPTH} levels deep`)
  const inside = [...above, object]

  if (ArrayBuffer.isView(object)) {
    const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength)
    const type = Object.keys(VIEWS).find(name => object instanceof VIEWS[name as keyof typeof VIEWS])
    if (type === undefined && !(object instanceof DataView)) {
      throw new NotCloneable(`${path} is a ${object.constructor.name}, which cannot be handed to another process`)
    }
    return ['b', type ?? 'Uint8Array', bytes.toString('base64')]
  }
  if (object instanceof ArrayBuffer) return ['b', 'Uint8Array', Buffer.from(object).toString('base64')]
  if (Array.isArray(object)) {
    if (object.length > MAX_LENGTH) {
      throw new NotCloneable(`${path} has ${object.length} elements; at most ${MAX_LENGTH} can be handed over`)
    }
    const wire: unknown[] = ['a']
    for (let i = 0; i < object.length; i++) {
      wire.push(i in object ? toWire(object[i], `${path}[${i}]`, inside) : ['h'])
    }
    return wire
  }
  if (object instanceof Map) {
    return ['m', ...[...object].map(([key, item]) => [toWire(key, path, inside), toWire(item, path, inside)])]
  }
  if (object instanceof Set) return ['s', ...[...object].map(item => toWire(item, path, inside))]
  if (object instanceof Date) return ['d', Number.isNaN(object.getTime()) ? null : object.getTime()]
  if (object instanceof Promise) throw new NotCloneable(`${path} is a Promise: is an await missing?`)
  const entries = [...Object.entries(object), ...gettersOf(object, path, inside)]
  if (object instanceof Error) entries.unshift(['name', object.name], ['message', object.message])
  return ['o', ...entries.map(([key, item]) => [key, toWire(item, `${path}.${key}`, inside)])]
}

/** What a class computes counts as much as its fields. A getter that cannot be read or copied is left out. */
function gettersOf(object: object, path: string, above: readonly object[]): [string, unknown][] {
  const found: [string, unknown][] = []
  for (let at = Object.getPrototypeOf(object); at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [key, { get }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (!get || key === '__proto__' || Object.hasOwn(object, key) || found.some(([other]) => other === key)) continue
      try {
        const value: unknown = Reflect.apply(get, object, [])
        toWire(value, path, above)
        found.push([key, value])
      } catch {
        // Not a part of the result that anybody could look at.
      }
    }
  }
  return found
}

/** How many bytes of something else stand before and behind what `around` puts into the middle of a buffer. */
const SURROUNDINGS = 8

/**
 * The other way; throws `TypeError` for what `toWire` cannot have written. `around`: bytes are a part of a larger buffer, as what
 * comes from a socket may be, so that code which reads from the beginning of that buffer is found out.
 */
export function fromWire(wire: unknown, around = false, depth = 0): unknown {
  if (wire === null || typeof wire !== 'object') {
    if (typeof wire === 'string' || typeof wire === 'boolean' || typeof wire === 'number' || wire === null) return wire
    throw new TypeError('not a value')
  }
  if (!Array.isArray(wire) || depth > MAX_DEPTH + 1) throw new TypeError('not a value')
  const [tag, ...rest] = wire as unknown[]
  const text = (at: number): string => {
    const item = rest[at]
    if (typeof item !== 'string') throw new TypeError('not a value')
    return item
  }
  const pair = (item: unknown): readonly [unknown, unknown] => {
    if (!Array.isArray(item) || item.length !== 2) throw new TypeError('not a value')
    return [item[0], fromWire(item[1], around, depth + 1)]
  }
  switch (tag) {
    case 'u':
      return undefined
    case 'n':
      return Number(text(0))
    case 'i': {
      const digits = text(0)
      // Reading a number of n digits takes more than n steps.
      if (!/^-?\d{1,20000}$/.test(digits)) throw new TypeError('not a value')
      return BigInt(digits)
    }
    case 'b': {
      const name = text(0)
      const bytes = Uint8Array.from(Buffer.from(text(1), 'base64'))
      if (!Object.hasOwn(VIEWS, name)) throw new TypeError('not a value')
      const View = VIEWS[name as keyof typeof VIEWS]
      if (bytes.length % View.BYTES_PER_ELEMENT !== 0) throw new TypeError('not a value')
      if (!around) return new View(bytes.buffer)
      const larger = new Uint8Array(bytes.length + 2 * SURROUNDINGS).fill(0xa5)
      larger.set(bytes, SURROUNDINGS)
      return new View(larger.buffer, SURROUNDINGS, bytes.length / View.BYTES_PER_ELEMENT)
    }
    case 'a': {
      const array = new Array<unknown>(rest.length)
      rest.forEach((item, i) => {
        if (!isHole(item)) array[i] = fromWire(item, around, depth + 1)
      })
      return array
    }
    case 'm':
      return new Map(rest.map(pair).map(([key, value]) => [fromWire(key, around, depth + 1), value]))
    case 's':
      return new Set(rest.map(item => fromWire(item, around, depth + 1)))
    case 'd':
      if (rest[0] !== null && typeof rest[0] !== 'number') throw new TypeError('not a value')
      return new Date(rest[0] ?? Number.NaN)
    case 'o': {
      const object: Record<string, unknown> = {}
      for (const [key, value] of rest.map(pair)) {
        if (typeof key !== 'string') throw new TypeError('not a value')
        // A key '__proto__' is a key like any other.
        Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
      }
      return object
    }
    default:
      throw new TypeError('not a value')
  }
}

function isHole(wire: unknown): boolean {
  return Array.isArray(wire) && wire.length === 1 && wire[0] === 'h'
}

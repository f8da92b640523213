/**
 * The kinds of value that configuration files hold.
 *
 * The error text of every field is a phrase that continues "expected …"; `validate` (read-toml.ts) puts it into a sentence
 * with the file, the key and the value that was found.
 */
import { z } from 'zod'
import { DecodeError } from '../bytes/errors.ts'
import { IpAddress, type IpVersion } from '../ip/address.ts'
import { IpPrefix } from '../ip/prefix.ts'

export function text(expected: string, pattern = /./s) {
  return z.string({ error: expected }).regex(pattern, { error: expected })
}

export function integer(minimum: number, maximum: number, what = 'a whole number') {
  const error = `${what} from ${minimum} to ${maximum}`
  return z.int({ error }).min(minimum, { error }).max(maximum, { error })
}

export function flag() {
  return z.boolean({ error: 'true or false' })
}

/** One of a few words. */
export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: values.length === 1 ? `"${values[0]}"` : `one of ${quoted(values)}` })
}

/** A list of words of a few, each at most once. */
export function choices<const T extends readonly [string, ...string[]]>(values: T, minimum = 0) {
  const error = `a list of ${quoted(values)}${minimum > 0 ? ' with at least one entry' : ''}, each at most once`
  return z
    .array(z.enum(values, { error: `one of ${quoted(values)}` }), { error })
    .min(minimum, { error })
    .refine(list => new Set(list).size === list.length, { error })
}

/** A TOML table with just these keys. */
export function table<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.strictObject(shape, { error: 'a table of keys and values' })
}

/** A TOML array of tables (`[[name]]`). */
export function tables<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.array(table(shape), { error: 'a list of tables' })
}

/** Host bits beyond the prefix must be zero; without a length it is the single address. */
export function ipPrefix(version?: IpVersion) {
  const example = version === 6 ? 'fd00:89::/64' : '10.89.0.0/24'
  const error = `an ${version === undefined ? 'IP' : `IPv${version}`} prefix whose host bits are zero, such as ${example}`
  return parsed(error, value => {
    const prefix = IpPrefix.parse(value)
    return version === undefined || prefix.version === version ? prefix : undefined
  })
}

/** A list of prefixes of either version. */
export function ipPrefixes() {
  return listOf(ipPrefix(), 'a list of IP prefixes')
}

export function listOf<T extends z.ZodType>(item: T, error: string) {
  return z.array(item, { error })
}

export function ipAddress(version: IpVersion) {
  const error = `an IPv${version} address, such as ${version === 4 ? '10.90.0.1' : 'fd00:90::1'}`
  return parsed(error, value => {
    const address = IpAddress.parse(value)
    return address.version === version ? address : undefined
  })
}

/** `host:port`, an IPv6 address in brackets. */
export function hostAndPort() {
  return parsed('HOST:PORT, such as 127.0.0.1:4433 or [::1]:4433', value => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):([0-9]{1,5})$/.exec(value)
    const port = Number(match?.[3])
    if (match === null || port < 1 || port > 65535) return undefined
    return { host: match[1] ?? match[2], port }
  })
}

/** A text that `parse` turns into a value; undefined, or a DecodeError, when it cannot. */
export function parsed<T>(error: string, parse: (value: string) => T | undefined) {
  return z.string({ error }).transform((value, context): T => {
    try {
      const result = parse(value)
      if (result !== undefined) return result
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause
    }
    context.issues.push({ code: 'custom', message: error, input: value })
    return z.NEVER
  })
}

function quoted(values: readonly string[]): string {
  return values.map(value => `"${value}"`).join(', ')
}

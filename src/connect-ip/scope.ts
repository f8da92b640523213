/**
 * What a request limits itself to, RFC 9484 §4.6.
 *
 *   target = IPv6prefix / IPv4prefix / reg-name / "*"
 *   IPv6prefix = IPv6address ["%2F" 1*3DIGIT]
 *   IPv4prefix = IPv4address ["%2F" 1*2DIGIT]
 *   ipproto = 1*3DIGIT / "*"
 */

import { DecodeError } from '../bytes/errors.ts'
import { addressLength, IpAddress, type IpVersion } from '../ip/address.ts'
import { IpPrefix } from '../ip/prefix.ts'
import type { AddressRange } from '../ip/range.ts'
import { isDnsName } from './dns-name.ts'
import { icmpProtocol } from './route-set.ts'

export type ScopeTarget =
  /** Any host. */
  | { readonly kind: 'any' }
  /** The hosts in one prefix, often a single address. */
  | { readonly kind: 'prefix'; readonly prefix: IpPrefix }
  /** The addresses of a DNS name, which the proxy has to look up before it answers. Lower case, no final dot. */
  | { readonly kind: 'name'; readonly name: string }

export interface Scope {
  readonly target: ScopeTarget
  /** The only IP protocol besides ICMP, 0 to 255; undefined: any. */
  readonly protocol: number | undefined
}

/** "*" for both variables. */
export const UNLIMITED_SCOPE: Scope = { target: { kind: 'any' }, protocol: undefined }

/** The variables of the URI template, percent-decoded. One that is left out is the same as "*". */
export interface ScopeVariables {
  readonly target?: string | undefined
  readonly ipproto?: string | undefined
}

/** Reads the two variables. Throws DecodeError when one has not the required form: the request is malformed (§4.1). */
export function parseScope(variables: ScopeVariables): Scope {
  return { target: parseTarget(variables.target ?? '*'), protocol: parseProtocol(variables.ipproto ?? '*') }
}

/** The variables that say this scope: the inverse of `parseScope`. */
export function scopeVariables(scope: Scope): { target: string; ipproto: string } {
  return { target: targetText(scope.target), ipproto: scope.protocol === undefined ? '*' : String(scope.protocol) }
}

/**
 * The addresses inside the target, or undefined for all. For a name they are those that it was resolved to.
 */
export function scopeRanges(scope: Scope, resolved: readonly IpAddress[]): AddressRange[] | undefined {
  switch (scope.target.kind) {
    case 'any':
      return undefined
    case 'prefix':
      return [scope.target.prefix.toRange()]
    case 'name':
      return resolved.map(address => IpPrefix.single(address).toRange())
  }
}

/**
 * The IP versions that a tunnel of this scope can carry, and so those in which its client gets addresses: a prefix "will only
 * support a single IP version" (§4.6), a name those of its addresses. ICMP (1) is IPv4's, and ICMPv6 (58) IPv6's: neither
 * means anything in the other.
 */
export function scopeVersions(scope: Scope, resolved: readonly IpAddress[]): IpVersion[] {
  const ranges = scopeRanges(scope, resolved)
  return ([4, 6] as const).filter(version => {
    if (scope.protocol === icmpProtocol(version === 4 ? 6 : 4)) return false
    return ranges === undefined || ranges.some(range => range.version === version)
  })
}

/** "10.89.0.1 protocol 17", "any target, any protocol". */
export function describeScope(scope: Scope): string {
  const { target, ipproto } = scopeVariables(scope)
  return `${target === '*' ? 'any target' : target}, ${ipproto === '*' ? 'any protocol' : `protocol ${ipproto}`}`
}

function parseTarget(text: string): ScopeTarget {
  if (text === '*') return { kind: 'any' }
  // An address always has a ":" or ends in a number, and a DNS name never does. So there is one reading of each text,
  // and "10.1" or "0x7f.1", which some resolvers take for addresses, never reach a resolver.
  if (text.includes(':') || text.includes('/') || /(^|\.)(0[xX][0-9a-fA-F]*|[0-9]+)\.?$/.test(text)) {
    return { kind: 'prefix', prefix: parseTargetPrefix(text) }
  }
  // The grammar's reg-name allows more than DNS names have, but §4.6 says what it is for, and the name goes to a resolver.
  if (isDnsName(text)) return { kind: 'name', name: text.replace(/\.$/, '').toLowerCase() }
  throw new DecodeError(
    `target "${shown(text)}"; expected an IP address, a prefix as in 10.89.0.0/24 (its slash as %2F in a URI), a DNS name, or "*"`,
  )
}

/** As IpPrefix.parse, with the grammar's own rule for the length, which allows leading zeros within two or three digits. */
function parseTargetPrefix(text: string): IpPrefix {
  const slash = text.indexOf('/')
  if (slash === -1) return IpPrefix.single(IpAddress.parse(text))
  const address = IpAddress.parse(text.slice(0, slash))
  const length = text.slice(slash + 1)
  if (!(addressLength(address.version) === 4 ? /^[0-9]{1,2}$/ : /^[0-9]{1,3}$/).test(length)) {
    throw new DecodeError(`target "${shown(text)}"; expected a prefix length in decimal after the address`)
  }
  return new IpPrefix(address, Number(length))
}

function parseProtocol(text: string): number | undefined {
  if (text === '*') return undefined
  if (!/^[0-9]{1,3}$/.test(text) || Number(text) > 255) {
    throw new DecodeError(`ipproto "${shown(text)}"; expected a number from 0 to 255, or "*"`)
  }
  return Number(text)
}

function targetText(target: ScopeTarget): string {
  switch (target.kind) {
    case 'any':
      return '*'
    case 'prefix':
      return target.prefix.isSingle ? target.prefix.address.toString() : target.prefix.toString()
    case 'name':
      return target.name
  }
}

/** Text from the network, short and printable, for an error message. */
function shown(text: string): string {
  return text.slice(0, 60).replace(/[^\x20-\x7e]/g, '?')
}

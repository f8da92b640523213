/**
 * draft-ietf-masque-connect-ip-dns as an extension of a session: the capsules that it adds, and what they become. A peer that does not
 * know them skips them (RFC 9297 §3.2), so nothing has to be agreed on before they are sent.
 */

import type { IpPrefix } from '../../ip/prefix.ts'
import { DNS_ASSIGN, type DnsConfiguration, decodeDnsAssign } from './dns-assign.ts'
import { decodePref64, PREF64 } from './pref64.ts'

export type DnsEvent =
  /** All DNS configurations of the peer from now on. */
  | { readonly type: 'dns-assigned'; readonly configurations: DnsConfiguration[] }
  /** All NAT64 prefixes of the peer from now on. */
  | { readonly type: 'pref64-assigned'; readonly prefixes: IpPrefix[] }

/** For `SessionOptions.extensions`. Only for a session that expects such configuration, and trusts its peer with it (§5). */
export const DNS_EXTENSION: ReadonlyMap<bigint, (value: Uint8Array) => DnsEvent> = new Map<
  bigint,
  (value: Uint8Array) => DnsEvent
>([
  [DNS_ASSIGN, value => ({ type: 'dns-assigned', configurations: decodeDnsAssign(value) })],
  [PREF64, value => ({ type: 'pref64-assigned', prefixes: decodePref64(value) })],
])

/**
 * Which DNS servers answer for which names, draft-ietf-masque-connect-ip-dns-06 §3.3 and §3.4:
 *
 *   DNS_ASSIGN Capsule {
 *     Type (i) = 0x1ACE79EC,
 *     Length (i),
 *     DNS Configuration (..) ...,
 *   }
 *
 *   DNS Configuration {
 *     Nameserver Count (i),
 *     Nameserver (..) ...,
 *     Internal Domain Count (i),
 *     Internal Domain (..) ...,
 *     Search Domain Count (i),
 *     Search Domain (..) ...,
 *   }
 *
 * Each capsule is the full list and supersedes the earlier one; one without configurations takes all away. The type is the
 * draft's provisional one: an RFC will have another.
 */

import { DecodeError } from '../../bytes/errors.ts'
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { DEFAULT_MAX_ENTRIES } from '../address-entry.ts'
import { encodeCapsule } from '../capsule.ts'
import { ConnectIpError, excessiveLoad } from '../errors.ts'
import { readDomain, writeDomain } from './domain.ts'
import { describeNameserver, type Nameserver, readNameserver, writeNameserver } from './nameserver.ts'

export const DNS_ASSIGN = 0x1ace79ecn

export interface DnsConfiguration {
  readonly nameservers: readonly Nameserver[]
  /** These and all names below them are for the nameservers above. '' is the root: every name is. */
  readonly internalDomains: readonly string[]
  /** Appended, in this order, to names that a person types. */
  readonly searchDomains: readonly string[]
}

/** The whole capsule, for the stream. Throws RangeError when a receiver would refuse it. */
export function encodeDnsAssign(configurations: readonly DnsConfiguration[]): Uint8Array {
  const writer = new Writer()
  for (const { nameservers, internalDomains, searchDomains } of configurations) {
    writer.varint(nameservers.length)
    for (const nameserver of nameservers) writeNameserver(writer, nameserver)
    for (const domains of [internalDomains, searchDomains]) {
      writer.varint(domains.length)
      for (const domain of domains) writeDomain(writer, domain)
    }
  }
  return encodeCapsule(DNS_ASSIGN, writer.finish())
}

/**
 * Reads the capsule's value. `maxEntries`: how many nameservers, addresses and domains it may hold in all. Throws
 * ConnectIpError.
 */
export function decodeDnsAssign(value: Uint8Array, maxEntries = DEFAULT_MAX_ENTRIES): DnsConfiguration[] {
  const reader = new Reader(value)
  const configurations: DnsConfiguration[] = []
  let entries = 0
  const readCounted = <T>(from: Reader, readOne: (reader: Reader) => T): T[] => {
    // The count is only believed as far as there are bytes: each entry takes one at least.
    const count = Number(from.varint())
    entries += count
    if (entries > maxEntries) throw excessiveLoad(`DNS_ASSIGN with more than ${maxEntries} entries; send fewer`)
    return Array.from({ length: count }, () => readOne(from))
  }
  try {
    while (reader.remaining > 0) {
      if (++entries > maxEntries) throw excessiveLoad(`DNS_ASSIGN with more than ${maxEntries} entries; send fewer`)
      configurations.push({
        nameservers: readCounted(reader, () => readNameserver(reader, readCounted)),
        internalDomains: readCounted(reader, readDomain),
        searchDomains: readCounted(reader, readDomain),
      })
    }
  } catch (error) {
    if (error instanceof ConnectIpError || !(error instanceof DecodeError)) throw error
    throw new ConnectIpError(`DNS_ASSIGN, configuration ${configurations.length + 1}: ${error.message}`)
  }
  return configurations
}

/** "10.90.0.53 for corp.example; search corp.example", "dns.example (h2, h3) for all names". */
export function describeDns({ nameservers, internalDomains, searchDomains }: DnsConfiguration): string {
  const names = internalDomains.map(name => (name === '' ? 'all names' : name))
  const search = searchDomains.length > 0 ? `; search ${searchDomains.join(', ')}` : ''
  return `${nameservers.map(describeNameserver).join(', ')} for ${names.join(', ') || 'no names'}${search}`
}

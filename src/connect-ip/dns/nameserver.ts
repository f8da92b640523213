/**
 * A DNS server that the receiver may ask, draft-ietf-masque-connect-ip-dns-06 §3.2:
 *
 *   Nameserver {
 *     Service Priority (16),
 *     IPv4 Address Count (i),
 *     IPv4 Address (32) ...,
 *     IPv6 Address Count (i),
 *     IPv6 Address (128) ...,
 *     Authentication Domain Name (..),
 *     Service Parameters Length (i),
 *     Service Parameters (..),
 *   }
 */

import { DecodeError } from '../../bytes/errors.ts'
import type { Reader } from '../../bytes/reader.ts'
import type { Writer } from '../../bytes/writer.ts'
import { addressLength, IpAddress, type IpVersion } from '../../ip/address.ts'
import { readDomain, writeDomain } from './domain.ts'
import { decodeServiceParameters, encodeServiceParameters, type ServiceParameters } from './service-parameters.ts'

export interface Nameserver {
  /** The lowest is asked first (RFC 9460 §2.4.1). 1 to 65535: 0 would be an alias, which cannot be here. */
  readonly priority: number
  /** IPv4 addresses first. */
  readonly addresses: readonly IpAddress[]
  /** The name in the server's certificate; '' for a server that speaks unencrypted DNS only. */
  readonly authenticationName: string
  readonly parameters: ServiceParameters
}

/** Why a receiver has to refuse it, or undefined when it is fine. */
function receivedProblem({ priority, addresses, authenticationName, parameters }: Nameserver): string | undefined {
  const { alpn, noDefaultAlpn } = parameters
  if (priority < 1 || priority > 0xffff) return `a nameserver with priority ${priority}; expected 1 to 65535`
  if (noDefaultAlpn && alpn.length === 0) return 'a nameserver with no-default-alpn and without alpn; expected both'
  if (authenticationName === '' && alpn.length > 0) {
    return 'a nameserver for encrypted DNS without a name; expected the one in its certificate'
  }
  if (alpn.length === 0 && addresses.length === 0)
    return 'a nameserver for unencrypted DNS without an address; expected one'
  return undefined
}

/**
 * Why it must not be sent. One rule more than receivers go by: without no-default-alpn there has to be an address, for unencrypted
 * DNS. The draft's own first example breaks it, so whoever wrote a sender by that example is understood all the same.
 */
export function nameserverProblem(nameserver: Nameserver): string | undefined {
  const { addresses, parameters } = nameserver
  if (!parameters.noDefaultAlpn && addresses.length === 0) {
    return 'a nameserver for unencrypted DNS without an address; expected one, or no-default-alpn'
  }
  return receivedProblem(nameserver)
}

/** Throws RangeError when it must not be sent. */
export function writeNameserver(writer: Writer, nameserver: Nameserver): void {
  const problem = nameserverProblem(nameserver)
  if (problem !== undefined) throw new RangeError(problem)
  writer.u16(nameserver.priority)
  for (const version of [4, 6] as const) {
    const addresses = nameserver.addresses.filter(address => address.version === version)
    writer.varint(addresses.length)
    for (const address of addresses) writer.bytes(address.bytes)
  }
  writeDomain(writer, nameserver.authenticationName)
  const parameters = encodeServiceParameters(nameserver.parameters)
  writer.varint(parameters.length).bytes(parameters)
}

/** Throws DecodeError. `readCounted` reads a count and so many of what it is given, within the capsule's limit. */
export function readNameserver(
  reader: Reader,
  readCounted: <T>(reader: Reader, readOne: (reader: Reader) => T) => T[],
): Nameserver {
  const priority = reader.u16()
  const readAll = (version: IpVersion) =>
    readCounted(reader, () => IpAddress.from(version, reader.take(addressLength(version))))
  const addresses = [...readAll(4), ...readAll(6)]
  const authenticationName = readDomain(reader)
  const parameters = decodeServiceParameters(reader.take(Number(reader.varint())))
  const nameserver = { priority, addresses, authenticationName, parameters }
  const problem = receivedProblem(nameserver)
  if (problem !== undefined) throw new DecodeError(problem)
  return nameserver
}

/** "10.90.0.53", "dns.example at 10.90.0.53 port 8853 (h3, dot)". */
export function describeNameserver({ addresses, authenticationName, parameters }: Nameserver): string {
  const { alpn, port } = parameters
  const where = addresses.join(' or ')
  const name = authenticationName === '' ? where : `${authenticationName}${where === '' ? '' : ` at ${where}`}`
  return `${name}${port === undefined ? '' : ` port ${port}`}${alpn.length === 0 ? '' : ` (${alpn.join(', ')})`}`
}

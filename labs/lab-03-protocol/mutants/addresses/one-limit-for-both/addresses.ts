// mutant: an IPv4 prefix may have up to 128 bits; expect: 32 bits in IPv4
/**
 * Task 3: addresses for the tunnel, RFC 9484 §4.7.1 and §4.7.2.
 *
 *   Assigned Address {                 Requested Address {
 *     Request ID (i),                    Request ID (i),
 *     IP Version (8),                    IP Version (8),
 *     IP Address (32..128),              IP Address (32..128),
 *     IP Prefix Length (8),              IP Prefix Length (8),
 *   }                                  }
 */
import { concat } from './bytes.ts'
import { MalformedError } from './errors.ts'
import { decodeVarint, encodeVarint } from './varint.ts'

export interface AddressEntry {
  /** In an ADDRESS_ASSIGN, 0 means that it answers no request. */
  requestId: bigint
  version: 4 | 6
  /** 4 or 16 bytes. */
  address: Uint8Array
  /** How many bits of the address are fixed. */
  prefixLength: number
}

/** The value of an ADDRESS_ASSIGN or ADDRESS_REQUEST capsule. */
export function encodeAddresses(entries: readonly AddressEntry[]): Uint8Array {
  return concat(
    ...entries.map(({ requestId, version, address, prefixLength }) =>
      concat(encodeVarint(requestId), Uint8Array.of(version), address, Uint8Array.of(prefixLength)),
    ),
  )
}

/** Reads the value of an ADDRESS_ASSIGN capsule. Throws MalformedError. */
export function decodeAddressAssign(value: Uint8Array): AddressEntry[] {
  const entries: AddressEntry[] = []
  let at = 0
  while (at < value.length) {
    const { entry, end } = decodeEntry(value, at)
    entries.push(entry)
    at = end
  }
  return entries
}

/** Reads the value of an ADDRESS_REQUEST capsule. Throws MalformedError. */
export function decodeAddressRequest(value: Uint8Array): AddressEntry[] {
  const entries = decodeAddressAssign(value)
  if (entries.length === 0) throw new MalformedError('an ADDRESS_REQUEST that requests nothing')
  const seen = new Set<bigint>()
  for (const { requestId } of entries) {
    if (requestId === 0n) throw new MalformedError('Request ID 0 is for assignments that nobody asked for')
    if (seen.has(requestId)) throw new MalformedError(`Request ID ${requestId} occurs twice`)
    seen.add(requestId)
  }
  return entries
}

function decodeEntry(value: Uint8Array, at: number): { entry: AddressEntry; end: number } {
  const requestId = decodeVarint(value, at)
  if (requestId === undefined) throw new MalformedError('the capsule ends inside a Request ID')
  const versionAt = at + requestId.length
  if (versionAt >= value.length) throw new MalformedError('the capsule ends before the IP version')
  const version = value[versionAt]
  if (version !== 4 && version !== 6) throw new MalformedError(`IP version ${version}`)

  const addressAt = versionAt + 1
  const prefixAt = addressAt + (version === 4 ? 4 : 16)
  if (prefixAt >= value.length) throw new MalformedError('the capsule ends inside an entry')
  const address = value.slice(addressAt, prefixAt)
  const prefixLength = value[prefixAt]
  checkPrefix(address, prefixLength)
  return { entry: { requestId: requestId.value, version, address, prefixLength }, end: prefixAt + 1 }
}

/** The bits that are not covered by the prefix have to be 0. */
function checkPrefix(address: Uint8Array, prefixLength: number): void {
  const bits = address.length * 8
  if (prefixLength > 128) throw new MalformedError(`a prefix of ${prefixLength} bits of an address of ${bits}`)
  for (let bit = prefixLength; bit < bits; bit++) {
    const isSet = (address[bit >> 3] & (0x80 >> (bit & 7))) !== 0
    if (isSet) throw new MalformedError(`bit ${bit} is set, beyond the prefix of ${prefixLength} bits`)
  }
}

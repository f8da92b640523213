/**
 * Task 3: addresses for the tunnel, RFC 9484 §4.7.1 and §4.7.2.
 *
 * The values of two capsules. ADDRESS_REQUEST asks for addresses, ADDRESS_ASSIGN says which ones the receiver may use.
 * Both are a list of entries, one directly after the other, to the end of the value:
 *
 *   Assigned Address {                 Requested Address {
 *     Request ID (i),                    Request ID (i),
 *     IP Version (8),                    IP Version (8),
 *     IP Address (32..128),              IP Address (32..128),
 *     IP Prefix Length (8),              IP Prefix Length (8),
 *   }                                  }
 */
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

/** The value of an ADDRESS_ASSIGN or ADDRESS_REQUEST capsule (task 2 puts type and length before it). */
export function encodeAddresses(entries: readonly AddressEntry[]): Uint8Array {
  throw new Error('TODO: encodeAddresses')
}

/**
 * Reads the value of an ADDRESS_ASSIGN capsule. An empty list is allowed: it takes all addresses away.
 *
 * Throws MalformedError for an entry that is cut short, an IP version other than 4 and 6, a prefix longer than the
 * address, and for a bit of the address that is set beyond the prefix.
 */
export function decodeAddressAssign(value: Uint8Array): AddressEntry[] {
  throw new Error('TODO: decodeAddressAssign')
}

/**
 * Reads the value of an ADDRESS_REQUEST capsule.
 *
 * Throws MalformedError as above, and also when there is no entry at all, and when a Request ID is 0 or occurs twice.
 */
export function decodeAddressRequest(value: Uint8Array): AddressEntry[] {
  throw new Error('TODO: decodeAddressRequest')
}

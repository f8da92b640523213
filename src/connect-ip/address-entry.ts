/**
 * The entry that ADDRESS_ASSIGN and ADDRESS_REQUEST have in common, RFC 9484 §4.7.1 and §4.7.2:
 *
 *   Assigned Address {                 Requested Address {
 *     Request ID (i),                    Request ID (i),
 *     IP Version (8),                    IP Version (8),
 *     IP Address (32..128),              IP Address (32..128),
 *     IP Prefix Length (8),              IP Prefix Length (8),
 *   }                                  }
 */

import { DecodeError } from '../bytes/errors.ts'
import { Reader } from '../bytes/reader.ts'
import { Writer } from '../bytes/writer.ts'
import { addressLength, IpAddress, type IpVersion } from '../ip/address.ts'
import { IpPrefix } from '../ip/prefix.ts'
import { ConnectIpError, excessiveLoad } from './errors.ts'

export interface AddressEntry {
  /** 62 bits, so not a number. */
  readonly requestId: bigint
  readonly prefix: IpPrefix
}

/** How many entries one capsule may hold before the sender is told that it is too much. */
export const DEFAULT_MAX_ENTRIES = 1024

/** The value of the capsule. */
export function encodeAddressEntries(entries: readonly AddressEntry[]): Uint8Array {
  const writer = new Writer(entries.length * 26)
  for (const { requestId, prefix } of entries) {
    writer.varint(requestId).u8(prefix.version).bytes(prefix.address.bytes).u8(prefix.length)
  }
  return writer.finish()
}

/** Reads the value of the capsule. Throws ConnectIpError when it is malformed or has more than `maxEntries` entries. */
export function decodeAddressEntries(capsuleName: string, value: Uint8Array, maxEntries: number): AddressEntry[] {
  const reader = new Reader(value)
  return readEntries(capsuleName, reader, maxEntries, () => {
    const requestId = reader.varint()
    const version = readIpVersion(reader)
    const address = readAddress(reader, version)
    // IpPrefix refuses lengths over 32 or 128, and bits set beyond the prefix.
    return { requestId, prefix: new IpPrefix(address, reader.u8()) }
  })
}

/**
 * Reads entries until the value is used up. Every way in which one can be wrong ends in a ConnectIpError: an entry that
 * is cut short, and so also bytes left over after the last one, since those are the beginning of another entry.
 */
export function readEntries<T>(capsuleName: string, reader: Reader, maxEntries: number, readOne: () => T): T[] {
  const entries: T[] = []
  while (reader.remaining > 0) {
    if (entries.length === maxEntries) {
      throw excessiveLoad(`${capsuleName} with more than ${maxEntries} entries; send fewer, larger ones`)
    }
    try {
      entries.push(readOne())
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw new ConnectIpError(`${capsuleName}, entry ${entries.length + 1}: ${error.message}`)
    }
  }
  return entries
}

export function readIpVersion(reader: Reader): IpVersion {
  const version = reader.u8()
  if (version !== 4 && version !== 6) throw new DecodeError(`IP version ${version}; expected 4 or 6`)
  return version
}

export function readAddress(reader: Reader, version: IpVersion): IpAddress {
  return IpAddress.from(version, reader.take(addressLength(version)))
}

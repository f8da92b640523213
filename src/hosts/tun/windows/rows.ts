/**
 * The structures of the IP Helper API (<netioapi.h>) that addresses, routes and the MTU are set with, as they lie in memory on 64-bit
 * Windows. Each function writes into a row what the call needs to know; the rest is what `Initialize…Entry` or `Get…Entry` has put there.
 *
 *     SOCKADDR_INET, 28 bytes         family, port, then 4 bytes of IPv4; or, after 4 bytes of flow, 16 of IPv6
 *     MIB_UNICASTIPADDRESS_ROW, 80    0 address, 32 LUID, 60 prefix length, 64 state of the duplicate address detection
 *     MIB_IPFORWARD_ROW2, 104         0 LUID, 12 destination, 40 its length, 44 next hop, 84 metric
 *     MIB_IPINTERFACE_ROW, 168        0 family, 8 LUID, 144 site prefix length, 152 MTU
 *
 * A LUID is the number of an interface that stays as long as the interface does.
 */

import { addressLength, IpAddress, type IpVersion } from '../../../ip/address.ts'
import { IpPrefix } from '../../../ip/prefix.ts'
import type { InterfaceAddress } from '../device.ts'

export const SOCKADDR_INET_SIZE = 28
export const ADDRESS_ROW_SIZE = 80
export const ROUTE_ROW_SIZE = 104
export const INTERFACE_ROW_SIZE = 168

/** <ws2def.h> */
const AF_INET = 2
const AF_INET6 = 23
/** NldsPreferred: nobody else can have it, so nobody has to be asked first. */
const DAD_PREFERRED = 4

/** Behind what Windows makes itself: where it has a route for the same prefix, its own wins. */
export const ROUTE_METRIC = 9000

export function writeSocketAddress(into: Buffer, offset: number, address: IpAddress): void {
  into.fill(0, offset, offset + SOCKADDR_INET_SIZE)
  into.writeUInt16LE(familyOf(address.version), offset)
  into.set(address.bytes, offset + bytesOffset(address.version))
}

export function writeAddressRow(row: Buffer, luid: bigint, { address, length }: InterfaceAddress): void {
  writeSocketAddress(row, 0, address)
  row.writeBigUInt64LE(luid, 32)
  row.writeUInt8(length, 60)
  row.writeInt32LE(DAD_PREFERRED, 64)
}

export function writeRouteRow(row: Buffer, luid: bigint, { address, length, version }: IpPrefix): void {
  row.writeBigUInt64LE(luid, 0)
  writeSocketAddress(row, 12, address)
  row.writeUInt8(length, 40)
  // On the link itself.
  writeSocketAddress(row, 44, IpAddress.unspecified(version))
  row.writeUInt32LE(ROUTE_METRIC, 84)
}

/** Undefined: what it has is no prefix. */
export function readRouteRow(row: Buffer): { luid: bigint; prefix: IpPrefix } | undefined {
  const family = row.readUInt16LE(12)
  if (family !== AF_INET && family !== AF_INET6) return undefined
  const version = family === AF_INET ? 4 : 6
  const start = 12 + bytesOffset(version)
  const address = IpAddress.from(version, Uint8Array.from(row.subarray(start, start + addressLength(version))))
  const length = row.readUInt8(40)
  if (length > address.bytes.length * 8) return undefined
  return { luid: row.readBigUInt64LE(0), prefix: IpPrefix.containing(address, length) }
}

/** For `GetIpInterfaceEntry`, which fills in the rest. */
export function writeInterfaceKey(row: Buffer, luid: bigint, version: IpVersion): void {
  row.writeUInt16LE(familyOf(version), 0)
  row.writeBigUInt64LE(luid, 8)
}

/** For `SetIpInterfaceEntry`. */
export function writeMtu(row: Buffer, mtu: number): void {
  row.writeUInt32LE(mtu, 152)
  // What was read may have another value here, which the call refuses for IPv4.
  if (row.readUInt16LE(0) === AF_INET) row.writeUInt32LE(0, 144)
}

function familyOf(version: IpVersion): number {
  return version === 4 ? AF_INET : AF_INET6
}

function bytesOffset(version: IpVersion): number {
  return version === 4 ? 4 : 8
}

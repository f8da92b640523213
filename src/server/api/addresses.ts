import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, isIPv6 } from 'node:net'
import { IpAddress } from '../../ip/address.ts'
import { IpPrefix } from '../../ip/prefix.ts'

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/** 127.0.0.0/8, ::1, and the former in IPv6's form; without brackets. False for a name. */
export function isLoopback(address: string): boolean {
  return isIP(address) !== 0 && LOOPBACK.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** Who asks. Of a connection that is gone already, nothing is known. */
export function remoteAddress({ socket }: Pick<IncomingMessage, 'socket'>): string {
  return socket.remoteAddress ?? '0.0.0.0'
}

/** Whoever has one IPv6 address has a /64 of them (RFC 4291 §2.5.1), and everybody on this machine has all of 127.0.0.0/8. */
export function networkOf(host: string): string {
  if (isLoopback(host)) return 'loopback'
  const address = IpAddress.parse(host.split('%', 1)[0])
  const isIpv4 = address.version === 4 || String(address).includes('.')
  return isIpv4 ? host : String(IpPrefix.containing(address, 64))
}

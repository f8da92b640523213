/**
 * The Don't Fragment bit on a UDP socket: QUIC datagrams must not be fragmented (RFC 9000 §14), neither by routers nor by our
 * own system. Node has no option for it, so setsockopt is called directly, where that can be done.
 */

import type { Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { errorName, lastErrno, loadLibrary, type NativeFunction, type NativeLibrary } from '../../net/libc.ts'

/** Linux, <linux/in.h> and <linux/in6.h>. */
const IPPROTO_IP = 0
const IP_MTU_DISCOVER = 10
const IPPROTO_IPV6 = 41
const IPV6_MTU_DISCOVER = 23
/**
 * IP_PMTUDISC_PROBE: Don't Fragment always, and what ICMP says about the path is not heeded: whoever can send a packet could
 * make it small, or keep it too large. The default, WANT, fragments here as soon as ICMP has named a size.
 */
const PROBE = 3

let setSockOpt: NativeFunction | undefined

/** Sets Don't Fragment on a bound socket. Returns why that could not be done; undefined: it was. */
export function setDontFragment(socket: Socket): string | undefined {
  if (process.platform !== 'linux') return `not built for ${process.platform}`
  const libc = loadLibrary(null)
  if (typeof libc === 'string') return libc
  setSockOpt ??= declare(libc)
  const fd = descriptorOf(socket)
  if (fd === undefined) return 'this version of Node does not show the descriptor of a socket'
  // An IPv6 socket also sends to IPv4 addresses.
  const wanted = [[IPPROTO_IP, IP_MTU_DISCOVER]]
  if (isIPv6(socket.address().address)) wanted.push([IPPROTO_IPV6, IPV6_MTU_DISCOVER])
  for (const [level, option] of wanted) {
    const isSet = setSockOpt(fd, level, option, Int32Array.of(PROBE), 4) === 0
    if (!isSet) return `setsockopt(${level}, ${option}) was refused: ${errorName(lastErrno())}`
  }
  return undefined
}

function declare(libc: NativeLibrary): NativeFunction {
  return libc.func('int setsockopt(int fd, int level, int option, const void *value, unsigned int length)')
}

/** node:dgram keeps its handle, which has the descriptor, in a state behind a symbol. */
export function descriptorOf(socket: Socket): number | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')
  if (symbol === undefined) return undefined
  const state = (socket as unknown as Record<symbol, { handle?: { fd?: number } } | undefined>)[symbol]
  const fd = state?.handle?.fd
  return fd !== undefined && fd >= 0 ? fd : undefined
}

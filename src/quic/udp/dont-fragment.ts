/**
 * The Don't Fragment bit on a UDP socket: QUIC datagrams must not be fragmented (RFC 9000 §14), neither by routers nor by our
 * own system. Node has no option for it, so setsockopt is called directly, where that can be done.
 */

import type { Socket } from 'node:dgram'
import { createRequire } from 'node:module'
import { isIPv6 } from 'node:net'

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

type SetSockOpt = (fd: number, level: number, option: number, value: number[], length: number) => number

let setSockOpt: SetSockOpt | string | undefined

/** Sets Don't Fragment on a bound socket. Returns why that could not be done; undefined: it was. */
export function setDontFragment(socket: Socket): string | undefined {
  if (process.platform !== 'linux') return `not built for ${process.platform}`
  setSockOpt ??= loadSetSockOpt()
  if (typeof setSockOpt === 'string') return setSockOpt
  const fd = descriptorOf(socket)
  if (fd === undefined) return 'this version of Node does not show the descriptor of a socket'
  // An IPv6 socket also sends to IPv4 addresses.
  const wanted = [[IPPROTO_IP, IP_MTU_DISCOVER]]
  if (isIPv6(socket.address().address)) wanted.push([IPPROTO_IPV6, IPV6_MTU_DISCOVER])
  for (const [level, option] of wanted) {
    if (setSockOpt(fd, level, option, [PROBE], 4) !== 0) return `setsockopt(${level}, ${option}) was refused`
  }
  return undefined
}

/** The function of the C library, or why it cannot be had. */
function loadSetSockOpt(): SetSockOpt | string {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(library: null): { func(declaration: string): SetSockOpt }
    }
    return koffi.load(null).func('int setsockopt(int fd, int level, int option, const int *value, unsigned int length)')
  } catch (error) {
    return `koffi does not work here: ${(error as Error).message.split('\n')[0]}`
  }
}

/** node:dgram keeps its handle, which has the descriptor, in a state behind a symbol. */
function descriptorOf(socket: Socket): number | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')
  if (symbol === undefined) return undefined
  const state = (socket as unknown as Record<symbol, { handle?: { fd?: number } } | undefined>)[symbol]
  const fd = state?.handle?.fd
  return fd !== undefined && fd >= 0 ? fd : undefined
}

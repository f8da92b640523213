/**
 * UDP sockets as everything here needs them: addresses in numbers, large buffers, and no way in which the network can end
 * the process.
 *
 * Two habits of node:dgram decide how that is done. `connect` tells its failure to the callback, not by an 'error' event; and an
 * 'error' event that nobody listens to is thrown into the event loop. So a socket from here always has a listener.
 */

import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'

/** A UDP address. `host` is an IP address in text form; where a name may stand, it says so. */
export interface SocketAddress {
  readonly host: string
  readonly port: number
}

/** Any free port of this machine's loopback interface. */
export const LOOPBACK: SocketAddress = { host: '127.0.0.1', port: 0 }

/**
 * A burst waits in the kernel instead of being dropped there. The system may grant less: Linux at most
 * net.core.rmem_max, 208 KiB unless changed, which holds 180 datagrams of 1200 bytes.
 */
const BUFFER_BYTES = 4 << 20

/** Opens a socket. Port 0 takes any free one. Rejects with the system's error (EADDRINUSE, EACCES, …), with nothing left open. */
export async function bindUdp(address: SocketAddress): Promise<Socket> {
  const socket = createSocket({
    type: isIPv6(address.host) ? 'udp6' : 'udp4',
    ipv6Only: false,
    // Addresses here are never names; answering at once saves Node a trip through its event loop for every packet.
    lookup: ((host: string, family: unknown, callback: (error: null, address: string, family: number) => void) =>
      callback(null, host, family as number)) as never,
  })
  await new Promise<void>((resolve, reject) => {
    // Stays for the whole life of the socket: an error that its owner does not want to hear is still no reason to die.
    socket.on('error', reject)
    socket.bind(address.port, address.host, resolve)
  }).catch(error => {
    socket.close()
    throw error
  })
  for (const grow of [() => socket.setRecvBufferSize(BUFFER_BYTES), () => socket.setSendBufferSize(BUFFER_BYTES)]) {
    try {
      grow()
    } catch {}
  }
  return socket
}

/**
 * A connected socket receives from this address only, and hears when nobody listens there. Rejects with the system's error
 * (ENETUNREACH without a route, EACCES for a broadcast address, …), and closes the socket then.
 */
export async function connectUdp(socket: Socket, to: SocketAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const done = (error?: Error): void => (error === undefined ? resolve() : reject(error))
    socket.connect(to.port, to.host, done as () => void)
  }).catch(error => {
    socket.close()
    throw error
  })
}

/** A name becomes an address, once; an address stays as it is. Rejects with the resolver's error (ENOTFOUND, EAI_AGAIN). */
export async function resolveHost(address: SocketAddress): Promise<SocketAddress> {
  if (isIP(address.host) !== 0) return address
  // IPv4 first: what listens on "localhost" nearly always listens there.
  const { address: host } = await lookup(address.host, { verbatim: false })
  return { host, port: address.port }
}

/** `127.0.0.1:4433`, `[::1]:4433` */
export function formatAddress({ host, port }: SocketAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

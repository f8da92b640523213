/** UDP sockets as the emulator needs them: numbers for addresses, large buffers, errors in sentences. */

import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'

export interface SocketAddress {
  host: string
  port: number
}

/** The emulator cannot do what it was asked to. The message is for people. */
export class EmulatorError extends Error {
  override name = 'EmulatorError'
}

/**
 * A burst waits in the kernel instead of being dropped there. The system may grant less: Linux at most
 * net.core.rmem_max, 208 KiB unless changed, which holds 180 datagrams of 1200 bytes.
 */
const BUFFER_BYTES = 4 << 20

export async function bindUdp(address: SocketAddress): Promise<Socket> {
  const socket = createSocket({
    type: isIPv6(address.host) ? 'udp6' : 'udp4',
    // Addresses here are never names; answering at once saves Node a trip through its event loop for every packet.
    lookup: ((host: string, family: unknown, callback: (error: null, address: string, family: number) => void) =>
      callback(null, host, family as number)) as never,
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', error => {
      socket.close()
      reject(explainBind(error, address))
    })
    socket.bind(address.port, address.host, () => {
      socket.removeAllListeners('error')
      resolve()
    })
  })
  for (const grow of [() => socket.setRecvBufferSize(BUFFER_BYTES), () => socket.setSendBufferSize(BUFFER_BYTES)]) {
    try {
      grow()
    } catch {}
  }
  return socket
}

/** A connected socket receives from this address only, and hears when nobody listens there. */
export async function connectUdp(socket: Socket, to: SocketAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => {
      socket.close()
      reject(new EmulatorError(`${format(to)} cannot be reached: ${error.message}`))
    }
    socket.once('error', failed)
    socket.connect(to.port, to.host, () => {
      socket.off('error', failed)
      resolve()
    })
  })
}

/** A name becomes an address, once. */
export async function resolveHost(address: SocketAddress): Promise<SocketAddress> {
  if (isIP(address.host) !== 0) return address
  try {
    // IPv4 first: what listens on "localhost" nearly always listens there.
    const { address: host } = await lookup(address.host, { verbatim: false })
    return { host, port: address.port }
  } catch (error) {
    throw new EmulatorError(`no address is known for '${address.host}': ${(error as Error).message}`)
  }
}

export function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1'
}

/** `127.0.0.1:4433`, `[::1]:4433` */
export function format({ host, port }: SocketAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

function explainBind(error: NodeJS.ErrnoException, address: SocketAddress): EmulatorError {
  const where = `UDP ${format(address)}`
  switch (error.code) {
    case 'EADDRINUSE':
      return new EmulatorError(`${where} is already in use: stop the other program or choose another port`)
    case 'EADDRNOTAVAIL':
      return new EmulatorError(`${where}: this machine has no such address; expected one of its own, such as 127.0.0.1`)
    case 'EACCES':
      return new EmulatorError(`${where}: not allowed; ports below 1024 need administrator rights`)
    default:
      return new EmulatorError(`${where} cannot be opened: ${error.message}`)
  }
}

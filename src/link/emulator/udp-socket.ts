/** The emulator's sockets: those of net/udp.ts, with failures in sentences. */

import type { Socket } from 'node:dgram'
import * as udp from '../../net/udp.ts'
import { formatAddress, type SocketAddress } from '../../net/udp.ts'
import { takenPortHint } from '../../net/user-ports.ts'

/** The emulator cannot do what it was asked to. The message is for people. */
export class EmulatorError extends Error {
  override name = 'EmulatorError'
}

export async function bindUdp(address: SocketAddress): Promise<Socket> {
  return udp.bindUdp(address).catch(error => {
    throw explainBind(error, 'UDP', address)
  })
}

/** A name becomes an address, once. */
export async function resolveHost(address: SocketAddress): Promise<SocketAddress> {
  return udp.resolveHost(address).catch(error => {
    throw new EmulatorError(`no address is known for '${address.host}': ${error.message}`)
  })
}

export function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1'
}

export function explainBind(
  error: NodeJS.ErrnoException,
  protocol: 'UDP' | 'TCP',
  address: SocketAddress,
): EmulatorError {
  const where = `${protocol} ${formatAddress(address)}`
  switch (error.code) {
    case 'EADDRINUSE':
      return new EmulatorError(
        `${where} is already in use: stop the other program or choose another port${takenPortHint(address.port)}`,
      )
    case 'EADDRNOTAVAIL':
      return new EmulatorError(`${where}: this machine has no such address; expected one of its own, such as 127.0.0.1`)
    case 'EACCES':
      return new EmulatorError(`${where}: not allowed; ports below 1024 need administrator rights`)
    default:
      return new EmulatorError(`${where} cannot be opened: ${error.message}`)
  }
}

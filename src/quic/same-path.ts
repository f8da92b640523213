import type { UdpPath } from './engine.ts'
import type { SocketAddress } from './quic.ts'

export function isSamePath(a: UdpPath, b: UdpPath): boolean {
  return a === b || (isSameAddress(a.remote, b.remote) && isSameAddress(a.local, b.local))
}

export function isSameAddress(a: SocketAddress, b: SocketAddress): boolean {
  return a === b || (a.port === b.port && a.host === b.host)
}

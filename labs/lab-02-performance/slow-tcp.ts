/**
 * A TCP link that takes its time: each byte arrives `delayMs` after it came. It loses nothing, and cannot: what is sent to it over TCP has been
 * acknowledged when it gets it. A bad network below TCP is the kernel's to make (netem).
 */
import { connect, createServer, type Socket } from 'node:net'
import type { SocketAddress } from '../../src/net/udp.ts'
import type { CheckContext } from '../kit/lab/types.ts'

/** On a port of this machine, until the scope ends. Resolves with where it listens. */
export async function startSlowTcp(
  scope: Pick<CheckContext, 'defer'>,
  to: SocketAddress,
  delayMs: number,
): Promise<SocketAddress> {
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true, allowHalfOpen: true }, near => {
    const far = connect({ ...to, noDelay: true, allowHalfOpen: true })
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
      // One end that fails takes the other one with it.
      socket.on('error', () => {
        near.destroy()
        far.destroy()
      })
    }
    passOn(near, far, delayMs)
    passOn(far, near, delayMs)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  // A connection that cannot be taken, later, is its client's affair.
  server.on('error', () => {})
  scope.defer(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  const { address, port } = server.address() as { address: string; port: number }
  return { host: address, port }
}

/** Timers of the same length end in the order in which they began: bytes stay in theirs. */
function passOn(from: Socket, to: Socket, delayMs: number): void {
  const later = (action: () => void) => setTimeout(() => to.destroyed || action(), delayMs).unref()
  from.on('data', bytes => later(() => to.write(bytes)))
  from.on('end', () => later(() => to.end()))
}

/** A path of TCP that can be lost. Closed by `closeTcpPaths`. */

import { connect, createServer, type Socket } from 'node:net'
import type { SocketAddress } from '../../src/net/udp.ts'

const cleanup: (() => unknown)[] = []

/** Passes TCP on, until it is told to lose all that the connections there are still send: neither end hears of it. */
export async function openTcpPath(to: SocketAddress): Promise<{ address: SocketAddress; lose(): void }> {
  const sockets: Socket[] = []
  const server = createServer(near => {
    const far = connect(to.port, to.host)
    for (const [from, into] of [
      [near, far],
      [far, near],
    ]) {
      sockets.push(from)
      from.on('error', () => {})
      from.pipe(into)
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  cleanup.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return {
    address: { host: '127.0.0.1', port },
    lose() {
      for (const socket of sockets.splice(0)) {
        socket.unpipe().on('data', () => {})
        cleanup.push(() => socket.destroy())
      }
    },
  }
}

export function closeTcpPaths(): void {
  for (const undo of cleanup.splice(0)) undo()
}

import { createSocket, type Socket } from 'node:dgram'
import type { SocketAddress } from '../../src/quic/quic.ts'

export interface Relay {
  readonly local: SocketAddress
  /** From now on nothing gets through: for each end, the other has vanished. */
  cut(): Promise<void>
  /** From now on datagrams with more than so many bytes are lost. */
  narrow(largest: number): void
  /** From now on the server hears the client from another port, as after a NAT forgot and made the binding anew. */
  rebind(): Promise<void>
}

/**
 * Passes UDP between one client and a server on loopback, until it is cut. Datagrams with more than `widest` bytes are lost
 * on it, as on a path whose MTU nobody reports.
 */
export async function openRelay(server: SocketAddress, widest = 65_535): Promise<Relay> {
  const inside = createSocket('udp4')
  let outside = createSocket('udp4')
  let client: SocketAddress | undefined
  let passing = true
  let largest = widest
  inside.on('message', (packet, from) => {
    client = { host: from.address, port: from.port }
    if (passing && packet.length <= largest) outside.send(packet, server.port, server.host)
  })
  const toClient = (packet: Buffer): void => {
    if (passing && packet.length <= largest && client !== undefined) inside.send(packet, client.port, client.host)
  }
  outside.on('message', toClient)
  for (const socket of [inside, outside]) await open(socket)
  return {
    local: { host: '127.0.0.1', port: inside.address().port },
    async cut() {
      passing = false
    },
    narrow(to) {
      largest = to
    },
    async rebind() {
      const next = createSocket('udp4')
      next.on('message', toClient)
      await open(next)
      const before = outside
      outside = next
      before.close()
    },
  }
}

async function open(socket: Socket): Promise<void> {
  await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve))
  // A test must not hang on its relay.
  socket.unref()
}

/**
 * TCP through the link emulator, which carries UDP: each IP packet of TCP becomes the payload of a datagram, and a packet again behind the emulator.
 *
 *     client's interfaces --> TUN --> near socket --> emulator --> far socket --> TUN --> server's interface
 *
 * The kernel's routes lead the packets into the device; what is written to it goes its way as if it had just come. So the two ends' own TCP meets the same
 * delay, losses and queues as the others' UDP, packet by packet. A datagram is 28 bytes longer than the packet in it, which a bottleneck counts.
 */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { openTun } from '../../src/hosts/tun/open-tun.ts'
import type { SocketAddress } from '../../src/net/udp.ts'
import { serveParent } from '../../src/process/serve-parent.ts'
import { readTcpPacket, TcpFlows } from './tcp-flows.ts'

const orders = {
  /** `ways`: by which of the emulator's addresses a client's address is taken in. Resolves with where the emulator is to send. */
  async start({ device, ways }: { device: string; ways: Record<string, SocketAddress> }): Promise<SocketAddress> {
    const tun = openTun({ name: device })
    const write = (packet: Uint8Array): void => {
      tun.write(packet)
      tun.flush()
    }
    const flows = new TcpFlows()
    const far = await bound('127.0.0.1')
    const near = new Map<string, { socket: Socket; to: SocketAddress }>()
    for (const [client, to] of Object.entries(ways)) {
      const socket = await bound('0.0.0.0')
      socket.on('message', write)
      near.set(client, { socket, to })
    }
    far.on('message', (packet, { port }) => {
      const tcp = readTcpPacket(packet)
      if (tcp !== undefined && flows.passesUp(tcp, port)) write(packet)
    })
    tun.start({
      onPacket(packet) {
        const tcp = readTcpPacket(packet)
        if (tcp === undefined) return
        // The bytes are borrowed for the call.
        const own = Buffer.from(packet)
        const up = near.get(tcp.source)
        const outer = flows.outerPortOf(tcp.destination)
        if (up !== undefined) up.socket.send(own, up.to.port, up.to.host, ignore)
        else if (outer !== undefined) far.send(own, outer, '127.0.0.1', ignore)
      },
      onFault: ignore,
      onRefused: ignore,
      onGone: ignore,
    })
    const { address, port } = far.address()
    return { host: address, port }
  },
}
export type TcpWireOrders = typeof orders

/** As on any network: what is not taken is lost. */
function ignore(): void {}

async function bound(host: string): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.on('error', ignore)
  socket.bind(0, host)
  await once(socket, 'listening')
  return socket
}

serveParent(orders)

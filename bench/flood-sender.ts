/** Who floods, in a process of its own: from many addresses and ports, and whatever is answered is not even read. */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { serveParent } from '../src/process/serve-parent.ts'
import { makeInitials } from './initials.ts'

/** On Linux all of 127.0.0.0/8 is there; elsewhere one address has to do, and all the ports. */
const ADDRESSES = process.platform === 'linux' ? 32 : 1
const SOCKETS = 256
const TICK_MS = 1

let stock: Uint8Array[] = []
const sockets: Socket[] = []

const orders = {
  async prepare({ packets }: { packets: number }): Promise<void> {
    stock = makeInitials(packets)
    for (let i = sockets.length; i < SOCKETS; i++) {
      const socket = createSocket({ type: 'udp4', recvBufferSize: 4096 })
      socket.on('error', () => {})
      socket.bind(0, `127.0.0.${1 + (i % ADDRESSES)}`)
      await once(socket, 'listening')
      sockets.push(socket)
    }
  },
  /** All that was prepared, at this rate. Returns how many a second there were. */
  async flood({ port, perSecond }: { port: number; perSecond: number }): Promise<number> {
    const beganMs = performance.now()
    const elapsed = (): number => (performance.now() - beganMs) / 1000
    for (let sent = 0; sent < stock.length; await sleep(TICK_MS)) {
      for (const due = Math.min(stock.length, Math.ceil(elapsed() * perSecond)); sent < due; sent++)
        sockets[sent % SOCKETS].send(stock[sent], port, '127.0.0.1')
    }
    return stock.length / elapsed()
  },
}
export type FloodSenderOrders = typeof orders

serveParent(orders)

/**
 * The two ends of the inner traffic, on the system's own sockets: the same packets at the same moments, whatever tunnel is below them.
 *
 *     client   echo train    64 bytes each 10 ms  -->   server sends them back
 *              paced flow  1000 bytes each 25 ms  -->   server notes when each has arrived
 *     or       TCP         as much as it takes    -->   server notes what has arrived when
 */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { systemClock } from '../../src/hosts/clock.ts'
import { serveParent } from '../../src/process/serve-parent.ts'
import type { Arrival, Echo } from './figures.ts'
import { ECHO_BYTES, ECHO_EVERY_MS, FLOW_BYTES, FLOW_EVERY_MS } from './traffic.ts'

const [ECHO_PORT, FLOW_PORT, SINK_PORT] = [7007, 7008, 7009]
/** After the last request its reply may still come. */
const SETTLE_MS = 1500

let arrivals: Arrival[] = []

const orders = {
  /** The server's end; until the process ends. */
  async serve() {
    const echo = await bound(ECHO_PORT)
    echo.on('message', (message, from) => echo.send(message, from.port, from.address, ignore))
    const flow = await bound(FLOW_PORT)
    flow.on('message', ({ length }) => arrivals.push({ atMs: systemClock.now(), bytes: length }))
    const sink = createServer(socket => {
      socket.on('error', ignore)
      socket.on('data', ({ length }) => arrivals.push({ atMs: systemClock.now(), bytes: length }))
    })
    sink.listen(SINK_PORT)
    await once(sink, 'listening')
  },

  /** What has arrived of the flow since this was asked last. */
  arrivals() {
    const since = arrivals
    arrivals = []
    return since
  },

  /** Resolves when the server answers through the tunnel, true, or with false when it has not for so long. */
  async reach({ target, forMs }: { target: string; forMs: number }): Promise<boolean> {
    const socket = await bound(0)
    let isAnswered = false
    socket.on('message', () => (isAnswered = true))
    for (const end = systemClock.now() + forMs; !isAnswered && systemClock.now() < end; ) {
      socket.send(Buffer.alloc(ECHO_BYTES), ECHO_PORT, target, ignore)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    socket.close()
    return isAnswered
  },

  /** Sends both for so long. Every request is due at start + n × interval, whatever became of those before it. */
  async train({ target, forMs }: { target: string; forMs: number }): Promise<Echo[]> {
    const socket = await bound(0)
    const echoes: { sentMs: number; rttMs: number | undefined }[] = []
    socket.on('message', message => {
      const echo = echoes[message.readUInt32BE(0)]
      if (echo !== undefined) echo.rttMs ??= systemClock.now() - echo.sentMs
    })
    const start = systemClock.now()
    let flowSent = 0
    for (let elapsed = 0; elapsed < forMs; elapsed = systemClock.now() - start) {
      for (; echoes.length * ECHO_EVERY_MS <= elapsed; ) {
        const message = Buffer.alloc(ECHO_BYTES)
        message.writeUInt32BE(echoes.length)
        echoes.push({ sentMs: systemClock.now(), rttMs: undefined })
        socket.send(message, ECHO_PORT, target, ignore)
      }
      for (; flowSent * FLOW_EVERY_MS <= elapsed; flowSent++) {
        socket.send(Buffer.alloc(FLOW_BYTES), FLOW_PORT, target, ignore)
      }
      const next = Math.min(echoes.length * ECHO_EVERY_MS, flowSent * FLOW_EVERY_MS)
      await new Promise(resolve => setTimeout(resolve, Math.max(0, next - elapsed)))
    }
    await new Promise(resolve => setTimeout(resolve, SETTLE_MS))
    socket.close()
    return echoes
  },

  /** As much as TCP takes, for so long: the kernel's, with its own congestion control. Resolves with whether the connection was there to the end. */
  async pour({ target, forMs }: { target: string; forMs: number }): Promise<boolean> {
    const socket = connect(SINK_PORT, target)
    const end = new Promise(resolve => setTimeout(resolve, forMs))
    const pour = (): void => {
      while (socket.writable && socket.write(PIECE));
    }
    socket.on('connect', pour).on('drain', pour)
    // One that breaks, ETIMEDOUT for one, or that was never made, has closed by then.
    socket.on('error', ignore)
    await end
    const isOpen = !socket.closed && !socket.connecting
    socket.destroy()
    return isOpen
  },
}
export type ProbeOrders = typeof orders

/** Of one piece that is written; the kernel makes segments of it. */
const PIECE = Buffer.alloc(64 * 1024)

/** While a tunnel is down there is no way there, and the system says so: such a packet is lost as any other. */
function ignore(): void {}

async function bound(port: number): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.on('error', ignore)
  socket.bind(port)
  await once(socket, 'listening')
  return socket
}

serveParent(orders)

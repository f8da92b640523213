/** The probe of `bench emulator`: sends datagrams at a rate, through the emulator and around it, and receives them again. */

import type { Socket } from 'node:dgram'
import { DelayHistogram } from '../src/hosts/userspace/delay-histogram.ts'
import { bindUdp, LOOPBACK } from '../src/net/udp.ts'
import { serveParent } from '../src/process/serve-parent.ts'
import type { Percentiles, ProbeOrder, ProbeResult } from './emulator.ts'

/** One in so many goes around the emulator. */
const DIRECT_EVERY = 20
const WARM_UP_MS = 1_500
const AT_ONCE = 32
/** Between two rounds of sending, up to so many packets a second. */
const SLEEP_MS = 0.3
const MOST_FOR_SLEEPING = 50_000
const never = new Int32Array(new SharedArrayBuffer(4))

const port = (socket: Socket): number => socket.address().port
const open = (): Promise<Socket> => bindUdp(LOOPBACK)
const [receiver, direct, sender] = await Promise.all([open(), open(), open()])

const orders = {
  /** Where it receives. */
  port: () => port(receiver),
  run: (order: ProbeOrder) => new Promise<ProbeResult>(resolve => run(order, resolve)),
}
export type ProbeOrders = typeof orders
serveParent(orders)

function run(order: ProbeOrder, done: (result: ProbeResult) => void): void {
  const histograms = { through: new DelayHistogram(), direct: new DelayHistogram() }
  const max = { through: 0, direct: 0 }
  let sent = 0
  let received = 0
  const began = performance.now()
  const warm = began + WARM_UP_MS
  const end = warm + order.seconds * 1000

  const listen = (socket: Socket, name: 'through' | 'direct', delayMs: number): void => {
    socket.on('message', payload => {
      const now = performance.now()
      const sentMs = payload.readDoubleLE(0)
      if (sentMs < warm || sentMs >= end) return
      if (name === 'through') received++
      const error = now - sentMs - delayMs
      histograms[name].add(error * 1000)
      max[name] = Math.max(max[name], error)
    })
  }
  listen(receiver, 'through', order.delayMs)
  listen(direct, 'direct', 0)

  let next = 0
  const payload = Buffer.alloc(order.payloadBytes)
  const turn = (): void => {
    const now = performance.now()
    if (now >= end) {
      setTimeout(finish, order.delayMs * 2 + 300)
      return
    }
    // A few at once, so that the receiving half of this process gets its turn.
    for (let i = 0; i < AT_ONCE && began + (next * 1000) / order.packetsPerSecond <= now; i++, next++) {
      const sentMs = performance.now()
      payload.writeDoubleLE(sentMs, 0)
      if (sentMs >= warm && sentMs < end) sent++
      sender.send(payload, order.emulatorPort, '127.0.0.1')
      if (next % DIRECT_EVERY === 0) sender.send(payload, port(direct), '127.0.0.1')
      // The system has taken the datagram, as good as always. If not, the buffer must not be written to again.
      if (sender.getSendQueueCount() > 0) break
    }
    // A sender that never sleeps takes a whole core, of which a small machine has too few to be called idle.
    if (order.packetsPerSecond <= MOST_FOR_SLEEPING) Atomics.wait(never, 0, 0, SLEEP_MS)
    setImmediate(turn)
  }
  turn()

  function finish(): void {
    const percentiles = (name: 'through' | 'direct'): Percentiles => ({
      p50: (histograms[name].percentile(0.5) ?? 0) / 1000,
      p99: (histograms[name].percentile(0.99) ?? 0) / 1000,
      max: max[name],
    })
    done({
      sent,
      received,
      receivedPerSecond: received / order.seconds,
      through: percentiles('through'),
      direct: percentiles('direct'),
    })
  }
}

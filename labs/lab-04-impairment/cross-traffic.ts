/**
 * Somebody else on the same link: UDP datagrams at a steady rate, whatever becomes of them. They are no QUIC, so the proxy drops them;
 * but before that they wait in the same queue as everybody's packets.
 */
import { createSocket } from 'node:dgram'
import { UDP_WIRE_OVERHEAD } from '../../src/link/model/link-direction.ts'

export interface CrossTrafficOptions {
  to: { host: string; port: number }
  /** On the link, with all headers. */
  bitsPerSecond: number
  /** On the link, with all headers. */
  packetBytes: number
}

/** Sends until `stop` is called, and in the long run as much as was asked for, also when the machine is busy. */
export class CrossTraffic {
  readonly #socket = createSocket('udp4')
  readonly #timer: NodeJS.Timeout
  #options: CrossTrafficOptions
  #startedAt = performance.now()
  #sent = 0

  constructor(options: CrossTrafficOptions) {
    this.#options = options
    // What comes back, if anything, is of no interest; nor is an ICMP error.
    this.#socket.on('error', () => {})
    this.#timer = setInterval(() => this.#turn(), 2)
  }

  /** Another rate from now on. */
  setRate(bitsPerSecond: number): void {
    this.#options = { ...this.#options, bitsPerSecond }
    this.#startedAt = performance.now()
    this.#sent = 0
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#socket.close()
  }

  #turn(): void {
    const { to, bitsPerSecond, packetBytes } = this.#options
    const due = Math.floor(((performance.now() - this.#startedAt) * bitsPerSecond) / (packetBytes * 8000))
    for (; this.#sent < due; this.#sent++) {
      // All zeros: no packet of any version of QUIC.
      this.#socket.send(Buffer.alloc(packetBytes - UDP_WIRE_OVERHEAD), to.port, to.host)
    }
  }
}

/** A network between endpoints, in memory and in virtual time: drivers and all above them run on it as they do on sockets. */

import type { PacketSocket, SocketEvents } from '../../src/quic/io.ts'
import type { SocketAddress } from '../../src/quic/quic.ts'
import { VirtualIo } from './virtual-io.ts'

const ROOM = 65_535
/** Never so often in a row without time passing: that would be a program that does not sleep any more. */
const MAX_STEPS_AT_ONCE = 100_000

export interface SentPacket {
  readonly at: number
  readonly from: SocketAddress
  readonly to: SocketAddress
  readonly bytes: Uint8Array
}

export class VirtualWire extends VirtualIo {
  /** All that was sent, also what got lost. */
  readonly sent: SentPacket[] = []
  /** What arrives of a packet; undefined: nothing. */
  tamper: (packet: SentPacket) => Uint8Array | undefined = ({ bytes }) => bytes
  /** What arrives at the same time is read before anything is done about it, as a socket does that is asked for several packets. */
  readsTogether = false
  /** From one end to the other, in ms. */
  readonly #delayMs: number
  readonly #sockets = new Map<string, WireSocket>()

  constructor(delayMs: number) {
    super()
    this.#delayMs = delayMs
  }

  socket(address: SocketAddress): WireSocket {
    const socket = new WireSocket(address, (bytes, to) => this.#send({ at: this.now(), from: address, to, bytes }))
    this.#sockets.set(nameOf(address), socket)
    return socket
  }

  /** Lets so much time pass, or less: until the condition holds. True: it does. */
  run(ms: number, until: () => boolean = () => false): boolean {
    const end = this.now() + ms
    for (let steps = 0; steps < MAX_STEPS_AT_ONCE; steps++) {
      const now = this.now()
      const isMoreComing = this.readsTogether && (this.nextAt ?? Number.POSITIVE_INFINITY) <= now
      if (!this.isSettled && !isMoreComing) {
        this.settle()
        continue
      }
      if (until()) return true
      if (!this.step(end)) return false
      if (this.now() > now) steps = 0
    }
    throw new Error(`time stands still at ${this.now()} ms`)
  }

  #send(packet: SentPacket): void {
    this.sent.push(packet)
    const arriving = this.tamper(packet)
    if (arriving === undefined) return
    const { from, to } = packet
    this.setTimer(() => this.#sockets.get(nameOf(to))?.arrive(Buffer.from(arriving), from), this.#delayMs)
  }
}

class WireSocket implements PacketSocket {
  readonly local: SocketAddress
  readonly readsAtOnce = 32
  readonly carriesEcn = false
  readonly queued = 0
  readonly unsent = {}
  open = true
  readonly #out: (bytes: Uint8Array, to: SocketAddress) => void
  readonly #room = new Uint8Array(ROOM)
  #events: SocketEvents | undefined

  constructor(local: SocketAddress, out: (bytes: Uint8Array, to: SocketAddress) => void) {
    this.local = local
    this.#out = out
  }

  start(events: SocketEvents): void {
    this.#events = events
  }

  room(): Uint8Array {
    return this.#room
  }

  send(length: number, to: SocketAddress): void {
    if (this.open) this.#out(this.#room.slice(0, length), to)
  }

  flush(): void {}

  async close(): Promise<void> {
    this.open = false
  }

  arrive(packet: Buffer, { host, port }: SocketAddress): void {
    if (this.open) this.#events?.onPacket(packet, host, port)
  }
}

function nameOf({ host, port }: SocketAddress): string {
  return `${host} ${port}`
}

/** A UDP socket of which somebody hears each packet: for captures. Without a capture there is none of these in the way. */

import type { EcnCodepoint } from '../ecn.ts'
import type { PacketSocket, SocketEvents, UdpTap } from '../io.ts'
import type { SocketAddress } from '../quic.ts'

export class TappedSocket implements PacketSocket {
  readonly #socket: PacketSocket
  readonly #tap: UdpTap
  #room: Uint8Array = new Uint8Array()

  constructor(socket: PacketSocket, tap: UdpTap) {
    this.#socket = socket
    this.#tap = tap
  }

  get local(): SocketAddress {
    return this.#socket.local
  }

  get open(): boolean {
    return this.#socket.open
  }

  get carriesEcn(): boolean {
    return this.#socket.carriesEcn
  }

  get readsAtOnce(): number {
    return this.#socket.readsAtOnce
  }

  get queued(): number {
    return this.#socket.queued
  }

  get unsent(): Readonly<Record<string, number>> {
    return this.#socket.unsent
  }

  room(length: number): Uint8Array {
    this.#room = this.#socket.room(length)
    return this.#room
  }

  send(length: number, remote: SocketAddress, ecn?: EcnCodepoint): void {
    this.#tap.sent?.(this.#room.subarray(0, length), { local: this.local, remote })
    this.#socket.send(length, remote, ecn)
  }

  flush(): void {
    this.#socket.flush()
  }

  close(): Promise<void> {
    return this.#socket.close()
  }

  start(events: SocketEvents): void {
    this.#socket.start({
      onPacket: (packet, host, port, ecn) => {
        // First: whoever decrypts it does so in place.
        this.#tap.received?.(packet, { local: this.local, remote: { host, port } })
        events.onPacket(packet, host, port, ecn)
      },
      onError: error => events.onError(error),
    })
  }
}

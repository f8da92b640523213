/** UDP through node:dgram, which works everywhere: a system call and some objects for each packet. */

import type { Socket } from 'node:dgram'
import type { PacketSocket, SocketEvents } from '../io.ts'
import type { SocketAddress } from '../quic.ts'
import { countUnsent, type Unsent } from './unsent.ts'

/** Of Node: it reads so many in one turn of the event loop (libuv, `uv__udp_recvmsg`). */
const READS_AT_ONCE = 32

export class DgramSocket implements PacketSocket {
  readonly local: SocketAddress
  readonly readsAtOnce = READS_AT_ONCE
  /** Node can neither set nor read the ECN field. */
  readonly carriesEcn = false
  readonly unsent: Unsent = {}
  readonly #socket: Socket
  readonly #connected: boolean
  readonly #closed: Promise<void>
  #room = new Uint8Array(0)
  #open = true

  /** `socket` is bound, and belongs to this object from now on. */
  constructor(socket: Socket, connected: boolean) {
    this.#socket = socket
    this.#connected = connected
    const { address, port } = socket.address()
    this.local = { host: address, port }
    this.#closed = new Promise(resolve => {
      socket.once('close', () => {
        this.#open = false
        resolve()
      })
    })
  }

  start({ onPacket, onError }: SocketEvents): void {
    this.#socket.on('message', (packet, from) => onPacket(packet, from.address, from.port))
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      // What is heard while reading is the answer to a packet that was sent.
      if (error.syscall !== 'recvmsg') countUnsent(this.unsent, error.code, 1)
      onError(error)
    })
  }

  get open(): boolean {
    return this.#open
  }

  get queued(): number {
    return this.#socket.getSendQueueCount()
  }

  room(length: number): Uint8Array {
    if (this.#room.length !== length) this.#room = new Uint8Array(length)
    return this.#room
  }

  send(length: number, to: SocketAddress): void {
    const packet = this.#room.subarray(0, length)
    if (this.#connected) this.#socket.send(packet)
    else this.#socket.send(packet, to.port, to.host)
    // Nearly always the kernel has taken the packet by now. If not, its bytes are still needed: leave the room to it.
    if (this.queued > 0) this.#room = new Uint8Array(this.#room.length)
  }

  flush(): void {}

  close(): Promise<void> {
    if (this.#open) this.#socket.close()
    this.#open = false
    return this.#closed
  }
}

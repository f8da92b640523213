/**
 * DATAGRAM frames that wait, in both directions (RFC 9221). They are sent once, in order, and not again when they are lost (§5.2).
 */
import { appendDatagram, datagramDataThatFits } from '../frames/datagram-frame.ts'
import type { WireWriter } from '../wire-writer.ts'
import { DatagramQueue } from './datagram-queue.ts'

export class Datagrams {
  readonly #outgoing: DatagramQueue
  readonly #incoming: DatagramQueue
  /** Of the peer's, that came to a full queue. */
  dropped = 0

  /** `limit`: of each queue, in datagrams. */
  constructor(limit: number) {
    this.#outgoing = new DatagramQueue(limit)
    this.#incoming = new DatagramQueue(limit)
  }

  /** Queues a copy. False: the queue is full. */
  send(data: Uint8Array): boolean {
    if (this.#outgoing.isFull) return false
    this.#outgoing.push(data)
    return true
  }

  /** How many wait to be sent. */
  get waiting(): number {
    return this.#outgoing.size
  }

  /** How long the next one is, in bytes; -1: there is none. */
  get nextLength(): number {
    return this.#outgoing.firstLength
  }

  /** Throws away those that wait to be sent and begin so; returns how many. */
  purge(prefix: Uint8Array): number {
    return this.#outgoing.removeIf(data => startsWith(data, prefix))
  }

  /** Throws away those that wait to be sent and are longer: the path carries them no more. Returns how many. */
  purgeLongerThan(length: number): number {
    return this.#outgoing.removeIf(data => data.length > length)
  }

  /** Appends the next one as a DATAGRAM frame. False: there is none, or no room for it. */
  writeFrame(out: WireWriter): boolean {
    const length = this.#outgoing.firstLength
    if (length < 0 || length > datagramDataThatFits(out.remaining)) return false
    appendDatagram(out, this.#outgoing.first())
    this.#outgoing.removeFirst()
    return true
  }

  /** A DATAGRAM frame of the peer: queues a copy. The oldest is dropped when the queue is full. */
  receive(data: Uint8Array): void {
    if (this.#incoming.isFull) {
      this.#incoming.removeFirst()
      this.dropped++
    }
    this.#incoming.push(data)
  }

  /** Something waits for `handOut`. */
  get hasEvents(): boolean {
    return this.#incoming.size > 0
  }

  /** `data` is valid during the call. */
  handOut(events: { onDatagram(data: Uint8Array): void }): void {
    const incoming = this.#incoming
    while (incoming.size > 0) {
      // It stays until it was read: its room may be the next one's.
      events.onDatagram(incoming.first())
      if (incoming.size > 0) incoming.removeFirst()
    }
  }

  /** The connection has ended. */
  clear(): void {
    this.#outgoing.clear()
    this.#incoming.clear()
  }
}

function startsWith(data: Uint8Array, prefix: Uint8Array): boolean {
  if (data.length < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (data[i] !== prefix[i]) return false
  return true
}

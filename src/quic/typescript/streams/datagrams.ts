import type { WireWriter } from '../wire-writer.ts'

/** DATAGRAM frames that wait, in both directions (RFC 9221). They are never sent again. Signatures; the code follows. */
export declare class Datagrams {
  /** `limit`: of each queue, in datagrams. */
  constructor(limit: number)
  /** Queues a copy. False: the queue is full. */
  send(data: Uint8Array): boolean
  /** How many wait to be sent. */
  readonly waiting: number
  /** Throws away those that wait to be sent and begin so; returns how many. */
  purge(prefix: Uint8Array): number
  /** Throws away those that wait to be sent and are longer. */
  purgeLongerThan(length: number): number
  /** Appends the next one as a DATAGRAM frame. False: there is none, or no room for it. */
  writeFrame(out: WireWriter): boolean
  /** A DATAGRAM frame arrived: queues a copy. The oldest is dropped when the queue is full. */
  receive(data: Uint8Array): void
  /** `data` is valid during the call. */
  handOut(events: { onDatagram(data: Uint8Array): void }): void
  /** The connection has ended. */
  clear(): void
}

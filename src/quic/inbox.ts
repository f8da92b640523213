/**
 * Packets that have been read, and wait for their connection's turn.
 *
 * The system has one queue for all peers of a socket: whoever sends most fills it, and everybody waits behind those packets. So it is
 * emptied first, into a queue for each connection, and these are served in rotation (driver.ts).
 *
 *                                          A  ||||||||||||       some of A's,
 *   socket ---> connection id --->         B  |                  B's one,
 *                                          C  |||                C's three, and A's again
 *
 * They share one room. A queue may be as long as what is still free there, as in many switches (dynamic thresholds; Choudhury and Hahne,
 * 1998). One that is alone gets half of the room, n greedy ones get 1/(n+1) of it each, and there is always some for whoever comes next.
 */

import { type EcnCodepoint, NOT_ECT } from './ecn.ts'
import type { SocketAddress } from './quic.ts'

/** For all queues of an endpoint together, in bytes. */
export const INBOX_ROOM = 8 << 20

/** What a packet takes of it, unless it is larger: so much memory is kept for the next one. */
const SLOT = 2048

/** So many pieces of memory are kept for packets to come. */
const MAX_SPARE = 1024

interface WaitingPacket {
  readonly memory: Uint8Array
  /** Its bytes, in the memory. */
  packet: Uint8Array
  local: SocketAddress
  host: string
  port: number
  ecn: EcnCodepoint
  next: WaitingPacket | undefined
}

/** Hears of one that has waited. */
export type OnWaiting = (
  packet: Uint8Array,
  local: SocketAddress,
  host: string,
  port: number,
  ecn: EcnCodepoint,
) => void

/** Which all inboxes of an endpoint share. */
export class InboxRoom {
  /** In bytes. */
  free: number
  #spare: WaitingPacket | undefined
  #spares = 0

  constructor(bytes = INBOX_ROOM) {
    this.free = bytes
  }

  take(length: number): WaitingPacket {
    const spare = length <= SLOT ? this.#spare : undefined
    if (spare !== undefined) {
      this.#spare = spare.next
      this.#spares--
      spare.next = undefined
    }
    const waiting = spare ?? newWaitingPacket(length)
    this.free -= waiting.memory.length
    return waiting
  }

  giveBack(waiting: WaitingPacket): void {
    this.free += waiting.memory.length
    if (waiting.memory.length !== SLOT || this.#spares === MAX_SPARE) return
    waiting.next = this.#spare
    this.#spare = waiting
    this.#spares++
  }
}

export class Inbox {
  readonly #room: InboxRoom
  #first: WaitingPacket | undefined
  #last: WaitingPacket | undefined
  /** What its packets take of the room. */
  #bytes = 0

  constructor(room: InboxRoom) {
    this.#room = room
  }

  get isEmpty(): boolean {
    return this.#first === undefined
  }

  /** Keeps a copy. False: there is no room for it. */
  put(packet: Uint8Array, local: SocketAddress, host: string, port: number, ecn: EcnCodepoint = NOT_ECT): boolean {
    if (this.#bytes + Math.max(packet.length, SLOT) > this.#room.free) return false
    const waiting = this.#room.take(packet.length)
    // Nearly always it is as long as the one before, and needs no new view.
    if (waiting.packet.length !== packet.length) waiting.packet = waiting.memory.subarray(0, packet.length)
    waiting.packet.set(packet)
    waiting.local = local
    waiting.host = host
    waiting.port = port
    waiting.ecn = ecn
    if (this.#last === undefined) this.#first = waiting
    else this.#last.next = waiting
    this.#last = waiting
    this.#bytes += waiting.memory.length
    return true
  }

  /**
   * Hands out the oldest packets, at most so many, and returns how many they were. Their bytes are valid during the call only, and may be
   * changed by it.
   */
  serve(most: number, onPacket: OnWaiting): number {
    let served = 0
    while (this.#first !== undefined && served < most) {
      const { packet, local, host, port, ecn } = this.#first
      served++
      try {
        onPacket(packet, local, host, port, ecn)
      } finally {
        this.#dropFirst()
      }
    }
    return served
  }

  clear(): void {
    while (this.#first !== undefined) this.#dropFirst()
  }

  #dropFirst(): void {
    const first = this.#first
    if (first === undefined) return
    this.#first = first.next
    if (this.#first === undefined) this.#last = undefined
    this.#bytes -= first.memory.length
    this.#room.giveBack(first)
  }
}

function newWaitingPacket(length: number): WaitingPacket {
  const memory = new Uint8Array(Math.max(length, SLOT))
  return { memory, packet: memory, local: NOWHERE, host: '', port: 0, ecn: NOT_ECT, next: undefined }
}

const NOWHERE: SocketAddress = { host: '', port: 0 }

/**
 * One tunnel on a session of the package: capsules on its stream. Over HTTP/2, where a datagram would be a part of a reliable and ordered
 * stream anyway, packets are DATAGRAM capsules among them (RFC 9297 §3.5), many in one chunk; over HTTP/3 they are datagrams. Both are
 * taken, whatever is sent.
 */

import type { AbortReason } from '../../http/errors.ts'
import { printable } from '../../http/header.ts'
import { IPV6_MINIMUM_MTU } from '../../ip/ipv6.ts'
import { CapsulePackets, STREAM_MTU } from '../capsule-packets.ts'
import type { Carrier, CarrierEnd, CarrierHandler, Encapsulation, SendBacklog, SendResult } from '../carrier.ts'
import { resetByPeer, resetByUs } from '../end-reason.ts'
import { errorName } from '../h2/codes.ts'
import type { FromThread, ToThread } from './messages.ts'

/** A chunk is handed over when it has so many bytes, or when the turn is over. */
const CHUNK = 32 * 1024

/** Payload of the smallest datagram that HTTP/3 must carry here: an IPv6 packet of 1280 bytes without UDP, QUIC and context id. */
const DATAGRAM_ROOM = 1150

/** How much of what a peer says about the end is shown. */
const MAX_REASON = 200

/** Datagrams that may wait in the thread, in bytes. */
const DATAGRAM_BACKLOG = 64 * 1024

/** The codes with which a session is closed (ours, as HTTP has none for it), by their names. */
const CLOSE_CODES: Readonly<Record<AbortReason, number>> = {
  malformed: 2,
  'excessive-load': 3,
  cancelled: 4,
  internal: 5,
}

export interface CarrierLink {
  readonly session: number
  readonly encapsulation: Encapsulation
  post(message: ToThread, transfer?: ArrayBuffer[]): void
  /** Nobody is to be told of this session any more. */
  forget(): void
}

export class PackageCarrier implements Carrier {
  readonly encapsulation: Encapsulation
  readonly mtuSettled = true
  readonly handler: CarrierHandler
  readonly #link: CarrierLink
  readonly #packets: CapsulePackets
  /** The chunk in the making. */
  #chunk: Uint8Array[] = []
  #chunkBytes = 0
  #flushing: NodeJS.Immediate | undefined
  /** Bytes that the thread has and the peer does not. */
  #inThread = 0
  #datagramsInThread = 0
  #open = true
  #over = false

  constructor(link: CarrierLink, handler: CarrierHandler) {
    this.#link = link
    this.encapsulation = link.encapsulation
    this.handler = handler
    const buffered = (): number => this.capsulesWaiting
    this.#packets = new CapsulePackets({
      get buffered() {
        return buffered()
      },
      write: bytes => this.#write(bytes),
    })
  }

  get mtu(): number {
    return this.encapsulation === 'datagram' ? IPV6_MINIMUM_MTU : STREAM_MTU
  }

  get capsulesWaiting(): number {
    return this.#chunkBytes + this.#inThread
  }

  get writable(): boolean {
    return this.#packets.writable
  }

  get backlog(): SendBacklog | undefined {
    return this.encapsulation === 'datagram' ? undefined : this.#packets.backlog
  }

  sendCapsules(bytes: Uint8Array): void {
    // The caller may use its buffer again.
    if (this.#open) this.#write(Uint8Array.from(bytes))
  }

  sendPacket(packet: Uint8Array): SendResult {
    if (!this.#open) return 'dropped'
    if (packet.length > this.mtu) return 'too-large'
    // What is too large for a datagram goes in a capsule, so that IPv6 has its 1280 bytes.
    if (this.encapsulation !== 'datagram' || packet.length > DATAGRAM_ROOM) return this.#packets.send(packet)
    if (this.#datagramsInThread > DATAGRAM_BACKLOG) return 'dropped'
    const payload = new Uint8Array(1 + packet.length)
    payload.set(packet, 1)
    this.#datagramsInThread += payload.length
    this.#link.post({ type: 'datagram', session: this.#link.session, bytes: payload }, [payload.buffer])
    return 'sent'
  }

  #write(bytes: Uint8Array): void {
    this.#chunk.push(bytes)
    this.#chunkBytes += bytes.length
    if (this.#chunkBytes >= CHUNK) return this.#flush()
    this.#flushing ??= setImmediate(() => this.#flush())
  }

  #flush(): void {
    clearImmediate(this.#flushing)
    this.#flushing = undefined
    if (this.#chunkBytes === 0 || this.#over) return
    const bytes = new Uint8Array(this.#chunkBytes)
    let at = 0
    for (const part of this.#chunk) {
      bytes.set(part, at)
      at += part.length
    }
    this.#chunk = []
    this.#inThread += this.#chunkBytes
    this.#chunkBytes = 0
    this.#link.post({ type: 'write', session: this.#link.session, bytes }, [bytes.buffer])
  }

  end(): void {
    if (!this.#open) return
    this.#flush()
    this.#open = false
    this.#link.post({ type: 'end', session: this.#link.session })
  }

  abort(reason: AbortReason): string {
    const code = CLOSE_CODES[reason]
    this.#finish()
    this.#link.post({ type: 'close', session: this.#link.session, code, reason })
    return `session closed with ${code}, ${reason}`
  }

  // -- what the thread says --------------------------------------------------------------------------------------

  receive(message: FromThread): void {
    if (this.#over) return
    const { session } = this.#link
    switch (message.type) {
      case 'read':
        this.handler.onCapsuleBytes(message.bytes)
        return this.#link.post({ type: 'taken', session, bytes: message.bytes.length })
      case 'datagram':
        this.handler.onDatagram(message.bytes)
        return this.#link.post({ type: 'datagram-taken', session })
      case 'written':
        this.#inThread -= message.bytes
        return
      case 'datagram-written':
        this.#datagramsInThread -= message.bytes
        return
      case 'ended':
        return this.ended()
      case 'gone': {
        const { by, code } = message
        const why = printable(message.reason.slice(0, MAX_REASON))
        const closed = `session closed with ${code}`
        if (by === 'us') return this.aborted({ orderly: false, reason: resetByUs(closed, why) })
        const how = by === 'reset' ? errorName(code) : `${closed}${why && `, ${why}`}`
        return this.aborted({ orderly: code === 0, reason: resetByPeer(how) })
      }
    }
  }

  /** The peer has ended its half. */
  ended(): void {
    this.handler.onEnd()
    this.end()
    this.#finish()
  }

  aborted(end: CarrierEnd): void {
    if (this.#over) return
    this.#finish()
    this.handler.onAborted(end)
  }

  #finish(): void {
    this.#open = false
    this.#over = true
    clearImmediate(this.#flushing)
    this.#link.forget()
  }
}

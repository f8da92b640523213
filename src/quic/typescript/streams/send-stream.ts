/**
 * The sending part of a stream, RFC 9000 §3.1.
 *
 *      ready, send ── fin sent ──> data sent ── all acknowledged ──> data recvd
 *           │                          │
 *           └──── RESET_STREAM ────────┴──> reset sent ── acknowledged ──> reset recvd
 *
 * In the last state of either row the peer has all that it will get.
 */
import { appendResetStream } from '../frames/reset-stream-frame.ts'
import { appendStreamHeader, streamDataThatFits } from '../frames/stream-frame.ts'
import type { SentContent } from '../recovery/sent-packet.ts'
import type { WireWriter } from '../wire-writer.ts'
import type { FrameQueue, FrameSource } from './frame-source.ts'
import { OutgoingBytes } from './outgoing-bytes.ts'
import { SendWindow } from './send-window.ts'

/** So much that was not sent yet is taken from the application, in bytes: enough for the packets of some ms. */
const MOST_UNSENT = 256 << 10

/** And so much that was not acknowledged: a peer that never acknowledges the first byte makes us keep all after it. */
const MOST_UNACKNOWLEDGED = 8 << 20

/** At the end of a packet a few bytes more are not worth a frame. */
const LEAST_DATA = 32

/** The longest RESET_STREAM frame, in bytes. */
const RESET_ROOM = 1 + 8 + 8 + 8

export interface SendStreamOwner {
  /** STREAM frames. */
  readonly data: FrameQueue
  /** All other frames of streams. */
  readonly control: FrameQueue
  /** Of all streams together. */
  readonly sendWindow: SendWindow
  /** The peer has all that it will get. */
  onSendingOver(stream: SendStream): void
}

export class SendStream implements FrameSource {
  readonly id: number
  isQueued = false
  readonly window: SendWindow
  /** What STOP_SENDING says, until it is told. */
  stoppedWith: number | undefined
  readonly #owner: SendStreamOwner
  readonly #bytes = new OutgoingBytes()
  #isFinWritten = false
  #isFinDue = false
  #isFinAcked = false
  #reset: ResetStream | undefined
  #isOver = false

  /** `limit`: what the peer allows at first, in bytes. */
  constructor(id: number, limit: number, owner: SendStreamOwner) {
    this.id = id
    this.#owner = owner
    this.window = new SendWindow(limit, id, owner.control)
  }

  /** The peer has acknowledged everything, or the reset. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** How many bytes were taken; undefined: it has ended. */
  write(data: Uint8Array, fin: boolean): number | undefined {
    if (this.#reset !== undefined || this.#isFinWritten) return undefined
    const taken = Math.min(data.length, this.#room(data.length))
    if (taken > 0) {
      this.#bytes.append(taken < data.length ? data.subarray(0, taken) : data)
      this.window.use(taken)
      this.#owner.sendWindow.use(taken)
    }
    if (fin && taken === data.length) {
      this.#isFinWritten = true
      this.#isFinDue = true
    }
    if (this.wantsToSend) this.#owner.data.add(this)
    return taken
  }

  #room(wanted: number): number {
    const { sendWindow } = this.#owner
    if (this.window.left < wanted) this.window.onBlocked()
    if (sendWindow.left < wanted) sendWindow.onBlocked()
    const bytes = this.#bytes
    return Math.max(
      0,
      Math.min(
        this.window.left,
        sendWindow.left,
        MOST_UNSENT - (bytes.end - bytes.sent),
        MOST_UNACKNOWLEDGED - (bytes.end - bytes.start),
      ),
    )
  }

  /** The application, or the peer's STOP_SENDING, ends it. Nothing when it has ended already. */
  reset(code: number): void {
    if (this.#isOver || this.#reset !== undefined) return
    const bytes = this.#bytes
    // What was taken and never sent does not count for flow control (§4.5).
    this.#owner.sendWindow.use(bytes.sent - bytes.end)
    this.#reset = new ResetStream(this, code, bytes.sent)
    bytes.clear()
    this.window.close()
    this.#owner.control.add(this.#reset)
  }

  get wantsToSend(): boolean {
    return this.#reset === undefined && (this.#isFinDue || this.#bytes.wantsToSend)
  }

  writeFrame(out: WireWriter, content: SentContent[]): boolean {
    const bytes = this.#bytes
    const start = bytes.wantsToSend ? bytes.nextStart : bytes.end
    const wanted = bytes.wantsToSend ? bytes.nextEnd - start : 0
    const fits = streamDataThatFits(out.remaining, this.id, start)
    if (fits < Math.min(wanted, LEAST_DATA)) return false
    const end = start + Math.min(wanted, fits)
    const fin = this.#isFinWritten && end === bytes.end
    appendStreamHeader(out, this.id, start, end - start, fin)
    bytes.copyTo(out, start, end)
    bytes.onSent(start, end)
    if (fin) this.#isFinDue = false
    content.push(new SentData(this, start, end, fin))
    return true
  }

  onDataAcked(start: number, end: number, fin: boolean): void {
    if (this.#reset !== undefined || this.#isOver) return
    this.#bytes.onAcked(start, end)
    if (fin) {
      this.#isFinAcked = true
      this.#isFinDue = false
    }
    if (this.#isFinAcked && this.#bytes.isAllAcked) this.#end()
  }

  onDataLost(start: number, end: number, fin: boolean): void {
    if (this.#reset !== undefined || this.#isOver) return
    this.#bytes.onLost(start, end)
    if (fin && !this.#isFinAcked) this.#isFinDue = true
    if (this.wantsToSend) this.#owner.data.add(this)
  }

  onResetAcked(): void {
    if (!this.#isOver) this.#end()
  }

  onResetLost(reset: ResetStream): void {
    if (!this.#isOver) this.#owner.control.add(reset)
  }

  #end(): void {
    this.#isOver = true
    this.window.close()
    this.#owner.onSendingOver(this)
  }
}

/** A STREAM frame on its way. */
class SentData implements SentContent {
  readonly #stream: SendStream
  readonly #start: number
  readonly #end: number
  readonly #fin: boolean

  constructor(stream: SendStream, start: number, end: number, fin: boolean) {
    this.#stream = stream
    this.#start = start
    this.#end = end
    this.#fin = fin
  }

  onAcked(): void {
    this.#stream.onDataAcked(this.#start, this.#end, this.#fin)
  }

  onLost(): void {
    this.#stream.onDataLost(this.#start, this.#end, this.#fin)
  }
}

/** The RESET_STREAM frame, waiting and on its way: it is sent until it is acknowledged (§13.3). */
class ResetStream implements FrameSource, SentContent {
  isQueued = false
  wantsToSend = true
  readonly #stream: SendStream
  readonly #code: number
  readonly #finalSize: number

  constructor(stream: SendStream, code: number, finalSize: number) {
    this.#stream = stream
    this.#code = code
    this.#finalSize = finalSize
  }

  writeFrame(out: WireWriter, content: SentContent[]): boolean {
    if (out.remaining < RESET_ROOM) return false
    appendResetStream(out, this.#stream.id, this.#code, this.#finalSize)
    this.wantsToSend = false
    content.push(this)
    return true
  }

  onAcked(): void {
    this.wantsToSend = false
    this.#stream.onResetAcked()
  }

  onLost(): void {
    this.wantsToSend = true
    this.#stream.onResetLost(this)
  }
}

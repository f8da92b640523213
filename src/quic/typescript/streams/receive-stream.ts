/**
 * The receiving part of a stream, RFC 9000 §3.2.
 *
 *      recv ── fin ──> size known ── all has come ──> data recvd ── read ──> data read
 *        │                 │
 *        └─ RESET_STREAM ──┴──> reset recvd ── told ──> reset read
 *
 * The final size is known from the FIN or the RESET_STREAM, and changes no more (§4.5).
 */
import { appendStopSending } from '../frames/stop-sending-frame.ts'
import type { SentContent } from '../recovery/sent-packet.ts'
import { FINAL_SIZE_ERROR, TransportError } from '../transport-error.ts'
import type { WireWriter } from '../wire-writer.ts'
import type { FrameQueue, FrameSource } from './frame-source.ts'
import { Reassembly } from './reassembly.ts'
import { ReceiveWindow, type WindowOwner } from './receive-window.ts'

/** The longest STOP_SENDING frame, in bytes. */
const STOP_ROOM = 1 + 8 + 8

const NO_BYTES = new Uint8Array(0)

export interface ReceiveStreamOwner extends WindowOwner {
  readonly control: FrameQueue
  /** Of all streams together. */
  readonly receiveWindow: ReceiveWindow
  /** There is something to hand out. */
  onReadable(stream: ReceiveStream): void
  /** Nothing more will come of it. */
  onReceivingOver(stream: ReceiveStream): void
}

export interface ReceiveEvents {
  onStreamData(streamId: number, data: Uint8Array, fin: boolean): void
  onStreamReset(streamId: number, code: number): void
}

export class ReceiveStream {
  readonly id: number
  readonly #owner: ReceiveStreamOwner
  readonly #bytes = new Reassembly()
  readonly #window: ReceiveWindow
  /** The end of what came that is farthest from the beginning. */
  #highest = 0
  /** Bytes that count as read. */
  #counted = 0
  #finalSize: number | undefined
  #resetCode: number | undefined
  #stop: StopSending | undefined
  #isOver = false

  /** `window`: at first, and `mostWindow`, in bytes. */
  constructor(id: number, window: number, mostWindow: number, owner: ReceiveStreamOwner) {
    this.id = id
    this.#owner = owner
    this.#window = new ReceiveWindow(window, mostWindow, id, owner)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** A STREAM frame. */
  onData(offset: number, data: Uint8Array, fin: boolean): void {
    const end = offset + data.length
    this.#checkSize(end, fin)
    if (this.#isOver) return
    this.#count(end)
    if (fin) this.#setFinalSize(end)
    if (this.#resetCode !== undefined) return
    if (this.#stop !== undefined) {
      this.#ignoreRest()
      return
    }
    const before = this.#bytes.ready
    this.#bytes.insert(offset, data)
    if (this.#bytes.ready > before || this.#isAllHere) this.#owner.onReadable(this)
  }

  /** A RESET_STREAM frame. */
  onReset(code: number, finalSize: number): void {
    this.#checkSize(finalSize, true)
    if (this.#isOver) return
    this.#count(finalSize)
    // All of its data and its end have come before: then that is what the application gets (§3.2).
    if (this.#resetCode !== undefined || this.#isAllHere) return
    this.#setFinalSize(finalSize)
    this.#resetCode = code
    if (this.#stop !== undefined) this.#ignoreRest()
    else {
      this.#skipTo(finalSize)
      this.#owner.onReadable(this)
    }
  }

  /** The application wants no more of it. */
  stopSending(code: number): void {
    if (this.#isOver || this.#stop !== undefined) return
    this.#stop = new StopSending(this, code)
    this.#ignoreRest()
    if (!this.#isOver) this.#owner.control.add(this.#stop)
  }

  /** Tells what has come. */
  handOut(events: ReceiveEvents): void {
    if (this.#resetCode !== undefined) {
      if (this.#isOver) return
      this.#end()
      events.onStreamReset(this.id, this.#resetCode)
      return
    }
    // What the application does meanwhile may end the stream.
    while (!this.#isOver && this.#stop === undefined) {
      const data = this.#bytes.take()
      const isLast = this.#bytes.read === this.#finalSize
      if (data === undefined && !isLast) return
      if (data !== undefined) this.#read(data.length)
      if (isLast) this.#end()
      events.onStreamData(this.id, data ?? NO_BYTES, isLast)
      if (isLast) this.#bytes.clear()
    }
  }

  onStopLost(stop: StopSending): void {
    if (!this.#isOver) this.#owner.control.add(stop)
  }

  get #isAllHere(): boolean {
    return this.#bytes.ready === this.#finalSize
  }

  /** `isFinal`: it is said to be the end. */
  #checkSize(end: number, isFinal: boolean): void {
    const known = this.#finalSize
    if (known !== undefined ? end > known || (isFinal && end !== known) : isFinal && end < this.#highest) {
      throw new TransportError(FINAL_SIZE_ERROR, `stream ${this.id} ends at ${known ?? end}, and not`)
    }
  }

  #count(end: number): void {
    if (end <= this.#highest) return
    this.#window.onReceived(end - this.#highest)
    this.#owner.receiveWindow.onReceived(end - this.#highest)
    this.#highest = end
  }

  #setFinalSize(size: number): void {
    this.#finalSize = size
    this.#window.close()
  }

  #read(bytes: number): void {
    this.#counted += bytes
    this.#window.onRead(bytes)
    this.#owner.receiveWindow.onRead(bytes)
  }

  /** What was not read up to there will not be. */
  #skipTo(offset: number): void {
    this.#bytes.clear()
    if (offset > this.#counted) this.#read(offset - this.#counted)
  }

  /** Nobody listens: what comes counts as read, and the end is the end. */
  #ignoreRest(): void {
    this.#skipTo(this.#highest)
    if (this.#finalSize !== undefined) this.#end()
  }

  #end(): void {
    this.#isOver = true
    if (this.#resetCode !== undefined || this.#stop !== undefined) this.#bytes.clear()
    this.#window.close()
    this.#stop?.close()
    this.#owner.onReceivingOver(this)
  }
}

/** The STOP_SENDING frame, waiting and on its way: it is sent until it is acknowledged, or the stream has ended (§13.3). */
class StopSending implements FrameSource, SentContent {
  isQueued = false
  wantsToSend = true
  readonly #stream: ReceiveStream
  readonly #code: number

  constructor(stream: ReceiveStream, code: number) {
    this.#stream = stream
    this.#code = code
  }

  close(): void {
    this.wantsToSend = false
  }

  writeFrame(out: WireWriter, content: SentContent[]): boolean {
    if (out.remaining < STOP_ROOM) return false
    appendStopSending(out, this.#stream.id, this.#code)
    this.wantsToSend = false
    content.push(this)
    return true
  }

  onAcked(): void {
    this.wantsToSend = false
  }

  onLost(): void {
    if (this.#stream.isOver) return
    this.wantsToSend = true
    this.#stream.onStopLost(this)
  }
}

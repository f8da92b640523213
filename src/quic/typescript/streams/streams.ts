/**
 * All streams of a connection (RFC 9000 §2 to §4).
 *
 *   id   … 0 0   client, both directions         Of each kind the ids are used in order: one that is below the next and is not
 *        … 0 1   server, both directions         here any more has ended. So what has ended costs nothing, and how many streams
 *        … 1 0   client, one direction           are here is bounded by the limits on both sides.
 *        … 1 1   server, one direction
 *
 * What the peer does wrong is thrown as TransportError.
 */
import type { QuicSettings } from '../../quic.ts'
import type { StreamKind } from '../frames/frame-visitor.ts'
import type { SentContent } from '../recovery/sent-packet.ts'
import { STREAM_LIMIT_ERROR, STREAM_STATE_ERROR, TransportError } from '../transport-error.ts'
import type { WireWriter } from '../wire-writer.ts'
import { FrameQueue } from './frame-source.ts'
import { type ReceiveEvents, ReceiveStream, type ReceiveStreamOwner } from './receive-stream.ts'
import { ReceiveWindow } from './receive-window.ts'
import { SendStream, type SendStreamOwner } from './send-stream.ts'
import { SendWindow } from './send-window.ts'
import { OwnStreamLimit, PeerStreamLimit } from './stream-limits.ts'

/** Transport parameters for streams (RFC 9000 §18.2): how much the other side may send. */
export interface PeerStreamLimits {
  readonly initialMaxData: number
  readonly initialMaxStreamDataBidiLocal: number
  readonly initialMaxStreamDataBidiRemote: number
  readonly initialMaxStreamDataUni: number
  readonly initialMaxStreamsBidi: number
  readonly initialMaxStreamsUni: number
}

export interface StreamEvents extends ReceiveEvents {
  onStopSending(streamId: number, code: number): void
}

interface Stream {
  readonly send: SendStream | undefined
  readonly receive: ReceiveStream | undefined
}

const UNIDIRECTIONAL = 2

export class Streams implements SendStreamOwner, ReceiveStreamOwner {
  readonly control = new FrameQueue()
  readonly data = new FrameQueue()
  readonly sendWindow = new SendWindow(0, undefined, this.control)
  readonly receiveWindow: ReceiveWindow
  readonly rttMs: () => number
  /** When something last happened, in ms. */
  now = 0
  readonly #settings: QuicSettings
  /** The lowest bit of the ids of our streams. */
  readonly #ours: 0 | 1
  readonly #streams = new Map<number, Stream>()
  readonly #own = { bidi: new OwnStreamLimit('bidi', this.control), uni: new OwnStreamLimit('uni', this.control) }
  readonly #peers: Record<StreamKind, PeerStreamLimit>
  #limits: PeerStreamLimits | undefined
  /** Streams with something to hand out. */
  readonly #readable = new Set<ReceiveStream>()
  readonly #stopped = new Set<SendStream>()

  /** `rttMs`: the smoothed round-trip time, for the size of windows. */
  constructor(role: 'client' | 'server', settings: QuicSettings, rttMs: () => number) {
    this.#ours = role === 'server' ? 1 : 0
    this.#settings = settings
    this.rttMs = rttMs
    this.receiveWindow = new ReceiveWindow(settings.connectionWindow, settings.maxConnectionWindow, undefined, this)
    this.#peers = {
      bidi: new PeerStreamLimit(settings.maxStreamsBidi, 'bidi', this.control),
      uni: new PeerStreamLimit(settings.maxStreamsUni, 'uni', this.control),
    }
  }

  /** As soon as the peer's transport parameters are known; before, nothing can be sent. */
  onPeerLimits(limits: PeerStreamLimits): void {
    this.#limits = limits
    this.sendWindow.onLimit(limits.initialMaxData)
    this.#own.bidi.onLimit(limits.initialMaxStreamsBidi)
    this.#own.uni.onLimit(limits.initialMaxStreamsUni)
  }

  /** What our transport parameters say. */
  get ourLimits(): PeerStreamLimits {
    const { connectionWindow, streamWindow, maxStreamsBidi, maxStreamsUni } = this.#settings
    return {
      initialMaxData: connectionWindow,
      initialMaxStreamDataBidiLocal: streamWindow,
      initialMaxStreamDataBidiRemote: streamWindow,
      initialMaxStreamDataUni: streamWindow,
      initialMaxStreamsBidi: maxStreamsBidi,
      initialMaxStreamsUni: maxStreamsUni,
    }
  }

  /** How many are open. */
  get size(): number {
    return this.#streams.size
  }

  // -- the application -----------------------------------------------------------------------------------------

  /** How many bytes were taken. undefined: it takes no more, because it was stopped or has ended. */
  send(streamId: number, data: Uint8Array, fin: boolean): number | undefined {
    if (this.#isOurs(streamId) && !this.#openOurs(streamId)) return 0
    return this.#streams.get(streamId)?.send?.write(data, fin)
  }

  reset(streamId: number, code: number): void {
    this.#streams.get(streamId)?.send?.reset(code)
  }

  stopSending(streamId: number, code: number, now: number): void {
    this.now = now
    this.#streams.get(streamId)?.receive?.stopSending(code)
  }

  /** How many more streams of ours the peer allows. */
  left(kind: StreamKind): number {
    const { limit, opened } = this.#own[kind]
    return limit - opened
  }

  /** Whether the peer has acknowledged all of a stream that we have ended. */
  isAcknowledged(streamId: number): boolean {
    if (!this.#wasOpened(streamId)) return false
    return this.#streams.get(streamId)?.send?.isOver ?? true
  }

  /** Something waits for `handOut`. */
  get hasEvents(): boolean {
    return this.#readable.size > 0 || this.#stopped.size > 0
  }

  handOut(events: StreamEvents, now: number): void {
    this.now = now
    // Of a peer that ends both halves, the reset says more.
    for (const stream of this.#readable) {
      this.#readable.delete(stream)
      stream.handOut(events)
    }
    for (const stream of this.#stopped) {
      this.#stopped.delete(stream)
      const code = stream.stoppedWith
      if (code !== undefined) events.onStopSending(stream.id, code)
    }
  }

  // -- packets -------------------------------------------------------------------------------------------------

  get wantsToSend(): boolean {
    return this.control.wantsToSend || this.data.wantsToSend
  }

  /** Appends frames as there is room: STREAM frames last, in rotation. False: nothing was written. */
  writeFrames(out: WireWriter, content: SentContent[]): boolean {
    const before = out.offset
    this.control.writeFrames(out, content)
    this.data.writeFrames(out, content)
    return out.offset > before
  }

  // -- frames of the peer --------------------------------------------------------------------------------------

  onStream(streamId: number, offset: number, data: Uint8Array, fin: boolean, now: number): void {
    this.now = now
    this.#receiving(streamId)?.onData(offset, data, fin)
  }

  onResetStream(streamId: number, code: number, finalSize: number, now: number): void {
    this.now = now
    this.#receiving(streamId)?.onReset(code, finalSize)
  }

  /** It wants more room, and gets it as its data is read, not because it asks. */
  onStreamDataBlocked(streamId: number): void {
    this.#receiving(streamId)
  }

  /** The peer wants no more: the stream is reset, which it must be (§3.5), and the application is told. */
  onStopSending(streamId: number, code: number): void {
    const stream = this.#sending(streamId)
    if (stream === undefined || stream.isOver || stream.stoppedWith !== undefined) return
    stream.stoppedWith = code
    stream.reset(code)
    this.#stopped.add(stream)
  }

  onMaxData(limit: number): void {
    this.sendWindow.onLimit(limit)
  }

  onMaxStreamData(streamId: number, limit: number): void {
    const stream = this.#sending(streamId)
    if (stream?.isOver === false) stream.window.onLimit(limit)
  }

  onMaxStreams(kind: StreamKind, limit: number): void {
    this.#own[kind].onLimit(limit)
  }

  /** The connection has ended: nothing is kept. */
  clear(): void {
    this.#streams.clear()
    this.#readable.clear()
    this.#stopped.clear()
    this.control.clear()
    this.data.clear()
  }

  // -- of the streams ------------------------------------------------------------------------------------------

  onReadable(stream: ReceiveStream): void {
    this.#readable.add(stream)
  }

  wantsUpdate(window: ReceiveWindow): void {
    this.control.add(window)
  }

  onSendingOver({ id }: SendStream): void {
    this.#forgetIfOver(id)
  }

  onReceivingOver({ id }: ReceiveStream): void {
    this.#forgetIfOver(id)
  }

  #forgetIfOver(streamId: number): void {
    const stream = this.#streams.get(streamId)
    if (stream === undefined || stream.send?.isOver === false || stream.receive?.isOver === false) return
    this.#streams.delete(streamId)
    if (!this.#isOurs(streamId)) this.#peers[kindOf(streamId)].onEnded()
  }

  // -- which streams there are ---------------------------------------------------------------------------------

  /** undefined: it has ended. */
  #receiving(streamId: number): ReceiveStream | undefined {
    const isOurs = this.#isOurs(streamId)
    if (isOurs && isUni(streamId)) throw stateError(streamId, 'is one on which only we send')
    this.#meet(streamId, isOurs)
    return this.#streams.get(streamId)?.receive
  }

  /** undefined: it has ended. */
  #sending(streamId: number): SendStream | undefined {
    const isOurs = this.#isOurs(streamId)
    if (!isOurs && isUni(streamId)) throw stateError(streamId, 'is one on which only the peer sends')
    this.#meet(streamId, isOurs)
    return this.#streams.get(streamId)?.send
  }

  /** The peer speaks of a stream: one of ours has to be there, and one of its own comes into being, with all below (§2.1). */
  #meet(streamId: number, isOurs: boolean): void {
    if (isOurs) {
      if (!this.#wasOpened(streamId)) throw stateError(streamId, 'is ours, and does not exist')
      return
    }
    const limit = this.#peers[kindOf(streamId)]
    const count = countOf(streamId)
    if (count > limit.limit) {
      throw new TransportError(STREAM_LIMIT_ERROR, `stream ${streamId}, of no more than ${limit.limit} of its kind`)
    }
    while (limit.opened < count) this.#open(idOf(limit.opened++, streamId))
  }

  /** False: the peer does not allow it yet. */
  #openOurs(streamId: number): boolean {
    const own = this.#own[kindOf(streamId)]
    const count = countOf(streamId)
    if (count > own.limit) {
      own.onBlocked()
      return false
    }
    while (own.opened < count) this.#open(idOf(own.opened++, streamId))
    return true
  }

  #open(streamId: number): void {
    const isOurs = this.#isOurs(streamId)
    const { streamWindow, maxStreamWindow } = this.#settings
    const isSender = isOurs || !isUni(streamId)
    const isReceiver = !isOurs || !isUni(streamId)
    this.#streams.set(streamId, {
      send: isSender ? new SendStream(streamId, this.#firstLimit(streamId, isOurs), this) : undefined,
      receive: isReceiver ? new ReceiveStream(streamId, streamWindow, maxStreamWindow, this) : undefined,
    })
  }

  /** Local and remote are the peer's words: on its own streams and on ours (§18.2). */
  #firstLimit(streamId: number, isOurs: boolean): number {
    const limits = this.#limits
    if (limits === undefined) return 0
    if (isUni(streamId)) return limits.initialMaxStreamDataUni
    return isOurs ? limits.initialMaxStreamDataBidiRemote : limits.initialMaxStreamDataBidiLocal
  }

  #isOurs(streamId: number): boolean {
    return streamId % 2 === this.#ours
  }

  #wasOpened(streamId: number): boolean {
    const limit = this.#isOurs(streamId) ? this.#own[kindOf(streamId)] : this.#peers[kindOf(streamId)]
    return countOf(streamId) <= limit.opened
  }
}

function isUni(streamId: number): boolean {
  return streamId % 4 >= UNIDIRECTIONAL
}

function kindOf(streamId: number): StreamKind {
  return isUni(streamId) ? 'uni' : 'bidi'
}

/** How many there are of its kind up to this one. */
function countOf(streamId: number): number {
  return Math.floor(streamId / 4) + 1
}

function idOf(index: number, sameKindAs: number): number {
  return index * 4 + (sameKindAs % 4)
}

function stateError(streamId: number, what: string): TransportError {
  return new TransportError(STREAM_STATE_ERROR, `stream ${streamId} ${what}`)
}

/**
 * The peer's unidirectional streams, RFC 9114 §6.2. Each begins with its type:
 *
 *   Unidirectional Stream Header {
 *     Stream Type (i),
 *   }
 */
import { decodeSmallVarint, varintLengthFromFirstByte } from '../bytes/varint.ts'
import { ControlStream, type ControlStreamOwner } from './control-stream.ts'
import { H3ErrorCode } from './error-codes.ts'
import { H3Error } from './errors.ts'
import type { H3Event } from './events.ts'
import { checkEncoderInstructions, DecoderInstructionReader } from './qpack/instructions.ts'
import { isClientInitiated, SeenStreams, tooManyStreams } from './stream-ids.ts'

export const StreamType = {
  /** RFC 9114 §6.2.1 */
  CONTROL: 0x00,
  /** RFC 9114 §6.2.2 */
  PUSH: 0x01,
  /** RFC 9204 §4.2 */
  QPACK_ENCODER: 0x02,
  QPACK_DECODER: 0x03,
} as const

/** Reads the type of a stream, which may come in pieces. */
class StreamTypeReader {
  /** The stream's type once it is known, else undefined. Types above 2^53 are Infinity: certainly unknown ones. */
  type: number | undefined
  #partial: Uint8Array | undefined
  #length = 0

  /** Takes bytes until the type is known; returns how many of them belong to the type. */
  push(bytes: Uint8Array): number {
    const type = this.#length === 0 ? decodeSmallVarint(bytes) : -1
    if (type >= 0) {
      this.type = type
      return varintLengthFromFirstByte(bytes[0])
    }
    this.#partial ??= new Uint8Array(8)
    for (let i = 0; i < bytes.length; i++) {
      this.#partial[this.#length++] = bytes[i]
      const value = decodeSmallVarint(this.#partial.subarray(0, this.#length))
      if (value >= 0) {
        this.type = value
        return i + 1
      }
    }
    return bytes.length
  }
}

/** Takes the bytes of a stream whose type is known. */
type StreamReceiver = (bytes: Uint8Array, fin: boolean) => void

/** An open stream of the peer. Streams of unknown types are not kept. */
interface PeerUniStream {
  readonly typeReader: StreamTypeReader
  receive: StreamReceiver | undefined
}

export interface PeerUniStreamsOptions {
  /** Our role. */
  role: 'client' | 'server'
  /** How many may be open at once. */
  maxStreams: number
  /** Private types whose bytes are reported as `extension-stream` events; the set may grow. */
  extensionTypes: ReadonlySet<number>
  control: ControlStreamOwner
  emit(event: H3Event): void
  /** A stream has a type that we do not know; `fin`: it is over already. */
  refuse(streamId: number, fin: boolean): void
}

/** Streams without which there is no connection: each exists at most once and must stay open (RFC 9114 §6.2.1). */
const CRITICAL_NAMES: Record<number, string> = {
  [StreamType.CONTROL]: 'control',
  [StreamType.QPACK_ENCODER]: 'QPACK encoder',
  [StreamType.QPACK_DECODER]: 'QPACK decoder',
}

/** All unidirectional streams that the peer opened. Its methods throw H3Error when the peer breaks a rule. */
export class PeerUniStreams {
  readonly #options: PeerUniStreamsOptions
  readonly #open = new Map<number, PeerUniStream>()
  readonly #seen: SeenStreams
  /** The id of each critical stream, by type. */
  readonly #critical = new Map<number, number>()

  constructor(options: PeerUniStreamsOptions) {
    this.#options = options
    this.#seen = new SeenStreams(options.role === 'server' ? 2 : 3, options.maxStreams)
  }

  /** How many are open, without those that are ignored. */
  get open(): number {
    return this.#open.size
  }

  /** Bytes that arrived; `fin`: the stream ends with them. */
  receive(streamId: number, data: Uint8Array, fin: boolean): void {
    if (this.#isOurs(streamId)) {
      throw streamCreationError(`the peer sends on stream ${streamId}, on which only we may send`)
    }
    const stream = this.#open.get(streamId) ?? this.#accept(streamId)
    // Seen before, and over: refused, reset or abandoned.
    if (stream === undefined) return
    let rest = data
    if (stream.receive === undefined) {
      rest = data.subarray(stream.typeReader.push(data))
      const { type } = stream.typeReader
      if (type !== undefined && (stream.receive = this.#receiverOf(streamId, type)) === undefined) {
        this.#open.delete(streamId)
        return this.#options.refuse(streamId, fin)
      }
    }
    stream.receive?.(rest, fin)
    if (fin) this.#end(streamId)
  }

  /** The peer reset the stream. Before its type has arrived that has no meaning (RFC 9114 §6.2). */
  reset(streamId: number, code: number): void {
    if (this.#isOurs(streamId)) return
    const known = this.#open.get(streamId)?.typeReader.type !== undefined
    // A stream of which only the reset arrives was opened all the same.
    if (this.#seen.isNew(streamId) && !this.#seen.see(streamId)) throw tooManyStreams(streamId)
    this.#end(streamId)
    if (known) this.#options.emit({ type: 'reset', streamId, code })
  }

  /** Nothing more of this stream is of interest. Returns false when it is not open. */
  abandon(streamId: number): boolean {
    return this.#open.delete(streamId)
  }

  clear(): void {
    this.#open.clear()
  }

  #isOurs(streamId: number): boolean {
    return isClientInitiated(streamId) === (this.#options.role === 'client')
  }

  #accept(streamId: number): PeerUniStream | undefined {
    if (!this.#seen.isNew(streamId)) return undefined
    if (!this.#seen.see(streamId) || this.#open.size >= this.#options.maxStreams) throw tooManyStreams(streamId)
    const stream: PeerUniStream = { typeReader: new StreamTypeReader(), receive: undefined }
    this.#open.set(streamId, stream)
    return stream
  }

  /** What takes the bytes of a stream of this type, or undefined for a type that we do not know. */
  #receiverOf(streamId: number, type: number): StreamReceiver | undefined {
    switch (type) {
      case StreamType.CONTROL: {
        this.#openCritical(streamId, type)
        const control = new ControlStream(this.#options.control)
        return bytes => control.receive(bytes)
      }
      case StreamType.QPACK_ENCODER:
        this.#openCritical(streamId, type)
        return checkEncoderInstructions
      case StreamType.QPACK_DECODER: {
        this.#openCritical(streamId, type)
        const reader = new DecoderInstructionReader()
        return bytes => reader.push(bytes)
      }
      case StreamType.PUSH:
        if (this.#options.role === 'server')
          throw streamCreationError('a client opened a push stream; only servers push')
        // We never send MAX_PUSH_ID, so there is no push id that a server may use (RFC 9114 §4.6).
        throw new H3Error(H3ErrorCode.H3_ID_ERROR, 'a push stream, but no push was allowed: MAX_PUSH_ID was not sent')
    }
    if (!this.#options.extensionTypes.has(type)) return undefined
    return (data, fin) => {
      if (data.length === 0 && !fin) return
      this.#options.emit({ type: 'extension-stream', streamType: type, streamId, data, fin })
    }
  }

  #openCritical(streamId: number, type: number): void {
    if (this.#critical.has(type)) {
      throw streamCreationError(`a second ${CRITICAL_NAMES[type]} stream; there is only one in each direction`)
    }
    this.#critical.set(type, streamId)
  }

  /** The stream ended, cleanly or not. */
  #end(streamId: number): void {
    const type = this.#open.get(streamId)?.typeReader.type
    this.#open.delete(streamId)
    if (type === undefined || this.#critical.get(type) !== streamId) return
    throw new H3Error(H3ErrorCode.H3_CLOSED_CRITICAL_STREAM, `the peer closed its ${CRITICAL_NAMES[type]} stream`)
  }
}

function streamCreationError(message: string): H3Error {
  return new H3Error(H3ErrorCode.H3_STREAM_CREATION_ERROR, message)
}

/**
 * Reads along what goes over the streams of an HTTP/3 connection, in both directions, and tells what it is: frames, settings, capsules. Sans-IO.
 *
 * It changes nothing. What it cannot read, for a peer may send anything, it does not read on that stream any more: what is wrong is
 * said by the connection itself.
 */

import { DecodeError } from '../bytes/errors.ts'
import { decodeSmallVarint, varintLengthFromFirstByte } from '../bytes/varint.ts'
import { CapsuleParser, CapsuleType } from '../connect-ip/capsule.ts'
import { DNS_EXTENSION } from '../connect-ip/dns/extension.ts'
import { ConnectIpError } from '../connect-ip/errors.ts'
import type { Header } from '../http/header.ts'
import { headerValue } from '../http/header.ts'
import { H3Error } from '../http3/errors.ts'
import { decodeVarintPayload, type FrameHandler, FrameReader, type FrameTreatment, FrameType } from '../http3/frames.ts'
import { isReservedId } from '../http3/grease.ts'
import { decodeFieldSection } from '../http3/qpack/decoder.ts'
import { isUnidirectional } from '../http3/stream-ids.ts'
import { StreamType } from '../http3/unidirectional-streams.ts'
import { WEBTRANSPORT_STREAM } from '../http3/webtransport.ts'
import { qlogCapsule, qlogHeaders, qlogSettings } from './http3-fields.ts'

/** Who has sent it. */
type Initiator = 'local' | 'remote'

/** Frames that are longer are told of, and not read. */
const MAX_COLLECTED = 16 * 1024
/** Streams that are read at a time, of each direction. */
export const MAX_WATCHED_STREAMS = 128

/** Streams, of each direction, of which is remembered that a part was missed. The oldest are forgotten. */
const MAX_MISSED_STREAMS = 1024

type Tell = (name: string, data: object) => void

export class Http3Watcher {
  readonly #tell: Tell
  readonly #streams = { local: new Map<number, StreamReader>(), remote: new Map<number, StreamReader>() }
  /** What follows on these cannot be read, for what was before it was not. */
  readonly #missed = { local: new Set<number>(), remote: new Set<number>() }
  /** Request streams whose content is capsules. */
  readonly #tunnels = new Set<number>()

  constructor(tell: Tell) {
    this.#tell = tell
  }

  /** The next bytes of a stream, from this side. Never throws. */
  stream(initiator: Initiator, streamId: number, data: Uint8Array, fin: boolean): void {
    const streams = this.#streams[initiator]
    let stream = streams.get(streamId)
    if (stream === undefined) {
      if (data.length === 0 || this.#missed[initiator].has(streamId)) return
      if (streams.size >= MAX_WATCHED_STREAMS) return this.#miss(initiator, streamId)
      stream = isUnidirectional(streamId)
        ? new UniReader(this.#tell, initiator, streamId)
        : new FramesReader(this.#tell, initiator, streamId, this.#tunnels)
      streams.set(streamId, stream)
    }
    try {
      stream.push(data)
    } catch (error) {
      if (!(error instanceof H3Error || error instanceof DecodeError || error instanceof ConnectIpError)) throw error
      stream.push = () => {}
    }
    if (!fin) return
    streams.delete(streamId)
    if (!this.#streams.local.has(streamId) && !this.#streams.remote.has(streamId)) this.#tunnels.delete(streamId)
  }

  /** A stream was ended before its time; the other direction may go on, and is not read any more either. */
  forget(streamId: number): void {
    for (const initiator of ['local', 'remote'] as const) {
      this.#streams[initiator].delete(streamId)
      this.#miss(initiator, streamId)
    }
    this.#tunnels.delete(streamId)
  }

  #miss(initiator: Initiator, streamId: number): void {
    const missed = this.#missed[initiator]
    missed.add(streamId)
    if (missed.size <= MAX_MISSED_STREAMS) return
    const [oldest] = missed
    missed.delete(oldest)
  }
}

interface StreamReader {
  push(bytes: Uint8Array): void
}

/** A unidirectional stream: its type, and the frames of a control stream. */
class UniReader implements StreamReader {
  readonly #tell: Tell
  readonly #initiator: Initiator
  readonly #streamId: number
  #head: Uint8Array = new Uint8Array()
  #frames: FramesReader | undefined
  #isTypeKnown = false

  constructor(tell: Tell, initiator: Initiator, streamId: number) {
    this.#tell = tell
    this.#initiator = initiator
    this.#streamId = streamId
  }

  push(bytes: Uint8Array): void {
    if (this.#isTypeKnown) return this.#frames?.push(bytes)
    const head = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes])
    const type = decodeSmallVarint(head)
    if (type < 0) {
      this.#head = Uint8Array.from(head)
      return
    }
    this.#isTypeKnown = true
    const name = STREAM_NAMES.get(type) ?? (isReservedType(type) ? 'reserved' : 'unknown')
    this.#tell('http3:stream_type_set', {
      initiator: this.#initiator,
      stream_id: this.#streamId,
      stream_type: name,
      ...(name === 'unknown' && Number.isFinite(type) && { stream_type_bytes: type }),
    })
    if (type !== StreamType.CONTROL) return
    this.#frames = new FramesReader(this.#tell, this.#initiator, this.#streamId)
    this.#frames.push(head.subarray(varintLengthFromFirstByte(head[0])))
  }
}

const STREAM_NAMES = new Map<number, string>([
  [StreamType.CONTROL, 'control'],
  [StreamType.PUSH, 'push'],
  [StreamType.QPACK_ENCODER, 'qpack_encode'],
  [StreamType.QPACK_DECODER, 'qpack_decode'],
])

/** Frames, and the capsules in DATA frames of a tunnel. */
class FramesReader implements StreamReader, FrameHandler {
  readonly #tell: Tell
  readonly #initiator: Initiator
  readonly #streamId: number
  readonly #tunnels: Set<number> | undefined
  readonly #reader = new FrameReader(this)
  #capsules: CapsuleParser | undefined
  #length = 0

  constructor(tell: Tell, initiator: Initiator, streamId: number, tunnels?: Set<number>) {
    this.#tell = tell
    this.#initiator = initiator
    this.#streamId = streamId
    this.#tunnels = tunnels
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(bytes)
  }

  // -- FrameHandler --------------------------------------------------------------------------------------------

  frameStarts(type: number, length: number): FrameTreatment {
    this.#length = length
    // A stream of a WebTransport session has no frames.
    if (type === WEBTRANSPORT_STREAM) return 'rest'
    if (type === FrameType.DATA) {
      this.#frame({ frame_type: 'data' })
      return this.#tunnels?.has(this.#streamId) ? 'pass' : 'skip'
    }
    const isRead = type === FrameType.HEADERS || type === FrameType.SETTINGS || type === FrameType.GOAWAY
    if (isRead && length <= MAX_COLLECTED) return 'collect'
    const number = Number.isFinite(type) ? { frame_type_bytes: type } : {}
    this.#frame({ frame_type: isReservedType(type) ? 'reserved' : 'unknown', ...number })
    return 'skip'
  }

  frameCollected(type: number, payload: Uint8Array): void {
    switch (type) {
      case FrameType.HEADERS:
        return this.#headers(decodeFieldSection(payload, MAX_COLLECTED))
      case FrameType.SETTINGS: {
        const settings = qlogSettings(payload)
        this.#frame({ frame_type: 'settings', settings })
        const value = (name: string): number | undefined => settings.find(setting => setting.name === name)?.value
        this.#tell('http3:parameters_set', {
          initiator: this.#initiator,
          max_field_section_size: value('settings_max_field_section_size'),
          extended_connect: value('settings_enable_connect_protocol'),
          h3_datagram: value('settings_h3_datagram'),
        })
        return
      }
      case FrameType.GOAWAY:
        this.#frame({ frame_type: 'goaway', id: Number(decodeVarintPayload(type, payload)) })
    }
  }

  framePassed(bytes: Uint8Array): void {
    this.#capsules ??= new CapsuleParser({}, DNS_EXTENSION.keys())
    for (const { type, value } of this.#capsules.push(bytes)) {
      // Each of them is a packet, of which there are many: like those in QUIC datagrams, they are counted by others.
      if (type === CapsuleType.DATAGRAM) continue
      this.#tell(this.#initiator === 'local' ? 'http:capsule_created' : 'http:capsule_parsed', {
        stream_id: this.#streamId,
        capsule: qlogCapsule(type, value),
      })
    }
  }

  #headers(headers: readonly Header[]): void {
    this.#frame({ frame_type: 'headers', headers: qlogHeaders(headers), number_of_headers: headers.length })
    if (headerValue(headers, ':protocol') !== undefined) this.#tunnels?.add(this.#streamId)
  }

  #frame(frame: object): void {
    const raw = Number.isFinite(this.#length) ? { raw: { payload_length: this.#length } } : {}
    const name = this.#initiator === 'local' ? 'http3:frame_created' : 'http3:frame_parsed'
    this.#tell(name, { stream_id: this.#streamId, frame: { ...frame, ...raw } })
  }
}

/** Types above 2^53 come as Infinity. */
function isReservedType(type: number): boolean {
  return Number.isFinite(type) && isReservedId(BigInt(type))
}

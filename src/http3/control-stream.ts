/**
 * The peer's control stream, RFC 9114 §6.2.1: SETTINGS first and once, then GOAWAY and what belongs to server push.
 */
import { H3ErrorCode } from './error-codes.ts'
import { H3Error } from './errors.ts'
import {
  decodeVarintPayload,
  type FrameHandler,
  FrameReader,
  type FrameTreatment,
  FrameType,
  frameName,
  isHttp2OnlyFrame,
} from './frames.ts'
import { decodeSettings, type H3Settings, MAX_SETTINGS_LENGTH } from './settings.ts'

/** What a control stream tells its connection. */
export interface ControlStreamOwner {
  readonly role: 'client' | 'server'
  receiveSettings(settings: H3Settings): void
  receiveGoaway(id: bigint): void
  countSkippedFrame(): void
}

/** GOAWAY, CANCEL_PUSH and MAX_PUSH_ID hold one varint. */
const MAX_VARINT_LENGTH = 8

export class ControlStream implements FrameHandler {
  readonly #owner: ControlStreamOwner
  readonly #reader = new FrameReader(this)
  #settingsReceived = false
  #goawayId: bigint | undefined
  #maxPushId: bigint | undefined

  constructor(owner: ControlStreamOwner) {
    this.#owner = owner
  }

  /** The next bytes from the peer. Throws H3Error. */
  receive(bytes: Uint8Array): void {
    this.#reader.push(bytes)
  }

  frameStarts(type: number, length: number): FrameTreatment {
    if (!this.#settingsReceived && type !== FrameType.SETTINGS) {
      // An unknown frame does not count as SETTINGS either (RFC 9114 §9).
      throw new H3Error(
        H3ErrorCode.H3_MISSING_SETTINGS,
        `the control stream begins with ${frameName(type)}, not SETTINGS`,
      )
    }
    switch (type) {
      case FrameType.SETTINGS:
        if (this.#settingsReceived) throw unexpected(type, 'SETTINGS may be sent only once')
        if (length > MAX_SETTINGS_LENGTH) {
          const message = `a SETTINGS frame of ${length} bytes is not taken; ${MAX_SETTINGS_LENGTH} are the limit`
          throw new H3Error(H3ErrorCode.H3_EXCESSIVE_LOAD, message)
        }
        this.#settingsReceived = true
        return 'collect'
      case FrameType.MAX_PUSH_ID:
        if (this.#owner.role === 'client') throw unexpected(type, 'only clients send it')
        return collectVarint(type, length)
      case FrameType.GOAWAY:
      case FrameType.CANCEL_PUSH:
        return collectVarint(type, length)
      case FrameType.DATA:
      case FrameType.HEADERS:
      case FrameType.PUSH_PROMISE:
        throw unexpected(type, 'it belongs on a request stream')
    }
    if (isHttp2OnlyFrame(type)) throw unexpected(type, 'it exists in HTTP/2 only')
    this.#owner.countSkippedFrame()
    return 'skip'
  }

  frameCollected(type: number, payload: Uint8Array): void {
    if (type === FrameType.SETTINGS) {
      this.#owner.receiveSettings(decodeSettings(payload))
      return
    }
    const id = decodeVarintPayload(type, payload)
    if (type === FrameType.GOAWAY) this.#receiveGoaway(id)
    else if (type === FrameType.MAX_PUSH_ID) this.#receiveMaxPushId(id)
    else {
      // We neither allow pushes (client) nor promise any (server): no push id can be cancelled (RFC 9114 §7.2.3).
      throw idError(`CANCEL_PUSH names push ${id}, which was never promised`)
    }
  }

  framePassed(): void {}

  #receiveGoaway(id: bigint): void {
    if (this.#owner.role === 'client' && id % 4n !== 0n) {
      throw idError(`GOAWAY from the server names stream ${id}, which is not a request stream`)
    }
    if (this.#goawayId !== undefined && id > this.#goawayId) {
      throw idError(`GOAWAY raises its id from ${this.#goawayId} to ${id}`)
    }
    this.#goawayId = id
    this.#owner.receiveGoaway(id)
  }

  #receiveMaxPushId(id: bigint): void {
    if (this.#maxPushId !== undefined && id < this.#maxPushId) {
      throw idError(`MAX_PUSH_ID lowers its id from ${this.#maxPushId} to ${id}`)
    }
    this.#maxPushId = id
  }
}

function collectVarint(type: number, length: number): FrameTreatment {
  if (length <= MAX_VARINT_LENGTH) return 'collect'
  throw new H3Error(H3ErrorCode.H3_FRAME_ERROR, `a ${frameName(type)} frame of ${length} bytes; it holds one integer`)
}

function unexpected(type: number, why: string): H3Error {
  return new H3Error(H3ErrorCode.H3_FRAME_UNEXPECTED, `${frameName(type)} on the control stream: ${why}`)
}

function idError(message: string): H3Error {
  return new H3Error(H3ErrorCode.H3_ID_ERROR, message)
}

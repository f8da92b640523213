/**
 * The capsules of a WebTransport session itself, on the stream of its CONNECT: draft-ietf-webtrans-http3 §5.
 *
 *   CLOSE_WEBTRANSPORT_SESSION Capsule {
 *     Type (i) = 0x2843,
 *     Length (i),
 *     Application Error Code (32),
 *     Application Error Message (..8192),
 *   }
 *
 * The message has at most 8192 bits, which is 1024 bytes. (The capsules of CONNECT-IP are on a stream of the session.)
 */

import { Reader } from '../../../bytes/reader.ts'
import { CapsuleParser, encodeCapsule } from '../../../connect-ip/capsule.ts'
import { ConnectIpError } from '../../../connect-ip/errors.ts'

const CLOSE_WEBTRANSPORT_SESSION = 0x2843n

const CODE_LENGTH = 4
const MAX_MESSAGE_LENGTH = 1024

/** Why a session was closed, in the words of whoever closed it. */
interface SessionClose {
  readonly code: number
  readonly message: string
}

/** `code`: 32 bits, whose meaning is the application's. */
export function encodeSessionClose({ code, message }: SessionClose): Uint8Array {
  const text = new TextEncoder().encode(message).subarray(0, MAX_MESSAGE_LENGTH)
  const value = new Uint8Array(CODE_LENGTH + text.length)
  new DataView(value.buffer).setUint32(0, code)
  value.set(text, CODE_LENGTH)
  return encodeCapsule(CLOSE_WEBTRANSPORT_SESSION, value)
}

/** Reads what the peer says about the session. */
export class SessionCapsules {
  /** The peer has closed the session. */
  close: SessionClose | undefined
  readonly #parser = new CapsuleParser({ maxControlLength: CODE_LENGTH + MAX_MESSAGE_LENGTH, maxDatagramLength: 0 }, [
    CLOSE_WEBTRANSPORT_SESSION,
  ])

  /** The next bytes. Others than the one above are skipped. Throws ConnectIpError when that one is malformed. */
  receive(bytes: Uint8Array): void {
    for (const { type, value } of this.#parser.push(bytes)) {
      if (type !== CLOSE_WEBTRANSPORT_SESSION) continue
      if (this.close !== undefined) throw new ConnectIpError('something follows the capsule that closes the session')
      if (value.length < CODE_LENGTH) {
        throw new ConnectIpError(
          `CLOSE_WEBTRANSPORT_SESSION has ${value.length} bytes; expected ${CODE_LENGTH} or more`,
        )
      }
      const reader = new Reader(value)
      const code = reader.u32()
      this.close = { code, message: new TextDecoder().decode(reader.rest()) }
    }
  }
}

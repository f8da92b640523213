import { DecodeError } from '../bytes/errors.ts'

/**
 * Why one end gives up a request, or a tunnel, whatever the version of HTTP. Each carrier has its own code for it:
 *
 *                    HTTP/3                  HTTP/2               HTTP/1.1, before the answer
 *   malformed        H3_MESSAGE_ERROR        PROTOCOL_ERROR       400
 *   excessive-load   H3_EXCESSIVE_LOAD       ENHANCE_YOUR_CALM    503
 *   cancelled        H3_REQUEST_CANCELLED    CANCEL               the connection is closed
 *   internal         H3_INTERNAL_ERROR       INTERNAL_ERROR       500
 */
export type AbortReason = 'malformed' | 'excessive-load' | 'cancelled' | 'internal'

/**
 * A request or response breaks a rule that all versions of HTTP share. Its stream is aborted (RFC 9113 §8.1.1, RFC 9114
 * §4.1.2); where an answer can still be given, as on HTTP/1.1, that is `status`.
 */
export class MalformedMessage extends DecodeError {
  override name = 'MalformedMessage'
  readonly abortReason = 'malformed'
  readonly status = 400
}

/**
 * A header section of ours is larger than the peer takes, so it SHOULD NOT be sent, and was not (RFC 9114 §4.2.2, RFC 9113
 * §10.5.1). Nobody broke a rule: that one message cannot be sent, and everything else can.
 */
export class PeerFieldSectionLimit extends Error {
  override name = 'PeerFieldSectionLimit'

  /** `setting`: by which the peer has said so. */
  constructor(size: number, limit: number, setting = 'SETTINGS_MAX_FIELD_SECTION_SIZE') {
    super(`the headers have ${size} bytes, the peer takes at most ${limit} (${setting})`)
  }
}

import { DecodeError } from '../bytes/errors.ts'
import { H3ErrorCode } from '../http3/error-codes.ts'

/**
 * The peer broke a rule of the Capsule Protocol or of CONNECT-IP: the request stream is to be aborted with `code`.
 *
 * Which code? RFC 9297 §3.3 says that an error in the Capsule Protocol, a field too many or too few, and a stream that
 * ends inside a capsule are to be treated "as if it had received a malformed or incomplete HTTP message", and
 * RFC 9114 §4.1.2 makes a malformed message a stream error of type H3_MESSAGE_ERROR. So that is the code on HTTP/3
 * (PROTOCOL_ERROR on HTTP/2). H3_DATAGRAM_ERROR, in spite of its name, remains for QUIC DATAGRAM frames that cannot be
 * parsed (RFC 9297 §2.1), which is a connection error found one floor below.
 *
 * Where RFC 9484 only says "MUST abort the IP proxying request stream" (no requested address, routes out of order), it
 * names no code; the same one is used, because there, too, the message cannot have come from a correct sender.
 * A peer that asks us to hold more than we are willing to gets H3_EXCESSIVE_LOAD: it is too much, not malformed.
 */
export class ConnectIpError extends DecodeError {
  override name = 'ConnectIpError'
  /** HTTP/3 error code for RESET_STREAM and STOP_SENDING. */
  readonly code: number

  constructor(message: string, code: number = H3ErrorCode.H3_MESSAGE_ERROR) {
    super(message)
    this.code = code
  }
}

/** The peer wants more memory than the limits allow. */
export function excessiveLoad(message: string): ConnectIpError {
  return new ConnectIpError(message, H3ErrorCode.H3_EXCESSIVE_LOAD)
}

/**
 * The request is malformed (RFC 9484 §4.1, §4.5): a stream error on HTTP/3, where a response with `status` may be
 * sent before (RFC 9114 §4.1.2), and a 400 response on HTTP/1.1.
 */
export class MalformedRequest extends ConnectIpError {
  override name = 'MalformedRequest'
  readonly status = 400
}

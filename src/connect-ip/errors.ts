import { DecodeError } from '../bytes/errors.ts'
import type { AbortReason } from '../http/errors.ts'

/**
 * The peer broke a rule of the Capsule Protocol or of CONNECT-IP: the request stream is to be aborted for `abortReason`.
 *
 * For which? RFC 9297 §3.3 says that an error in the Capsule Protocol, a field too many or too few, and a stream that
 * ends inside a capsule are to be treated "as if it had received a malformed or incomplete HTTP message", and
 * RFC 9114 §4.1.2 makes a malformed message a stream error of type H3_MESSAGE_ERROR (RFC 9113 §8.1.1: PROTOCOL_ERROR).
 * H3_DATAGRAM_ERROR, in spite of its name, remains for QUIC DATAGRAM frames that cannot be parsed (RFC 9297 §2.1), which is
 * a connection error found by HTTP/3.
 *
 * Where RFC 9484 only says "MUST abort the IP proxying request stream" (no requested address, routes out of order), it
 * names no code; the same one is used, because there, too, the message cannot have come from a correct sender.
 * A peer that asks us to hold more than we are willing to gets `excessive-load`: it is too much, not malformed.
 */
export class ConnectIpError extends DecodeError {
  override name = 'ConnectIpError'
  readonly abortReason: AbortReason

  constructor(message: string, abortReason: AbortReason = 'malformed') {
    super(message)
    this.abortReason = abortReason
  }
}

/** The peer wants more memory than the limits allow. */
export function excessiveLoad(message: string): ConnectIpError {
  return new ConnectIpError(message, 'excessive-load')
}

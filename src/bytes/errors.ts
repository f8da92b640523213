/**
 * The input ended early, or says something its format does not allow.
 *
 * Every decoder in `bytes`, `ip`, `http3` and `connect-ip` either returns a value or throws this class (or a
 * subclass that also carries the wire error code). Anything else thrown by a decoder is a bug.
 */
export class DecodeError extends Error {
  override name = 'DecodeError'
}

/** The input ended before the value was complete. */
export class TruncatedError extends DecodeError {
  override name = 'TruncatedError'
}

import { DecodeError } from '../bytes/errors.ts'

/**
 * The peer broke a rule of HTTP/3 (RFC 9114 §8).
 *
 * `scope` says how far the damage goes: a `stream` error ends one request (a malformed message, say), a `connection`
 * error ends everything, because the two ends no longer agree on what the bytes mean.
 */
export class H3Error extends DecodeError {
  override name = 'H3Error'
  /** The error code that goes on the wire; see error-codes.ts. */
  readonly code: number
  readonly scope: 'connection' | 'stream'

  constructor(code: number, message: string, scope: 'connection' | 'stream' = 'connection') {
    super(message)
    this.code = code
    this.scope = scope
  }
}

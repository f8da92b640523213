/** What both ends of a connection of the package have in common: it is all in the thread, and here stands what is known of it. */

import { randomBytes } from 'node:crypto'
import { printable } from '../../http/header.ts'
import { runAll } from '../../net/run-all.ts'
import type { SocketAddress } from '../../net/udp.ts'
import { connectionEnded } from '../end-reason.ts'
import { errorName, H2ErrorCode } from '../h2/codes.ts'
import type { Capabilities, CloseReason, HttpHandler } from '../http-connection.ts'
import { endedByError, endedByTls, type SocketEnd, timedOut } from '../tcp/socket-end.ts'
import type { PackageCarrier } from './carrier.ts'
import type { Disconnected, ToThread } from './messages.ts'

const PROTOCOL = 'WebTransport (of the npm package)'

/** RFC 8446 §6.2 */
const BAD_CERTIFICATE = 42

export abstract class PackageConnection<Handler extends HttpHandler> {
  readonly id = randomBytes(8).toString('hex')
  readonly version = 'webtransport'
  readonly quic = undefined
  readonly resumed = false
  readonly remote: SocketAddress
  handler!: Handler
  handshakeMs: number | undefined
  capabilities: Capabilities | undefined
  closed = false
  readonly carriers = new Map<number, PackageCarrier>()
  readonly #onError: (error: unknown) => void
  /** Why we have closed it. */
  #ownEnd: SocketEnd | undefined

  constructor(remote: SocketAddress, onError: (error: unknown) => void) {
    this.remote = remote
    this.#onError = onError
  }

  abstract post(message: ToThread, transfer?: ArrayBuffer[]): void

  /** The package knows no way to say it. */
  goAway(): void {}

  close(why: string, failed?: 'internal'): void {
    if (this.closed) return
    const text = `by us${why === '' ? '' : `: ${why}`}`
    this.#ownEnd ??= { source: 'local', orderly: failed === undefined, reason: why, text }
    this.disconnect()
  }

  /** `onDisconnected` follows. */
  protected abstract disconnect(): void

  onDisconnected(reason: Disconnected): void {
    this.finish(this.#ownEnd ?? endOf(reason, this.handshakeMs !== undefined))
  }

  /** The last that is heard. Idempotent. */
  finish(why: SocketEnd): void {
    if (this.closed) return
    this.closed = true
    const reason: CloseReason = { ...why, protocol: PROTOCOL }
    const end = connectionEnded(reason)
    this.guard(() =>
      runAll([
        ...[...this.carriers.values()].map(carrier => () => carrier.aborted(end)),
        () => this.onFinished(),
        // A connection that nobody has taken yet has no handler.
        () => this.handler?.onClosed(reason),
      ]),
    )
  }

  protected onFinished(): void {}

  /** Runs a step for the thread's message; what it throws is a bug of ours, and ends this connection. */
  guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#onError(error)
      this.close('internal error', 'internal')
    }
  }
}

/** Also: the thread has ended, and everything in it. */
export function endedByUs(why: string): SocketEnd {
  return { source: 'local', orderly: false, reason: why, text: `by us: ${why}` }
}

function endOf(reason: Disconnected, secure: boolean): SocketEnd {
  switch (reason.kind) {
    case 'closed':
      return { source: 'peer', orderly: secure, reason: '', text: 'by the peer: the connection ended' }
    case 'timeout':
      return timedOut('nothing was heard from the peer')
    case 'error': {
      const { message, ...rest } = reason.error
      if (reason.error.code?.startsWith('ERR_HTTP2')) return endedByUs(message)
      return endedByError(Object.assign(new Error(message), rest), secure)
    }
    case 'goaway': {
      const { by: source, code } = reason
      const why = printable(reason.text)
      const text = `by ${source === 'local' ? 'us' : 'the peer'}: ${errorName(code)}${why && ` (${why})`}`
      return { source, orderly: code === H2ErrorCode.NO_ERROR, reason: why, text }
    }
    case 'certificate':
      return { ...endedByTls('local', BAD_CERTIFICATE), reason: reason.why }
  }
}

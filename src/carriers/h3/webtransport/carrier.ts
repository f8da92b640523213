/**
 * A tunnel for a browser: a CONNECT-IP session inside a WebTransport session. This is ours, and not RFC 9484: a page can read and
 * write neither the stream of its CONNECT nor the header fields, so that
 *
 *   RFC 9484                                  here
 *   capsules on the request stream            the same capsules on the first bidirectional stream, which the page opens
 *   packets: context id 0, QUIC datagrams     the same
 *   the tunnel ends with the request stream   with that stream, or with the session
 *
 * A browser's datagrams are smaller than the 1280 bytes that IPv6 asks of a link. What is larger than they are goes in a DATAGRAM
 * capsule (RFC 9297 §3.5), so that every tunnel has an MTU of 1280.
 */

import { ConnectIpError } from '../../../connect-ip/errors.ts'
import type { AbortReason } from '../../../http/errors.ts'
import { errorName, H3ErrorCode } from '../../../http3/error-codes.ts'
import { applicationErrorCode } from '../../../http3/webtransport.ts'
import { IPV6_MINIMUM_MTU } from '../../../ip/ipv6.ts'
import { CapsulePackets } from '../../capsule-packets.ts'
import type { CarrierHandler, SendResult } from '../../carrier.ts'
import { resetByPeer } from '../../end-reason.ts'
import type { HttpHandler } from '../../http-connection.ts'
import { H3Carrier } from '../carrier.ts'
import { ABORT_CODES } from '../codes.ts'
import type { H3Transport } from '../transport.ts'
import { encodeSessionClose, type SessionCapsules } from './session-capsules.ts'
import type { SessionStreams } from './session-streams.ts'

/** What a page reads as `streamErrorCode` of a second stream: a session has one for capsules, and no others. */
const ONE_STREAM_ONLY = applicationErrorCode(1)

export class WebTransportCarrier extends H3Carrier {
  /** The stream of the tunnel's capsules; undefined until the page has opened it. */
  #capsuleStreamId: number | undefined
  /** Capsules of ours that wait for it: the first lists of addresses and routes, since nothing has been asked yet. */
  readonly #capsulesAhead: Uint8Array[] = []
  readonly #streams: SessionStreams
  readonly #sessionCapsules: SessionCapsules
  /** What sends packets that are too large for a datagram. */
  readonly #largePackets: CapsulePackets

  constructor(
    transport: H3Transport<HttpHandler>,
    sessionId: number,
    handler: CarrierHandler,
    session: { streams: SessionStreams; capsules: SessionCapsules },
  ) {
    super(transport, sessionId, ['datagram'], handler)
    this.#streams = session.streams
    this.#sessionCapsules = session.capsules
    const buffered = (): number => {
      // While there is no stream there is no room.
      if (this.#capsuleStreamId === undefined) return Number.POSITIVE_INFINITY
      return transport.quic.streamBuffered(this.#capsuleStreamId)
    }
    this.#largePackets = new CapsulePackets({
      get buffered() {
        return buffered()
      },
      write: bytes => this.sendCapsules(bytes),
    })
  }

  override get mtu(): number {
    return Math.max(IPV6_MINIMUM_MTU, super.mtu)
  }

  override get mtuSettled(): boolean {
    return true
  }

  override get capsulesWaiting(): number {
    if (this.#capsuleStreamId === undefined) return this.#capsulesAhead.reduce((sum, { length }) => sum + length, 0)
    return this.transport.quic.streamBuffered(this.#capsuleStreamId)
  }

  override sendCapsules(bytes: Uint8Array): void {
    if (!this.open) return
    if (this.#capsuleStreamId === undefined) this.#capsulesAhead.push(bytes)
    else this.#write(this.#capsuleStreamId, bytes)
  }

  override sendPacket(packet: Uint8Array): SendResult {
    const result = super.sendPacket(packet)
    if (result !== 'too-large' || packet.length > this.mtu) return result
    return this.#largePackets.send(packet)
  }

  #write(streamId: number, bytes: Uint8Array): void {
    this.transport.h3.sendData(streamId, bytes)
    this.transport.flush()
  }

  // -- the session ---------------------------------------------------------------------------------------------

  /** On the stream of the CONNECT the peer speaks of the session. Its end follows what it says. */
  override receive(bytes: Uint8Array): void {
    try {
      this.#sessionCapsules.receive(bytes)
      if (this.#sessionCapsules.close === undefined) return
      this.ended()
      // Nothing may follow, and a stream that stayed open would go on being a session's.
      this.transport.h3.resetStream(this.streamId, H3ErrorCode.H3_NO_ERROR)
      this.transport.flush()
    } catch (error) {
      if (!(error instanceof ConnectIpError)) throw error
      this.abort(error.abortReason)
      this.handler.onAborted({ orderly: false, reason: `the session was closed: ${error.message}` })
    }
  }

  override end(): void {
    if (!this.open) return
    if (this.#capsuleStreamId !== undefined) {
      this.transport.h3.sendData(this.#capsuleStreamId, new Uint8Array(0), true)
    }
    this.transport.h3.sendData(this.streamId, encodeSessionClose({ code: 0, message: '' }))
    super.end()
  }

  /** A page learns the reason only from the capsule that closes the session, not from a reset. */
  override abort(reason: AbortReason): string {
    const code = ABORT_CODES[reason]
    this.transport.h3.sendData(this.streamId, encodeSessionClose({ code, message: errorName(code) }), true)
    super.abort(reason)
    this.#streams.over(this.streamId)
    this.transport.flush()
    return errorName(code)
  }

  override ended(): void {
    super.ended()
    this.#streams.over(this.streamId)
  }

  // -- the stream of the capsules ------------------------------------------------------------------------------

  /** The page has opened a stream. Returns the code with which it is refused, or undefined: it is the one for the capsules. */
  streamOpened(streamId: number): number | undefined {
    if (!this.open) return H3ErrorCode.WEBTRANSPORT_SESSION_GONE
    if (this.#capsuleStreamId !== undefined) return ONE_STREAM_ONLY
    this.#capsuleStreamId = streamId
    for (const bytes of this.#capsulesAhead.splice(0)) this.#write(streamId, bytes)
    return undefined
  }

  /** The page gave up the stream of the capsules, so the tunnel. */
  streamAborted(code: number): void {
    this.aborted({ orderly: false, reason: resetByPeer(errorName(code)) })
  }
}

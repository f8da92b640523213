/**
 * How a client begins, and what may come before the first real answer:
 *
 *   client                                          server
 *     | Initial, to an id that it makes up ─────────> |
 *     | <───────────────────────────── Retry, a token |   prove your address (RFC 9000 §8.1.2): the same again with the token
 *     | <─────────────────────── Version Negotiation  |   we do not speak that (§6.2): there is no connection
 *     | <──────────────────────────────────── Initial |   from an id of its own, by which it is called from now on (§7.2)
 *
 * A Retry counts once, and only before the third; Version Negotiation only before either of the others (§6.2). They have no protection: what they
 * say is checked later, by the transport parameters (§7.3).
 */

import type { ConnectionParts } from './connection-parts.ts'
import { INITIAL } from './packet-number-space.ts'
import type { Packet, RetryPacket, VersionNegotiationPacket } from './packets/packet.ts'
import { isAuthenticRetry } from './packets/retry-packet.ts'
import { initialKeys } from './protection/initial-keys.ts'
import type { FirstPackets } from './receive-packet.ts'
import { sameBytes } from './same-bytes.ts'
import { endsAttempt } from './version.ts'

export class ClientStart implements FirstPackets {
  readonly #parts: ConnectionParts
  #serverId: Uint8Array
  #hasHeard = false

  /** `originalId`: the one that the client has made up. */
  constructor(parts: ConnectionParts, originalId: Uint8Array) {
    this.#parts = parts
    this.#serverId = originalId
    parts.handshake.expected.originalDestination = originalId
    this.#takeInitialKeys()
  }

  onUnprotected(packet: Packet, datagram: Uint8Array, now: number): boolean {
    if (this.#hasHeard) return false
    if (packet.type === 'retry') return this.#onRetry(packet, datagram, now)
    return packet.type === 'version-negotiation' && this.#onVersionNegotiation(packet, now)
  }

  onServerId(id: Uint8Array): void {
    this.#hasHeard = true
    this.#parts.handshake.expected.initialSource = id
    this.#parts.peerIds?.replaceFirst(id)
  }

  #onRetry(packet: RetryPacket, datagram: Uint8Array, now: number): boolean {
    const { handshake, peerIds, recovery, localIds, version } = this.#parts
    if (this.#hasRetried || packet.version !== version.number || !localIds.has(packet.dcid)) return false
    // §17.2.5.1: it has to bring another id than the one that we have made up.
    if (sameBytes(packet.scid, this.#serverId)) return false
    if (!isAuthenticRetry(datagram, packet.start, packet.end, this.#serverId, version)) return false
    this.#parts.observer?.packetReceived('retry', undefined, packet.end - packet.start, undefined, now)
    this.#serverId = Uint8Array.from(packet.scid)
    handshake.expected.retrySource = this.#serverId
    peerIds?.replaceFirst(this.#serverId)
    this.#parts.token = Uint8Array.from(packet.token)
    this.#takeInitialKeys()
    this.#parts.tellKeys(INITIAL, now)
    recovery.onRetry(now)
    return true
  }

  get #hasRetried(): boolean {
    return this.#parts.handshake.expected.retrySource !== undefined
  }

  /** Whoever has seen our Initial can send that; it ends what has not begun yet. A server that has sent a Retry speaks our version. */
  #onVersionNegotiation(offer: VersionNegotiationPacket, now: number): boolean {
    if (this.#hasRetried) return false
    const { ownId, close, observer, version } = this.#parts
    if (!endsAttempt(offer, version.number, this.#serverId, ownId)) return false
    observer?.packetReceived('version_negotiation', undefined, offer.end - offer.start, undefined, now)
    const theirs = offer.versions.map(hex).join(', ')
    close.vanish({
      source: 'peer',
      application: false,
      code: 0,
      reason: `no QUIC version in common: we speak ${hex(version.number)}, the server ${theirs}`,
    })
    return true
  }

  #takeInitialKeys(): void {
    const { sealing, opening } = initialKeys('client', this.#serverId, this.#parts.version)
    const space = this.#parts.spaces[INITIAL]
    space.sealing = sealing
    space.opening = opening
  }
}

function hex(version: number): string {
  return `0x${version.toString(16)}`
}

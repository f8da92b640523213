/**
 * The handshake: TLS on one side, CRYPTO frames and keys on the other (RFC 9001 §4).
 *
 *   CRYPTO frames, in order, of a space  ──> TLS ──> bytes for CRYPTO frames        of the same three levels
 *                                             │
 *                                             ├────> secrets: keys of the Handshake space, keys of 1-RTT
 *                                             ├────> the peer's transport parameters: limits, ids to compare (RFC 9000 §7.3)
 *                                             └────> complete
 *
 *                 client                                                      server
 *   complete      the server's Finished is right                              the client's Finished is right
 *   confirmed     HANDSHAKE_DONE has come                                     complete; HANDSHAKE_DONE is sent
 *
 * Confirmed means that the peer is complete, too: Handshake keys go (RFC 9001 §4.9.2), paths may change, keys may be updated.
 */

import { appendFileSync } from 'node:fs'
import { type CipherSuite, TlsAlert, type TlsHandshake, type TlsSink } from '../../tls/tls.ts'
import type { ConnectionParts } from './connection-parts.ts'
import { APPLICATION, HANDSHAKE, INITIAL, type PacketNumberSpace } from './packet-number-space.ts'
import { checkConnectionIds, type ExpectedIds } from './peer-connection-ids-check.ts'
import { OpeningKeys, SealingKeys } from './protection/packet-keys.ts'
import { PROTOCOL_VIOLATION, TransportError } from './transport-error.ts'
import { decodeTransportParameters, type TransportParameters } from './transport-parameters.ts'
import { checkVersion } from './version-information.ts'

export class Handshake implements TlsSink {
  /** What the peer's transport parameters have to say about connection ids. */
  readonly expected: ExpectedIds = { initialSource: undefined, originalDestination: undefined, retrySource: undefined }
  complete = false
  confirmed = false
  peerParameters: TransportParameters | undefined
  ticket: Uint8Array | undefined
  onKeyLog: ((line: string) => void) | undefined
  readonly #parts: ConnectionParts
  /** Of a server: not before its first packet. */
  #tls: TlsHandshake | undefined
  #now = 0

  constructor(parts: ConnectionParts) {
    this.#parts = parts
  }

  start(tls: TlsHandshake): void {
    this.#tls = tls
    this.#run(() => tls.start())
  }

  /** CRYPTO frames have come: TLS gets what of it is in order now. Throws TransportError. */
  advance(space: PacketNumberSpace, now: number): void {
    this.#now = now
    const { crypto } = this.#parts.spaces[space]
    for (let data = crypto.read(); data !== undefined; data = crypto.read()) {
      const next = data
      this.#run(() => this.#tls?.receive(space, next))
    }
  }

  /** RFC 9001 §4.1.2. */
  confirm(now: number): void {
    if (this.confirmed) return
    this.confirmed = true
    this.#parts.observer?.state('handshake_confirmed', now)
    const { recovery, oneRtt } = this.#parts
    recovery.handshakeConfirmed = true
    oneRtt.onHandshakeConfirmed()
    this.#parts.discard(HANDSHAKE, now)
  }

  #run(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (error instanceof TlsAlert) throw new TransportError(error.transportError, error.message)
      throw error
    }
  }

  get alpn(): string {
    return this.#tls?.alpn ?? ''
  }

  get resumed(): boolean {
    return this.#tls?.resumed === true
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.#tls?.peerCertificate
  }

  // -- what TLS tells

  onCrypto(level: PacketNumberSpace, data: Uint8Array): void {
    this.#parts.spaces[level].crypto.write(data)
  }

  onSecret(level: 1 | 2, direction: 'read' | 'write', suite: CipherSuite, secret: Uint8Array): void {
    const { spaces, oneRtt, recovery, observer, version } = this.#parts
    // RFC 9001 §4.1.3: nothing of the level before is read any more. What has come of it in order, and is too much, TLS refuses itself.
    if (direction === 'read' && spaces[level === APPLICATION ? HANDSHAKE : INITIAL].crypto.hasGap)
      throw new TransportError(PROTOCOL_VIOLATION, 'CRYPTO data of a level that is over')
    // Both ends begin to use the keys of the handshake when the ServerHello is there.
    if (level === HANDSHAKE && spaces[HANDSHAKE].opening === undefined && spaces[HANDSHAKE].sealing === undefined)
      observer?.state('handshake_started', this.#now)
    observer?.keysUpdated(level, this.#parts.senderOf(direction), 0, 'tls', this.#now)
    if (level === APPLICATION) {
      oneRtt.setSecret(direction, suite, secret, version)
      return
    }
    if (direction === 'read') spaces[HANDSHAKE].opening = new OpeningKeys(suite, secret, version)
    else {
      spaces[HANDSHAKE].sealing = new SealingKeys(suite, secret, version)
      recovery.hasHandshakeKeys = true
    }
  }

  onPeerTransportParameters(bytes: Uint8Array): void {
    const { role, recovery, streams, localIds, idle, peerIds } = this.#parts
    const parameters = decodeTransportParameters(bytes, role === 'client' ? 'server' : 'client')
    checkConnectionIds(parameters, this.expected, role)
    checkVersion(parameters.versionInformation, this.#parts.version.number, role)
    this.peerParameters = parameters
    this.#parts.observer?.parameters('local', { ...this.#parts.ownParameters }, this.#now)
    this.#parts.observer?.parameters('remote', { ...parameters }, this.#now)
    // That was all it was for, and a client's list may be as long as its ClientHello.
    parameters.versionInformation = undefined
    recovery.maxAckDelayMs = parameters.maxAckDelay
    streams.onPeerLimits(parameters)
    localIds.setPeerLimit(parameters.activeConnectionIdLimit)
    idle.onPeerTimeout(parameters.maxIdleTimeout)
    if (parameters.statelessResetToken !== undefined) peerIds?.setFirstResetToken(parameters.statelessResetToken)
    if (parameters.preferredAddress !== undefined) peerIds?.onPreferredAddress(parameters.preferredAddress)
  }

  onComplete(): void {
    this.complete = true
    this.#parts.observer?.state('handshake_complete', this.#now)
    if (this.#parts.role === 'client') return
    this.#parts.control.sendHandshakeDone()
    this.#parts.control.sendNewToken(this.#parts.makeNewToken?.())
    this.confirm(this.#now)
  }

  onTicket(ticket: Uint8Array): void {
    this.ticket = ticket
  }

  /** TLS secrets are written to this file from now on. */
  logKeys(file: string): void {
    this.onKeyLog = line => {
      try {
        appendFileSync(file, `${line}\n`, { mode: 0o600 })
      } catch {
        // A tool to look at connections must not end them.
        this.onKeyLog = undefined
      }
    }
  }
}

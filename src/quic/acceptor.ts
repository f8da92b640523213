/**
 * Who is let in: what a server does with a packet with a long header that belongs to no connection (RFC 9000 §5.2.2).
 *
 * Nothing is kept for what cannot be read, and no answer is larger than what an address that may be forged has sent, times three.
 */

import { randomBytes } from 'node:crypto'
import { APPLICATION_EXCESSIVE_LOAD, CONNECTION_REFUSED, INVALID_TOKEN } from './close-codes.ts'
import { type ConnectionHost, DrivenConnection } from './connection.ts'
import { type ConnectionTable, keyOf } from './connection-table.ts'
import type { EndpointCounters } from './counters.ts'
import { CONNECTION_ID_LENGTH } from './datagram-room.ts'
import type { EcnCodepoint } from './ecn.ts'
import type { LongHeader, QuicEngine, UdpPath } from './engine.ts'
import type { KeyLog } from './key-log.ts'
import { isNewToken, NewTokens } from './new-token.ts'
import type { QuicConnection, QuicHandler } from './quic.ts'
import { RetryTokens } from './retry-token.ts'
import type { UnvalidatedAddresses } from './unvalidated-addresses.ts'

/** RFC 9000 §14.1: an Initial arrives in a datagram of at least so many bytes. */
const MIN_INITIAL_DATAGRAM = 1200

/** Time for a handshake and a request: so long nobody is sent away to make room for others, in ms. */
const EVICTABLE_AFTER_MS = 1000

/** In `auto`, this many unfinished handshakes are taken for a flood. */
export const RETRY_ABOVE_HANDSHAKES = 64

export interface AcceptPolicy {
  /** When to make a client prove its address by a Retry: `auto` means while many handshakes are under way. */
  retry: 'always' | 'auto' | 'never'
  /** False: handlers do not hear `onMaySend`. */
  speaksEarly?: boolean
  maxConnections: number
  maxConnectionsPerAddress: number
  /** A connection attempt has come, and was not looked at: for those who want to see its first packet. Often nothing comes of it. Must not throw. */
  observe?(connection: QuicConnection): void
  /** A connection attempt has begun; the handler hears the rest. */
  onConnection(connection: QuicConnection): QuicHandler
}

/** What the acceptor shares with the endpoint it works for. */
export interface AcceptorHost extends ConnectionHost {
  readonly engine: QuicEngine
  readonly counters: EndpointCounters
  readonly table: ConnectionTable<DrivenConnection>
  readonly unvalidated: UnvalidatedAddresses<DrivenConnection>
  readonly keyLog: KeyLog | undefined
  readonly datagramQueue: number
  /** Connections whose handshake is not over. */
  readonly handshaking: ReadonlySet<DrivenConnection>
  add(connection: DrivenConnection, ids: readonly Uint8Array[]): void
  /** Sends a packet that belongs to no connection. */
  answer(packet: Uint8Array, path: UdpPath): void
}

/** Why a connection is not let in, with a code of RFC 9000 §20.1. */
type Refusal = [code: number, reason: string]

/** A client has shown that it is where its packet seems to come from. */
interface AddressProof {
  /** By which it called us before its Retry; undefined: it had none, but a token of an earlier connection. */
  readonly originalId: Uint8Array | undefined
}

export class Acceptor {
  readonly #host: AcceptorHost
  readonly #policy: AcceptPolicy
  readonly #retryTokens = new RetryTokens(randomBytes(32))
  readonly #newTokens = new NewTokens(randomBytes(32))

  constructor(host: AcceptorHost, policy: AcceptPolicy) {
    this.#host = host
    this.#policy = policy
  }

  /** Whether it is worth work: everything else is counted or answered at once. */
  mayBegin(packet: Buffer, header: LongHeader): boolean {
    return header.isInitial && packet.length >= MIN_INITIAL_DATAGRAM && this.#host.engine.speaks(header.version)
  }

  receive(packet: Buffer, header: LongHeader, path: UdpPath, ecn?: EcnCodepoint): void {
    const { engine, counters } = this.#host
    const isTooSmall = packet.length < MIN_INITIAL_DATAGRAM
    // Version 0 is a Version Negotiation packet, which is never answered with another (RFC 9000 §6.1).
    if (isTooSmall || header.version === 0) {
      counters.stray++
      return
    }
    if (!engine.speaks(header.version)) {
      counters.rejected.version++
      this.#host.answer(engine.versionNegotiation(header), path)
      return
    }
    if (!header.isInitial) {
      counters.stray++
      return
    }
    const proof = this.#proofOf(header, path)
    const isBad = header.token.length > 0 && (proof === undefined || proof === 'expired')
    // One for a later connection may be old, or of the process before: nobody has done anything wrong.
    if (isBad && !isNewToken(header.token)) counters.rejected.token++
    // RFC 9000 §8.1.3: a token that is not ours is as good as none. Nor may it be a way around the Retry.
    if (proof === undefined && this.#wantsRetry()) {
      counters.retried++
      this.#host.answer(this.#retry(header, path), path)
      return
    }
    // §8.1.2: this client has had its Retry, and would not accept another one.
    const refusal: Refusal | undefined =
      proof === 'expired'
        ? [INVALID_TOKEN, 'the address validation token is not valid any more: it came too late']
        : undefined
    this.#begin(packet, header, path, ecn, proof === 'expired' ? undefined : proof, refusal)
  }

  /** What the token of an Initial proves of its sender's address; undefined: nothing. `expired`: one of a Retry. */
  #proofOf({ version, token, dcid }: LongHeader, { remote }: UdpPath): AddressProof | 'expired' | undefined {
    if (token.length === 0) return undefined
    const now = this.#host.io.now()
    const originalId = this.#retryTokens.verify(token, remote, dcid, now)
    if (originalId === 'expired') return 'expired'
    if (originalId !== undefined) return { originalId }
    return this.#newTokens.verify(token, remote.host, version, now) ? { originalId: undefined } : undefined
  }

  /** In a flood of handshakes nothing more is kept for an address that may be forged than what QUIC needs: what is above it waits for the end of the handshake. */
  maySpeakEarly(connection: DrivenConnection): boolean {
    if (this.#policy.speaksEarly === false) return false
    return this.#host.handshaking.size <= RETRY_ABOVE_HANDSHAKES || !this.#host.unvalidated.has(connection)
  }

  #wantsRetry(): boolean {
    const { retry } = this.#policy
    return retry === 'always' || (retry === 'auto' && this.#host.handshaking.size >= RETRY_ABOVE_HANDSHAKES)
  }

  #retry(header: LongHeader, path: UdpPath): Uint8Array {
    const newId = randomBytes(CONNECTION_ID_LENGTH)
    const token = this.#retryTokens.issue(path.remote, header.dcid, newId, this.#host.io.now())
    return this.#host.engine.retry(header, newId, token)
  }

  /** Lives as long as the connection: made where there is no packet that it could keep in memory. */
  #newTokensFor(host: string, version: number): () => Uint8Array {
    return () => this.#newTokens.issue(host, version, this.#host.io.now())
  }

  /** Reads the packet that a connection begins with, and refuses the connection or hands it to the application. */
  #begin(
    packet: Buffer,
    header: LongHeader,
    path: UdpPath,
    ecn: EcnCodepoint | undefined,
    proof: AddressProof | undefined,
    tokenRefusal: Refusal | undefined,
  ): void {
    const host = this.#host
    const originalId = proof?.originalId
    // After a Retry the client addresses us by the id the Retry gave it, and checks that it stays ours.
    const ownId = originalId === undefined ? randomBytes(CONNECTION_ID_LENGTH) : header.dcid
    const engine = host.engine.accept({
      id: ownId,
      originalId,
      isAddressValidated: proof !== undefined,
      newToken: this.#newTokensFor(path.remote.host, header.version),
      path,
    })
    if (engine === undefined) {
      host.counters.stray++
      return
    }
    const id = Buffer.from(ownId).toString('hex')
    const connection = new DrivenConnection({
      engine,
      role: 'server',
      id,
      host,
      path,
      datagramQueue: host.datagramQueue,
      // Keeping a tunnel alive is for whoever wants it: the client.
      keepAliveMs: 0,
    })
    if (proof === undefined) host.unvalidated.add(connection, keyOf(ownId), path.remote, packet.length)
    if (tokenRefusal === undefined) host.keyLog?.attach(id, file => engine.logKeys(file))

    this.#policy.observe?.(connection)

    let isConnection = false
    let refusal = tokenRefusal
    host.enter(connection, () => {
      isConnection = connection.receive(packet, path.local, path.remote.host, path.remote.port, ecn)
      if (!isConnection) return
      if (proof !== undefined && originalId === undefined) this.#newTokens.use(header.token)
      // Not before it was read: nobody makes room for noise.
      if (refusal === undefined && !this.#hasRoomFor(path.remote.host)) {
        host.counters.rejected.limit++
        refusal = [CONNECTION_REFUSED, 'too many connections']
      }
      if (refusal === undefined) return
      // Tells the client why, once, and keeps nothing.
      connection.refuse(...refusal)
      connection.abandon({ source: 'local', application: false, code: refusal[0], reason: refusal[1] })
    })
    if (!isConnection || refusal !== undefined) {
      host.unvalidated.forget(connection)
      host.keyLog?.collect(id)
      if (!isConnection) host.counters.stray++
      return
    }
    host.counters.accepted++
    host.enter(connection, () => {
      host.add(connection, [ownId, header.dcid])
      connection.handler = this.#policy.onConnection(connection)
    })
  }

  /** Whether one more connection from this address is within the limits; if not, one that nobody uses makes room. */
  #hasRoomFor(address: string): boolean {
    const { table } = this.#host
    const { maxConnections, maxConnectionsPerAddress } = this.#policy
    const isAddressFull = table.countOf(address) >= maxConnectionsPerAddress
    if (isAddressFull) return this.#evict(connection => connection.firstRemote.host === address)
    return table.size < maxConnections || this.#evict(() => true)
  }

  /** Closes the oldest of these connections that is not in use. False when there is none. */
  #evict(isCandidate: (connection: DrivenConnection) => boolean): boolean {
    const host = this.#host
    const startedBefore = host.io.now() - EVICTABLE_AFTER_MS
    for (const connection of host.table.all) {
      if (connection.startedAt > startedBefore) return false
      if (connection.inUse || !isCandidate(connection)) continue
      host.counters.evicted++
      host.enter(connection, () => {
        connection.close(APPLICATION_EXCESSIVE_LOAD, 'there are too many connections, and this one is not in use')
        connection.turn()
      })
      // Without the time in which a closed connection answers late packets: its place is needed now.
      host.enter(connection, () =>
        connection.abandon({ source: 'local', application: true, code: APPLICATION_EXCESSIVE_LOAD, reason: '' }),
      )
      host.forget(connection)
      return true
    }
    return false
  }
}

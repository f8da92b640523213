/**
 * The engine in TypeScript: what all connections of an endpoint have in common, and how each begins.
 *
 * All randomness comes from one function, and all time from arguments: with the same of both, everything happens again.
 */

import { randomBytes } from 'node:crypto'
import { CIPHER_SUITES } from '../../tls/cipher-suite.ts'
import { TlsClient } from '../../tls/client.ts'
import { TlsServer, TlsServerContext } from '../../tls/server.ts'
import type { CipherSuite } from '../../tls/tls.ts'
import { CONNECTION_ID_LENGTH } from '../datagram-room.ts'
import type { AcceptOptions, DialOptions, EngineConnection, EngineOptions, LongHeader, QuicEngine } from '../engine.ts'
import { ClientStart } from './client-start.ts'
import { TypescriptConnection } from './connection.ts'
import { ConnectionParts } from './connection-parts.ts'
import { Handshake } from './handshake.ts'
import { LocalConnectionIds } from './local-connection-ids.ts'
import { MtuProbes } from './mtu-probes.ts'
import { readPacket } from './packets/read-packet.ts'
import { encodeRetry } from './packets/retry-packet.ts'
import { encodeVersionNegotiation } from './packets/version-negotiation-packet.ts'
import { Paths } from './paths.ts'
import { ACTIVE_CONNECTION_IDS, PeerConnectionIds } from './peer-connection-ids.ts'
import type { OneRttLimits } from './protection/usage-limits.ts'
import { maxDatagramFrameSize } from './receive-frames.ts'
import type { CongestionController, ControllerOptions } from './recovery/congestion/controller.ts'
import { ServerStart } from './server-start.ts'
import { encodeStatelessReset, SHORTEST_RESET, StatelessResetTokens, statelessResetKey } from './stateless-reset.ts'
import { encodeTransportParameters, type TransportParameters } from './transport-parameters.ts'
import { reservedVersion, SUPPORTED_VERSIONS, VERSION_1, type Version, versionOf } from './version.ts'

/** In bytes: a transport parameter that the peer has to pass over (RFC 9000 §18.1), so that it keeps being able to. */
const GREASE_LENGTH = 8

/** In bytes: the connection id that a client makes up for its server. RFC 9000 §7.2: at least 8. */
const ORIGINAL_ID_LENGTH = 16

export class TypescriptEngine implements QuicEngine {
  readonly #options: EngineOptions
  readonly #randomBytes: (length: number) => Uint8Array
  readonly #keyLimits: OneRttLimits
  readonly #suites: readonly CipherSuite[]
  readonly #version: Version
  readonly #resetTokens: StatelessResetTokens
  readonly #tlsContext: TlsServerContext | undefined
  readonly #newController: ((options: ControllerOptions) => CongestionController) | undefined

  /** `keyLimits`, `suites`, `version`: when keys are updated, what they are for, and the version that a client begins with, for those who want to see it. `newController`: a congestion control of the reader's own. Throws when certificate and key do not fit, or when there is no application protocol. */
  constructor(
    options: EngineOptions,
    random: (length: number) => Uint8Array = randomBytes,
    keyLimits: OneRttLimits = {},
    suites: readonly CipherSuite[] = CIPHER_SUITES,
    version: Version = VERSION_1,
    newController?: (options: ControllerOptions) => CongestionController,
  ) {
    const { role, settings, tls, peerCertificate } = options
    if (settings.alpn.length === 0)
      throw new Error('QUIC needs an application protocol (ALPN), and settings.alpn has none')
    this.#options = options
    this.#randomBytes = random
    this.#keyLimits = keyLimits
    this.#suites = suites
    this.#version = version
    this.#newController = newController
    // Those of a client are of use to nobody: what calls itself so is gone with its socket.
    this.#resetTokens = new StatelessResetTokens(random(32))
    if (role === 'client') return
    const { certificateChain, key, ca } = tls
    if (certificateChain === undefined || key === undefined)
      throw new Error('a QUIC server needs a certificate and its key')
    this.#tlsContext = new TlsServerContext({
      certificateChain,
      key,
      ca,
      alpn: settings.alpn,
      clientCertificate: peerCertificate,
      suites,
      random,
    })
    const resetKey = statelessResetKey(this.#tlsContext.identity.key, options.listensAt)
    if (resetKey !== undefined) this.#resetTokens = new StatelessResetTokens(resetKey)
  }

  parseHeader(packet: Uint8Array): LongHeader | undefined {
    const header = readPacket(packet, 0, CONNECTION_ID_LENGTH)
    if (header === undefined || header.type === '1-rtt') return undefined
    const { dcid, scid } = header
    const version = header.type === 'version-negotiation' ? 0 : header.version
    const token = 'token' in header ? header.token : new Uint8Array(0)
    return { version, isInitial: header.type === 'initial', dcid, scid, token }
  }

  speaks(version: number): boolean {
    return SUPPORTED_VERSIONS.includes(version)
  }

  versionNegotiation({ dcid, scid }: LongHeader): Uint8Array {
    // One that nobody speaks beside them: clients have to pass over it (§6.3).
    const versions = [...SUPPORTED_VERSIONS, reservedVersion(this.#randomBytes(4))]
    return encodeVersionNegotiation(scid, dcid, versions, this.#randomBytes(1)[0])
  }

  retry({ version, dcid, scid }: LongHeader, newId: Uint8Array, token: Uint8Array): Uint8Array {
    return encodeRetry(scid, newId, token, dcid, this.#randomBytes(1)[0], versionOf(version))
  }

  statelessReset(packet: Uint8Array): Uint8Array | undefined {
    const header = readPacket(packet, 0, CONNECTION_ID_LENGTH)
    // A packet that gets no answer is to cost nothing.
    if (header?.type !== '1-rtt' || packet.length <= SHORTEST_RESET) return undefined
    return encodeStatelessReset(this.#resetTokens.of(header.dcid), packet.length, this.#randomBytes)
  }

  accept({
    id,
    originalId,
    isAddressValidated = originalId !== undefined,
    newToken,
    path,
  }: AcceptOptions): EngineConnection | undefined {
    const { congestionControl, newMtuSearch } = this.#options
    const parts = this.#newParts(id, congestionControl?.(path.remote))
    parts.makeNewToken = newToken
    const startTls = (firstId: Uint8Array): void => {
      const transportParameters = this.#parameters(parts, {
        originalDestinationConnectionId: originalId ?? firstId,
        retrySourceConnectionId: originalId === undefined ? undefined : id,
        statelessResetToken: this.#resetTokens.of(id),
      })
      const context = this.#tlsContext as TlsServerContext
      parts.handshake.start(
        new TlsServer({ sink: parts.handshake, context, transportParameters, purpose: parts.version.label }),
      )
    }
    const start = new ServerStart(parts, { udp: path, isAddressValidated, startTls })
    return new TypescriptConnection(parts, start, newMtuSearch)
  }

  connect({ id, path, serverName, resumptionTicket, token, onNewToken }: DialOptions): EngineConnection {
    const { settings, tls, peerCertificate, newMtuSearch } = this.#options
    const parts = this.#newParts(id)
    parts.version = this.#version
    if (token !== undefined) parts.token = token
    parts.onNewToken = onNewToken
    const originalId = this.#randomBytes(ORIGINAL_ID_LENGTH)
    parts.peerIds = new PeerConnectionIds(originalId, ACTIVE_CONNECTION_IDS)
    parts.paths = new Paths('client', path, parts.peerIds, true, this.#randomBytes)
    const start = new ClientStart(parts, originalId)
    parts.handshake.start(
      new TlsClient({
        sink: parts.handshake,
        alpn: settings.alpn,
        serverName,
        ca: tls.ca,
        verify: peerCertificate === 'any' || peerCertificate === 'none' ? 'any' : 'required',
        certificateChain: tls.certificateChain,
        key: tls.key,
        transportParameters: this.#parameters(parts, {}),
        purpose: this.#version.label,
        ticket: resumptionTicket,
        suites: this.#suites,
        random: this.#randomBytes,
      }),
    )
    return new TypescriptConnection(parts, start, newMtuSearch)
  }

  #newParts(id: Uint8Array, congestionControl = this.#options.settings.congestionControl): ConnectionParts {
    const { role, settings } = this.#options
    const ownId = Uint8Array.from(id)
    const parts = new ConnectionParts({
      role,
      settings: { ...settings, congestionControl },
      ownId,
      localIds: new LocalConnectionIds(ownId, each => this.#resetTokens.of(each), ACTIVE_CONNECTION_IDS),
      randomBytes: this.#randomBytes,
      keyLimits: this.#keyLimits,
      newController: this.#newController,
    })
    parts.handshake = new Handshake(parts)
    parts.mtu = new MtuProbes()
    return parts
  }

  #parameters(parts: ConnectionParts, more: Partial<TransportParameters>): Uint8Array {
    const { role, settings, streams, ownId, version } = parts
    const parameters = {
      ...streams.ourLimits,
      maxIdleTimeout: settings.idleTimeoutMs,
      activeConnectionIdLimit: ACTIVE_CONNECTION_IDS,
      initialSourceConnectionId: ownId,
      maxDatagramFrameSize: maxDatagramFrameSize(settings),
      versionInformation: {
        chosen: version.number,
        available: role === 'client' ? [version.number] : SUPPORTED_VERSIONS,
      },
      ...more,
    }
    parts.ownParameters = parameters
    return encodeTransportParameters(parameters, this.#randomBytes(GREASE_LENGTH))
  }
}

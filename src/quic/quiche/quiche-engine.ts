/**
 * Cloudflare's quiche as an engine, reached through the low-level half of `@matrixai/quic`.
 *
 * quiche reads a clock of its own, so that times given to it are not used for what RFC 9000 and RFC 9002 time (loss, idle timeout,
 * congestion): see quiche-connection.ts.
 */

import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import { rootCertificates } from 'node:tls'
import { type Config as NativeConfig, quiche } from '@matrixai/quic/native/index.js'
import { ChoiceError } from '../choice-error.ts'
import { CONNECTION_ID_LENGTH } from '../datagram-room.ts'
import type { AcceptOptions, DialOptions, EngineConnection, EngineOptions, LongHeader, QuicEngine } from '../engine.ts'
import type { CongestionControl } from '../quic.ts'
import { NativePaths } from './native-paths.ts'
import { QuicheConnection } from './quiche-connection.ts'
import { Zones } from './zones.ts'

/**
 * How many connection ids of the peer we keep, and so how many of its addresses: quiche keeps each address that a peer
 * had, and hears nothing from one more. It must be at least 2 (RFC 9000 §18.2); some peers issue one id too many.
 */
const ACTIVE_CONNECTION_IDS = 8

/** Room for a Retry or Version Negotiation packet: each is smaller than the Initial that it answers. */
const ANSWER_ROOM = 1200

export class QuicheEngine implements QuicEngine {
  readonly #options: EngineOptions
  readonly #config: NativeConfig
  readonly #zones = new Zones()

  /** Throws when certificate and key do not fit, or when there is no application protocol. */
  constructor(options: EngineOptions) {
    this.#options = options
    this.#config = makeConfig(options)
  }

  parseHeader(packet: Uint8Array): LongHeader | undefined {
    try {
      const { ty, version, dcid, scid, token } = quiche.Header.fromSlice(packet, CONNECTION_ID_LENGTH)
      return { version, isInitial: ty === quiche.Type.Initial, dcid, scid, token: token ?? new Uint8Array(0) }
    } catch {
      return undefined
    }
  }

  speaks(version: number): boolean {
    return quiche.versionIsSupported(version)
  }

  versionNegotiation({ scid, dcid }: LongHeader): Uint8Array {
    const out = new Uint8Array(ANSWER_ROOM)
    return out.subarray(0, quiche.negotiateVersion(scid, dcid, out))
  }

  retry({ scid, dcid, version }: LongHeader, newId: Uint8Array, token: Uint8Array): Uint8Array {
    const out = new Uint8Array(ANSWER_ROOM)
    return out.subarray(0, quiche.retry(scid, dcid, newId, token, version, out))
  }

  accept({ id, originalId, path }: AcceptOptions): EngineConnection | undefined {
    const paths = new NativePaths(this.#zones, path)
    const info = paths.toNative(path)
    if (info === undefined) return undefined
    const { settings, newMtuSearch, congestionControl } = this.#options
    // quiche copies what it needs of its configuration for each connection.
    if (congestionControl !== undefined) this.#config.setCcAlgorithmName(byName(congestionControl(path.remote)))
    const native = quiche.Connection.accept(id, originalId, info.to, info.from, this.#config)
    return new QuicheConnection({ native, paths, path, maxUdpPayload: settings.maxUdpPayload, newMtuSearch })
  }

  connect({ id, path, serverName, resumptionTicket }: DialOptions): EngineConnection {
    const byAddress = isIP(serverName) !== 0
    const sni = byAddress ? undefined : serverName
    const paths = new NativePaths(this.#zones, path)
    const info = paths.toNative(path) ?? { from: path.remote, to: path.local }
    const native = quiche.Connection.connect(sni, id, info.to, info.from, this.#config)
    if (resumptionTicket !== undefined) native.setSession(resumptionTicket)
    return new QuicheConnection({
      native,
      paths,
      path,
      maxUdpPayload: this.#options.settings.maxUdpPayload,
      newMtuSearch: this.#options.newMtuSearch,
      expectedIp: byAddress && this.#options.peerCertificate !== 'any' ? serverName : undefined,
    })
  }
}

function byName(congestionControl: EngineOptions['settings']['congestionControl']): CongestionControl {
  if (typeof congestionControl === 'string') return congestionControl
  throw new ChoiceError("quiche takes no congestion control of one's own: the engine typescript does")
}

function makeConfig({ role, settings, tls, peerCertificate, logKeys }: EngineOptions): NativeConfig {
  // Without one quiche never sends a packet, and never says why.
  if (settings.alpn.length === 0)
    throw new Error('QUIC needs an application protocol (ALPN), and settings.alpn has none')
  const verify = peerCertificate === 'optional' || peerCertificate === 'required'
  // quiche would look for the system's certificates where they are on its build machine; Node brings its own list.
  const ca = tls.ca ?? (verify ? Buffer.from(rootCertificates.join('\n')) : undefined)
  const config = quiche.Config.withBoringSslCtx(
    verify,
    peerCertificate === 'any',
    ca,
    tls.key === undefined ? undefined : [tls.key],
    tls.certificateChain === undefined ? undefined : [tls.certificateChain],
  )
  // `withBoringSslCtx` turns verification into "required"; this call makes it "optional" again.
  if (peerCertificate === 'optional') config.verifyPeer(true)
  if (role === 'server') config.setTicketKey(randomBytes(48))
  if (settings.keyLog !== undefined || logKeys === true) config.logKeys()
  config.setApplicationProtos([...settings.alpn])
  config.setMaxIdleTimeout(settings.idleTimeoutMs)
  config.setMaxSendUdpPayloadSize(settings.maxUdpPayload)
  config.setMaxRecvUdpPayloadSize(65527)
  config.setInitialMaxData(settings.connectionWindow)
  config.setMaxConnectionWindow(settings.maxConnectionWindow)
  config.setInitialMaxStreamDataBidiLocal(settings.streamWindow)
  config.setInitialMaxStreamDataBidiRemote(settings.streamWindow)
  config.setInitialMaxStreamDataUni(settings.streamWindow)
  config.setMaxStreamWindow(settings.maxStreamWindow)
  config.setInitialMaxStreamsBidi(settings.maxStreamsBidi)
  config.setInitialMaxStreamsUni(settings.maxStreamsUni)
  config.setCcAlgorithmName(byName(settings.congestionControl))
  // Pacing would only stamp packets with the time they should leave; nothing here waits for it.
  config.enablePacing(false)
  config.enableDgram(settings.takesDatagrams !== false, settings.datagramQueue, settings.datagramQueue)
  config.setActiveConnectionIdLimit(ACTIVE_CONNECTION_IDS)
  return config
}

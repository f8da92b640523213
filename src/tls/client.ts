/**
 * The client's side of the handshake, RFC 8446 §2 and appendix A.1.
 *
 *     ClientHello             ──────>
 *                                       HelloRetryRequest          perhaps, and then a second ClientHello
 *                             <──────   ServerHello
 *                                       EncryptedExtensions
 *                                       CertificateRequest         perhaps     ─┐
 *                                       Certificate                             │ not when a session
 *                                       CertificateVerify                      ─┘ is resumed
 *                                       Finished
 *     Certificate             ──────>                              if it was asked for
 *     CertificateVerify                                            if there is one
 *     Finished
 *                             <──────   NewSessionTicket           any number, later
 */
import { randomBytes } from 'node:crypto'
import { TlsAlert } from './alert.ts'
import { CIPHER_SUITES, hashOf } from './cipher-suite.ts'
import { checkAccepted, encodeOffer, sessionOf, writeBinder } from './client-resumption.ts'
import { type ClientSession, encodeClientSession, purposeOf, usableSession } from './client-ticket.ts'
import { decodeAlpn, encodeAlpn } from './extensions/alpn.ts'
import { checkAnswered, type Extensions, ExtensionType, required } from './extensions/extensions.ts'
import { decodeKeyShare, encodeKeyShares } from './extensions/key-share.ts'
import { PSK_DHE_KE } from './extensions/pre-shared-key.ts'
import { encodeServerName } from './extensions/server-name.ts'
import { type Expectation, Handshake } from './handshake.ts'
import { groupAskedFor } from './hello-retry-request.ts'
import { type Identity, readIdentity } from './identity.ts'
import { type KeyPair, NAMED_GROUPS, newKeyPair, type Random } from './key-exchange.ts'
import { digest, KeySchedule } from './key-schedule.ts'
import { decodeCertificate, encodeCertificate } from './messages/certificate.ts'
import { decodeCertificateRequest, encodeSignatureAlgorithms } from './messages/certificate-request.ts'
import { encodeClientHello, encodeSupportedVersions } from './messages/client-hello.ts'
import { decodeEncryptedExtensions } from './messages/encrypted-extensions.ts'
import { checkFinished, encodeFinished } from './messages/finished.ts'
import { HandshakeType } from './messages/handshake-message.ts'
import { decodeNewSessionTicket, type NewSessionTicket } from './messages/new-session-ticket.ts'
import { decodeServerHello, type ServerHello } from './messages/server-hello.ts'
import { acceptChain, checkCertificateVerify } from './peer-certificate.ts'
import { chooseScheme, SIGNATURE_SCHEMES } from './signature-scheme.ts'
import type { CipherSuite, TlsSink } from './tls.ts'
import { encodeNumbers, vector } from './vectors.ts'
import type { Certificate } from './x509/certificate.ts'
import { type TrustStore, trustStoreOf } from './x509/trust-store.ts'

export interface TlsClientOptions {
  sink: TlsSink
  /** In order of preference. */
  alpn: readonly string[]
  /** The name or IP address that the certificate must be for. A name is also sent as SNI (RFC 6066 §3). */
  serverName: string
  /** PEM. Default: the roots that come with Node. */
  ca?: Uint8Array | undefined
  /** `any`: whoever it is. */
  verify: 'required' | 'any'
  /** PEM; sent when the server asks for it. */
  certificateChain?: Uint8Array | undefined
  key?: Uint8Array | undefined
  /** Ours, encoded (RFC 9000 §18). */
  transportParameters: Uint8Array
  /** From `onTicket` of an earlier session. One that is of no use here is not used. */
  ticket?: Uint8Array | undefined
  /** Sessions are resumed for the same only, such as the same version of QUIC (RFC 9369 §5). */
  purpose?: string
  /** In order of preference. Default: all. */
  suites?: readonly CipherSuite[]
  /** Key exchanges in order of preference; a key for the first one is in ClientHello. Default: all. */
  groups?: readonly number[]
  random?: Random
  /** The time of day, for certificates and tickets. */
  unixMs?: () => number
}

type State =
  | 'ServerHello'
  | 'EncryptedExtensions'
  | 'Certificate or CertificateRequest'
  | 'Certificate'
  | 'CertificateVerify'
  | 'Finished'
  | 'connected'

/** What each state waits for. */
const EXPECTATIONS: Readonly<Record<State, Expectation>> = {
  ServerHello: { level: 0, types: [HandshakeType.server_hello] },
  EncryptedExtensions: { level: 1, types: [HandshakeType.encrypted_extensions] },
  'Certificate or CertificateRequest': {
    level: 1,
    types: [HandshakeType.certificate, HandshakeType.certificate_request],
  },
  Certificate: { level: 1, types: [HandshakeType.certificate] },
  CertificateVerify: { level: 1, types: [HandshakeType.certificate_verify] },
  Finished: { level: 1, types: [HandshakeType.finished] },
  // RFC 9001 §4.4, §6: nobody asks for certificates later on, and there is no KeyUpdate, which QUIC does itself.
  connected: {
    level: 2,
    types: [HandshakeType.new_session_ticket],
    violations: [HandshakeType.certificate_request],
  },
}

export class TlsClient extends Handshake {
  readonly #options: TlsClientOptions
  readonly #suites: readonly CipherSuite[]
  readonly #groups: readonly number[]
  readonly #random: Random
  readonly #unixMs: () => number
  readonly #identity: Identity | undefined
  /** undefined: whoever the server is. */
  readonly #trust: TrustStore | undefined
  #state: State = 'ServerHello'
  #keyPair: KeyPair
  /** ClientHello, whole and its extensions. */
  #hello: Uint8Array = new Uint8Array(0)
  #offered: Extensions = new Map()
  #retry: ServerHello | undefined
  #serverCertificate: Certificate | undefined
  /** With which we may sign; undefined: nobody asked for our certificate. */
  #requestedSchemes: readonly number[] | undefined
  /** What a ticket has to be for. */
  readonly #purpose: Uint8Array
  /** The session that we want to resume. */
  #session: ClientSession | undefined
  #resumptionSecret: Uint8Array = new Uint8Array(0)

  /** Throws when certificates or keys among the options are of no use. */
  constructor(options: TlsClientOptions) {
    super(options.sink)
    this.#options = options
    this.#suites = options.suites ?? CIPHER_SUITES
    this.#groups = options.groups ?? NAMED_GROUPS
    this.#random = options.random ?? randomBytes
    this.#unixMs = options.unixMs ?? Date.now
    const { certificateChain, key } = options
    if (certificateChain !== undefined && key !== undefined) this.#identity = readIdentity(certificateChain, key)
    if (options.verify === 'required') this.#trust = trustStoreOf(options.ca)
    this.#keyPair = newKeyPair(this.#groups[0], this.#random)
    this.clientRandom = this.#random(32)
    this.#purpose = purposeOf(options.serverName, options.verify, options.ca, certificateChain, options.purpose)
    if (options.ticket !== undefined) this.#session = usableSession(options.ticket, this.#purpose, this.#unixMs())
    if (this.#session !== undefined && !this.#suites.includes(this.#session.suite)) this.#session = undefined
  }

  start(): void {
    this.#hello = this.#makeHello()
    this.sink.onCrypto(0, this.#hello)
  }

  protected expectation(): Expectation {
    return EXPECTATIONS[this.#state]
  }

  protected onMessage(type: number, body: Uint8Array, message: Uint8Array): void {
    switch (type) {
      case HandshakeType.server_hello:
        return this.#onServerHello(decodeServerHello(body), message)
      case HandshakeType.encrypted_extensions:
        this.transcript.add(message)
        return this.#onEncryptedExtensions(decodeEncryptedExtensions(body))
      case HandshakeType.certificate_request:
        this.transcript.add(message)
        this.#requestedSchemes = decodeCertificateRequest(body)
        this.#state = 'Certificate'
        return
      case HandshakeType.certificate:
        this.transcript.add(message)
        return this.#onCertificate(decodeCertificate(body))
      case HandshakeType.certificate_verify:
        this.peerCertificate = checkCertificateVerify(body, 'server', this.#serverCertificate, this.transcript.digest())
        this.#serverCertificate = undefined
        this.transcript.add(message)
        this.#state = 'Finished'
        return
      case HandshakeType.finished:
        checkFinished(body, this.verifyData('server'))
        this.transcript.add(message)
        return this.#finish()
      case HandshakeType.new_session_ticket:
        return this.#onTicket(decodeNewSessionTicket(body))
    }
  }

  /** RFC 8446 §4.1.2, §9.2. */
  #makeHello(): Uint8Array {
    const { alpn, serverName, transportParameters } = this.#options
    const extensions = new Map<number, Uint8Array>()
    const name = encodeServerName(serverName)
    if (name !== undefined) extensions.set(ExtensionType.server_name, name)
    extensions.set(ExtensionType.supported_groups, vector(2, encodeNumbers(this.#groups)))
    extensions.set(ExtensionType.signature_algorithms, encodeSignatureAlgorithms(SIGNATURE_SCHEMES))
    extensions.set(ExtensionType.application_layer_protocol_negotiation, encodeAlpn(alpn))
    extensions.set(ExtensionType.supported_versions, encodeSupportedVersions())
    const cookie = this.#retry?.extensions.get(ExtensionType.cookie)
    if (cookie !== undefined) extensions.set(ExtensionType.cookie, cookie)
    extensions.set(ExtensionType.psk_key_exchange_modes, vector(1, Uint8Array.of(PSK_DHE_KE)))
    extensions.set(ExtensionType.key_share, encodeKeyShares([this.#keyPair]))
    extensions.set(ExtensionType.quic_transport_parameters, transportParameters)
    const session = this.#session
    if (session !== undefined) extensions.set(ExtensionType.pre_shared_key, encodeOffer(session, this.#unixMs()))
    this.#offered = extensions
    const hello = encodeClientHello({ random: this.clientRandom, cipherSuites: [...this.#suites], extensions })
    if (session !== undefined) {
      const { suite } = session
      writeBinder(hello, session, covered =>
        this.#retry === undefined ? digest(hashOf(suite), covered) : this.transcript.digestWith(covered),
      )
    }
    return hello
  }

  #onServerHello(hello: ServerHello, message: Uint8Array): void {
    const suite = this.#suites.find(offered => offered === hello.cipherSuite)
    if (suite === undefined) throw new TlsAlert('illegal_parameter', 'a cipher suite that was not offered')
    if (hello.isRetry) return this.#onRetry(hello, suite, message)
    // §4.1.4: the suite stays that of the HelloRetryRequest.
    if (this.#retry !== undefined && this.#retry.cipherSuite !== suite) {
      throw new TlsAlert('illegal_parameter', 'another cipher suite than in HelloRetryRequest')
    }
    checkAnswered(hello.extensions, [ExtensionType.key_share, ExtensionType.pre_shared_key], this.#offered)
    const share = decodeKeyShare(shareOf(hello.extensions))
    if (share.group !== this.#keyPair.group) throw new TlsAlert('illegal_parameter', 'a key share of another group')
    if (this.#retry === undefined) {
      this.chooseSuite(suite)
      this.transcript.add(this.#hello)
    }
    this.transcript.add(message)
    this.schedule = new KeySchedule(hashOf(suite), this.#acceptedPsk(hello, suite))
    this.enterHandshakeLevel('client', this.#keyPair.agree(share.publicKey))
    this.#state = 'EncryptedExtensions'
  }

  /** RFC 8446 §4.2.11: what the server says to the ticket. */
  #acceptedPsk(hello: ServerHello, suite: CipherSuite): Uint8Array | undefined {
    const selected = hello.extensions.get(ExtensionType.pre_shared_key)
    if (selected === undefined || this.#session === undefined) return undefined
    checkAccepted(selected, this.#session, suite)
    this.resumed = true
    this.peerCertificate = this.#session.serverCertificate
    return this.#session.psk
  }

  /** HelloRetryRequest, RFC 8446 §4.1.4: the server wants another key share, or a cookie back. */
  #onRetry(retry: ServerHello, suite: CipherSuite, message: Uint8Array): void {
    if (this.#retry !== undefined) throw new TlsAlert('unexpected_message', 'a second HelloRetryRequest')
    const group = groupAskedFor(retry.extensions, this.#offered, this.#groups, this.#keyPair.group)
    if (group !== undefined) this.#keyPair = newKeyPair(group, this.#random)
    this.#retry = retry
    // §4.1.4: the ticket is of use no more if it is for another hash.
    if (this.#session !== undefined && hashOf(this.#session.suite) !== hashOf(suite)) this.#session = undefined
    this.chooseSuite(suite)
    this.transcript.add(this.#hello)
    this.transcript.replaceByHash()
    this.transcript.add(message)
    this.#hello = this.#makeHello()
    this.sendMessage(0, this.#hello)
  }

  #onEncryptedExtensions(extensions: Extensions): void {
    const allowed = [
      ExtensionType.server_name,
      ExtensionType.supported_groups,
      ExtensionType.application_layer_protocol_negotiation,
      ExtensionType.quic_transport_parameters,
    ]
    checkAnswered(extensions, allowed, this.#offered)
    // RFC 9001 §8.1: without an application protocol there is nothing to do.
    const selected = extensions.get(ExtensionType.application_layer_protocol_negotiation)
    if (selected === undefined) throw new TlsAlert('no_application_protocol', 'the server has chosen none')
    const [protocol, ...others] = decodeAlpn(selected)
    if (others.length > 0)
      throw new TlsAlert('illegal_parameter', 'the server has chosen several application protocols')
    if (!this.#options.alpn.includes(protocol)) {
      throw new TlsAlert(
        'no_application_protocol',
        'the server has chosen an application protocol that was not offered',
      )
    }
    this.alpn = protocol
    this.sink.onPeerTransportParameters(
      required(extensions, ExtensionType.quic_transport_parameters, 'quic_transport_parameters'),
    )
    this.#state = this.resumed ? 'Finished' : 'Certificate or CertificateRequest'
  }

  #onCertificate(chain: readonly Uint8Array[]): void {
    // §4.4.2.4.
    if (chain.length === 0) throw new TlsAlert('decode_error', 'the server has no certificate')
    this.#serverCertificate = acceptChain(chain, {
      role: 'server',
      trust: this.#trust,
      serverName: this.#options.serverName,
      unixMs: this.#unixMs(),
    })
    this.#state = 'CertificateVerify'
  }

  #finish(): void {
    const traffic = this.applicationTraffic()
    if (this.#requestedSchemes !== undefined) this.#sendCertificate(this.#requestedSchemes)
    this.sendMessage(1, encodeFinished(this.verifyData('client')))
    this.sink.onSecret(2, 'write', this.suite, traffic.client)
    this.sink.onSecret(2, 'read', this.suite, traffic.server)
    this.#resumptionSecret = this.schedule.resumptionSecret(this.transcript.digest())
    this.#state = 'connected'
    this.complete = true
    this.sink.onComplete()
    this.forgetHandshakeSecrets()
  }

  /** RFC 8446 §4.6.1. */
  #onTicket(ticket: NewSessionTicket): void {
    if (this.peerCertificate === undefined) return
    const session = sessionOf(ticket, this.#resumptionSecret, {
      suite: this.suite,
      receivedMs: this.#unixMs(),
      purpose: this.#purpose,
      serverCertificate: this.peerCertificate,
    })
    if (session !== undefined) this.sink.onTicket?.(encodeClientSession(session))
  }

  /** Without one that the server takes, an empty list is sent; whether that is enough is for the server to say (RFC 8446 §4.4.2). */
  #sendCertificate(accepted: readonly number[]): void {
    const scheme = this.#identity && chooseScheme(this.#identity.key, accepted)
    if (this.#identity === undefined || scheme === undefined) return this.sendMessage(1, encodeCertificate([]))
    this.sendIdentity('client', this.#identity, scheme)
  }
}

/** RFC 8446 §4.2.11: a ticket is taken with a new key exchange, the only way in which it was offered. */
function shareOf(extensions: Extensions): Uint8Array {
  if (extensions.has(ExtensionType.pre_shared_key) && !extensions.has(ExtensionType.key_share)) {
    throw new TlsAlert('illegal_parameter', 'a session is resumed without a key exchange')
  }
  return required(extensions, ExtensionType.key_share, 'key_share')
}

/**
 * The server's side of the handshake, RFC 8446 §2 and appendix A.2; client.ts has the figure.
 */
import { TlsAlert } from './alert.ts'
import { hashOf } from './cipher-suite.ts'
import { decodeAlpn, encodeAlpn } from './extensions/alpn.ts'
import { type Extensions, ExtensionType, required } from './extensions/extensions.ts'
import { decodeKeyShares, encodeKeyShare, encodeSelectedGroup, type KeyShare } from './extensions/key-share.ts'
import { encodeSelectedIdentity } from './extensions/pre-shared-key.ts'
import { decodeServerName } from './extensions/server-name.ts'
import { type Expectation, Handshake } from './handshake.ts'
import { checkSameHello } from './hello-retry-request.ts'
import { newKeyPair } from './key-exchange.ts'
import { KeySchedule, type TrafficSecrets } from './key-schedule.ts'
import { decodeCertificate } from './messages/certificate.ts'
import { encodeCertificateRequest, signatureAlgorithms } from './messages/certificate-request.ts'
import { type ClientHello, decodeClientHello } from './messages/client-hello.ts'
import { encodeEncryptedExtensions } from './messages/encrypted-extensions.ts'
import { checkFinished, encodeFinished } from './messages/finished.ts'
import { HandshakeType } from './messages/handshake-message.ts'
import { encodeServerHello } from './messages/server-hello.ts'
import { acceptChain, checkCertificateVerify } from './peer-certificate.ts'
import type { TlsServerContext } from './server-context.ts'
import { chooseTicket, newTicket, type Resumption, speaksPskDheKe } from './server-resumption.ts'
import { chooseScheme, SIGNATURE_SCHEMES } from './signature-scheme.ts'
import type { CipherSuite, TlsSink } from './tls.ts'
import { decodeNumbers, onlyVector } from './vectors.ts'
import type { Certificate } from './x509/certificate.ts'

export { TlsServerContext, type TlsServerContextOptions } from './server-context.ts'

export interface TlsServerOptions {
  sink: TlsSink
  context: TlsServerContext
  /** Ours, encoded (RFC 9000 §18). */
  transportParameters: Uint8Array
  /** Sessions are resumed for the same only, such as the same version of QUIC (RFC 9369 §5). */
  purpose?: string
}

type State = 'ClientHello' | 'Certificate' | 'CertificateVerify' | 'Finished' | 'connected'

/** What each state waits for. */
const EXPECTATIONS: Readonly<Record<State, Expectation>> = {
  ClientHello: { level: 0, types: [HandshakeType.client_hello] },
  Certificate: { level: 1, types: [HandshakeType.certificate] },
  CertificateVerify: { level: 1, types: [HandshakeType.certificate_verify] },
  Finished: { level: 1, types: [HandshakeType.finished] },
  // RFC 9001 §4.4, §6.
  connected: { level: 2, types: [] },
}

export class TlsServer extends Handshake {
  readonly #context: TlsServerContext
  readonly #transportParameters: Uint8Array
  readonly #purpose: string | undefined
  #state: State = 'ClientHello'
  /** The first ClientHello, which was answered by HelloRetryRequest, and the group that was asked for. */
  #retried: { hello: ClientHello; group: number } | undefined
  #clientCertificate: Certificate | undefined
  #takesTickets = false
  /** The secrets for 1-RTT, until the client's Finished has come. */
  #application: TrafficSecrets | undefined

  constructor({ sink, context, transportParameters, purpose }: TlsServerOptions) {
    super(sink)
    this.#context = context
    this.#transportParameters = transportParameters
    this.#purpose = purpose
  }

  start(): void {}

  protected expectation(): Expectation {
    return EXPECTATIONS[this.#state]
  }

  protected onMessage(type: number, body: Uint8Array, message: Uint8Array): void {
    switch (type) {
      case HandshakeType.client_hello:
        return this.#onClientHello(decodeClientHello(body), message)
      case HandshakeType.certificate:
        this.transcript.add(message)
        return this.#onCertificate(decodeCertificate(body))
      case HandshakeType.certificate_verify:
        this.peerCertificate = checkCertificateVerify(body, 'client', this.#clientCertificate, this.transcript.digest())
        this.#clientCertificate = undefined
        this.transcript.add(message)
        this.#state = 'Finished'
        return
      case HandshakeType.finished:
        checkFinished(body, this.verifyData('client'))
        this.transcript.add(message)
        return this.#finish()
    }
  }

  #onClientHello(hello: ClientHello, message: Uint8Array): void {
    const { extensions } = hello
    if (this.#retried !== undefined) checkSameHello(this.#retried.hello, hello)
    this.clientRandom = hello.random
    const suite = this.#context.suites.find(ours => hello.cipherSuites.includes(ours))
    if (suite === undefined) throw new TlsAlert('handshake_failure', 'no cipher suite that both speak')
    const serverName = extensions.get(ExtensionType.server_name)
    // There is one certificate, whichever name is asked for.
    if (serverName !== undefined) decodeServerName(serverName)
    const parameters = required(extensions, ExtensionType.quic_transport_parameters, 'quic_transport_parameters')
    const alpn = this.#chooseProtocol(extensions)
    const share = this.#chooseShare(extensions)
    if (this.#retried === undefined) this.chooseSuite(suite)
    this.#takesTickets = speaksPskDheKe(extensions)
    const resumption =
      typeof share === 'number'
        ? undefined
        : chooseTicket(this.#context, suite, extensions, message, this.transcript, this.#purpose)
    this.transcript.add(message)
    if (typeof share === 'number') return this.#sendRetry(hello, suite, share)
    this.alpn = alpn
    this.sink.onPeerTransportParameters(parameters)
    this.#sendServerHello(suite, share, resumption)
    this.#sendFlight(extensions)
  }

  /** RFC 7301 §3.2: the server's preference counts. */
  #chooseProtocol(extensions: Extensions): string {
    const offered = extensions.get(ExtensionType.application_layer_protocol_negotiation)
    const protocols = offered === undefined ? [] : decodeAlpn(offered)
    const chosen = this.#context.alpn.find(ours => protocols.includes(ours))
    if (chosen === undefined) throw new TlsAlert('no_application_protocol', 'no application protocol that both speak')
    return chosen
  }

  /** The client's key with which to go on, or the group of which it is to send one. */
  #chooseShare(extensions: Extensions): KeyShare | number {
    const groupList = required(extensions, ExtensionType.supported_groups, 'supported_groups')
    const groups = decodeNumbers(onlyVector(groupList, 2, 2))
    const shares = decodeKeyShares(required(extensions, ExtensionType.key_share, 'key_share'))
    // §4.2.8: only of groups that the client says it has.
    if (shares.some(({ group }) => !groups.includes(group))) {
      throw new TlsAlert('illegal_parameter', 'a key share of a group that is not in supported_groups')
    }
    if (this.#retried !== undefined) {
      const share = shares[0]
      if (shares.length !== 1 || share.group !== this.#retried.group) {
        throw new TlsAlert(
          'illegal_parameter',
          'the key share after HelloRetryRequest is not the one that was asked for',
        )
      }
      return share
    }
    for (const group of this.#context.groups) {
      const share = shares.find(offered => offered.group === group)
      if (share !== undefined) return share
    }
    const group = this.#context.groups.find(ours => groups.includes(ours))
    if (group === undefined) throw new TlsAlert('handshake_failure', 'no key exchange that both speak')
    return group
  }

  /** HelloRetryRequest, RFC 8446 §4.1.4. */
  #sendRetry(hello: ClientHello, suite: CipherSuite, group: number): void {
    this.#retried = { hello, group }
    this.transcript.replaceByHash()
    const extensions = new Map([[ExtensionType.key_share as number, encodeSelectedGroup(group)]])
    this.sendMessage(0, encodeServerHello({ isRetry: true, cipherSuite: suite, extensions }))
  }

  #sendServerHello(suite: CipherSuite, share: KeyShare, resumption: Resumption | undefined): void {
    const { random } = this.#context
    const keyPair = newKeyPair(share.group, random)
    const shared = keyPair.agree(share.publicKey)
    this.schedule = new KeySchedule(hashOf(suite), resumption?.session.psk)
    const extensions = new Map([[ExtensionType.key_share as number, encodeKeyShare(keyPair)]])
    if (resumption !== undefined) {
      this.resumed = true
      this.peerCertificate = resumption.session.clientCertificate
      extensions.set(ExtensionType.pre_shared_key, encodeSelectedIdentity(resumption.index))
    }
    this.sendMessage(0, encodeServerHello({ isRetry: false, random: random(32), cipherSuite: suite, extensions }))
    this.enterHandshakeLevel('server', shared)
  }

  /** A session that is resumed has had its certificates. */
  get #asksForCertificate(): boolean {
    return this.#context.clientCertificate !== 'none' && !this.resumed
  }

  #sendFlight(hello: Extensions): void {
    this.sendMessage(
      1,
      encodeEncryptedExtensions(
        new Map<number, Uint8Array>([
          [ExtensionType.application_layer_protocol_negotiation, encodeAlpn([this.alpn])],
          [ExtensionType.quic_transport_parameters, this.#transportParameters],
        ]),
      ),
    )
    if (!this.resumed) {
      if (this.#asksForCertificate) this.sendMessage(1, encodeCertificateRequest(SIGNATURE_SCHEMES))
      this.#sendCertificate(signatureAlgorithms(hello))
    }
    this.sendMessage(1, encodeFinished(this.verifyData('server')))
    this.#application = this.applicationTraffic()
    this.#state = this.#asksForCertificate ? 'Certificate' : 'Finished'
    // RFC 8446 §2: what is sent before the client's Finished goes to nobody knows whom. Where that matters nothing is.
    if (!this.#asksForCertificate) this.sink.onSecret(2, 'write', this.suite, this.#application.server)
  }

  #sendCertificate(accepted: readonly number[]): void {
    const { identity } = this.#context
    const scheme = chooseScheme(identity.key, accepted)
    if (scheme === undefined)
      throw new TlsAlert('handshake_failure', 'no signature algorithm for the key of our certificate')
    this.sendIdentity('server', identity, scheme)
  }

  #onCertificate(chain: readonly Uint8Array[]): void {
    if (chain.length === 0) {
      // §4.4.2.4.
      if (this.#context.clientCertificate === 'required') {
        throw new TlsAlert('certificate_required', 'the client has no certificate')
      }
      this.#state = 'Finished'
      return
    }
    const { trust, unixMs } = this.#context
    this.#clientCertificate = acceptChain(chain, { role: 'client', trust, unixMs: unixMs() })
    this.#state = 'CertificateVerify'
  }

  #finish(): void {
    const { client, server } = this.#application as TrafficSecrets
    this.#application = undefined
    if (this.#asksForCertificate) this.sink.onSecret(2, 'write', this.suite, server)
    this.#state = 'connected'
    this.complete = true
    this.sink.onSecret(2, 'read', this.suite, client)
    this.sink.onComplete()
    if (this.#takesTickets) this.#sendTicket()
    this.forgetHandshakeSecrets()
  }

  /** RFC 8446 §4.6.1. */
  #sendTicket(): void {
    const resumptionSecret = this.schedule.resumptionSecret(this.transcript.digest())
    const message = newTicket(this.#context, this.suite, resumptionSecret, this.peerCertificate, this.#purpose)
    if (message !== undefined) this.sink.onCrypto(2, message)
  }
}

/**
 * What client and server have in common: bytes become messages, messages move a state machine, secrets come out.
 *
 * Each state expects certain messages on one level; whatever else comes ends the handshake (RFC 8446 §4, §6.2).
 */
import { DecodeError } from '../bytes/errors.ts'
import { protocolViolation, TlsAlert } from './alert.ts'
import { hashOf } from './cipher-suite.ts'
import type { Identity } from './identity.ts'
import { type KeyLogLabel, keyLogLine } from './key-log.ts'
import { type KeySchedule, type TrafficSecrets, verifyData } from './key-schedule.ts'
import { encodeCertificate } from './messages/certificate.ts'
import { encodeCertificateVerify, signedContent } from './messages/certificate-verify.ts'
import { HEADER_LENGTH, MessageBuffer } from './messages/handshake-message.ts'
import { signWith } from './signature-scheme.ts'
import type { CipherSuite, EncryptionLevel, TlsHandshake, TlsSink } from './tls.ts'
import { Transcript } from './transcript.ts'

export interface Expectation {
  readonly level: EncryptionLevel
  /** Types of messages. */
  readonly types: readonly number[]
  /** Others for which RFC 9001 has a PROTOCOL_VIOLATION, and not the alert of TLS. */
  readonly violations?: readonly number[]
}

const NO_TRAFFIC: TrafficSecrets = { client: new Uint8Array(0), server: new Uint8Array(0) }

export abstract class Handshake implements TlsHandshake {
  complete = false
  alpn = ''
  resumed = false
  peerCertificate: Uint8Array | undefined
  protected readonly sink: TlsSink
  /** Of the client's hello: what a key log knows connections by. */
  protected clientRandom: Uint8Array = new Uint8Array(0)
  protected suite: CipherSuite = 0x1301
  // Not before the suite is chosen, which says with which hash they begin.
  protected schedule!: KeySchedule
  protected transcript!: Transcript
  /** Of both directions on the Handshake level. */
  protected handshakeTraffic: TrafficSecrets = NO_TRAFFIC
  readonly #input = new MessageBuffer()
  #failed = false

  constructor(sink: TlsSink) {
    this.sink = sink
  }

  abstract start(): void
  protected abstract expectation(): Expectation
  protected abstract onMessage(type: number, body: Uint8Array, message: Uint8Array): void

  receive(level: EncryptionLevel, data: Uint8Array): void {
    if (this.#failed || data.length === 0) return
    try {
      this.#receive(level, data)
    } catch (error) {
      this.#failed = true
      throw error instanceof DecodeError ? new TlsAlert('decode_error', error.message) : error
    }
  }

  #receive(level: EncryptionLevel, data: Uint8Array): void {
    if (level !== this.expectation().level) {
      // RFC 9001 §4.1.3.
      throw protocolViolation('unexpected_message', `CRYPTO data on level ${level}, not ${this.expectation().level}`)
    }
    this.#input.push(data)
    for (;;) {
      const expected = this.expectation()
      // RFC 8446 §5.1: no message begins with one key and ends with the next. Which error that is says RFC 9001 §4.1.3.
      if (expected.level !== level && !this.#input.isEmpty) {
        throw protocolViolation('unexpected_message', 'more on a level that is over')
      }
      const message = this.#input.next(expected.types, expected.violations)
      if (message === undefined) return
      this.onMessage(message[0], message.subarray(HEADER_LENGTH), message)
    }
  }

  /** Begins what depends on the suite's hash. */
  protected chooseSuite(suite: CipherSuite): void {
    this.suite = suite
    this.transcript = new Transcript(hashOf(suite))
  }

  /** Sends a message, which then belongs to the transcript. */
  protected sendMessage(level: EncryptionLevel, message: Uint8Array): void {
    this.transcript.add(message)
    this.sink.onCrypto(level, message)
  }

  /** Certificate and CertificateVerify, RFC 8446 §4.4.2, §4.4.3. */
  protected sendIdentity(role: 'client' | 'server', { chain, key }: Identity, scheme: number): void {
    this.sendMessage(1, encodeCertificate(chain))
    const signature = signWith(scheme, key, signedContent(role, this.transcript.digest()))
    this.sendMessage(1, encodeCertificateVerify({ scheme, signature }))
  }

  /** ServerHello has been sent or received, and the key exchange gave `shared`. */
  protected enterHandshakeLevel(role: 'client' | 'server', shared: Uint8Array): void {
    this.schedule.toHandshakeSecret(shared)
    const traffic = this.schedule.handshakeTraffic(this.transcript.digest())
    this.handshakeTraffic = traffic
    this.#logKey('CLIENT_HANDSHAKE_TRAFFIC_SECRET', traffic.client)
    this.#logKey('SERVER_HANDSHAKE_TRAFFIC_SECRET', traffic.server)
    const peer = role === 'client' ? 'server' : 'client'
    this.sink.onSecret(1, 'write', this.suite, traffic[role])
    this.sink.onSecret(1, 'read', this.suite, traffic[peer])
  }

  /** The server's Finished has been sent or received. */
  protected applicationTraffic(): TrafficSecrets {
    this.schedule.toMasterSecret()
    const transcriptHash = this.transcript.digest()
    const traffic = this.schedule.applicationTraffic(transcriptHash)
    this.#logKey('CLIENT_TRAFFIC_SECRET_0', traffic.client)
    this.#logKey('SERVER_TRAFFIC_SECRET_0', traffic.server)
    if (this.sink.onKeyLog !== undefined) {
      this.#logKey('EXPORTER_SECRET', this.schedule.exporterSecret(transcriptHash))
    }
    return traffic
  }

  /** The content of a Finished of this role, now. */
  protected verifyData(role: 'client' | 'server'): Uint8Array {
    return verifyData(this.schedule.hash, this.handshakeTraffic[role], this.transcript.digest())
  }

  /** Whoever gets hold of the process later need not find them. */
  protected forgetHandshakeSecrets(): void {
    this.handshakeTraffic = NO_TRAFFIC
  }

  #logKey(label: KeyLogLabel, secret: Uint8Array): void {
    // Nobody reads it, most of the time: then it is not written either.
    if (this.sink.onKeyLog !== undefined) this.sink.onKeyLog(keyLogLine(label, this.clientRandom, secret))
  }
}

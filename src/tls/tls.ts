/**
 * TLS 1.3 (RFC 8446) as QUIC uses it (RFC 9001): handshake messages without records.
 *
 *                     CRYPTO bytes, by level
 *      QUIC  ────────────────────────────────────>  TLS
 *            <────────────────────────────────────
 *              CRYPTO bytes, secrets, the peer's transport parameters, complete
 *
 * Sans-IO: client.ts and server.ts do nothing but what `start` and `receive` ask for, and tell all of it by way of the sink.
 */

export { TlsAlert } from './alert.ts'

/** Initial, Handshake, 1-RTT (RFC 9001 §4.1.4); the numbers of QUIC's packet number spaces. */
export type EncryptionLevel = 0 | 1 | 2

/** TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256 (RFC 8446 appendix B.4). */
export type CipherSuite = 0x1301 | 0x1302 | 0x1303

/** Called during `start` and `receive`. Byte arrays are the callee's to keep. */
export interface TlsSink {
  /** Bytes for CRYPTO frames of this level. */
  onCrypto(level: EncryptionLevel, data: Uint8Array): void
  /**
   * A traffic secret, from which packet protection keys come (RFC 9001 §5.1). Secrets for reading are reported once messages
   * of their level may be processed: a server's for 1-RTT just before `onComplete` (§5.7), its one for writing right after its Finished,
   * unless it has asked for a certificate: then just before `onComplete`, too.
   */
  onSecret(level: 1 | 2, direction: 'read' | 'write', suite: CipherSuite, secret: Uint8Array): void
  /** The quic_transport_parameters extension (RFC 9001 §8.2). What this throws comes out of `receive`. */
  onPeerTransportParameters(bytes: Uint8Array): void
  /** The peer's Finished is verified: the handshake is complete (RFC 9001 §4.1.1). */
  onComplete(): void
  /** Of a client: what resumes this session later, opaque. */
  onTicket?(ticket: Uint8Array): void
  /** One line in NSS key log format, without its end. undefined: nobody logs. */
  onKeyLog?: ((line: string) => void) | undefined
}

export interface TlsHandshake {
  /** Of a client: sends ClientHello. Of a server: does nothing. */
  start(): void
  /** The next bytes of the CRYPTO stream of this level, in any pieces. Throws TlsAlert, after which nothing more is to be called. */
  receive(level: EncryptionLevel, data: Uint8Array): void
  readonly complete: boolean
  /** The application protocol; empty before it is known. */
  readonly alpn: string
  readonly resumed: boolean
  /** The peer's leaf certificate in DER, also of a session that was resumed. */
  readonly peerCertificate: Uint8Array | undefined
}

/**
 * ServerHello, RFC 8446 §4.1.3:
 *
 *     struct {
 *         ProtocolVersion legacy_version = 0x0303;
 *         Random random;
 *         opaque legacy_session_id_echo<0..32>;
 *         CipherSuite cipher_suite;
 *         uint8 legacy_compression_method = 0;
 *         Extension extensions<6..2^16-1>;
 *     } ServerHello;
 *
 * HelloRetryRequest (§4.1.4) is one whose random is the SHA-256 of "HelloRetryRequest".
 */
import { createHash } from 'node:crypto'
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { TlsAlert } from '../alert.ts'
import { type Extensions, ExtensionType, encodeExtensions, takeExtensions } from '../extensions/extensions.ts'
import { expectEnd, takeVector, vector } from '../vectors.ts'
import { LEGACY_VERSION, TLS_1_3 } from './client-hello.ts'
import { HandshakeType, handshakeMessage } from './handshake-message.ts'

const RETRY_RANDOM = createHash('sha256').update('HelloRetryRequest').digest()

export interface ServerHello {
  /** A HelloRetryRequest; its random is not another. */
  isRetry: boolean
  random: Uint8Array
  cipherSuite: number
  /** Without supported_versions, which `encode` puts in front and `decode` has checked. */
  extensions: Extensions
}

export function encodeServerHello(hello: Omit<ServerHello, 'random'> & { random?: Uint8Array }): Uint8Array {
  const version = new Writer(2).u16(TLS_1_3).finish()
  const body = new Writer(128)
    .u16(LEGACY_VERSION)
    .bytes(hello.isRetry ? RETRY_RANDOM : (hello.random ?? new Uint8Array(32)))
    .bytes(vector(1, new Uint8Array(0)))
    .u16(hello.cipherSuite)
    .u8(0)
    .bytes(encodeExtensions(new Map([[ExtensionType.supported_versions, version], ...hello.extensions])))
  return handshakeMessage(HandshakeType.server_hello, body.finish())
}

export function decodeServerHello(body: Uint8Array): ServerHello {
  const reader = new Reader(body)
  const legacyVersion = reader.u16()
  const random = reader.take(32)
  const sessionIdEcho = takeVector(reader, 1, 0, 32)
  const cipherSuite = reader.u16()
  const compression = reader.u8()
  const extensions = new Map(reader.remaining === 0 ? [] : takeExtensions(reader))
  expectEnd(reader)
  const version = extensions.get(ExtensionType.supported_versions)
  if (legacyVersion !== LEGACY_VERSION || version === undefined) {
    throw new TlsAlert('protocol_version', 'the server does not speak TLS 1.3')
  }
  const versionReader = new Reader(version)
  // §4.2.1: nothing else was offered.
  if (versionReader.u16() !== TLS_1_3)
    throw new TlsAlert('illegal_parameter', 'another version than TLS 1.3 was selected')
  expectEnd(versionReader)
  extensions.delete(ExtensionType.supported_versions)
  if (sessionIdEcho.length > 0) throw new TlsAlert('illegal_parameter', 'legacy_session_id_echo: it was empty')
  if (compression !== 0) throw new TlsAlert('illegal_parameter', 'TLS 1.3 has no compression')
  return { isRetry: RETRY_RANDOM.equals(random), random, cipherSuite, extensions }
}

/**
 * ClientHello, RFC 8446 §4.1.2:
 *
 *     struct {
 *         ProtocolVersion legacy_version = 0x0303;       // TLS 1.2; see the supported_versions extension
 *         Random random;                                 // 32 bytes
 *         opaque legacy_session_id<0..32>;               // empty in QUIC (RFC 9001 §8.4)
 *         CipherSuite cipher_suites<2..2^16-2>;
 *         opaque legacy_compression_methods<1..2^8-1>;   // a zero: none
 *         Extension extensions<8..2^16-1>;
 *     } ClientHello;
 */
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { protocolViolation, TlsAlert } from '../alert.ts'
import { type Extensions, ExtensionType, encodeExtensions, takeExtensions } from '../extensions/extensions.ts'
import { decodeNumbers, encodeNumbers, expectEnd, onlyVector, takeVector, vector } from '../vectors.ts'
import { HandshakeType, handshakeMessage } from './handshake-message.ts'

export const LEGACY_VERSION = 0x0303
export const TLS_1_3 = 0x0304

export interface ClientHello {
  random: Uint8Array
  cipherSuites: number[]
  extensions: Extensions
}

export function encodeClientHello(hello: ClientHello): Uint8Array {
  const body = new Writer(512)
    .u16(LEGACY_VERSION)
    .bytes(hello.random)
    .bytes(vector(1, new Uint8Array(0)))
    .bytes(vector(2, encodeNumbers(hello.cipherSuites)))
    .bytes(vector(1, Uint8Array.of(0)))
    .bytes(encodeExtensions(hello.extensions))
  return handshakeMessage(HandshakeType.client_hello, body.finish())
}

export function decodeClientHello(body: Uint8Array): ClientHello {
  const reader = new Reader(body)
  reader.u16()
  const random = reader.take(32)
  const sessionId = takeVector(reader, 1, 0, 32)
  const cipherSuites = decodeNumbers(takeVector(reader, 2, 2))
  const compression = takeVector(reader, 1, 1)
  // Before TLS 1.3 there need not be any extensions.
  const extensions = reader.remaining === 0 ? new Map<number, Uint8Array>() : takeExtensions(reader)
  expectEnd(reader)
  // `ProtocolVersion versions<2..254>`, §4.2.1.
  const versions = extensions.get(ExtensionType.supported_versions)
  if (versions === undefined || !decodeNumbers(onlyVector(versions, 1, 2, 254)).includes(TLS_1_3)) {
    throw new TlsAlert('protocol_version', 'the client does not speak TLS 1.3')
  }
  if (compression.length !== 1 || compression[0] !== 0) {
    throw new TlsAlert('illegal_parameter', 'TLS 1.3 has no compression')
  }
  if (sessionId.length > 0) {
    throw protocolViolation('illegal_parameter', 'legacy_session_id: QUIC has no middlebox compatibility mode')
  }
  // §4.2.11: what binders cover is all before them.
  if (extensions.has(ExtensionType.pre_shared_key) && [...extensions.keys()].at(-1) !== ExtensionType.pre_shared_key) {
    throw new TlsAlert('illegal_parameter', 'pre_shared_key is not the last extension')
  }
  return { random, cipherSuites, extensions }
}

export function encodeSupportedVersions(): Uint8Array {
  return vector(1, encodeNumbers([TLS_1_3]))
}

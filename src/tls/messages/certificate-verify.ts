/**
 * CertificateVerify, RFC 8446 §4.4.3: the sender has the key of its certificate, and this is the handshake that it meant.
 *
 *     struct {
 *         SignatureScheme algorithm;
 *         opaque signature<0..2^16-1>;
 *     } CertificateVerify;
 *
 * What is signed:  64 spaces | "TLS 1.3, server CertificateVerify" or "TLS 1.3, client …" | 0 | transcript hash
 */
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { expectEnd, takeVector, vector } from '../vectors.ts'
import { HandshakeType, handshakeMessage } from './handshake-message.ts'

export interface CertificateVerify {
  scheme: number
  signature: Uint8Array
}

export function encodeCertificateVerify({ scheme, signature }: CertificateVerify): Uint8Array {
  const body = new Writer().u16(scheme).bytes(vector(2, signature))
  return handshakeMessage(HandshakeType.certificate_verify, body.finish())
}

export function decodeCertificateVerify(body: Uint8Array): CertificateVerify {
  const reader = new Reader(body)
  const scheme = reader.u16()
  const signature = takeVector(reader, 2)
  expectEnd(reader)
  return { scheme, signature }
}

/** `transcriptHash`: of all messages before this one. */
export function signedContent(signer: 'client' | 'server', transcriptHash: Uint8Array): Uint8Array {
  return new Writer(160)
    .bytes(new Uint8Array(64).fill(0x20))
    .bytes(new TextEncoder().encode(`TLS 1.3, ${signer} CertificateVerify`))
    .u8(0)
    .bytes(transcriptHash)
    .finish()
}

/**
 * Certificate, RFC 8446 §4.4.2: the sender's own first, then those that lead to a root.
 *
 *     struct {
 *         opaque cert_data<1..2^24-1>;                    // X.509, DER
 *         Extension extensions<0..2^16-1>;
 *     } CertificateEntry;
 *
 *     struct {
 *         opaque certificate_request_context<0..2^8-1>;   // empty during the handshake
 *         CertificateEntry certificate_list<0..2^24-1>;
 *     } Certificate;
 */
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { TlsAlert } from '../alert.ts'
import { takeExtensions } from '../extensions/extensions.ts'
import { appendVector, expectEnd, takeVector, vector } from '../vectors.ts'
import { HandshakeType, handshakeMessage } from './handshake-message.ts'

/** Chains are of two or three, at times four; servers that send others besides still get through. */
export const MAX_CERTIFICATES = 24

export function encodeCertificate(chain: readonly Uint8Array[]): Uint8Array {
  const list = new Writer(2048)
  for (const certificate of chain) appendVector(list, 3, certificate).u16(0)
  const body = new Writer(list.length + 4).bytes(vector(1, new Uint8Array(0))).bytes(vector(3, list.finish()))
  return handshakeMessage(HandshakeType.certificate, body.finish())
}

/** Certificates in DER; none: the peer has none. */
export function decodeCertificate(body: Uint8Array): Uint8Array[] {
  const reader = new Reader(body)
  const context = takeVector(reader, 1)
  const list = new Reader(takeVector(reader, 3))
  expectEnd(reader)
  if (context.length > 0) throw new TlsAlert('illegal_parameter', 'certificate_request_context: it has to be empty')
  const chain: Uint8Array[] = []
  while (list.remaining > 0) {
    chain.push(takeVector(list, 3, 1))
    if (chain.length > MAX_CERTIFICATES) {
      throw new TlsAlert('bad_certificate', `a chain of more than ${MAX_CERTIFICATES} certificates`)
    }
    // Each answers one that was asked for, and we ask for none.
    if (takeExtensions(list).size > 0) {
      throw new TlsAlert('unsupported_extension', 'an extension of a certificate was not asked for')
    }
  }
  return chain
}

/**
 * CertificateRequest, RFC 8446 §4.3.2:
 *
 *     struct {
 *         opaque certificate_request_context<0..2^8-1>;   // empty during the handshake
 *         Extension extensions<2..2^16-1>;                // signature_algorithms must be among them
 *     } CertificateRequest;
 */
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { TlsAlert } from '../alert.ts'
import { type Extensions, ExtensionType, encodeExtensions, required, takeExtensions } from '../extensions/extensions.ts'
import { decodeNumbers, encodeNumbers, expectEnd, onlyVector, takeVector, vector } from '../vectors.ts'
import { HandshakeType, handshakeMessage } from './handshake-message.ts'

/** `signatureSchemes`: with which the client may sign, in order of preference. */
export function encodeCertificateRequest(signatureSchemes: readonly number[]): Uint8Array {
  const extensions = new Map([
    [ExtensionType.signature_algorithms as number, encodeSignatureAlgorithms(signatureSchemes)],
  ])
  const body = new Writer().bytes(vector(1, new Uint8Array(0))).bytes(encodeExtensions(extensions))
  return handshakeMessage(HandshakeType.certificate_request, body.finish())
}

/** The signature schemes. Other extensions only say which certificate would be liked. */
export function decodeCertificateRequest(body: Uint8Array): number[] {
  const reader = new Reader(body)
  const context = takeVector(reader, 1)
  const extensions = takeExtensions(reader)
  expectEnd(reader)
  if (context.length > 0) throw new TlsAlert('illegal_parameter', 'certificate_request_context: it has to be empty')
  return signatureAlgorithms(extensions)
}

/** `SignatureScheme supported_signature_algorithms<2..2^16-2>`, RFC 8446 §4.2.3; also in ClientHello. */
export function encodeSignatureAlgorithms(signatureSchemes: readonly number[]): Uint8Array {
  return vector(2, encodeNumbers(signatureSchemes))
}

export function signatureAlgorithms(extensions: Extensions): number[] {
  const data = required(extensions, ExtensionType.signature_algorithms, 'signature_algorithms')
  return decodeNumbers(onlyVector(data, 2, 2))
}

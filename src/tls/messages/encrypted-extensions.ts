/**
 * EncryptedExtensions, RFC 8446 §4.3.1: the server's answers that are not needed for the keys.
 *
 *     struct {
 *         Extension extensions<0..2^16-1>;
 *     } EncryptedExtensions;
 */
import { Reader } from '../../bytes/reader.ts'
import { type Extensions, encodeExtensions, takeExtensions } from '../extensions/extensions.ts'
import { expectEnd } from '../vectors.ts'
import { HandshakeType, handshakeMessage } from './handshake-message.ts'

export function encodeEncryptedExtensions(extensions: Extensions): Uint8Array {
  return handshakeMessage(HandshakeType.encrypted_extensions, encodeExtensions(extensions))
}

export function decodeEncryptedExtensions(body: Uint8Array): Extensions {
  const reader = new Reader(body)
  const extensions = takeExtensions(reader)
  expectEnd(reader)
  return extensions
}

/**
 * Finished, RFC 8446 §4.4.4: a MAC of the whole handshake.
 *
 *     struct {
 *         opaque verify_data[Hash.length];
 *     } Finished;
 */
import { timingSafeEqual } from 'node:crypto'
import { DecodeError } from '../../bytes/errors.ts'
import { TlsAlert } from '../alert.ts'
import { HandshakeType, handshakeMessage } from './handshake-message.ts'

export function encodeFinished(verifyData: Uint8Array): Uint8Array {
  return handshakeMessage(HandshakeType.finished, verifyData)
}

export function checkFinished(body: Uint8Array, verifyData: Uint8Array): void {
  if (body.length !== verifyData.length) throw new DecodeError(`Finished of ${body.length} bytes`)
  if (!timingSafeEqual(body, verifyData)) throw new TlsAlert('decrypt_error', 'Finished does not fit the handshake')
}

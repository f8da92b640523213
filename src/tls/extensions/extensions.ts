/**
 * The list of extensions that most messages end with, RFC 8446 §4.2:
 *
 *     struct {
 *         ExtensionType extension_type;
 *         opaque extension_data<0..2^16-1>;
 *     } Extension;
 */
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { TlsAlert } from '../alert.ts'
import { takeVector, vector } from '../vectors.ts'

export const ExtensionType = {
  server_name: 0,
  supported_groups: 10,
  signature_algorithms: 13,
  application_layer_protocol_negotiation: 16,
  pre_shared_key: 41,
  early_data: 42,
  supported_versions: 43,
  cookie: 44,
  psk_key_exchange_modes: 45,
  padding: 21,
  key_share: 51,
  /** RFC 9001 §8.2. */
  quic_transport_parameters: 57,
} as const

/** By type, in the order of the message. */
export type Extensions = ReadonlyMap<number, Uint8Array>

/** Reads the list with its length; nothing of what is in the extensions. */
export function takeExtensions(reader: Reader): Extensions {
  const list = new Reader(takeVector(reader, 2))
  const extensions = new Map<number, Uint8Array>()
  while (list.remaining > 0) {
    const type = list.u16()
    const data = takeVector(list, 2)
    // §4.2: not more than one of a type.
    if (extensions.has(type)) throw new TlsAlert('illegal_parameter', `extension ${type} comes twice`)
    extensions.set(type, data)
  }
  return extensions
}

export function encodeExtensions(extensions: Extensions): Uint8Array {
  const writer = new Writer(256)
  for (const [type, data] of extensions) writer.u16(type).bytes(vector(2, data))
  return vector(2, writer.finish())
}

/**
 * An answer has only extensions that were asked for (unsupported_extension), and of those only the ones that may be in such
 * a message (illegal_parameter), RFC 8446 §4.2.
 */
export function checkAnswered(answer: Extensions, allowed: readonly number[], offered: Extensions): void {
  for (const type of answer.keys()) {
    if (!offered.has(type)) throw new TlsAlert('unsupported_extension', `extension ${type} was not asked for`)
    if (!allowed.includes(type)) throw new TlsAlert('illegal_parameter', `extension ${type} is in the wrong message`)
  }
}

/** An extension that has to be there (RFC 8446 §9.2). */
export function required(extensions: Extensions, type: number, name: string): Uint8Array {
  const data = extensions.get(type)
  if (data === undefined) throw new TlsAlert('missing_extension', `${name} is missing`)
  return data
}

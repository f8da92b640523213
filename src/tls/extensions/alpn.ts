/**
 * Application-layer protocol negotiation, RFC 7301 §3.1:
 *
 *     opaque ProtocolName<1..2^8-1>;
 *     struct {
 *         ProtocolName protocol_name_list<2..2^16-1>
 *     } ProtocolNameList;
 */
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { onlyVector, takeVector, vector } from '../vectors.ts'

export function encodeAlpn(protocols: readonly string[]): Uint8Array {
  const writer = new Writer()
  for (const protocol of protocols) writer.bytes(vector(1, new TextEncoder().encode(protocol)))
  return vector(2, writer.finish())
}

export function decodeAlpn(bytes: Uint8Array): string[] {
  const list = new Reader(onlyVector(bytes, 2, 2))
  const protocols: string[] = []
  while (list.remaining > 0) protocols.push(new TextDecoder().decode(takeVector(list, 1, 1)))
  return protocols
}

/**
 * Public keys of the key exchange, RFC 8446 §4.2.8:
 *
 *     struct {
 *         NamedGroup group;
 *         opaque key_exchange<1..2^16-1>;
 *     } KeyShareEntry;
 *
 *     ClientHello:        KeyShareEntry client_shares<0..2^16-1>;
 *     ServerHello:        KeyShareEntry server_share;
 *     HelloRetryRequest:  NamedGroup selected_group;
 */
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { TlsAlert } from '../alert.ts'
import { expectEnd, onlyVector, takeVector, vector } from '../vectors.ts'

export interface KeyShare {
  group: number
  publicKey: Uint8Array
}

export function encodeKeyShare(share: KeyShare): Uint8Array {
  return new Writer().u16(share.group).bytes(vector(2, share.publicKey)).finish()
}

export function decodeKeyShare(bytes: Uint8Array): KeyShare {
  const reader = new Reader(bytes)
  const share = takeKeyShare(reader)
  expectEnd(reader)
  return share
}

export function encodeKeyShares(shares: readonly KeyShare[]): Uint8Array {
  const writer = new Writer()
  for (const share of shares) writer.bytes(encodeKeyShare(share))
  return vector(2, writer.finish())
}

export function decodeKeyShares(bytes: Uint8Array): KeyShare[] {
  const list = new Reader(onlyVector(bytes, 2))
  const shares: KeyShare[] = []
  const groups = new Set<number>()
  while (list.remaining > 0) {
    const share = takeKeyShare(list)
    if (groups.has(share.group)) throw new TlsAlert('illegal_parameter', `two key shares of group ${share.group}`)
    groups.add(share.group)
    shares.push(share)
  }
  return shares
}

export function encodeSelectedGroup(group: number): Uint8Array {
  return new Writer().u16(group).finish()
}

export function decodeSelectedGroup(bytes: Uint8Array): number {
  const reader = new Reader(bytes)
  const group = reader.u16()
  expectEnd(reader)
  return group
}

function takeKeyShare(reader: Reader): KeyShare {
  return { group: reader.u16(), publicKey: takeVector(reader, 2, 1) }
}

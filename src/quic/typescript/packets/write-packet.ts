import type { WireWriter } from '../wire-writer.ts'

/** Writes a header up to its Length field, which `finishLongHeader` fills in, and its packet number. Returns where Length is. */
export function appendLongHeader(
  _to: WireWriter,
  _type: 'initial' | 'handshake',
  _dcid: Uint8Array,
  _scid: Uint8Array,
  _token: Uint8Array,
  _packetNumber: number,
  _packetNumberLength: number,
): number {
  throw new Error('to be written')
}

/** `length`: of packet number, payload and tag. */
export function finishLongHeader(_packet: Uint8Array, _lengthOffset: number, _length: number): void {
  throw new Error('to be written')
}

/** How many bytes `appendLongHeader` writes, with the packet number. */
export function longHeaderLength(
  _type: 'initial' | 'handshake',
  _dcidLength: number,
  _scidLength: number,
  _tokenLength: number,
  _packetNumberLength: number,
): number {
  throw new Error('to be written')
}

/** A 1-RTT header, with its packet number. */
export function appendShortHeader(
  _to: WireWriter,
  _dcid: Uint8Array,
  _keyPhase: 0 | 1,
  _spin: 0 | 1,
  _packetNumber: number,
  _packetNumberLength: number,
): void {
  throw new Error('to be written')
}

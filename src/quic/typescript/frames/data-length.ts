import { varintNumberLength } from '../varint-number.ts'
import type { WireWriter } from '../wire-writer.ts'

/** How many bytes of data fit into `room` behind the varint that says how many they are; below 1 when none do. */
export function dataThatFits(room: number): number {
  if (room <= 1 + 0x3f) return room - 1
  if (room <= 2 + 0x3fff) return room - 2
  // With a longer Length, no fewer than the shorter one allows.
  return Math.max(0x3fff, room - 4)
}

/**
 * The Length of DATAGRAM and STREAM frames has two bytes at least: what stands around data does not depend on how long it is. quiche
 * does the same, so that lab 2 counts the same bytes on either engine.
 */
export function appendDataLength(to: WireWriter, length: number): void {
  if (length <= 0x3fff) to.varint2(length)
  else to.varint(length)
}

/** How many bytes that takes. */
export function dataLengthLength(length: number): number {
  return Math.max(2, varintNumberLength(length))
}

/** As `dataThatFits`, behind such a Length. */
export function dataThatFitsBehindTwo(room: number): number {
  return room <= 2 + 0x3fff ? room - 2 : Math.max(0x3fff, room - 4)
}

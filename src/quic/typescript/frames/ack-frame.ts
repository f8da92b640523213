/**
 * ACK, RFC 9000 §19.3: which packets of this packet number space have arrived.
 *
 *   ACK Frame {                             ACK Range {
 *     Type (i) = 0x02..0x03,                  Gap (i),
 *     Largest Acknowledged (i),               ACK Range Length (i),
 *     ACK Delay (i),                        }
 *     ACK Range Count (i),
 *     First ACK Range (i),                  ECN Counts {
 *     ACK Range (..) ...,                     ECT0 Count (i),
 *     [ECN Counts (..)],     0x03 only        ECT1 Count (i),
 *   }                                         ECN-CE Count (i),
 *                                           }
 *
 * From the largest number down, the lengths of runs and of the gaps between them, each one less than it is since none is empty:
 *
 *      missing │ received    │ missing     │ received
 *              │ smallest    │ Gap + 1     │ smallest … Largest Acknowledged
 *              │ Length + 1  │             │ First ACK Range + 1
 */

import { varintNumberLength } from '../varint-number.ts'
import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { ACK, ACK_ECN } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export interface AckFrame {
  readonly largest: number
  /** As it is on the wire: in units of 2^ack_delay_exponent µs. */
  readonly delay: number
  /** From the largest down, with a gap between any two; the first one ends with `largest`. */
  readonly ranges: readonly AckRange[]
  readonly ecn: EcnCounts | undefined
}

/** All packet numbers from `smallest` to `largest`. */
export interface AckRange {
  readonly smallest: number
  readonly largest: number
}

export interface EcnCounts {
  readonly ect0: number
  readonly ect1: number
  readonly ce: number
}

export function readAck(type: number, from: WireReader, visitor: FrameVisitor): void {
  const largest = from.varint()
  const delay = from.varint()
  let rangesLeft = from.varint()
  let smallest = largest - from.varint()
  if (smallest < 0) throw from.error('the first range of an ACK goes below packet number 0')
  const ranges: AckRange[] = [{ smallest, largest }]
  // What the count claims is nothing to allocate for: each range has to be there.
  for (; rangesLeft > 0; rangesLeft--) {
    const rangeLargest = smallest - from.varint() - 2
    smallest = rangeLargest - from.varint()
    if (smallest < 0) throw from.error('a range of an ACK goes below packet number 0')
    ranges.push({ smallest, largest: rangeLargest })
  }
  const ecn = type === ACK_ECN ? { ect0: from.varint(), ect1: from.varint(), ce: from.varint() } : undefined
  visitor.onAck({ largest, delay, ranges, ecn })
}

/** `ranges` as in AckFrame, not empty. Those at the end, which are the oldest, are left out when there is no room for them. */
export function appendAck(to: WireWriter, ranges: readonly AckRange[], delay: number, ecn?: EcnCounts): void {
  const first = ranges[0]
  const count = countRangesThatFit(to.remaining - fixedLength(first, ranges.length, delay, ecn), ranges)
  to.u8(ecn === undefined ? ACK : ACK_ECN)
  to.varint(first.largest)
  to.varint(delay)
  to.varint(count)
  to.varint(first.largest - first.smallest)
  for (let i = 1; i <= count; i++) {
    to.varint(ranges[i - 1].smallest - ranges[i].largest - 2)
    to.varint(ranges[i].largest - ranges[i].smallest)
  }
  if (ecn === undefined) return
  to.varint(ecn.ect0)
  to.varint(ecn.ect1)
  to.varint(ecn.ce)
}

/** The shortest ACK that can be sent: with the first range only. */
export function shortestAckLength(ranges: readonly AckRange[], delay: number, ecn?: EcnCounts): number {
  return fixedLength(ranges[0], 1, delay, ecn)
}

function fixedLength(first: AckRange, count: number, delay: number, ecn: EcnCounts | undefined): number {
  const length =
    1 +
    varintNumberLength(first.largest) +
    varintNumberLength(delay) +
    varintNumberLength(count - 1) +
    varintNumberLength(first.largest - first.smallest)
  if (ecn === undefined) return length
  return length + varintNumberLength(ecn.ect0) + varintNumberLength(ecn.ect1) + varintNumberLength(ecn.ce)
}

function countRangesThatFit(room: number, ranges: readonly AckRange[]): number {
  let left = room
  for (let i = 1; i < ranges.length; i++) {
    left -= varintNumberLength(ranges[i - 1].smallest - ranges[i].largest - 2)
    left -= varintNumberLength(ranges[i].largest - ranges[i].smallest)
    if (left < 0) return i - 1
  }
  return ranges.length - 1
}

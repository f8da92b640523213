import type { AckRange } from '../frames/ack-frame.ts'

/** Whether the packet is among those that an ACK frame names. `ranges`: the highest first (RFC 9000 §19.3.1). */
export function isInRanges(number: number, ranges: readonly AckRange[]): boolean {
  for (const { smallest, largest } of ranges) {
    if (number > largest) return false
    if (number >= smallest) return true
  }
  return false
}

/** How many bytes of it have to be sent (RFC 9000 §17.1, §A.2). `largestAcked`: -1 when there is none. */
export function packetNumberLength(_packetNumber: number, _largestAcked: number): 1 | 2 | 3 | 4 {
  throw new Error('to be written')
}

/** The packet number whose last `length` bytes are `truncated`, next to `largest` + 1 (§A.3). */
export function decodePacketNumber(_largest: number, _truncated: number, _length: number): number {
  throw new Error('to be written')
}

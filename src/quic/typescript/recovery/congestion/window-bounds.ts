/** RFC 9002 §7.2: ten datagrams, or 14720 bytes where that is less, but two at least. */
export function initialWindow(datagramSize: number): number {
  return Math.min(10 * datagramSize, Math.max(2 * datagramSize, 14_720))
}

/** kMinimumWindow, RFC 9002 §7.2: two packets, so that a peer that acknowledges every second one acknowledges them. */
export function minimumWindow(datagramSize: number): number {
  return 2 * datagramSize
}

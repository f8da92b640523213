/** A connection id of its own for each number. */
export function idOf(number: number): Uint8Array {
  return Uint8Array.of(0xcc, number >> 8, number)
}

export function tokenOf(number: number): Uint8Array {
  return new Uint8Array(16).fill(number)
}

/** How many bytes of data fit into `room` behind the varint that says how many they are; below 1 when none do. */
export function dataThatFits(room: number): number {
  if (room <= 1 + 0x3f) return room - 1
  if (room <= 2 + 0x3fff) return room - 2
  // With a longer Length, no fewer than the shorter one allows.
  return Math.max(0x3fff, room - 4)
}

/** How many bytes of data fit into `room` behind the varint that says how many they are; below 1 when none do. */
export function dataThatFits(room: number): number {
  if (room <= 1 + 0x3f) return room - 1
  // With a longer Length, no fewer than the shorter one allows.
  if (room <= 2 + 0x3fff) return Math.max(0x3f, room - 2)
  return Math.max(0x3fff, room - 4)
}

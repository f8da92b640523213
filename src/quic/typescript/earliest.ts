/** The earlier of two times; undefined stands for never. */
export function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b
  return b === undefined || a <= b ? a : b
}

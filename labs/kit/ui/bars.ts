/** The highest value of each part. */
export function resample(values: readonly number[], columns: number): number[] {
  return Array.from({ length: columns }, (_, i) => {
    const from = Math.floor((i * values.length) / columns)
    const to = Math.max(from + 1, Math.floor(((i + 1) * values.length) / columns))
    return Math.max(...values.slice(from, to))
  })
}

/**
 * Columns of blocks, `rows` high, from the top row to the bottom one. Zero has the lowest mark, so that it is no gap; undefined, of which nothing is
 * known, has none. `top`: the value that reaches the top.
 */
export function bars(
  values: readonly (number | undefined)[],
  top: number,
  rows: number,
  levels: readonly string[],
): string[] {
  return Array.from({ length: rows }, (_, row) => {
    const below = rows - 1 - row
    return values
      .map(value => {
        if (value === undefined) return ' '
        const height = (value / top) * rows - below
        if (height <= 0) return below === 0 ? levels[0] : ' '
        return levels[Math.min(levels.length - 1, Math.floor(height * levels.length))]
      })
      .join('')
  })
}

/** Reads Prometheus' text format: `name{label="value"}` → number. Throws on a line that is neither sample, comment nor empty. */
export function parseMetrics(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || /^# (HELP|TYPE) [a-z0-9_]+ \S/.test(line)) continue
    const match = /^([a-z0-9_]+(?:\{(?:[a-z]+="[^"\\]*",?)*\})?) (\S+)$/.exec(line)
    if (match === null || samples.has(match[1])) throw new Error(`not a sample, or one given twice: ${line}`)
    const value = match[2] === '+Inf' ? Number.POSITIVE_INFINITY : Number(match[2])
    if (Number.isNaN(value)) throw new Error(`not a number: ${line}`)
    samples.set(match[1], value)
  }
  return samples
}

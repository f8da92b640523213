/** results.csv: one line a run, for spreadsheets, R and pandas (RFC 4180). */

import type { RunLine } from './results-file.ts'

/** Parameters, seed, how it went, and every measure in a column of its own; an empty field where there is no value. */
export function csvOf(runs: readonly RunLine[]): string {
  const parameters = unionOf(runs.map(run => Object.keys(run.parameters)))
  const measures = unionOf(runs.map(run => Object.keys(run.measurements)))
  const header = [...parameters, 'seed', 'attempt', 'status', 'started_at', 'took_ms', 'load', ...measures, 'error']
  const rows = runs.map(run => [
    ...parameters.map(name => run.parameters[name]),
    run.seed,
    run.attempt,
    run.status,
    run.startedAt,
    run.tookMs,
    run.machine.load,
    ...measures.map(name => run.measurements[name]),
    run.error,
  ])
  return [header, ...rows].map(row => `${row.map(field).join(',')}\r\n`).join('')
}

function field(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return ''
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Every name once, in the order in which it first occurs. */
function unionOf(lists: readonly string[][]): string[] {
  return [...new Set(lists.flat())]
}

/** The table profile × property. */
import type { Row } from './verdict.ts'

const MARKS = { agree: 'ok', differ: 'DIFFER', 'not measured': 'skipped' } as const

export function printRows(rows: readonly Row[]): void {
  const table = rows.map(row => [
    row.profile,
    row.state,
    row.state === 'computed' ? '' : row.direction,
    row.property,
    row.kernel,
    row.emulator,
    row.difference,
    row.bound,
    MARKS[row.verdict],
  ])
  const header = ['profile', 'state', '', 'property', 'kernel', 'emulator', 'difference', 'bound', 'verdict']
  const widths = header.map((title, column) => Math.max(title.length, ...table.map(cells => cells[column].length)))
  for (const cells of ['', header, ...table]) {
    console.log(
      typeof cells === 'string'
        ? cells
        : cells
            .map((cell, i) => cell.padEnd(widths[i]))
            .join('  ')
            .trimEnd(),
    )
  }
  console.log()
}

/** Everything that is written from the results, and can be written again from them at any time. */

import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Figure, isEmpty } from './charts/figure.ts'
import { svgFigure } from './charts/svg.ts'
import { csvOf } from './csv.ts'
import type { ExperimentDefinition } from './definition.ts'
import { figuresOf } from './figures.ts'
import { reportOf } from './report.ts'
import type { RunLine } from './results-file.ts'
import { countingLines, plannedRuns } from './runner.ts'
import { summariseCells } from './summary.ts'

export interface OutputOptions {
  directory: string
  definition: ExperimentDefinition
  /** Every line of the results file. */
  lines: readonly RunLine[]
  command: string
}

/** Writes results.csv, figures/*.svg and report.md. Returns the figures, for the terminal. */
export function writeOutputs({ directory, definition, lines, command }: OutputOptions): Figure[] {
  const planned = plannedRuns(definition)
  const counting = [...countingLines(planned, lines).values()]
  const summaries = summariseCells(definition.cells, counting)
  const figures = figuresOf(definition, summaries).filter(figure => !isEmpty(figure))
  const folder = join(directory, 'figures')
  mkdirSync(folder, { recursive: true })
  for (const old of readdirSync(folder)) if (old.endsWith('.svg')) rmSync(join(folder, old))
  const files = figures.map((figure, i) => {
    const file = `figures/${String(i + 1).padStart(2, '0')}-${figure.id}.svg`
    replace(join(directory, file), svgFigure(figure))
    return { figure, file }
  })
  replace(join(directory, 'results.csv'), csvOf(lines))
  const report = { definition, summaries, runs: counting, planned: planned.length, figures: files, command }
  replace(join(directory, 'report.md'), reportOf(report))
  return figures
}

/** A reader sees the old file or the new one, never half of it. */
function replace(path: string, content: string): void {
  writeFileSync(`${path}.new`, content)
  renameSync(`${path}.new`, path)
}

/** How a running experiment looks: a few lines that change in place, or one line a run where there is no terminal. */

import { columns as columnsOf, cutAt } from '../text/columns.ts'
import { formatNumber } from './charts/axis.ts'
import { describeMeasure, type ExperimentDefinition } from './definition.ts'
import { variedParameters } from './figures.ts'
import type { Cell } from './matrix.ts'
import { describeValue, parameterSpec } from './parameters.ts'
import { probe } from './probes.ts'
import type { RunLine } from './results-file.ts'
import type { Progress } from './runner.ts'

/** The whole view as lines of at most `width` columns. */
export function progressLines(definition: ExperimentDefinition, progress: Progress, width: number): string[] {
  const finished = progress.done + progress.failed
  const columns = Math.max(10, Math.min(50, width - 40))
  const full = progress.total === 0 ? columns : Math.floor((finished / progress.total) * columns)
  const barText = '█'.repeat(full) + '░'.repeat(columns - full)
  const left = progress.leftMs === undefined ? '' : `, about ${durationText(progress.leftMs)} left`
  const failed = progress.failed === 0 ? '' : `, ${progress.failed} failed`
  const lines = [
    definition.title,
    '',
    `  ${barText} ${finished} of ${progress.total} runs${failed}`,
    `  ${durationText(progress.elapsedMs)} so far${left}`,
    '',
    ...progress.running.map(({ run, step, sinceMs }) => {
      return `  now   ${cellName(definition, run.cell)}, seed ${run.seed}: ${step} (${durationText(sinceMs)})`
    }),
    ...(progress.last === undefined ? [] : [`  last  ${runText(definition, progress.last)}`]),
    '',
    '  Ctrl-C stops; what is measured is kept, and the same command goes on from there.',
  ]
  return lines.map(line => (columnsOf(line) > width ? `${cutAt(line, width - 1)[0]}…` : line))
}

/** One line for a run that is done. */
export function runText(definition: ExperimentDefinition, line: RunLine): string {
  const name = `${cellName(definition, line)}, seed ${line.seed}`
  if (line.status === 'failed') return `${name}: failed: ${line.error?.split('\n', 1)[0]}`
  const values = definition.probes.flatMap(({ name: probeName }) =>
    probe(probeName)
      .measures.filter(measure => measure.headline === true)
      .flatMap(measure => {
        const column = `${probeName}.${measure.name}`
        const value = line.measurements[column]
        const { title, unit } = describeMeasure(column)
        return typeof value === 'number' ? [`${title} ${formatNumber(value)}${unit === '' ? '' : ` ${unit}`}`] : []
      }),
  )
  return `${name}: ${values.slice(0, 4).join(', ')}`
}

/** The parameters that are varied; the others are the same everywhere. */
export function cellName(definition: ExperimentDefinition, { parameters }: Pick<Cell, 'parameters'>): string {
  const varied = variedParameters(definition)
  return varied.length === 0
    ? 'the only cell'
    : varied
        .map(name => {
          const value = describeValue(name, parameters[name])
          // A bare number would not say of what.
          return /^[\d.]+$/.test(value) ? `${parameterSpec(name).title} ${value}` : value
        })
        .join(', ')
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}

/** Redraws lines in place; anything else that is printed meanwhile must go through `print`. */
export class LiveView {
  readonly #write: (text: string) => void
  #shown = 0

  constructor(write: (text: string) => void) {
    this.#write = write
    this.#write('\x1b[?25l')
  }

  draw(lines: readonly string[]): void {
    const up = this.#shown > 0 ? `\x1b[${this.#shown}A\r` : ''
    this.#write(`${up}${lines.map(line => `${line}\x1b[K\n`).join('')}\x1b[J`)
    this.#shown = lines.length
  }

  /** Leaves the last picture standing, and the cursor as it was. */
  end(): void {
    this.#write('\x1b[?25h')
  }
}

/** One call of `npm run experiment`: folder, lock, results file, runs, outputs. */

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { isRunning } from '../process/is-running.ts'
import type { Figure } from './charts/figure.ts'
import { definitionHash, type ExperimentDefinition, measuringPart } from './definition.ts'
import { writeOutputs } from './outputs.ts'
import { differences, type ExperimentLine, ResultsError, ResultsFile } from './results-file.ts'
import { type Outcome, type Progress, plannedRuns, type RunFunction, runExperiment } from './runner.ts'

export interface SessionOptions {
  definition: ExperimentDefinition
  run: RunFunction
  /** Where results go if `out` is not given: results/NAME-HASH. */
  resultsRoot: string
  out?: string
  /** Put results that are there aside, and begin again. */
  fresh?: boolean
  retryFailed?: boolean
  jobs?: number
  signal: AbortSignal
  /** How the experiment was called, for the report. */
  command: string
  onNotice?: (sentence: string) => void
  onProgress?: (progress: Progress) => void
}

export interface SessionResult {
  directory: string
  outcome: Outcome
  figures: Figure[]
}

/** The folder of this definition. Another measurement (duration, probes …) has another hash, and so another folder. */
export function resultsDirectory(definition: ExperimentDefinition, resultsRoot: string): string {
  return join(resultsRoot, `${definition.name}-${definitionHash(definition)}`)
}

/**
 * Runs what is not done yet, and writes the outputs from all that is. Also when it is interrupted, and when it fails: what
 * was measured is on the disk by then. Throws ResultsError when the folder holds something else, or is in use.
 */
export async function runSession(options: SessionOptions): Promise<SessionResult> {
  const { definition, onNotice = () => {} } = options
  const directory = options.out ?? resultsDirectory(definition, options.resultsRoot)
  if (options.out === undefined) noticeFormerDefinitions(options, directory)
  mkdirSync(directory, { recursive: true })
  const unlock = lock(directory)
  try {
    const path = join(directory, 'results.jsonl')
    if (options.fresh === true && existsSync(path)) {
      const aside = `results-before-${new Date()
        .toISOString()
        .replace(/[^0-9]/g, '')
        .slice(0, 14)}.jsonl`
      renameSync(path, join(directory, aside))
      onNotice(`the results so far are now in ${join(directory, aside)}`)
    }
    const results = ResultsFile.open(path, headerOf(definition))
    try {
      for (const notice of results.notices) onNotice(notice)
      noticeOtherRuns(definition, results, onNotice)
      const outcome = await runExperiment({ ...options, results })
      const figures = writeOutputs({ directory, definition, lines: results.runs, command: options.command })
      return { directory, outcome, figures }
    } finally {
      results.close()
    }
  } finally {
    unlock()
  }
}

function headerOf(definition: ExperimentDefinition): ExperimentLine {
  return {
    type: 'experiment',
    name: definition.name,
    title: definition.title,
    hash: definitionHash(definition),
    measuring: measuringPart(definition),
  }
}

/** The experiment has been run before, but otherwise: its results stay where they are, and that is said. */
function noticeFormerDefinitions({ definition, resultsRoot, onNotice }: SessionOptions, directory: string): void {
  if (existsSync(directory) || !existsSync(resultsRoot)) return
  const folder = new RegExp(`^${definition.name.replace(/[^\w-]/g, '\\$&')}-[0-9a-f]{8}$`)
  for (const name of readdirSync(resultsRoot).filter(name => folder.test(name))) {
    const before = readHeader(join(resultsRoot, name, 'results.jsonl'))
    if (before === undefined) continue
    const what = differences(before.measuring, JSON.parse(JSON.stringify(measuringPart(definition))))
    onNotice?.(
      `the experiment has changed since ${join(resultsRoot, name)}: ${what}. Those results cannot be compared; they stay there, and new ones begin.`,
    )
  }
}

function readHeader(path: string): ExperimentLine | undefined {
  try {
    const line = JSON.parse(readFileSync(path, 'utf8').split('\n', 1)[0])
    return line?.type === 'experiment' ? line : undefined
  } catch {
    return undefined
  }
}

function noticeOtherRuns(
  definition: ExperimentDefinition,
  results: ResultsFile,
  onNotice: (sentence: string) => void,
): void {
  const wanted = new Set(plannedRuns(definition).map(run => run.key))
  const others = new Set(results.runs.filter(run => !wanted.has(run.key)).map(run => run.key)).size
  if (others > 0) {
    onNotice(
      `${others} recorded runs are not in the matrix as it is now; they stay in results.jsonl and are not reported`,
    )
  }
}

/** Two at once would write into each other's results. Returns what takes the lock away. */
function lock(directory: string): () => void {
  const path = join(directory, 'lock')
  for (;;) {
    try {
      const descriptor = openSync(path, 'wx')
      writeSync(descriptor, String(process.pid))
      closeSync(descriptor)
      return () => rmSync(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const owner = Number(readFileSync(path, 'utf8'))
      if (owner > 0 && isRunning(owner)) {
        throw new ResultsError(
          `${directory} is in use by process ${owner}; wait for it, or give another folder with --out`,
        )
      }
      // Its owner was killed.
      rmSync(path, { force: true })
    }
  }
}

/** One call of `npm run experiment`: folder, lock, results file, runs, outputs. */

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '../config/write-file.ts'
import type { Figure } from './charts/figure.ts'
import { definitionHash, type ExperimentDefinition, measuringPart } from './definition.ts'
import type { Shard } from './matrix.ts'
import { writeOutputs } from './outputs.ts'
import { differences, type ExperimentLine, ResultsError, ResultsFile } from './results-file.ts'
import { claimFolder, lockFolder, RESULTS, readHeader } from './results-folder.ts'
import { type Outcome, type Progress, plannedRuns, type RunFunction, runExperiment } from './runner.ts'

export interface InvocationOptions {
  definition: ExperimentDefinition
  run: RunFunction
  /** Where results go if `out` is not given: results/NAME-HASH. */
  resultsRoot: string
  out?: string
  /** Put results that are there aside, and begin again. */
  fresh?: boolean
  retryFailed?: boolean
  jobs?: number
  /** One part of the runs. They get no report: that is written by the merge of all parts. */
  shard?: Shard
  signal: AbortSignal
  /** How the experiment was called, for the report. */
  command: string
  onNotice?: (sentence: string) => void
  onProgress?: (progress: Progress) => void
}

export interface InvocationResult {
  directory: string
  outcome: Outcome
  figures: Figure[]
}

/** The folder of this definition. Another measurement (duration, probes …) has another hash, and so another folder. */
export function resultsDirectory(definition: ExperimentDefinition, resultsRoot: string, shard?: Shard): string {
  const folder = join(resultsRoot, `${definition.name}-${definitionHash(definition)}`)
  return shard === undefined ? folder : join(folder, SHARDS, `${shard.index}-of-${shard.of}`)
}

/** Below an experiment's results: a folder for each part that another machine has run. */
export const SHARDS = 'shards'

/**
 * Runs what is not done yet, and writes the outputs from all that is. Also when it is interrupted, and when it fails: what
 * was measured is on the disk by then. Throws ResultsError when the folder holds something else, or is in use.
 */
export async function runInvocation(options: InvocationOptions): Promise<InvocationResult> {
  const { definition, shard } = options
  const directory = options.out ?? resultsDirectory(definition, options.resultsRoot, shard)
  if (options.out === undefined) noticeFormerDefinitions(options, directory)
  try {
    return await runInFolder(options, directory)
  } catch (error) {
    throw isSystemError(error) ? folderProblem(directory, error) : error
  }
}

async function runInFolder(options: InvocationOptions, directory: string): Promise<InvocationResult> {
  const { definition, onNotice = () => {} } = options
  makeFolder(directory)
  const unlock = lockFolder(directory)
  try {
    claimFolder(directory, options.fresh === true, onNotice)
    const path = join(directory, RESULTS)
    const results = ResultsFile.open(path, headerOf(definition, options.shard))
    try {
      for (const notice of results.notices) onNotice(notice)
      noticeOtherRuns(definition, results, onNotice)
      const outcome = await runExperiment({ ...options, results })
      const { command, shard } = options
      const figures = shard ? [] : writeOutputs({ directory, definition, lines: results.runs, command })
      return { directory, outcome, figures }
    } finally {
      results.close()
    }
  } finally {
    unlock()
  }
}

export function headerOf(definition: ExperimentDefinition, shard?: Shard): ExperimentLine {
  return {
    type: 'experiment',
    name: definition.name,
    title: definition.title,
    hash: definitionHash(definition),
    measuring: measuringPart(definition),
    ...(shard === undefined ? {} : { shard }),
  }
}

/** The experiment has been run before, but otherwise: its results stay where they are, and that is said. */
function noticeFormerDefinitions({ definition, resultsRoot, onNotice }: InvocationOptions, directory: string): void {
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

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  const { code, syscall } = error as NodeJS.ErrnoException
  return typeof code === 'string' && typeof syscall === 'string'
}

/** What the system said about a file of ours: no bug, and nothing that a stack would explain. */
function folderProblem(directory: string, error: NodeJS.ErrnoException): ResultsError {
  const why: Record<string, string> = {
    ENOSPC: 'the disk is full; make room, and the same command goes on with what is not measured yet',
    EDQUOT: 'your quota on this disk is used up; make room, and the same command goes on with what is not measured yet',
    EACCES: 'no permission to write there; give a folder of your own with --out',
    EPERM: 'no permission to write there; give a folder of your own with --out',
    EROFS: 'nothing can be written there; give another folder with --out',
    EEXIST: 'a file stands where a folder is expected; move it away, or give another folder with --out',
    ENOTDIR: 'a file stands where a folder is expected; move it away, or give another folder with --out',
    EISDIR: 'a folder stands where a file is expected; move it away, or give another folder with --out',
  }
  const reason = why[error.code ?? ''] ?? `${error.message}; give another folder with --out`
  return new ResultsError(`${error.path ?? directory}: results cannot be written: ${reason}`, { cause: error })
}

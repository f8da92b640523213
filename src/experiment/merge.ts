/** The parts of an experiment that several machines have run (`--shard`), put together into results as one machine writes them. */

import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '../config/write-file.ts'
import type { Figure } from './charts/figure.ts'
import { definitionHash, type ExperimentDefinition, measuringPart } from './definition.ts'
import { headerOf, resultsDirectory, SHARDS } from './invocation.ts'
import { type Shard, shardText } from './matrix.ts'
import { writeOutputs } from './outputs.ts'
import { differences, ResultsError, ResultsFile, type RunLine } from './results-file.ts'
import { claimFolder, lockFolder, RESULTS } from './results-folder.ts'
import { countingLines, plannedRuns } from './runner.ts'

export interface MergeOptions {
  definition: ExperimentDefinition
  /** Folders of parts, or folders of such folders; none: those below the experiment's own results. */
  folders: readonly string[]
  resultsRoot: string
  out?: string
  command: string
  onNotice?: (sentence: string) => void
}

export interface Merged {
  directory: string
  figures: Figure[]
  planned: number
  done: number
  /** Failed twice. */
  failed: number
  /** Parts with runs that are missing or have failed, in order; `folder` where there is one. */
  lacking: { shard: Shard; folder: string | undefined; missing: number; failed: number }[]
}

/**
 * Adds the runs of all parts to the results, and writes figures and report from them, also where runs are missing. Throws ResultsError, with
 * nothing changed, when a part is of another experiment or by another version: its numbers could not be compared with the others.
 */
export function mergeShards(options: MergeOptions): Merged {
  const { definition, command, onNotice = () => {} } = options
  const directory = options.out ?? resultsDirectory(definition, options.resultsRoot)
  const parts = foldersOf(options.folders.length > 0 ? options.folders : [join(directory, SHARDS)])
  const shards = checked(definition, parts)
  makeFolder(directory)
  const unlock = lockFolder(directory)
  try {
    claimFolder(directory, false, onNotice)
    const results = ResultsFile.open(join(directory, RESULTS), headerOf(definition))
    try {
      for (const notice of results.notices) onNotice(notice)
      const known = new Set(results.runs.map(lineId))
      const lines = parts.flatMap(part => part.runs).filter(line => !known.has(lineId(line)))
      for (const line of lines) results.append(line)
      const planned = plannedRuns(definition)
      const counting = countingLines(planned, results.runs)
      const of = shards[0]?.of ?? 1
      const lacking = Array.from({ length: of }, (_, i) => {
        const shard = { index: i + 1, of }
        const found = plannedRuns(definition, shard).map(run => counting.get(run.key)?.status)
        const missing = found.filter(status => status === undefined).length
        const folder = parts.find(part => part.shard?.index === shard.index)?.path
        return { shard, folder, missing, failed: found.filter(status => status === 'failed').length }
      }).filter(({ missing, failed }) => missing + failed > 0)
      const failed = lacking.reduce((sum, part) => sum + part.failed, 0)
      return {
        directory,
        figures: writeOutputs({ directory, definition, lines: results.runs, command }),
        planned: planned.length,
        done: counting.size - failed,
        failed,
        lacking,
      }
    } finally {
      results.close()
    }
  } finally {
    unlock()
  }
}

interface PartFolder {
  path: string
  shard: Shard | undefined
  hash: string
  measuring: unknown
  runs: readonly RunLine[]
}

/** A folder with results is a part; of another, those in it are. */
function foldersOf(folders: readonly string[]): PartFolder[] {
  const withResults = folders.flatMap(folder => {
    if (existsSync(join(folder, RESULTS))) return [folder]
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      throw new ResultsError(`${folder}: there is no such folder; expected one that --shard has written to`)
    }
    const inside = readdirSync(folder).map(name => join(folder, name))
    return inside.filter(path => existsSync(join(path, RESULTS)))
  })
  if (withResults.length === 0) {
    throw new ResultsError(
      `${folders.join(', ')}: no folder holds ${RESULTS}; expected those that --shard has written to`,
    )
  }
  const parts = withResults.map(path => {
    const { header, runs } = ResultsFile.read(join(path, RESULTS))
    return { path, shard: header.shard, hash: header.hash, measuring: header.measuring, runs }
  })
  return parts.sort((a, b) => (a.shard?.index ?? 0) - (b.shard?.index ?? 0))
}

/** Names everything that does not belong together, not only the first. Returns what the parts are parts of. */
function checked(definition: ExperimentDefinition, parts: readonly PartFolder[]): Shard[] {
  const problems: string[] = []
  const wanted = JSON.parse(JSON.stringify(measuringPart(definition)))
  const seen = new Map<string, string>()
  const shards: Shard[] = []
  let program: { text: string; path: string } | undefined
  for (const { path, shard, hash, measuring, runs } of parts) {
    if (hash !== definitionHash(definition)) {
      problems.push(`${path} holds results of another experiment: ${differences(measuring, wanted) || 'another name'}`)
      continue
    }
    if (shard === undefined) {
      problems.push(`${path} holds no part: it was run without --shard`)
      continue
    }
    const other = seen.get(shardText(shard))
    if (other !== undefined) problems.push(`${path} and ${other} both hold ${shardText(shard)}: leave one of them out`)
    seen.set(shardText(shard), path)
    if (shard.of !== (shards[0] ?? shard).of) {
      problems.push(`${path} holds ${shardText(shard)}, ${seen.values().next().value} ${shardText(shards[0])}`)
    }
    shards.push(shard)
    for (const text of new Set(
      runs.map(({ versions: { masqueLab, commit } }) => `${masqueLab} ${commit ?? ''}`.trim()),
    )) {
      program ??= { text, path }
      if (text !== program.text)
        problems.push(`${path} was run by masque-lab ${text}, ${program.path} by ${program.text}`)
    }
  }
  if (problems.length > 0) throw new ResultsError(problems.join('\n'))
  return shards
}

/** A run that is tried again has a line for each attempt. */
function lineId({ key, attempt, startedAt, status }: RunLine): string {
  return JSON.stringify([key, attempt, startedAt, status])
}

/**
 * results.jsonl: the first line says which experiment it is, each further line is one run.
 *
 * Lines are only ever appended, and are on the disk (fsync) before the next run begins: what was measured stays,
 * whatever happens then. A program that dies while it writes leaves half a line at the end; that is cut off.
 */

import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { type Shard, shardText } from './matrix.ts'
import type { Measurements, Samples } from './measure.ts'
import type { Parameters } from './parameters.ts'

/** What the numbers depend on that the experiment does not choose. Nothing that names the machine or its user. */
export interface MachineFacts {
  cpu: string
  cores: number
  memoryGb: number
  system: string
  /** Load average of the minute before the run: how busy the machine was with other things. */
  load: number
}

export interface ExperimentLine {
  type: 'experiment'
  name: string
  title: string
  /** See definition.ts. */
  hash: string
  /** What the hash is of, so that a difference can be named. */
  measuring: unknown
  /** Of one part of the runs; absent where it is all. */
  shard?: Shard
}

export interface RunLine {
  type: 'run'
  key: string
  parameters: Parameters
  seed: string
  /** 1, or 2 when it was tried again after a failure. */
  attempt: number
  status: 'ok' | 'failed'
  error?: string
  /** ISO 8601, UTC. */
  startedAt: string
  /** Of the whole run, with setting up, in ms. */
  tookMs: number
  measurements: Measurements
  samples: Samples
  machine: MachineFacts
  versions: { masqueLab: string; node: string; commit?: string }
}

/** A results file that cannot be used. The message says what to do. */
export class ResultsError extends Error {
  override name = 'ResultsError'
}

export class ResultsFile {
  readonly path: string
  /** What was repaired or left out, as sentences. */
  readonly notices: readonly string[]
  readonly runs: RunLine[]
  readonly #descriptor: number

  /** Opens the file or begins it. Throws ResultsError when it is of another experiment. */
  static open(path: string, experiment: ExperimentLine): ResultsFile {
    if (!existsSync(path)) {
      const file = new ResultsFile(path, [], [])
      file.#write(experiment)
      return file
    }
    const { header, runs, notices } = repairAndRead(path)
    if (header === undefined) {
      const file = new ResultsFile(path, [], notices)
      ftruncateSync(file.#descriptor, 0)
      file.#write(experiment)
      return file
    }
    if (header.hash !== experiment.hash) {
      throw new ResultsError(
        `${path} holds results of this experiment as it was before: ${differences(header.measuring, experiment.measuring)}. ` +
          'The new numbers could not be compared with the old ones. Give another folder with --out, or --fresh to put ' +
          'the old results aside and begin again.',
      )
    }
    if (shardText(header.shard) !== shardText(experiment.shard)) {
      throw new ResultsError(
        `${path} holds ${shardText(header.shard)} of the runs, and ${shardText(experiment.shard)} was asked for: give another folder with --out`,
      )
    }
    return new ResultsFile(path, runs, notices)
  }

  /** Reads a file without changing it: of another experiment, of a run that goes on. Throws ResultsError where there is no first line. */
  static read(path: string): { header: ExperimentLine; runs: readonly RunLine[] } {
    const { header, runs } = linesOf(path, readFileSync(path))
    if (header === undefined)
      throw new ResultsError(`${path}: no first line says of which experiment these results are`)
    return { header, runs }
  }

  private constructor(path: string, runs: RunLine[], notices: readonly string[]) {
    this.path = path
    this.runs = runs
    this.notices = notices
    this.#descriptor = openSync(path, 'a')
  }

  append(run: RunLine): void {
    this.#write(run)
    this.runs.push(run)
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  #write(line: ExperimentLine | RunLine): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
    // A disk that is nearly full takes a part without an error, and only then says so.
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes.subarray(done))
    fsyncSync(this.#descriptor)
  }
}

interface Read {
  header: ExperimentLine | undefined
  runs: RunLine[]
  notices: string[]
}

/** Cuts off a torn last line, and reads the rest. */
function repairAndRead(path: string): Read {
  const bytes = readFileSync(path)
  const read = linesOf(path, bytes)
  const end = bytes.lastIndexOf(0x0a) + 1
  if (end < bytes.length) {
    const descriptor = openSync(path, 'r+')
    ftruncateSync(descriptor, end)
    fsyncSync(descriptor)
    closeSync(descriptor)
    read.notices.unshift(`${path}: the last line was not finished and has been cut off; that run is done again`)
  }
  if (read.header === undefined && read.runs.length > 0) {
    throw new ResultsError(
      `${path}:1: the line that says which experiment this is cannot be read; put it back, or begin again with --fresh`,
    )
  }
  return read
}

/** All lines but a last one that is not finished. */
function linesOf(path: string, bytes: Buffer): Read {
  const notices: string[] = []
  const lines = bytes.toString('utf8').split('\n').slice(0, -1)
  let header: ExperimentLine | undefined
  const runs: RunLine[] = []
  lines.forEach((text, i) => {
    const line = parseLine(text)
    if (i === 0 && line?.type === 'experiment') header = line
    else if (line?.type === 'run') runs.push(line)
    else notices.push(`${path}:${i + 1}: this is not a line of results; it is left out`)
  })
  return { header, runs, notices }
}

export function parseLine(text: string): ExperimentLine | RunLine | undefined {
  try {
    const value = JSON.parse(text)
    if (value?.type === 'experiment' && typeof value.hash === 'string') return value
    if (value?.type === 'run' && typeof value.key === 'string' && typeof value.measurements === 'object') return value
  } catch {
    // Said by the caller, who knows the line's number.
  }
  return undefined
}

/** "durationMs was 5000 and is 10000", for every key that differs, at any depth. */
export function differences(before: unknown, after: unknown): string {
  const flatBefore = flatten(before)
  const flatAfter = flatten(after)
  const keys = [...new Set([...Object.keys(flatBefore), ...Object.keys(flatAfter)])]
  return keys
    .filter(key => flatBefore[key] !== flatAfter[key])
    .map(key => `${key} was ${flatBefore[key] ?? 'not given'} and is ${flatAfter[key] ?? 'not given'}`)
    .join(', ')
}

function flatten(value: unknown, path = ''): Record<string, string> {
  if (value === null || typeof value !== 'object') return { [path]: JSON.stringify(value) }
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, inner]) => flatten(inner, path === '' ? key : `${path}.${key}`)),
  )
}

/** Runs what an experiment plans and what is not done yet. */

import { performance } from 'node:perf_hooks'
import { definitionHash, type ExperimentDefinition } from './definition.ts'
import { machineFacts, versions } from './machine.ts'
import { type PlannedRun, plan, type Shard, shardOf } from './matrix.ts'
import type { RunResult } from './measure.ts'
import type { ResultsFile, RunLine } from './results-file.ts'

/** A run that fails is tried once more, at the end: a machine has hiccups, a broken set-up fails again. */
const ATTEMPTS = 2

/** Measures one cell with one seed. Rejects when that was not possible. */
export type RunFunction = (run: PlannedRun, context: RunContext) => Promise<RunResult>

export interface RunContext {
  signal: AbortSignal
  /** What the run is doing, in a few words. */
  onStep(text: string): void
}

export interface Progress {
  total: number
  /** Of them, done by an earlier call. */
  already: number
  done: number
  failed: number
  running: readonly { key: string; run: PlannedRun; step: string; sinceMs: number }[]
  last: RunLine | undefined
  elapsedMs: number
  /** undefined until there is something to judge by. */
  leftMs: number | undefined
}

export interface RunnerOptions {
  definition: ExperimentDefinition
  results: ResultsFile
  run: RunFunction
  signal: AbortSignal
  /** Runs at the same time; default 1, because runs that share a machine measure each other. */
  jobs?: number
  /** Try again what failed twice in an earlier session. */
  retryFailed?: boolean
  /** Only these of the runs; the others are another machine's. */
  shard?: Shard
  onProgress?: (progress: Progress) => void
  /** Monotonic, ms. */
  now?: () => number
}

export interface Outcome {
  planned: number
  done: number
  /** Failed twice. */
  failed: number
  /** Not run, because the experiment was interrupted. */
  left: number
  interrupted: boolean
}

/** The runs of this definition, or of one part of it, in the order in which they are done. */
export function plannedRuns(definition: ExperimentDefinition, shard?: Shard): PlannedRun[] {
  const all = plan(definition.cells, definition.seeds, `${definition.name} ${definitionHash(definition)}`)
  return shard === undefined ? all : shardOf(all, shard)
}

/** For each planned run the line that counts: the one that succeeded, else the last that failed. */
export function countingLines(planned: readonly PlannedRun[], lines: readonly RunLine[]): Map<string, RunLine> {
  const wanted = new Set(planned.map(run => run.key))
  const counting = new Map<string, RunLine>()
  for (const line of lines) {
    if (wanted.has(line.key) && counting.get(line.key)?.status !== 'ok') counting.set(line.key, line)
  }
  return counting
}

/**
 * Does all runs that the results file does not have yet, and appends each as it is done. Resolves also when the signal is
 * aborted: the run under way is given up, and what was recorded before stays.
 */
export async function runExperiment(options: RunnerOptions): Promise<Outcome> {
  const { definition, results, signal } = options
  const now = options.now ?? (() => performance.now())
  const planned = plannedRuns(definition, options.shard)
  const before = countingLines(planned, results.runs)
  const settled = (run: PlannedRun): boolean => {
    const line = before.get(run.key)
    if (line === undefined) return false
    return line.status === 'ok' || (line.attempt >= ATTEMPTS && options.retryFailed !== true)
  }
  const queue = planned.filter(run => !settled(run))
  const attempts = new Map(queue.map(run => [run.key, firstAttempt(before.get(run.key))]))

  const startedAt = now()
  const already = planned.length - queue.length
  const alreadyFailed = planned.filter(run => settled(run) && before.get(run.key)?.status === 'failed').length
  const state = { done: already - alreadyFailed, failed: alreadyFailed, finished: 0, busyMs: 0 }
  const running = new Map<string, { run: PlannedRun; step: string; startedAt: number }>()
  let last: RunLine | undefined
  const jobs = Math.max(1, options.jobs ?? 1)

  const report = (): void => {
    const open = queue.length + running.size
    const perRun = state.finished === 0 ? undefined : state.busyMs / state.finished
    const spent = [...running.values()].reduce((sum, each) => sum + (now() - each.startedAt), 0)
    options.onProgress?.({
      total: planned.length,
      already,
      done: state.done,
      failed: state.failed,
      running: [...running.entries()].map(([key, each]) => ({
        key,
        run: each.run,
        step: each.step,
        sinceMs: now() - each.startedAt,
      })),
      last,
      elapsedMs: now() - startedAt,
      leftMs: perRun === undefined ? undefined : Math.max(0, (open * perRun - spent) / jobs),
    })
  }

  const worker = async (): Promise<void> => {
    for (let run = queue.shift(); run !== undefined && !signal.aborted; run = queue.shift()) {
      const attempt = attempts.get(run.key) ?? 1
      const current = { run, step: 'starting', startedAt: now() }
      running.set(run.key, current)
      report()
      const line = await oneRun(options, run, attempt, now, step => {
        current.step = step
        report()
      })
      running.delete(run.key)
      if (line === undefined) {
        queue.unshift(run)
        break
      }
      results.append(line)
      last = line
      state.finished++
      state.busyMs += line.tookMs
      if (line.status === 'ok') state.done++
      else if (attempt < ATTEMPTS) {
        attempts.set(run.key, attempt + 1)
        queue.push(run)
      } else state.failed++
      report()
    }
    if (signal.aborted) return
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  return {
    planned: planned.length,
    done: state.done,
    failed: state.failed,
    left: planned.length - state.done - state.failed,
    interrupted: signal.aborted,
  }
}

/** One attempt counts from where the last session stopped; what failed for good begins again when asked to. */
function firstAttempt(line: RunLine | undefined): number {
  return line === undefined || line.attempt >= ATTEMPTS ? 1 : line.attempt + 1
}

/** undefined: interrupted, which is not a failure of the run. */
async function oneRun(
  options: RunnerOptions,
  run: PlannedRun,
  attempt: number,
  now: () => number,
  onStep: (text: string) => void,
): Promise<RunLine | undefined> {
  const base = {
    type: 'run' as const,
    key: run.key,
    parameters: run.cell.parameters,
    seed: run.seed,
    attempt,
    startedAt: new Date().toISOString(),
    machine: machineFacts(),
    versions: versions(),
  }
  const startedAt = now()
  const tookMs = (): number => Math.round(now() - startedAt)
  try {
    const { measurements, samples } = await options.run(run, { signal: options.signal, onStep })
    return { ...base, status: 'ok', tookMs: tookMs(), measurements: rounded(measurements), samples }
  } catch (error) {
    if (options.signal.aborted) return undefined
    const text = error instanceof Error ? error.message : String(error)
    return { ...base, status: 'failed', error: text, tookMs: tookMs(), measurements: {}, samples: {} }
  }
}

/** Six digits are more than any of this is good for, and do not fill the file with noise. */
function rounded(measurements: RunResult['measurements']): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(measurements).map(([name, value]) => [
      name,
      value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(6)),
    ]),
  )
}

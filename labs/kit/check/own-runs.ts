/**
 * Figures of the student's own runs, and questions about them: what a check has measured in front of the student is kept in one more exercise
 * file, `measured.toml`, and the right answer is calculated from it. So nobody's answer is right for somebody else.
 *
 *     [[scaling]]
 *     clients = 16
 *     per_second = 45.2
 *
 * A later run has other figures; an answer to an earlier one stays right as long as that is kept.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'smol-toml'
import { readRegularFile } from '../../../src/config/read-file.ts'
import type { CheckContext, Reading, Units } from '../lab/types.ts'
import { CheckFailure } from './check-failure.ts'
import { expectEach, expectNumber } from './questions.ts'

export const MEASURED_FILE = 'measured.toml'

/** The last ones of a task. */
const RUNS_KEPT = 10
/** What is read off a chart has three digits. */
const TOLERANCE = 0.015

/** One run, by the names of its figures. */
export type OwnRun = Readonly<Record<string, number>>

/** Keeps the figures of a run that the student sits in front of. Graded files are left as they are. */
export function recordRun(context: Pick<CheckContext, 'exercises' | 'mode'>, task: string, figures: OwnRun): void {
  if (context.mode !== 'live') return
  const all = readAll(context.exercises)
  const runs = Array.isArray(all[task]) ? (all[task] as unknown[]) : []
  const rounded = Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(6))])
  const file = join(context.exercises, MEASURED_FILE)
  const head = existsSync(file) ? (/^(?:#.*\n|\n)*/.exec(readFileSync(file, 'utf8'))?.[0] ?? '') : ''
  const text = stringify({ ...all, [task]: [...runs, Object.fromEntries(rounded)].slice(-RUNS_KEPT) })
  const fresh = `${file}.new`
  writeFileSync(fresh, head === '' ? text : `${head.trimEnd()}\n\n${text}`)
  renameSync(fresh, file)
}

/** The runs of a task, as far as they have all of these figures. Throws CheckFailure for a file that cannot be read. */
export function ownRuns(exercises: string, task: string, names: readonly string[]): OwnRun[] {
  const runs = readAll(exercises)[task]
  if (!Array.isArray(runs)) return []
  return runs
    .slice(-RUNS_KEPT)
    .filter((run): run is OwnRun => names.every(name => Number.isFinite((run as Partial<OwnRun> | null)?.[name])))
}

/** Which runs count, and why another one does not. */
export interface Whole {
  run: (run: OwnRun) => boolean
  says: string
}

/** A question whose answer follows from the figures of a run. */
export interface OwnQuestion {
  /** The task whose runs they are, and the figures that count. */
  task: string
  figures: readonly string[]
  right: (run: OwnRun) => number
  /** What somebody answers who has an idea that is wrong. */
  wrong: readonly { says: string; would: (run: OwnRun) => number }[]
  /** Runs that do not count, and what is said about them. Default: all count. */
  whole?: Whole
  units?: Units
  /** How far from it an answer may be, as a part of it. Default: what rounding to three digits makes, and half as much again. */
  tolerance?: number
  read: readonly Reading[]
}

/** Fails the check unless the answer is the right one for a run of the student's own. */
export function expectOwnNumber(context: CheckContext, question: string, asked: OwnQuestion): void {
  const { task, figures, right, wrong, whole, units, tolerance = TOLERANCE, read } = asked
  const all = ownRuns(context.exercises, task, figures)
  const runs = all.filter(run => whole?.run(run) ?? true)
  if (runs.length === 0) {
    context.expect(`a run of your own, for the question "${question}"`, false, {
      expected: `a run of your own to calculate from: the check of ${task} keeps its figures in ${MEASURED_FILE}`,
      found:
        whole !== undefined && all.length > 0
          ? `a run of ${task} that does not count: ${whole.says}`
          : `no run of ${task} yet, so no answer yet to "${question}"`,
      failing: 'none',
      read,
    })
    return
  }
  const near = (value: number, exact: number) => Math.abs(value - exact) <= Math.abs(exact) * tolerance + 1e-9
  expectNumber(context, question, {
    expected: `the number that follows from the figures of one of your own runs of ${task}, as they are in ${MEASURED_FILE} (${figures.join(', ')})`,
    right: value => runs.some(run => near(value, right(run))),
    wrong: value => {
      const ideas = wrong.filter(({ would }) => runs.some(run => near(value, would(run)))).map(({ says }) => says)
      // Where two ideas give the same number, nobody knows which it was.
      return new Set(ideas).size === 1 ? ideas[0] : undefined
    },
    units,
    read,
  })
}

type Judgement = (context: CheckContext) => void

/** A task that asks, measures in front of the student, and asks about what was measured. */
export interface AroundRun {
  task: string
  figures: readonly string[]
  whole?: Whole
  /** Predictions, and what can be answered without a run. */
  before: readonly Judgement[]
  measure: () => Promise<void>
  /** The picture of a run that was measured in an earlier check. */
  draw: (run: OwnRun) => void | Promise<void>
  /** By the ids of the questions. */
  own: Readonly<Record<string, OwnQuestion>>
}

/**
 * The course of such a task, up to its last answer; returns the last of the student's runs. It measures once, behind the answers that need no run: who has not
 * measured yet cannot give the others, and a wrong answer needs no new measurement. In grading nothing is measured.
 */
export async function expectAroundRun(context: CheckContext, task: AroundRun): Promise<OwnRun> {
  const runs = (): OwnRun[] =>
    ownRuns(context.exercises, task.task, task.figures).filter(run => task.whole?.run(run) ?? true)
  const last = runs().at(-1)
  if (context.mode === 'live') {
    if (last === undefined) {
      expectEach(context, task.before)
      await task.measure()
    } else {
      await task.draw(last)
    }
  }
  const own = Object.entries(task.own).map(([question, asked]): Judgement => {
    return each => expectOwnNumber(each, question, asked)
  })
  expectEach(context, [...task.before, ...own])
  return runs().at(-1)!
}

function readAll(exercises: string): Record<string, unknown> {
  const file = join(exercises, MEASURED_FILE)
  if (!existsSync(file)) return {}
  try {
    return parse(readRegularFile(file).toString('utf8'))
  } catch (error) {
    throw new CheckFailure({
      expected: `${MEASURED_FILE} to be TOML, as the checks wrote it`,
      found: (error as Error).message.split('\n')[0],
      misconception: 'The checks write this file. Take it away, and check the tasks that measure once more.',
    })
  }
}

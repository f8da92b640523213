/** `check-solutions --pairs`: what students wrote, against each other, as a matrix. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { padEnd } from '../../../src/text/columns.ts'
import { Cleanup } from '../check/cleanup.ts'
import { exerciseFolder } from '../lab/exercises.ts'
import type { Lab } from '../lab/types.ts'
import { type GradeOptions, grade } from './grade.ts'
import { settled } from './results.ts'
import type { Subject } from './subjects.ts'
import { overlay } from './submission.ts'
import { shown } from './table.ts'

/** What `labs/<lab>/pairs.ts` exports, where a lab has something that can meet. */
export interface PairsModule {
  /** The task that has to be solved first. */
  task: string
  open(options: MeetingOptions): Promise<Meeting>
}

export interface MeetingOptions {
  /** A temporary directory. */
  scratch: string
  signal: AbortSignal
}

export interface Meeting {
  /** Who else takes part: software of others that is installed here. */
  others: readonly string[]
  /** Who does not, and why. */
  notes: readonly string[]
  /** `from` asks, `to` answers; at least one of them is a student's. Resolves with what went wrong. */
  exchange(from: Participant, to: Participant): Promise<string | undefined>
  close(): Promise<void>
}

/** `exercises`: the folder of a submission; undefined for one of `others`. */
export interface Participant {
  name: string
  exercises?: string
}

export interface Pairs {
  lab: string
  task: string
  /** Rows and columns, in order. */
  names: string[]
  /** By row, which asks, and column, which answers. Null: the one or the other has not solved the task. */
  cells: ({ passed: boolean; found?: string } | null)[][]
  notes: string[]
}

/** Each takes a process, and each meets all: more would take hours and gigabytes. */
export const MOST_PAIRED = 40

export async function loadPairs(root: string, lab: Lab): Promise<PairsModule | undefined> {
  const file = join(root, 'labs', lab.id, 'pairs.ts')
  return existsSync(file) ? ((await import(pathToFileURL(file).href)) as PairsModule) : undefined
}

export interface PairOptions {
  root: string
  jobs: number
  signal: AbortSignal
  onProgress?: (text: string) => void
  /** For tests. */
  runner?: GradeOptions['runner']
}

/** `subjects`: the submissions of one lab. */
export async function pair(module: PairsModule, subjects: readonly Subject[], options: PairOptions): Promise<Pairs> {
  const { root, jobs, signal, onProgress, runner } = options
  const cleanup = new Cleanup()
  try {
    const { lab } = subjects[0]
    const tasks = lab.tasks.filter(({ id }) => id === module.task)
    const results = await grade(
      subjects.map(subject => ({ ...subject, tasks })),
      {
        root,
        jobs,
        signal,
        ...(runner ? { runner } : {}),
        onResult: (result, done, of) => onProgress?.(`${done} of ${of}  ${shown(result.name)}`),
      },
    )
    const scratch = cleanup.scratch()
    const participants = subjects.map((subject, i): Participant & { solved: boolean } => {
      const folder = join(scratch, String(i))
      mkdirSync(folder)
      overlay(root, folder, lab, subject.layers().files)
      const solved = results.some(({ name, tasks }) => name === subject.name && tasks[0]?.passed)
      return { name: subject.name, exercises: exerciseFolder(folder, lab), solved }
    })
    const meeting = await module.open({ scratch, signal })
    cleanup.defer(() => meeting.close())
    const all = [...participants, ...meeting.others.map(name => ({ name, solved: true, exercises: undefined }))]
    const cells: Pairs['cells'] = []
    for (const from of all) {
      const row: Pairs['cells'][number] = []
      for (const to of all) {
        if (signal.aborted) break
        onProgress?.(`${shown(from.name)} and ${shown(to.name)}`)
        const meet = from.solved && to.solved && (from.exercises ?? to.exercises) !== undefined
        const found = meet ? await meeting.exchange(asParticipant(from), asParticipant(to)) : undefined
        row.push(!meet ? null : found === undefined ? { passed: true } : { passed: false, found: settled(found) })
      }
      cells.push(row)
    }
    return { lab: lab.id, task: module.task, names: all.map(({ name }) => name), cells, notes: [...meeting.notes] }
  } finally {
    await cleanup.run()
  }
}

const asParticipant = ({ name, exercises }: { name: string; exercises?: string | undefined }): Participant =>
  exercises === undefined ? { name } : { name, exercises }

/** Rows ask, columns answer; the columns have the numbers of the rows. */
export function pairsTable({ names, cells, notes, task }: Pairs): string {
  const texts = names.map(shown)
  const width = Math.max(...texts.map(name => name.length), 'asks'.length)
  const numbers = names.map((_, i) => String(i + 1).padStart(2))
  const lines = [`Task ${task}: rows ask, columns answer`, '', `      ${padEnd('asks', width)}  ${numbers.join(' ')}`]
  texts.forEach((name, i) => {
    const marks = cells[i].map(cell => ` ${cell === null ? '–' : cell.passed ? '✔' : '✘'}`)
    lines.push(`  ${numbers[i]}  ${padEnd(name, width)}  ${marks.join(' ')}`)
  })
  lines.push('')
  cells.forEach((row, i) => {
    row.forEach((cell, j) => {
      if (cell?.passed === false) lines.push(`✘ ${texts[i]} asks ${texts[j]}: ${cell.found}`)
    })
  })
  lines.push(...notes)
  return `${lines.join('\n').trimEnd()}\n`
}

/**
 * What the terminal UI knows, what can happen, and what it can ask to be done. `reduce` (reduce.ts) is the way from one state to
 * the next; `Program` (program.ts) does what it asks for; the components only draw.
 */
import type { Key } from 'ink'
import type { Line } from '../lab/text.ts'
import type { Lab, LiveState, Phase, Task } from '../lab/types.ts'
import { nextTask } from '../plain/pages.ts'
import type { DemonstrationOutcome } from '../run/demonstrate.ts'
import type { Step, TaskResult } from '../run/engine.ts'
import { NOTHING_YET } from '../run/live.ts'
import type { LabProgress } from '../run/progress.ts'
import { type Draft, draftOf } from './draft.ts'

export interface State {
  readonly lab: Lab
  /** Why the student's files cannot be written, should it be so. */
  readonly problem: string | undefined
  readonly screen: 'demonstration' | 'tasks' | 'task' | 'end'
  /** The list of keys, over whatever is on the screen. */
  readonly help: boolean
  /** Index of the selected task. */
  readonly selected: number
  readonly progress: Readonly<LabProgress>
  /** Whether a save checks: the student's choice. Undefined: as the kind of task has it. */
  readonly watch: boolean | undefined
  readonly demonstration: DemonstrationState
  /** Results of checks that ended while this lab was open, by task. */
  readonly results: Readonly<Record<string, TaskResult>>
  /** How much room the lab's picture gets: what it needs up to a part of the screen, all of it, or none. */
  readonly picture: 'auto' | 'full' | 'off'
  /** The view of it that the student has switched to, where there is one of that name. Undefined: the first. */
  readonly pictureView: string | undefined
  readonly task: TaskState
}

export interface DemonstrationState {
  readonly phases: readonly Phase[]
  readonly outcome: DemonstrationOutcome | undefined
  readonly live: LiveState
}

/** The screen of the selected task. */
export interface TaskState {
  readonly answers: Readonly<Record<string, string>>
  /** The check that is running. */
  readonly running:
    | {
        readonly steps: readonly Step[]
        readonly live: LiveState
        /** Its place among those who wait for each other on this machine, before it begins. */
        readonly waiting?: string | undefined
      }
    | undefined
  /** Something to say that is not a check's result, such as an answers file that cannot be read. */
  readonly notice: string | undefined
  /** The question that is being answered. */
  readonly question: number | undefined
  readonly draft: Draft
  /** First line shown, for each column. */
  readonly scrolled: readonly number[]
  /** Keeps what is newest in view, until the student scrolls. */
  readonly follow: boolean
  readonly latest: 'answer' | 'hint' | 'check' | 'solution'
  readonly solution: readonly Line[]
  /** Which step of the lab's picture is looked at. Undefined: the last one. */
  readonly step: number | undefined
  /** Whether to put the starting files back. */
  readonly confirming: boolean
}

/** What is seen of the task when a key is pressed: it depends on the size of the terminal. */
export interface View {
  /** By column: the first line that is shown, and how far it can be scrolled. */
  offsets: readonly number[]
  limits: readonly number[]
  /** Whether the lab has a picture to show now, even if it is switched off; and the steps that it has. */
  hasPicture: boolean
  steps: number
  /** Other views of it than the first, and the one that is on the screen; undefined: the first. */
  views?: readonly string[]
  shown?: string | undefined
}

/** Where `g` leads: through the views one by one, and back to the first. */
export function viewAfter({ views = [], shown }: Pick<View, 'views' | 'shown'>): string | undefined {
  return views[shown === undefined ? 0 : views.indexOf(shown) + 1]
}

export type Event =
  | { type: 'key'; input: string; key: Partial<Key>; view: View }
  | { type: 'phases'; phases: readonly Phase[] }
  | { type: 'demonstration live'; live: LiveState }
  | { type: 'demonstrated'; outcome: DemonstrationOutcome }
  | { type: 'queued'; text: string | undefined }
  | { type: 'steps'; steps: readonly Step[] }
  | { type: 'live'; live: LiveState }
  | { type: 'checked'; result: TaskResult }
  | { type: 'answers'; answers: Readonly<Record<string, string>> }
  | { type: 'notice'; text: string }
  | { type: 'saved'; files: readonly string[] }
  | { type: 'solution'; lines: readonly Line[] }
  | { type: 'progress'; progress: Readonly<LabProgress> }

export type Effect =
  | { do: 'quit' }
  | { do: 'demonstrate' }
  | { do: 'stop the demonstration' }
  | { do: 'read answers'; task: Task }
  | { do: 'write answer'; task: Task; question: string; text: string }
  /** `asked`: by the student. What a save has started is not counted as a try when it fails. */
  | { do: 'check'; task: Task; asked: boolean }
  | { do: 'stop the check' }
  | { do: 'reveal a hint'; task: Task }
  | { do: 'show the solution'; task: Task }
  | { do: 'put the starting files back'; task: Task }

export const NEW_TASK: TaskState = {
  answers: {},
  running: undefined,
  notice: undefined,
  question: undefined,
  draft: draftOf(''),
  scrolled: [0, 0],
  follow: false,
  latest: 'check',
  solution: [],
  step: undefined,
  confirming: false,
}

export function demonstrationOf(lab: Lab): DemonstrationState {
  const phases: Phase[] = (lab.demonstration?.phases ?? []).map(phase => ({ ...phase, state: 'waiting' }))
  return { phases, outcome: undefined, live: NOTHING_YET }
}

export interface Opening {
  lab: Lab
  progress: Readonly<LabProgress>
  /** Opens this task at once, without the demonstration. */
  task?: Task
  /** Goes to the tasks at once, and checks every kind of task at each save. */
  watch?: boolean
  problem?: string
}

export function opened({ lab, progress, task, watch = false, problem }: Opening): [State, Effect[]] {
  const first = task ?? nextTask(lab, progress) ?? lab.tasks[0]
  const screen = task || watch ? 'task' : lab.demonstration ? 'demonstration' : 'tasks'
  const state: State = {
    lab,
    problem,
    screen,
    help: false,
    selected: lab.tasks.indexOf(first),
    progress,
    watch: watch || undefined,
    demonstration: demonstrationOf(lab),
    results: {},
    picture: 'auto',
    pictureView: undefined,
    task: NEW_TASK,
  }
  if (screen === 'demonstration') return [state, [{ do: 'demonstrate' }]]
  return [state, screen === 'task' ? [{ do: 'read answers', task: first }] : []]
}

export function taskOf(state: State): Task {
  return state.lab.tasks[state.selected]
}

export function watching(state: State): boolean {
  const { kind } = taskOf(state)
  return state.watch ?? (kind === 'coding' || kind === 'config')
}

/**
 * What a lab is: data plus checks.
 *
 * `lab.ts` of a lab declares one `Lab`. Nothing here runs anything; the engine does that with what is declared.
 */
import type { ReactNode } from 'react'
import type { StudentCode } from '../student-code/student-code.ts'
import type { Marks } from './marks.ts'
import type { Line } from './text.ts'

/** Markdown, of which the kit renders headings, paragraphs, lists, quotes, code blocks, `code`, **bold** and _emphasis_. */
export type Markdown = string

/** Where to read on: an RFC section, a file of this repository, a chapter of the handout. */
export type Reading = string

export interface Lab {
  /** The folder under `labs/`, and the key of this lab in the student's progress. */
  id: `lab-${string}`
  /** What the student types: `npm run lab -- 1`. */
  number: number
  title: string
  /** One sentence for the list of labs. */
  summary: string
  objectives: readonly string[]
  prerequisites: readonly string[]
  /** How long a student needs, in minutes. */
  minutes: number
  demonstration?: Demonstration
  tasks: readonly Task[]
  /** The lab's own picture of what is happening (`ui.tsx`), drawn above the brief of every task and the demonstration. */
  panel?: () => Promise<Panel>
  /** Shows a file that the student has captured: `--capture FILE`. */
  capture?: () => Promise<{ showCapture(request: CaptureRequest): Promise<number> }>
  reading: readonly Reading[]
}

export interface CaptureRequest {
  file: string
  /** This one, from 1 on. Undefined: all. */
  packet?: number
  /** In the terminal UI; else as text, through `print`. */
  inTerminal: boolean
  width: number
  print(lines: readonly Line[]): void
  /** One sentence: why it cannot be shown, and what to do. */
  problem(sentence: string): void
}

/**
 * What a student does in a task, and so what it is graded by. `coding`: writes functions, which the check calls. `config`:
 * completes a configuration. `question`: answers. `live`: runs something that the check looks at while it runs.
 */
export type TaskKind = 'coding' | 'config' | 'question' | 'live'

export interface Task {
  /** Short and stable: it is typed after `--task`, and is the key in the progress file and in `answers.toml`. */
  id: string
  title: string
  kind: TaskKind
  points: number
  /** For those whose system allows it: no points, and the lab is solved without it. */
  optional?: true
  brief: Markdown
  /** From a nudge to nearly the solution; shown one at a time. */
  hints: readonly Markdown[]
  /** What the student edits, relative to the lab's `exercises/`. */
  files: readonly string[]
  /** What the student answers in words; kept in `exercises/answers.toml` under the task's id. */
  questions: readonly Question[]
  reading: readonly Reading[]
  /** A check that takes longer has failed, in milliseconds. Default 40 000. */
  timeoutMs?: number
  /** It measures time or speed, so such checks wait for each other on a machine that many share (run/queue.ts). */
  measures?: true
  /** Whether known-wrong solutions are kept in `mutants/<task>.ts` and have to be rejected. Default: for `coding` tasks. */
  mutants?: boolean
  /** What the student writes is a test (check/break-it.ts). One with other numbers in it is as right, so `--mutate` changes none. */
  answerIsTest?: boolean
  /** A picture of this task's own, instead of the lab's. */
  panel?: () => Promise<Panel>
  check: Check
}

/** Names that may follow a number, or how many of the unit that is asked for each of them is. */
export type Units = readonly string[] | Readonly<Record<string, number>>

export interface Question {
  id: string
  prompt: string
  /** An example of the form of the answer, never the answer. */
  placeholder?: string
  /** It is answered with a number before it is measured: the first one is kept, and shown beside the measurement. */
  prediction?: true | { units: Units }
  /** When there are choices, the student answers with the letter. */
  choices?: Readonly<Record<string, string>>
}

/**
 * Says whether a task is solved: it returns feedback at its end, or fails an expectation on its way.
 * Everything it opens is handed to `context.defer`, so that it is closed however the check ends.
 */
export type Check = (context: CheckContext) => Promise<Feedback>

/** What a check has to tell. `passed` with `found` is worth as much as failed: it says what was measured. */
export interface Feedback {
  passed: boolean
  expected: string
  found: string
  /** The idea behind the mistake, when the check recognises it. */
  misconception?: string
  /** What could not be tried here, why, and what to do about it. The verdict rests on the rest. */
  leftOut?: string
  read: readonly Reading[]
  /** A program that makes the failing calls alone, with the whole input, and the command that runs it. */
  replay?: { file: string; command: string }
  /** Something of the platform's own has failed: this says nothing about the student's work. */
  broken?: true
}

/**
 * What is said when an expectation is not met. `failing`: default what the student's code was asked last; 'none': it is about an answer, and no call
 * of theirs to be run again.
 */
export type Otherwise = Omit<Feedback, 'passed' | 'read'> & {
  read?: readonly Reading[]
  failing?: FailingCalls | 'none'
}

/** Calls of a function, or an object and what was asked of it, in order: to be run again, alone. */
export interface FailingCalls {
  file: string
  name: string
  /** With what the object was made, of the class `name`. Undefined: `name` is a function. */
  created?: readonly unknown[]
  calls: readonly { method: string; args: readonly unknown[] }[]
}

/**
 * `live`: the student sits in front of it, and what a task asks to be started is expected to run.
 * `unattended`: grading; the check plays the student's part itself, from the exercise files alone.
 */
export type CheckMode = 'live' | 'unattended'

export interface CheckContext extends Live {
  /** The repository, or a scratch copy of it that is being graded. */
  readonly root: string
  /** The lab's exercise folder under `root`. */
  readonly exercises: string
  readonly mode: CheckMode
  /**
   * Whether software of others that is installed here takes part. In front of the student it does; a mark must not depend on what is
   * installed, so in grading it does only for mutants that ask for it.
   */
  readonly withOthers: boolean
  /** Checks that the student has asked for and that failed: a check may keep the whole answer until there is one. */
  readonly failures: number
  /** Differs from student to student: hidden inputs are generated from it, and are the same at every run. */
  readonly seed: string
  /** The student's TypeScript, which runs in a process of its own. Started at the first call, closed at the end. */
  readonly student: StudentCode
  /** What the student answered to this task's questions; an unanswered one is `''`. */
  readonly answers: Readonly<Record<string, string>>
  /** Aborted when the time is up or the student leaves. */
  readonly signal: AbortSignal
  /** A temporary directory, made at the first call and removed at the end. */
  scratch(): Promise<string>
  /** Something to be undone at the end; last in, first out. */
  defer(undo: () => unknown): void
  /** Do this: one step, named in the student's words. An error inside it fails the check with the step's name. */
  do<T>(text: string, action: () => T | Promise<T>): Promise<T>
  /** Expect that: the check ends here unless `holds`. */
  expect(text: string, holds: unknown, otherwise: Otherwise | (() => Otherwise)): asserts holds
}

/**
 * What a check or a demonstration tells while it runs. The terminal UI draws it as it comes, plain mode prints it at the
 * end. All values have to survive a structured clone: they pass from one process to another.
 */
export interface Live {
  /** One measurement of a series: shown as a sparkline with percentiles. */
  measure(series: string, value: number, unit?: string): void
  /** A measured value beside what is expected: shown as bars. Either end of the expected range may be open. */
  compare(name: string, measured: number, expected: { min?: number; max?: number }, unit?: string): void
  /** How far something has come that takes longer than a second. */
  progress(done: number, total: number, text?: string): void
  /** Anything for the lab's own panel, by key; the latest value counts. */
  show(key: string, value: unknown): void
}

export interface LiveSeries {
  name: string
  unit: string
  /** The most recent values, oldest first. */
  values: readonly number[]
  /** How many there were in all. */
  count: number
}

export interface LiveComparison {
  name: string
  unit: string
  measured: number
  expected: { min?: number; max?: number }
}

/** Everything that has been told so far. */
export interface LiveState {
  series: readonly LiveSeries[]
  comparisons: readonly LiveComparison[]
  progress?: { done: number; total: number; text: string }
  shown: Readonly<Record<string, unknown>>
}

/** What a lab's own panel is given to draw from. */
export interface PanelProps {
  /** Undefined: the demonstration is on. */
  task: Task | undefined
  /** Of the demonstration; empty in a task. */
  phases: readonly Phase[]
  live: LiveState
  /** Whether the check or the demonstration is running now. */
  running: boolean
  /** Of the check that ran last, if one did. */
  passed: boolean | undefined
  /** Which of the panel's steps the student looks at, from 0 on. At first the last one; `[` goes back, `]` on. */
  step: number
  /** Which of the panel's other views the student has switched to. Undefined: its first. */
  view?: string | undefined
  /** Plain mode: what a picture would show is said in words and figures, all steps of it at once. */
  inWords?: true
  /** Columns and rows that it may fill. */
  width: number
  rows: number
  marks: Marks
}

/**
 * A picture of the lab's own: an Ink component that can also say what it shows as lines of text, one for each row that
 * it draws. Plain mode prints the lines, and the kit reserves as many rows. No lines: there is nothing to show yet.
 */
export interface Panel {
  (props: PanelProps): ReactNode
  lines(props: PanelProps): readonly Line[]
  /** How many steps there are to look at one by one. Without it, `step` is always 0. */
  steps?(props: PanelProps): number
  /** Names of other views that there is something in now. `g` goes through them, and back to the first. */
  views?(props: PanelProps): readonly string[]
}

/** The live demonstration a lab begins with. */
export interface Demonstration {
  title: string
  /** What it shows, in one or two sentences. */
  about: string
  phases: readonly { id: string; title: string }[]
  run(context: DemonstrationContext): Promise<DemonstrationResult>
}

export interface DemonstrationContext extends Live {
  readonly signal: AbortSignal
  scratch(): Promise<string>
  defer(undo: () => unknown): void
  /** Marks a phase as begun. */
  begin(phase: string): void
  /**
   * Marks it as done. `detail`: what was found; `ms`: how long it took when that was measured more closely than here,
   * `null` when the phase has no duration of its own.
   */
  done(phase: string, detail?: string, ms?: number | null): void
}

export interface DemonstrationResult {
  /** Closing sentences: what was just seen. */
  summary: readonly string[]
}

export type PhaseState = 'waiting' | 'running' | 'done' | 'failed'

export interface Phase {
  id: string
  title: string
  state: PhaseState
  detail?: string
  ms?: number
}

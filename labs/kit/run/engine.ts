/**
 * Runs checks, one at a time, each with a time limit, and reports what happens as it happens.
 */
import { sep } from 'node:path'
import { AnswerFileError, readAnswers } from '../check/answers.ts'
import { CheckFailure } from '../check/check-failure.ts'
import { Cleanup } from '../check/cleanup.ts'
import { feedbackOf, printedText } from '../check/feedback.ts'
import { choiceIn } from '../check/questions.ts'
import { defaultSeed } from '../check/seed.ts'
import { exerciseFolder } from '../lab/exercises.ts'
import type { CheckContext, CheckMode, Feedback, Lab, LiveState, Otherwise, Task } from '../lab/types.ts'
import type { StudentCode } from '../student-code/student-code.ts'
import type { SandboxError, StudentError } from '../student-code/types.ts'
import { LiveReporter } from './live.ts'
import { type CheckQueue, inTurn, type Place } from './queue.ts'
import { forgetReplay, RecordedCode, writeReplay } from './replay.ts'

export const DEFAULT_TIMEOUT_MS = 180_000

export interface Step {
  text: string
  state: 'running' | 'done' | 'failed'
}

export interface TaskResult {
  task: string
  passed: boolean
  feedback: Feedback
  steps: readonly Step[]
  /** What was measured and shown on the way. */
  live: LiveState
  ms: number
}

export type EngineEvent =
  /** It waits for others on this machine; `note`: it does not, although it should, and why. */
  | { type: 'queued'; task: Task; place: Place }
  | { type: 'not queued'; task: Task; note: string }
  | { type: 'started'; task: Task }
  | { type: 'step'; task: Task; steps: readonly Step[] }
  | { type: 'live'; task: Task; live: LiveState }
  | { type: 'finished'; task: Task; result: TaskResult }

export interface RunOptions {
  root: string
  mode: CheckMode
  /** Of this task before, in front of the student. Default: enough for everything to be said. */
  failures?: number
  /** Whether software of others takes part that is installed here. Default: in front of the student. */
  withOthers?: boolean | undefined
  /** Default: the user's own. */
  seed?: string
  /** Stops the running check and those after it. */
  signal?: AbortSignal
  onEvent?: (event: EngineEvent) => void
  /** In which checks that measure wait for those of others. Default: nobody waits. */
  queue?: CheckQueue | undefined
  now?: () => number
}

/** By name: where a test runner has loaded a module twice, a check may throw the class of the other copy. */
function isOf<E extends Error>(error: unknown, name: string): error is E {
  return error instanceof Error && error.name === name
}

/** Runs the checks of `tasks` in order. Stops early only when `signal` is aborted; the results so far are returned. */
export async function runChecks(lab: Lab, tasks: readonly Task[], options: RunOptions): Promise<TaskResult[]> {
  const results: TaskResult[] = []
  for (const task of tasks) {
    if (options.signal?.aborted) break
    const result = await checkInTurn(task, options, () => runCheck(lab, task, options))
    if (result === undefined || options.signal?.aborted) break
    results.push(result)
  }
  return results
}

/** Undefined: it was stopped while it waited. */
export async function checkInTurn(
  task: Task,
  { signal, onEvent, queue }: RunOptions,
  run: () => Promise<TaskResult>,
): Promise<TaskResult | undefined> {
  let begun = false
  const options = {
    signal,
    onPlace: (place: Place) => onEvent?.({ type: 'queued', task, place }),
    onNote: (note: string) => onEvent?.({ type: 'not queued', task, note }),
  }
  try {
    return await inTurn(task, queue, options, () => {
      begun = true
      return run()
    })
  } catch (error) {
    if (begun || !signal?.aborted) throw error
    return undefined
  }
}

export async function runCheck(lab: Lab, task: Task, options: RunOptions): Promise<TaskResult> {
  const now = options.now ?? (() => performance.now())
  const startedAt = now()
  const cleanup = new Cleanup()
  const steps: Step[] = []
  const report = () => options.onEvent?.({ type: 'step', task, steps: steps.map(step => ({ ...step })) })
  options.onEvent?.({ type: 'started', task })

  const timeoutMs = task.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const stop = new AbortController()
  const leave = () => stop.abort(new Error('the check was stopped'))
  options.signal?.addEventListener('abort', leave, { once: true })
  const timer = setTimeout(() => stop.abort(new Error(`no result after ${timeoutMs / 1000} s`)), timeoutMs)
  const stopped = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true })
  })
  stopped.catch(() => {})

  const exercises = exerciseFolder(options.root, lab)
  const live = new LiveReporter(state => options.onEvent?.({ type: 'live', task, live: state }))
  const student = new RecordedCode(
    lazyStudent(async () => {
      const { openStudentCode } = await import('../student-code/student-code.ts')
      return await openStudentCode({ exercises, signal: stop.signal })
    }),
  )
  cleanup.defer(() => student.close())
  const context = (answers: Record<string, string>): CheckContext => ({
    root: options.root,
    exercises,
    mode: options.mode,
    withOthers: options.withOthers ?? options.mode === 'live',
    failures: options.failures ?? Number.POSITIVE_INFINITY,
    seed: options.seed ?? defaultSeed(),
    student,
    answers,
    signal: stop.signal,
    scratch: async () => cleanup.scratch(),
    defer: undo => cleanup.defer(undo),
    measure: (series, value, unit) => live.measure(series, value, unit),
    compare: (name, measured, expected, unit) => live.compare(name, measured, expected, unit),
    progress: (done, total, text) => live.progress(done, total, text),
    show: (key, value) => live.show(key, value),
    async do(text, action) {
      stop.signal.throwIfAborted()
      const step: Step = { text, state: 'running' }
      steps.push(step)
      report()
      try {
        const value = await action()
        step.state = 'done'
        return value
      } catch (error) {
        step.state = 'failed'
        throw error
      } finally {
        report()
      }
    },
    expect(text, holds, otherwise) {
      steps.push({ text, state: holds ? 'done' : 'failed' })
      report()
      if (!holds) throw new CheckFailure(typeof otherwise === 'function' ? otherwise() : otherwise)
    },
  })

  let feedback: Feedback
  try {
    const answers = answersFor(task, exercises)
    const run = Promise.resolve().then(() => task.check(context(answers)))
    // Once the time is up nobody waits for the check any more; what it still throws must not end the process.
    run.catch(() => {})
    feedback = await Promise.race([run, stopped])
  } catch (error) {
    for (const step of steps) if (step.state === 'running') step.state = 'failed'
    const { failing, ...found } = feedbackFor(error, task, steps)
    const isAboutCode = failing !== 'none'
    const calls = isAboutCode ? (failing ?? student.last?.calls) : undefined
    feedback = fromTheTop(isAboutCode ? withOutput(found, student) : found, options.root)
    // Who is graded does not sit in front of it.
    const replay = options.mode === 'live' && calls ? writeReplay(options.root, lab, task, calls, feedback) : undefined
    if (replay) feedback = { ...feedback, replay }
  }
  if (!feedback.replay && options.mode === 'live') forgetReplay(options.root, lab, task)
  // A step that did what it says may still show what is wrong: then it is the one that failed.
  const last = steps.at(-1)
  if (last && !feedback.passed && !feedback.broken && !steps.some(step => step.state === 'failed')) {
    last.state = 'failed'
    report()
  }
  clearTimeout(timer)
  options.signal?.removeEventListener('abort', leave)
  stop.abort()
  await cleanup.run()

  const result: TaskResult = {
    task: task.id,
    passed: feedback.passed,
    feedback,
    steps,
    live: live.finish(),
    ms: now() - startedAt,
  }
  options.onEvent?.({ type: 'finished', task, result })
  return result
}

function answersFor(task: Task, exercises: string): Record<string, string> {
  if (task.questions.length === 0) return {}
  const given = readAnswers(exercises)[task.id] ?? {}
  return Object.fromEntries(task.questions.map(question => [question.id, choiceIn(question, given[question.id] ?? '')]))
}

function feedbackFor(error: unknown, task: Task, steps: readonly Step[]): Feedback & Pick<Otherwise, 'failing'> {
  if (isOf<CheckFailure>(error, 'CheckFailure') || error instanceof AnswerFileError) {
    return { passed: false, read: task.reading, ...error.feedback }
  }
  if (isOf<SandboxError>(error, 'SandboxError')) {
    return {
      passed: false,
      broken: true,
      expected: 'the sandbox in which your code runs to work; that it does not is no fault of yours',
      found: `${error.message}. Run the check again; if it stays like this, show it to whoever looks after this machine`,
      read: [],
    }
  }
  if (isOf<StudentError>(error, 'StudentError')) return { passed: false, read: task.reading, ...feedbackOf(error) }
  const last = steps.findLast(step => step.state === 'failed')
  return {
    passed: false,
    expected: last ? `this step to work: ${last.text}` : 'the check to run to its end',
    found: error instanceof Error ? error.message : String(error),
    read: task.reading,
  }
}

/** What the student's code printed, where the check does not say it itself. */
function withOutput(feedback: Feedback, student: RecordedCode): Feedback {
  if (feedback.found.includes('\nIt printed:')) return feedback
  return { ...feedback, found: feedback.found + printedText(student.last?.output) }
}

/** Paths as the student knows them: from the top of the repository. */
function fromTheTop(feedback: Feedback, root: string): Feedback {
  const shorten = (text: string): string => text.replaceAll(root + sep, '')
  return { ...feedback, expected: shorten(feedback.expected), found: shorten(feedback.found) }
}

/** Most checks call no code of the student's, so the process that runs it is started by the first call. */
function lazyStudent(open: () => Promise<StudentCode>): StudentCode {
  let opened: Promise<StudentCode> | undefined
  const code = () => (opened ??= open())
  return {
    call: async (...args) => await (await code()).call(...args),
    batch: async (...args) => await (await code()).batch(...args),
    alone: async (...args) => await (await code()).alone(...args),
    create: async (...args) => await (await code()).create(...args),
    close: async () => await (await opened)?.close(),
  }
}

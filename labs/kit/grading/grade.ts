/**
 * Grades subjects, `jobs` at a time. Each job has a worker process of its own that runs the checks and holds only our
 * code; what a student wrote runs in children of it (student-code/).
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Cleanup } from '../check/cleanup.ts'
import type { Feedback } from '../lab/types.ts'
import type { Runner } from '../run/runner.ts'
import { WorkerRunner } from '../run/worker-runner.ts'
import { readsConfigs, vetConfigs } from './config-vetting.ts'
import { type Result, settledFeedback, type TaskResult } from './results.ts'
import type { Subject } from './subjects.ts'
import { overlay } from './submission.ts'

export interface GradeOptions {
  root: string
  jobs: number
  /** With the time that each check took: then results differ from run to run. */
  times?: boolean
  /** With the time of each submission's newest file. */
  handedIn?: boolean
  signal?: AbortSignal
  onResult?: (result: Result, done: number, of: number) => void
  /** For tests. */
  runner?: () => Runner
}

/** Results in the order in which they were finished. Stops early when `signal` is aborted. */
export async function grade(subjects: readonly Subject[], options: GradeOptions): Promise<Result[]> {
  const results: Result[] = []
  const waiting = [...subjects]
  const work = async (): Promise<void> => {
    const runner = options.runner?.() ?? new WorkerRunner()
    try {
      for (let subject = waiting.shift(); subject && !options.signal?.aborted; subject = waiting.shift()) {
        const result = await gradeOne(subject, runner, options)
        if (options.signal?.aborted) return
        results.push(result)
        options.onResult?.(result, results.length, subjects.length)
      }
    } finally {
      await runner.close()
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(options.jobs, subjects.length)) }, work))
  return results
}

async function gradeOne(subject: Subject, runner: Runner, options: GradeOptions): Promise<Result> {
  const { kind, name, lab, seed, tasks } = subject
  const result: Result = {
    kind,
    name,
    lab: lab.id,
    seed,
    points: 0,
    of: tasks.reduce((sum, task) => sum + task.points, 0),
    tasks: [],
    notes: [],
    problems: [],
  }
  const cleanup = new Cleanup()
  try {
    const { files, notes, newestMs = Number.NEGATIVE_INFINITY } = subject.layers()
    result.notes.push(...notes)
    if (options.handedIn && Number.isFinite(newestMs)) result.handedIn = new Date(newestMs).toISOString()
    if (subject.fingerprints) result.fingerprints = await subject.fingerprints(files[0] ?? new Map())
    const scratch = join(cleanup.scratch(), 'graded')
    mkdirSync(scratch)
    overlay(options.root, scratch, lab, files)
    const refused = vetConfigs(scratch, lab)
    for (const task of tasks) {
      if (options.signal?.aborted) break
      if (refused && readsConfigs(task)) {
        result.tasks.push({ task: task.id, passed: false, points: 0, feedback: settledFeedback(refused) })
        continue
      }
      const check = () =>
        runner.check(lab, task, {
          root: scratch,
          mode: 'unattended',
          seed,
          ...(subject.withOthers ? { withOthers: true } : {}),
          ...(options.signal ? { signal: options.signal } : {}),
        })
      let found = await check()
      // The fault may have been the machine's: once more, in a new process.
      if (isBroken(found.feedback)) found = await check()
      if (isBroken(found.feedback)) result.problems.push(`${task.id}: ${found.feedback.found}`)
      if (subject.withOthers && found.passed && found.feedback.leftOut !== undefined) {
        result.notes.push(`nothing is known of ${task.id} without ${found.feedback.leftOut}`)
        continue
      }
      const graded: TaskResult = { task: task.id, passed: found.passed, points: found.passed ? task.points : 0 }
      if (isBroken(found.feedback)) graded.broken = true
      if (!found.passed) graded.feedback = settledFeedback(found.feedback)
      if (options.times) graded.ms = Math.round(found.ms)
      result.tasks.push(graded)
    }
  } catch (error) {
    result.problems.push(`could not be graded: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await cleanup.run()
  }
  result.points = result.tasks.reduce((sum, task) => sum + task.points, 0)
  result.problems.push(...verdict(subject, result))
  return result
}

/** The worker or the sandbox, not the student's code, has failed. */
function isBroken(feedback: Feedback): boolean {
  return feedback.broken === true
}

/** What is not as it has to be with something that the labs bring along. */
function verdict({ kind, expects }: Subject, { tasks }: Result): string[] {
  const problems: string[] = []
  for (const { task, passed, feedback } of tasks) {
    const told = feedback ? [feedback.expected, feedback.found, feedback.misconception ?? ''].join('\n') : ''
    if (kind === 'reference' && !passed)
      problems.push(`${task} fails: expected ${feedback?.expected}; found ${feedback?.found}`)
    if (kind === 'start' && passed) problems.push(`${task} passes with the starting files`)
    if (kind !== 'mutant') continue
    if (passed) problems.push(`${task} passes, though it is wrong`)
    else if (expects !== undefined && !says(told, expects)) {
      problems.push(`${task} is rejected, but the feedback does not say "${expects}": ${told.replaceAll('\n', ' | ')}`)
    }
  }
  return problems
}

/** Whether a text contains words, whatever the case and the line breaks. */
function says(text: string, words: string): boolean {
  const plain = (value: string) => value.toLowerCase().replace(/\s+/g, ' ').trim()
  return plain(text).includes(plain(words))
}

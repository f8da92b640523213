/**
 * What there is to read about a task, a check or a lab, as lines. The terminal UI and plain mode both show these.
 */

import { columns } from '../../../src/text/columns.ts'
import { MEASURED_FILE } from '../check/own-runs.ts'
import { layoutCode, layoutMarkdown } from '../lab/markdown.ts'
import { type Line, type Span, wrap } from '../lab/text.ts'
import type { Lab, Question, Task } from '../lab/types.ts'
import type { Step, TaskResult } from '../run/engine.ts'
import type { LabProgress, TaskProgress } from '../run/progress.ts'

/** State in a word: it is what the marks and colours beside it mean. */
export const STATE_WORDS = { open: 'open', attempted: 'tried', solved: 'solved' } as const

const LABEL_COLUMNS = 10

export function stateOf(progress: Readonly<LabProgress>, task: Task): TaskProgress['state'] {
  return progress[task.id]?.state ?? 'open'
}

/** What has to be solved for the lab to be. */
export function requiredTasks(lab: Lab): readonly Task[] {
  return lab.tasks.filter(task => !task.optional)
}

/** Of tasks that are checked together: what has to pass. One that is asked for alone does, optional or not. */
export function mustPass(tasks: readonly Task[]): readonly Task[] {
  return tasks.length === 1 ? tasks : tasks.filter(task => !task.optional)
}

/** Of those that are required. */
export function solvedCount(lab: Lab, progress: Readonly<LabProgress>): number {
  return requiredTasks(lab).filter(task => stateOf(progress, task) === 'solved').length
}

/** The task to go on with: the first that is required and not solved. */
export function nextTask(lab: Lab, progress: Readonly<LabProgress>): Task | undefined {
  return requiredTasks(lab).find(task => stateOf(progress, task) !== 'solved')
}

/** `20 points`, or that it is optional. */
export function worth({ points, optional }: Task): string {
  return optional ? 'optional' : `${points} points`
}

/** The end of a lab, when all of its tasks are solved: what has been reached, at what cost, and how to go on. */
export function closingLines(
  lab: Lab,
  progress: Readonly<LabProgress>,
  following: Lab | undefined,
  width: number,
): Line[] {
  const points = lab.tasks.reduce((sum, task) => sum + task.points, 0)
  const all = Object.values(progress)
  const hints = all.reduce((sum, task) => sum + task.hints, 0)
  const seen = all.filter(task => task.solutionShown).length
  const count = (number: number, one: string, many: string) => `${number} ${number === 1 ? one : many}`
  return [
    [{ text: `Lab ${lab.number} is solved: ${requiredTasks(lab).length} tasks, ${points} points.`, style: 'good' }],
    ...wrap(
      [
        {
          text: `On the way you looked at ${count(hints, 'hint', 'hints')} and ${count(seen, 'solution', 'solutions')}.`,
        },
      ],
      width,
    ),
    [],
    [{ text: 'You can now', style: 'muted' }],
    ...lab.objectives.flatMap(objective => wrap([{ text: objective }], width, [{ text: '- ' }], [{ text: '  ' }])),
    [],
    ...labelled('Hand in', [{ text: `labs/${lab.id}/exercises`, style: 'code' }], width),
    ...(following
      ? labelled(
          'Next',
          [{ text: `npm run lab -- ${following.number}`, style: 'code' }, { text: `  ${following.title}` }],
          width,
        )
      : []),
    ...readingLines(lab.reading, width),
  ]
}

/** The brief, and which files and readings belong to it. */
export function briefLines(lab: Lab, task: Task, width: number): Line[] {
  const lines = layoutMarkdown(task.brief, width)
  if (task.files.length > 0) {
    lines.push([])
    const edited = task.files.filter(file => file !== MEASURED_FILE)
    const place = (file: string): Line => [{ text: `labs/${lab.id}/exercises/${file}`, style: 'code' }]
    for (const [index, file] of edited.entries()) lines.push(...labelled(index === 0 ? 'Edit' : '', place(file), width))
    if (edited.length < task.files.length) lines.push(...labelled('Figures', place(MEASURED_FILE), width))
  }
  if (task.files.length === 0) lines.push([])
  lines.push(...readingLines(task.reading, width))
  return lines
}

function readingLines(read: readonly string[], width: number): Line[] {
  return read.flatMap((text, index) => labelled(index === 0 ? 'Read' : '', [{ text }], width))
}

/** One hint; `number` counts from 1. */
export function hintLines(task: Task, number: number, width: number): Line[] {
  return [
    [{ text: `Hint ${number} of ${task.hints.length}`, style: 'accent' }],
    ...layoutMarkdown(task.hints[number - 1] ?? '', width - 2).map(line => [{ text: '  ' }, ...line]),
  ]
}

/** The questions with the answers given so far, and with what was predicted before anything was measured. */
export function questionLines(
  task: Task,
  answers: Readonly<Record<string, string>>,
  width: number,
  predictions: Readonly<Record<string, string>> = {},
): Line[] {
  const lines: Line[] = []
  for (const [index, question] of task.questions.entries()) {
    if (index > 0) lines.push([])
    lines.push(...questionText(question, width))
    const answer = answers[question.id] ?? ''
    const predicted = predictions[question.id]
    lines.push([
      { text: '   ' },
      answer === '' ? { text: '(no answer yet)', style: 'muted' } : { text: `Your answer: ${answer}`, style: 'strong' },
      ...(predicted === undefined ? [] : [{ text: `   predicted before the measurement: ${predicted}` }]),
    ])
  }
  return lines
}

export function questionText(question: Question, width: number): Line[] {
  const lines = wrap([{ text: question.prompt }], width, [{ text: '?  ', style: 'accent' }], [{ text: '   ' }])
  for (const [letter, text] of Object.entries(question.choices ?? {})) {
    lines.push(...wrap([{ text }], width, [{ text: `   ${letter}) ` }], [{ text: '      ' }]))
  }
  return lines
}

export interface VerdictOptions {
  /** For terminals; plain mode has words only. */
  good: string
  bad: string
  /** An earlier check has passed: the task stays solved, whatever is in the files now. */
  solvedBefore: boolean
}

/** What a check found. */
export function feedbackLines(result: TaskResult, width: number, { good, bad, solvedBefore }: VerdictOptions): Line[] {
  const { feedback } = result
  const failed = feedback.broken
    ? 'Could not be checked'
    : solvedBefore
      ? 'Does not pass any more; the task stays solved'
      : 'Not yet'
  const verdict: Span = feedback.passed
    ? { text: `${good}Solved`, style: 'good' }
    : { text: `${bad}${failed}`, style: 'bad' }
  const lines: Line[] = [[verdict, { text: `  (checked in ${formatMs(result.ms)})`, style: 'muted' }]]
  const step = result.steps.find(step => step.state === 'failed')
  if (step) lines.push(...labelled('Step', [{ text: step.text }], width))
  lines.push(...labelled('Expected', [{ text: feedback.expected }], width))
  lines.push(...labelled('Found', [{ text: feedback.found }], width))
  if (feedback.misconception) lines.push(...labelled('Why', [{ text: feedback.misconception, style: 'strong' }], width))
  if (feedback.leftOut) lines.push(...labelled('Not run', [{ text: feedback.leftOut }], width))
  if (feedback.replay) {
    const { file, command } = feedback.replay
    const spans: Span[] = [{ text: command, style: 'code' }, { text: ' runs it alone; the whole input is in' }]
    lines.push(...labelled('Again', [...spans, { text: ' ' }, { text: file, style: 'code' }], width))
  }
  lines.push(...readingLines(feedback.read, width))
  return lines
}

export function stepLines(steps: readonly Step[], width: number, marks: Record<Step['state'], string>): Line[] {
  const styles = { done: 'good', failed: 'bad', running: 'accent' } as const
  return steps.flatMap(step =>
    wrap(
      [{ text: step.text }],
      width,
      [{ text: marks[step.state], style: styles[step.state] }],
      [{ text: ' '.repeat(columns(marks[step.state])) }],
    ),
  )
}

/** `Label     text`, the text aligned under itself. Of several lines, those after the first are code or output: their blanks stay. */
export function labelled(label: string, spans: readonly Span[], width: number): Line[] {
  const text = spans.map(span => span.text).join('')
  const [first = '', ...more] = text.split('\n')
  const before: Line = [{ text: ' '.repeat(LABEL_COLUMNS) }]
  const head = more.length === 0 ? spans : [{ ...spans[0], text: first }]
  return [
    ...wrap(head, width, [{ text: label.padEnd(LABEL_COLUMNS), style: 'muted' }], before),
    ...more.flatMap(line => layoutCode(line, width - LABEL_COLUMNS, 0).map(part => [...before, ...part])),
  ]
}

/** A duration for reading: two digits that mean something below 10 ms, none above 100 ms, seconds from 1 s on. */
export function formatMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)} ms`
  if (ms < 100) return `${ms.toFixed(1)} ms`
  if (ms < 1000) return `${ms.toFixed(0)} ms`
  return `${(ms / 1000).toFixed(1)} s`
}

/**
 * Plain mode: the same content as the terminal UI, as lines of text from top to bottom. For pipes, logs, dumb terminals
 * and screen readers; so words instead of marks, and nothing that is drawn over.
 */
import { columns, padEnd } from '../../../src/text/columns.ts'
import { readAnswers } from '../check/answers.ts'
import { liveText } from '../check/measurements.ts'
import { exerciseFolder } from '../lab/exercises.ts'
import { layoutCode } from '../lab/markdown.ts'
import { ASCII } from '../lab/marks.ts'
import { type Line, plainText, wrap } from '../lab/text.ts'
import type { CheckMode, Lab, Panel, PanelProps, PhaseState, Task } from '../lab/types.ts'
import type { Classroom } from '../run/classroom.ts'
import { runDemonstration } from '../run/demonstrate.ts'
import { runChecks, type TaskResult } from '../run/engine.ts'
import type { ProgressStore } from '../run/progress.ts'
import { type CheckQueue, placeText } from '../run/queue.ts'
import { attemptsToGo, solutionLines } from '../run/solution.ts'
import { watchFiles } from '../run/watch.ts'
import { resultsJson } from './json.ts'
import {
  briefLines,
  feedbackLines,
  formatMs,
  hintLines,
  mustPass,
  nextTask,
  questionLines,
  requiredTasks,
  STATE_WORDS,
  solvedCount,
  stateOf,
} from './pages.ts'

/** Text can be scrolled back, so a picture may be as long as it likes; this is longer than any is. */
const PANEL_ROWS = 100

export interface PlainOutput {
  /** Takes whole lines, ending with a newline. */
  write(text: string): void
  width: number
}

export interface PlainOptions {
  root: string
  store: ProgressStore
  out: PlainOutput
  signal?: AbortSignal
  /** In which checks that measure wait for those of others. */
  queue?: CheckQueue
  /** Is told of what is opened and checked, if the student has joined one. */
  classroom?: Pick<Classroom, 'tell'>
  /** Results of checks as JSON, and nothing else. */
  json?: boolean
}

/** Strings that are wider than the output go on in the next line, as a terminal would break them inside a word. */
export function print(out: PlainOutput, ...lines: (string | Line)[]): void {
  const laidOut = lines.flatMap(line => (typeof line === 'string' ? layoutCode(line, out.width, 0) : [line]))
  out.write(laidOut.map(line => `${plainText(line)}\n`).join(''))
}

function paragraph(out: PlainOutput, text: string, indent = ''): void {
  print(out, ...wrap([{ text }], out.width, [{ text: indent }]))
}

/** `npm run lab`: which labs there are, and how far one has come. */
export function printLabs(labs: readonly Lab[], { store, out }: PlainOptions): void {
  print(out, 'masque-lab: the labs', '')
  for (const lab of labs) {
    const solved = solvedCount(lab, store.lab(lab.id))
    print(
      out,
      `  ${lab.number}  ${lab.title}  (${lab.minutes} minutes, ${solved} of ${requiredTasks(lab).length} tasks solved)`,
    )
    paragraph(out, lab.summary, '     ')
  }
  print(out, '', `Open one:  npm run lab -- ${labs[0]?.number ?? 1}`)
}

/** The lab from its start: demonstration, tasks with their state, how to go on. Returns the exit status. */
export async function printLab(lab: Lab, options: PlainOptions): Promise<number> {
  const { out } = options
  print(out, `Lab ${lab.number}: ${lab.title}`, '')
  if (lab.demonstration && !(await printDemonstration(lab, options))) return 1
  printTasks(lab, options)
  print(out, '')
  printHowToGoOn(lab, options)
  return 0
}

async function printDemonstration(lab: Lab, { out, signal }: PlainOptions): Promise<boolean> {
  const demonstration = lab.demonstration!
  print(out, `Demonstration: ${demonstration.title}`)
  paragraph(out, demonstration.about)
  print(out, '')
  const words: Partial<Record<PhaseState, string>> = { done: 'done', failed: 'FAILED' }
  const titleColumns = Math.max(...demonstration.phases.map(phase => columns(phase.title)))
  const printed = new Set<string>()
  const outcome = await runDemonstration(demonstration, {
    signal,
    onPhases(phases) {
      for (const phase of phases) {
        const word = words[phase.state]
        if (word === undefined || printed.has(phase.id) || signal?.aborted) continue
        printed.add(phase.id)
        const time = phase.ms === undefined ? '' : formatMs(phase.ms)
        print(
          out,
          `  ${word.padEnd(6)} ${padEnd(phase.title, titleColumns)}  ${time.padStart(8)}  ${phase.detail ?? ''}`.trimEnd(),
        )
      }
    },
  })
  if (signal?.aborted) return false
  if (outcome.failure !== undefined) {
    print(out, '')
    paragraph(out, `The demonstration failed: ${outcome.failure}`)
    return false
  }
  print(out, '')
  for (const sentence of outcome.summary) paragraph(out, sentence)
  print(out, `It took ${formatMs(outcome.ms)} in all, and everything is closed again.`, '')
  return true
}

export function printTasks(lab: Lab, { store, out }: PlainOptions): void {
  const progress = store.lab(lab.id)
  print(out, `Tasks (${solvedCount(lab, progress)} of ${requiredTasks(lab).length} solved)`)
  const idColumns = Math.max(...lab.tasks.map(task => task.id.length))
  for (const [index, task] of lab.tasks.entries()) {
    const state = STATE_WORDS[stateOf(progress, task)]
    print(
      out,
      `  ${index + 1}. ${`[${state}]`.padEnd(8)} ${task.id.padEnd(idColumns)}  ${task.title}${task.optional ? ' (optional)' : ''}`,
    )
  }
}

function printHowToGoOn(lab: Lab, { store, out }: PlainOptions): void {
  const task = nextTask(lab, store.lab(lab.id)) ?? lab.tasks[0]
  const command = `npm run lab -- ${lab.number}`
  const asking = lab.tasks.find(candidate => candidate.questions.length > 0)
  print(
    out,
    'How to go on',
    `  read a task         ${command} --task ${task.id}`,
    ...(asking ? [`  give an answer      ${command} --task ${asking.id} --answer ${asking.questions[0].id}=...`] : []),
    `  one more hint       ${command} --task ${task.id} --hint`,
    `  check one task      ${command} --task ${task.id} --check`,
    `  check at each save  ${command} --task ${task.id} --watch`,
    `  check and grade     ${command} --check       (all tasks; exit status 0 when all pass)`,
    `  the handout         labs/${lab.id}/README.md`,
  )
  if (nextTask(lab, store.lab(lab.id)) === undefined) {
    print(out, '', 'All tasks are solved.')
  }
}

/** One task: brief, hints so far, questions with the answers given. */
export function printTask(lab: Lab, task: Task, { root, store, out, classroom }: PlainOptions): void {
  classroom?.tell(lab, task)
  const progress = store.task(lab.id, task.id)
  const number = lab.tasks.indexOf(task) + 1
  print(
    out,
    `Lab ${lab.number}, task ${number} of ${lab.tasks.length}: ${task.title}  [${STATE_WORDS[progress.state]}]`,
    '',
  )
  print(out, ...briefLines(lab, task, out.width))
  if (task.questions.length > 0) {
    const answers = readAnswers(exerciseFolder(root, lab))[task.id] ?? {}
    print(out, '', ...questionLines(task, answers, out.width, progress.predictions))
    const form = task.questions.map(question => `--answer ${question.id}=...`).join(' ')
    print(out, '', `Answer:  npm run lab -- ${lab.number} --task ${task.id} ${form}`)
  }
  for (let hint = 1; hint <= progress.hints; hint++) print(out, '', ...hintLines(task, hint, out.width))
  print(out, '', `Check:   npm run lab -- ${lab.number} --task ${task.id} --check`)
  if (progress.hints < task.hints.length) {
    print(out, `Hint:    npm run lab -- ${lab.number} --task ${task.id} --hint`)
  }
}

export function printHint(lab: Lab, task: Task, { store, out }: PlainOptions): void {
  if (task.hints.length === 0) {
    print(out, `There are no hints for '${task.title}'.`)
    return
  }
  const before = store.task(lab.id, task.id).hints
  const shown = store.revealHint(lab.id, task.id, task.hints.length)
  print(out, task.title)
  for (let hint = 1; hint <= shown; hint++) print(out, '', ...hintLines(task, hint, out.width))
  print(out, '')
  if (before === task.hints.length) print(out, 'That was all of them.')
  else print(out, `${task.hints.length - shown} more: run the same command again.`)
}

/** Checks tasks one after the other. Returns whether all of them passed. `asked`: by the student, not by a save. */
export async function printChecks(
  lab: Lab,
  tasks: readonly Task[],
  mode: CheckMode,
  { root, store, out, signal, queue, classroom, json = false }: PlainOptions,
  asked = true,
): Promise<boolean> {
  // The picture of what was looked at belongs to one task; for a whole lab it would bury the results.
  const panel = tasks.length === 1 && !json ? await (tasks[0]?.panel ?? lab.panel)?.() : undefined
  const [one] = mode === 'live' ? tasks : []
  if (one) lockPredictions(lab, one, { root, store })
  const results = await runChecks(lab, tasks, {
    root,
    mode,
    ...(one ? { failures: store.task(lab.id, one.id).attempts } : {}),
    ...(signal ? { signal } : {}),
    queue,
    onEvent(event) {
      if (event.type === 'queued' && !json) paragraph(out, `Waiting: ${placeText(event.place)}`)
      if (event.type === 'not queued' && !json) paragraph(out, `note: ${event.note}`)
      if (event.type !== 'finished' || signal?.aborted) return
      if (!event.result.feedback.broken) store.recordCheck(lab.id, event.task.id, event.result.passed, asked)
      if (mode === 'live') classroom?.tell(lab, event.task, event.result)
      if (json) return
      printResult(lab, event.task, event.result, { root, store, out })
      if (panel) printPanel(panel, event.task, event.result, out)
    },
  })
  const required = mustPass(tasks)
  const passed = required.filter(({ id }) => results.some(({ task, passed }) => task === id && passed)).length
  if (json) out.write(`${JSON.stringify(resultsJson(lab, mode, tasks, results), null, 2)}\n`)
  else if (tasks.length > 1) print(out, `${passed} of ${required.length} tasks passed.`)
  return passed === required.length
}

function lockPredictions(lab: Lab, task: Task, { root, store }: Pick<PlainOptions, 'root' | 'store'>): void {
  try {
    store.lockPredictions(lab.id, task, readAnswers(exerciseFolder(root, lab))[task.id] ?? {})
  } catch {
    // The check says what is wrong with the file.
  }
}

function printResult(lab: Lab, task: Task, result: TaskResult, { store, out }: PlainOptions): void {
  const solvedBefore = stateOf(store.lab(lab.id), task) === 'solved'
  print(out, `Task ${lab.tasks.indexOf(task) + 1}, ${task.id}: ${task.title}`)
  const lines = feedbackLines(result, out.width - 2, { good: '', bad: '', solvedBefore })
  print(out, ...lines.map(line => [{ text: '  ' }, ...line]))
  const measured = liveText(result.live)
  if (measured.length > 0) print(out, ...measured.flatMap(text => wrap([{ text }], out.width, [{ text: '  ' }])))
  print(out, '')
}

/** The lab's own picture, as it stands at the end of the check. */
function printPanel(panel: Panel, task: Task, result: TaskResult, out: PlainOutput): void {
  const props: PanelProps = {
    task,
    phases: [],
    live: result.live,
    running: false,
    passed: result.passed,
    step: 0,
    width: out.width,
    rows: PANEL_ROWS,
    marks: ASCII,
    inWords: true,
  }
  for (const view of [undefined, ...(panel.views?.(props) ?? [])]) {
    const shown: PanelProps = { ...props, view }
    const lines = panel.lines({ ...shown, step: (panel.steps?.(shown) ?? 1) - 1 })
    if (lines.length > 0) print(out, ...lines, '')
  }
}

/** Returns whether it may be seen. */
export function printSolution(lab: Lab, task: Task, { root, store, out }: PlainOptions): boolean {
  const toGo = attemptsToGo(store.task(lab.id, task.id))
  if (toGo > 0) {
    paragraph(
      out,
      `The solution of '${task.id}' can be seen once the task is solved or has been checked ${toGo === 1 ? 'once more' : `${toGo} more times`}. Is there a hint left?  npm run lab -- ${lab.number} --task ${task.id} --hint`,
    )
    return false
  }
  store.recordSolutionShown(lab.id, task.id)
  print(
    out,
    ...solutionLines(root, lab, task).map(line => (line[0]?.style === 'code' ? [{ text: '  ' }, ...line] : line)),
  )
  return true
}

/** Checks the task at once, and again whenever one of its files is saved; until it is stopped. */
export async function watchTask(lab: Lab, task: Task, options: PlainOptions): Promise<number> {
  const { root, out, signal } = options
  const check = async (asked: boolean) => {
    const passed = await printChecks(lab, [task], 'live', options, asked)
    if (signal?.aborted || options.json) return
    const next = lab.tasks[lab.tasks.indexOf(task) + 1]
    if (passed && next) print(out, `Next:  npm run lab -- ${lab.number} --task ${next.id} --watch`, '')
    print(out, `Watching ${task.files.join(', ')}; Ctrl-C ends.`, '')
  }
  let wanted = 1
  let wake = () => {}
  const watcher = watchFiles(exerciseFolder(root, lab), task.files, () => {
    wanted++
    wake()
  })
  signal?.addEventListener('abort', () => wake(), { once: true })
  for (let done = 0; !signal?.aborted; ) {
    if (done === wanted) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
      continue
    }
    const asked = done === 0
    done = wanted
    await check(asked)
  }
  watcher.stop()
  return 0
}

/**
 * `npm run lab`: opens a lab, in the terminal UI where there is a terminal and as plain text elsewhere.
 *
 * React and Ink are loaded only when the UI is opened: they take half a second, and plain output does not need them.
 */
import { CommanderError } from 'commander'
import { explain } from '../../../src/cli/run-command.ts'
import { userPorts } from '../../../src/net/user-ports.ts'
import { median } from '../../../src/stats/statistics.ts'
import { ANSWERS_FILE, AnswerFileError, writeAnswer } from '../check/answers.ts'
import { Cleanup, cleanUpEverything, endCleanly } from '../check/cleanup.ts'
import { givenAnswers } from '../check/questions.ts'
import {
  ExercisesError,
  exerciseFolder,
  exercisesProblem,
  isForbidden,
  resetExercises,
  startingFiles,
} from '../lab/exercises.ts'
import { portsTable } from '../lab/own-ports.ts'
import { findLab, findTask, loadLabs, ROOT } from '../lab/registry.ts'
import { plainText, wrap } from '../lab/text.ts'
import type { Lab, Task } from '../lab/types.ts'
import { labsJson, tasksJson } from '../plain/json.ts'
import { nextTask } from '../plain/pages.ts'
import {
  type PlainOptions,
  print,
  printChecks,
  printHint,
  printLab,
  printLabs,
  printSolution,
  printTask,
  printTasks,
  watchTask,
} from '../plain/plain.ts'
import { CLASSROOM_PORT, Classroom, defaultAlias, isAlias } from '../run/classroom.ts'
import { parseJoinCode } from '../run/join-code.ts'
import { accountName } from '../run/port-owner.ts'
import { ProgressStore } from '../run/progress.ts'
import { MachineQueue } from '../run/queue.ts'
import { RELAY_PLAN } from '../run/relay-plan.ts'
import { runReplay } from '../run/replay.ts'
import { MIN_COLUMNS, MIN_ROWS, terminalIsFit } from '../ui/screen.ts'
import { type Options, parseArguments, wantsUi } from './arguments.ts'

/** A wrong way of calling the command: one clear sentence, exit status 2. */
class UsageError extends Error {}

async function main(argv: readonly string[]): Promise<number> {
  const { lab: name, options } = parseArguments(argv)
  const store = new ProgressStore()
  const stop = new AbortController()
  const plain: PlainOptions = {
    root: ROOT,
    store,
    signal: stop.signal,
    queue: new MachineQueue(),
    classroom: new Classroom(),
    json: options.json ?? false,
    out: {
      write: text => void process.stdout.write(text),
      width: Math.min(88, Math.max(40, (process.stdout.columns ?? 80) - 1)),
    },
  }
  endCleanly(stop)
  const labs = await loadLabs()
  try {
    if (options.join || options.leave) return await attend(options, plain)
    if (options.relay) return await relay(plain)
    if (options.alias !== undefined || options.port !== undefined)
      throw new UsageError('--alias and --port go with --join')
    if (options.ports) {
      if (plain.json) printJson(userPorts(), plain)
      else plain.out.write(`${portsTable().join('\n')}\n`)
      return 0
    }
    if (options.packet !== undefined && options.capture === undefined)
      throw new UsageError('--packet goes with --capture FILE')
    if (name === undefined) {
      if (options.capture !== undefined) throw new UsageError('which lab? npm run lab -- 3 --capture FILE shows it')
      const needsLab = (['task', 'hint', 'check', 'answer', 'reset', 'solution', 'watch', 'replay'] as const).find(
        option => options[option] !== undefined,
      )
      if (needsLab) throw new UsageError(`which lab? For example: npm run lab -- ${labs[0].number} --${needsLab}`)
      for (const lab of labs) exercisesProblem(ROOT, lab)
      if (plain.json) printJson(labsJson(labs, store), plain)
      else printLabs(labs, plain)
      return 0
    }
    const lab = findLab(labs, name)
    if (!lab) {
      const known = labs.map(candidate => `${candidate.number} (${candidate.id})`).join(', ')
      throw new UsageError(
        `there is no lab '${name}': ${known} can be opened, for example npm run lab -- ${labs[0].number}`,
      )
    }
    if (options.capture !== undefined) return await showCapture(labs, lab, options.capture, options, plain)
    return await runLab(labs, lab, options, plain)
  } finally {
    if (store.warning) process.stderr.write(`note: ${store.warning}\n`)
  }
}

async function runLab(labs: readonly Lab[], lab: Lab, options: Options, plain: PlainOptions): Promise<number> {
  const task = options.task === undefined ? undefined : knownTask(lab, options.task)
  const next = () => task ?? nextTask(lab, plain.store.lab(lab.id)) ?? lab.tasks[0]
  const problem = exercisesProblem(plain.root, lab)
  const works = options.check || options.watch || options.answer || options.reset !== undefined
  if (problem && works) throw new ExercisesError(problem)
  if (options.reset !== undefined) {
    reset(lab, options.reset === true ? task : knownTask(lab, options.reset), plain)
    return 0
  }
  if (options.solution !== undefined) return printSolution(lab, knownTask(lab, options.solution), plain) ? 0 : 1
  if (options.replay) {
    if (!task) throw new UsageError(`of which task? --task ${taskIds(lab)}`)
    const status = await runReplay(plain.root, lab, task, {
      ...options,
      say: text => void process.stderr.write(`${text}\n`),
    })
    if (status === undefined) {
      throw new UsageError(
        `'${task.id}' has no replay: its last check did not fail in a call that can be made again alone; --check checks it`,
      )
    }
    return status
  }
  if (options.answer) {
    if (!task) throw new UsageError(`which task is it the answer to? --task ${taskIds(lab)}`)
    recordAnswers(lab, task, options.answer)
    return (await printChecks(lab, [task], 'live', plain)) ? 0 : 1
  }
  if (options.hint) {
    printHint(lab, next(), plain)
    return 0
  }
  if (options.check) {
    if (task) return (await printChecks(lab, [task], 'live', plain)) ? 0 : 1
    return (await printChecks(lab, lab.tasks, 'unattended', plain)) ? 0 : 1
  }
  if (options.json) {
    printJson(tasksJson(lab, plain.store), plain)
    return 0
  }
  if (options.list) {
    print(plain.out, `Lab ${lab.number}: ${lab.title}`, '')
    printTasks(lab, plain)
    return 0
  }
  if (wantsUi(options) && terminalIsFit(process)) {
    // React's development build is several times slower.
    process.env.NODE_ENV ??= 'production'
    const { openLabInTerminal } = await import('./open-ui.tsx')
    return await openLabInTerminal(labs, lab, task, { ...options, problem })
  }
  if (options.watch) {
    noteSize()
    return await watchTask(lab, next(), plain)
  }
  let status = 0
  if (task) printTask(lab, task, plain)
  else status = await printLab(lab, plain)
  // At the end: what comes first has left a small window before anybody has read it.
  noteSize()
  if (problem) process.stderr.write(`note: ${problem}\n`)
  return status
}

async function showCapture(
  labs: readonly Lab[],
  lab: Lab,
  file: string,
  { packet, plain, json }: Options,
  { out }: PlainOptions,
): Promise<number> {
  const shows = labs.find(candidate => candidate.capture !== undefined)
  if (lab.capture === undefined)
    throw new UsageError(
      `lab ${lab.number} shows no captures: npm run lab -- ${shows?.number ?? 3} --capture FILE does`,
    )
  if (json) throw new UsageError('a capture is not shown as JSON: tshark -T json does that')
  const inTerminal = !plain && terminalIsFit(process)
  // React's development build is several times slower.
  if (inTerminal) process.env.NODE_ENV ??= 'production'
  const { showCapture: show } = await lab.capture()
  return await show({
    file,
    ...(packet === undefined ? {} : { packet }),
    inTerminal,
    width: out.width,
    print: lines => print(out, ...lines),
    problem: sentence => void process.stderr.write(`${sentence}\n`),
  })
}

async function attend({ join, leave, alias = defaultAlias(), port }: Options, { out }: PlainOptions) {
  const classroom = new Classroom()
  if (join && leave) throw new UsageError('--join, or --leave?')
  if (leave) {
    const left = await classroom.leave()
    print(out, left ? 'You have left the classroom, and nothing is told to it any more.' : 'You had not joined one.')
    return 0
  }
  if (!isAlias(alias))
    throw new UsageError(`'${alias}' is no alias: up to 24 letters and digits, such as --alias "Ada L"`)
  const code = typeof join === 'string' ? parseJoinCode(join) : undefined
  if (typeof join === 'string' && code === undefined)
    throw new UsageError(`'${join}' is no code of a class: it has eight digits and letters, such as --join 3YC4-J07Q`)
  if (code !== undefined && port !== undefined && port !== code.port)
    throw new UsageError(`this code is of a classroom on port ${code.port}: leave --port away`)
  const problem = await classroom.join({
    port: code?.port ?? port ?? CLASSROOM_PORT,
    alias,
    ...(code && { code: code.text }),
  })
  if (problem !== undefined) {
    process.stderr.write(`${problem}\n`)
    return 1
  }
  print(
    out,
    `You have joined the classroom${whose(classroom)} as ${alias}. From now on it is told, and everybody who sees its page is shown: which task you are at, whether its check passed, how often it failed, and the misconception that a check names. Nothing of your code or your answers.`,
    'npm run lab -- --leave ends it, and takes back what it knows of you.',
  )
  return 0
}

/** Whoever was there first may have listened on that port: the student sees who it is. */
function whose({ membership }: Classroom): string {
  return membership?.instructor === undefined ? '' : ` of ${accountName(membership.instructor)}`
}

/** Ends early, and in good order, when the student ends it. */
async function relay({ out, signal }: PlainOptions): Promise<number> {
  const cleanup = new Cleanup()
  const { seconds } = RELAY_PLAN
  try {
    const onOffer = () =>
      print(out, `A tunnel to the proxy of the classroom, for ${seconds} s; Ctrl-C ends it. The projector shows it.`)
    const running = new Classroom().relay({ onOffer, ...(signal && { signal }) })
    cleanup.defer(() => running.catch(() => {}))
    const result = await running
    if (typeof result === 'string') {
      process.stderr.write(`${result}\n`)
      return 1
    }
    const { rtts, sent } = result
    const times =
      rtts.length > 0
        ? `; round trips: median ${median(rtts).toFixed(1)} ms, slowest ${Math.max(...rtts).toFixed(1)} ms`
        : ''
    print(out, `${rtts.length} of ${sent} pings were answered${times}`)
    return 0
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    return 1
  } finally {
    await cleanup.run()
  }
}

function printJson(value: object, { out }: PlainOptions): void {
  out.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** Why there is text where there could be a full-screen view. */
function noteSize(): void {
  const { columns, rows, isTTY } = process.stdout
  if (!isTTY || (columns >= MIN_COLUMNS && rows >= MIN_ROWS)) return
  const note = `note: this is text because the terminal has ${columns} columns and ${rows} rows; with ${MIN_COLUMNS} by ${MIN_ROWS} or more there is a full-screen view`
  const lines = wrap([{ text: note }], Math.max(20, columns - 1)).map(plainText)
  process.stderr.write(`${lines.join('\n')}\n`)
}

function taskIds(lab: Lab): string {
  return lab.tasks.map(task => task.id).join(' | ')
}

function knownTask(lab: Lab, name: string): Task {
  const task = findTask(lab, name)
  if (!task)
    throw new UsageError(`lab ${lab.number} has no task '${name}': ${taskIds(lab)}, or 1 to ${lab.tasks.length}`)
  return task
}

/** The files of one task, or all. The answers are in one file for all tasks: of one task, only its own are cleared. */
function reset(lab: Lab, task: Task | undefined, { root, out }: PlainOptions): void {
  const starting = startingFiles(root, lab)
  const files = task ? starting.filter(file => task.files.includes(file) && file !== ANSWERS_FILE) : starting
  const done = resetExercises(root, lab, files)
  for (const { file, backup } of done) {
    print(
      out,
      `labs/${lab.id}/exercises/${file} is as it was handed out${backup ? `; yours is kept as ${backup}` : ''}`,
    )
  }
  for (const question of task?.questions ?? []) {
    writeAnswer(exerciseFolder(root, lab), task!.id, question.id, '')
    print(out, `the answer to ${task!.id}.${question.id} is cleared`)
  }
  if (done.length === 0 && !task?.questions.length) print(out, 'Nothing to do: the files are as they were handed out.')
}

function recordAnswers(lab: Lab, task: Task, given: readonly string[]): void {
  if (task.questions.length === 0) throw new UsageError(`task '${task.id}' asks no question; --check checks it`)
  let answers: Map<string, string>
  try {
    answers = givenAnswers(task, given)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
  for (const [question, text] of answers) writeAnswer(exerciseFolder(ROOT, lab), task.id, question, text)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0)
      process.stderr.write(`${error.message.replace(/^error: /, '')}; npm run lab -- --help shows what there is\n`)
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  } else if (error instanceof AnswerFileError || error instanceof ExercisesError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  } else if (isForbidden(error)) {
    process.stderr.write(`${error.path ?? 'a file'} cannot be written (${error.code}); is this a clone of your own?\n`)
    process.exitCode = 1
  } else throw error
}
await cleanUpEverything()

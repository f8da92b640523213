/**
 * `npm run lab`: opens a lab, in the terminal UI where there is a terminal and as plain text elsewhere.
 *
 * React and Ink are loaded only when the UI is opened: they take half a second, and plain output does not need them.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { AnswerFileError, writeAnswer } from './answers.ts'
import { cleanUpEverything } from './cleanup.ts'
import { ensureExercises, exerciseFolder } from './exercises.ts'
import { nextTask } from './pages.ts'
import {
  type PlainOptions,
  print,
  printChecks,
  printHint,
  printLab,
  printLabs,
  printTask,
  printTasks,
} from './plain.ts'
import { ProgressStore } from './progress.ts'
import { findLab, loadLabs, ROOT } from './registry.ts'
import { enterScreen } from './screen.ts'
import type { Lab, Task } from './types.ts'
import { WorkerRunner } from './worker-runner.ts'

/** A wrong way of calling the command: one clear sentence, exit status 2. */
class UsageError extends Error {}

interface Options {
  plain?: boolean
  check?: boolean
  task?: string
  hint?: boolean
  list?: boolean
  answer?: string[]
}

const MIN_COLUMNS = 60
const MIN_ROWS = 18

function parseArguments(argv: readonly string[]): { lab: string | undefined; options: Options } {
  const command = new Command('npm run lab --')
    .description('Opens a lab. Without a number: the list of labs.')
    .argument('[lab]', 'number or name of the lab')
    .option('--plain', 'plain text instead of the terminal UI')
    .option('--list', 'the labs; with a lab, its tasks and how far you are')
    .option('--task <id>', 'one task, by id or number')
    .option(
      '--answer <answer>',
      "answers the task's question, and checks: VALUE, or QUESTION=VALUE; may be repeated",
      collect,
    )
    .option('--hint', 'one more hint for the task (without --task: the next unsolved one)')
    .option('--check', 'without --task: checks all tasks from the exercise files alone; the exit status tells')
    .helpOption('--help', 'shows this')
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .parse([...argv], { from: 'user' })
  return { lab: command.args[0], options: command.opts() }
}

function collect(value: string, earlier: string[] = []): string[] {
  if (value.trim() === '') throw new InvalidArgumentError('an answer is expected')
  return [...earlier, value]
}

async function main(argv: readonly string[]): Promise<number> {
  const { lab: name, options } = parseArguments(argv)
  const store = new ProgressStore()
  const stop = new AbortController()
  const plain: PlainOptions = {
    root: ROOT,
    store,
    signal: stop.signal,
    out: {
      write: text => void process.stdout.write(text),
      width: Math.min(88, Math.max(40, (process.stdout.columns ?? 80) - 1)),
    },
  }
  endCleanly(stop)
  const labs = await loadLabs()
  try {
    if (name === undefined) {
      if (options.task || options.hint || options.check || options.answer) {
        throw new UsageError('which lab? For example: npm run lab -- 1 --check')
      }
      printLabs(labs, plain)
      return 0
    }
    const lab = findLab(labs, name)
    if (!lab) {
      const known = labs.map(candidate => `${candidate.number} (${candidate.id})`).join(', ')
      throw new UsageError(
        `there is no lab '${name}': ${known} can be opened, for example npm run lab -- ${labs[0]!.number}`,
      )
    }
    return await runLab(lab, options, plain)
  } finally {
    if (store.warning) process.stderr.write(`note: ${store.warning}\n`)
  }
}

async function runLab(lab: Lab, options: Options, plain: PlainOptions): Promise<number> {
  const task = options.task === undefined ? undefined : findTask(lab, options.task)
  ensureExercises(plain.root, lab)
  if (options.answer) {
    if (!task) throw new UsageError(`which task is it the answer to? --task ${taskIds(lab)}`)
    recordAnswers(lab, task, options.answer)
    return (await printChecks(lab, [task], 'live', plain)) ? 0 : 1
  }
  if (options.hint) {
    printHint(lab, task ?? nextTask(lab, plain.store.lab(lab.id)) ?? lab.tasks[0]!, plain)
    return 0
  }
  if (options.check) {
    if (task) return (await printChecks(lab, [task], 'live', plain)) ? 0 : 1
    return (await printChecks(lab, lab.tasks, 'unattended', plain)) ? 0 : 1
  }
  if (options.list) {
    print(plain.out, `Lab ${lab.number}: ${lab.title}`, '')
    printTasks(lab, plain)
    return 0
  }
  if (!options.plain && terminalIsFit()) {
    enterScreen(`Lab ${lab.number}  ${lab.title}`)
    // The worker loads the lab while this process loads Ink.
    const runner = new WorkerRunner()
    // React's development build is several times slower.
    process.env.NODE_ENV ??= 'production'
    const { openLab } = await import('./ui/open.tsx')
    return await openLab({ lab, root: plain.root, store: plain.store, runner, ...(task ? { task } : {}) })
  }
  if (task) {
    printTask(lab, task, plain)
    return 0
  }
  return await printLab(lab, plain)
}

function terminalIsFit(): boolean {
  const { stdout, stdin, env } = process
  if (!stdout.isTTY || !stdin.isTTY || env.TERM === 'dumb' || env.CI) return false
  if (stdout.columns >= MIN_COLUMNS && stdout.rows >= MIN_ROWS) return true
  process.stderr.write(
    `note: the terminal has ${stdout.columns} columns and ${stdout.rows} rows; with ${MIN_COLUMNS} by ${MIN_ROWS} or more there is a full-screen view\n`,
  )
  return false
}

function taskIds(lab: Lab): string {
  return lab.tasks.map(task => task.id).join(' | ')
}

function findTask(lab: Lab, name: string): Task {
  const task = /^\d+$/.test(name) ? lab.tasks[Number(name) - 1] : lab.tasks.find(candidate => candidate.id === name)
  if (!task)
    throw new UsageError(`lab ${lab.number} has no task '${name}': ${taskIds(lab)}, or 1 to ${lab.tasks.length}`)
  return task
}

/** `--answer 63` answers the questions in their order, `--answer host=63` the one that is named. */
function recordAnswers(lab: Lab, task: Task, answers: readonly string[]): void {
  if (task.questions.length === 0) throw new UsageError(`task '${task.id}' asks no question; --check checks it`)
  const exercises = exerciseFolder(ROOT, lab)
  const inOrder = [...task.questions]
  for (const answer of answers) {
    const [key = '', ...rest] = answer.split('=')
    const named = rest.length > 0 ? task.questions.find(question => question.id === key.trim()) : undefined
    const question = named ?? inOrder[0]
    if (!question)
      throw new UsageError(
        `task '${task.id}' asks ${task.questions.length} question(s), and one more answer was given: ${answer}`,
      )
    inOrder.splice(inOrder.indexOf(question), inOrder.includes(question) ? 1 : 0)
    writeAnswer(exercises, task.id, question.id, named ? rest.join('=').trim() : answer.trim())
  }
}

/** Whatever ends the process, nothing stays behind. The second Ctrl-C does not wait. */
function endCleanly(stop: AbortController): void {
  let ending = false
  const end = (status: number) => {
    if (ending) process.exit(status)
    ending = true
    stop.abort(new Error('stopped'))
    void cleanUpEverything().then(() => process.exit(status))
  }
  process.on('SIGINT', () => end(130))
  process.on('SIGTERM', () => end(143))
  process.on('SIGHUP', () => end(129))
  // The reader of our output has gone away, as `| head` does.
  process.stdout.on('error', () => end(0))
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
  } else if (error instanceof AnswerFileError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  } else throw error
}
await cleanUpEverything()

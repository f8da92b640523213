/** `npm run check-solutions`: proves the labs against their solutions and mutants, or grades submissions. */
import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { ConfigError } from '../../../src/config/config-error.ts'
import { writeNamedFile } from '../../../src/config/write-file.ts'
import { commit, VERSION as PROGRAM } from '../../../src/version.ts'
import { cleanUpEverything, endCleanly } from '../check/cleanup.ts'
import { findLab, loadLabs, ROOT } from '../lab/registry.ts'
import type { Lab } from '../lab/types.ts'
import { isolation } from '../student-code/isolation.ts'
import { grade } from './grade.ts'
import { againCommand, MissingPartsError, mergeReports, readParts } from './merge.ts'
import { courseOf, type OutputOptions, UsageError, withOutputs, writeOutputs } from './outputs.ts'
import { loadPairs, MOST_PAIRED, pair, pairsTable } from './pairs.ts'
import { inputsOf, Part, shardOf } from './part.ts'
import { FORMAT, inOrder, type Report, ReportError, type Run, type Shard, summarise, VERSION } from './results.ts'
import { mutationSubjects, type Subject, SubmissionsError, solutionSubjects, submissionSubjects } from './subjects.ts'
import { shown } from './table.ts'

interface Options extends OutputOptions {
  lab?: string[]
  submissions?: string
  jobs: number
  shard?: Shard
  again?: boolean
  repeat: number
  only?: Subject['kind'][]
  task?: string[]
  times?: boolean
  mutate?: boolean
  pairs?: boolean
}

const stop = new AbortController()

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('npm run check-solutions --')
    .description(
      'Runs the checks of every lab against its reference solution (all must pass), its starting files and its known-wrong\n' +
        'solutions (all must fail); with --submissions, grades what students handed in.',
    )
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  let status = 0
  withOutputs(program)
    .option('--lab <lab...>', 'only these labs, by number or name')
    .option('--submissions <dir>', 'grade: DIR/<student>/<lab>/<files>, or DIR/<student>/<files> with one --lab')
    .option('--jobs <n>', 'checks at the same time', whole, Math.min(2, availableParallelism()))
    .option('--shard <i/n>', 'only the i-th of n parts; put the parts together with merge', shard)
    .option('--again', 'with --shard and --json FILE: also what FILE has already')
    .option(
      '--repeat <n>',
      'run the reference solutions (with --mutate, what is made of them) n times, each time with other hidden inputs',
      whole,
      1,
    )
    .option('--only <kind...>', 'reference, start or mutant', kind)
    .option('--task <id...>', 'only these tasks; not for submissions')
    .option('--mutate', 'instead, change the reference solutions at every place where that is possible; all must fail')
    .option(
      '--pairs',
      'instead of grading, let submissions of one lab meet: a matrix (lab 3: whose endpoint answers whose)',
    )
    .option('--times', 'write into the results how long each check took')
    .action(async (options: Options) => {
      status = options.pairs ? await checkPairs(options) : await check(options)
    })
  withOutputs(
    program
      .command('merge')
      .description('puts the results of all shards together')
      .argument('<paths...>', 'the result files, or folders that hold them'),
  ).action(async (paths: string[], own: OutputOptions, command: Command) => {
    // Options that both commands have are taken by the first of them.
    const options = { ...command.parent?.opts<OutputOptions>(), ...own }
    const { parts, unfinished } = readParts(paths)
    const report = mergeReports(parts, unfinished)
    for (const sentence of parts.map(againCommand)) if (sentence !== undefined) process.stderr.write(`${sentence}\n`)
    status = writeOutputs(report, options, { use: await courseOf(options, report.mode) })
  })
  await program.parseAsync([...argv], { from: 'user' })
  return status
}

async function check(options: Options): Promise<number> {
  const all = await loadLabs()
  // What the environment says must not change what is graded: where keys are logged, and the hidden inputs.
  delete process.env.SSLKEYLOGFILE
  delete process.env.MASQUE_LAB_SEED
  const mode = options.submissions === undefined ? 'solutions' : 'submissions'
  const use = await courseOf(options, mode)
  const counting = (lab: Lab) => use?.course.labs.some(({ id }) => id === lab.id) ?? true
  const labs = options.lab === undefined ? all.filter(counting) : options.lab.map(name => lab(all, name))
  let subjects: Subject[]
  let problems: string[] = []
  if (options.submissions !== undefined) {
    if (options.repeat !== 1 || options.only || options.task || options.mutate) {
      throw new UsageError('--repeat, --only, --task and --mutate are not for submissions')
    }
    subjects = submissionSubjects(ROOT, resolve(options.submissions), labs, options.lab !== undefined)
  } else {
    if (options.report !== undefined) throw new UsageError('--report is for submissions: a file for each student')
    const known = labs.flatMap(lab => lab.tasks.map(task => task.id))
    const unknown = options.task?.find(id => !known.includes(id))
    if (unknown !== undefined) throw new UsageError(`there is no task '${unknown}'; there is ${known.join(', ')}`)
    if (options.mutate && options.only) throw new UsageError('--only is not for --mutate')
    const own = options.mutate
      ? await mutationSubjects(ROOT, labs, options.task, options.repeat)
      : await solutionSubjects(ROOT, labs, options.repeat, options.task)
    subjects = own.subjects.filter(
      subject => subject.tasks.length > 0 && (options.only?.includes(subject.kind) ?? true),
    )
    problems = own.problems.map(({ lab, problem }) => `labs/${lab.id}: ${problem}`)
  }
  const summaries = labs.filter(lab => subjects.some(subject => subject.lab === lab)).map(summarise)
  const run = runOf(options, summaries, subjects, use !== undefined)
  const made = { node: [process.versions.node], isolation: [(await isolation()).holds] }
  const part = partOf(options, { run, made })
  if (part?.notice !== undefined) process.stderr.write(`${part.notice}\n`)
  const mine = shardOf(subjects, options.shard, ({ tasks }) => tasks.length)
  const rest = part?.rest(mine) ?? mine
  if (rest.length < mine.length)
    process.stderr.write(`${mine.length - rest.length} of ${mine.length} are done already\n`)
  const progress = progressLine()
  const results = await grade(rest, {
    root: ROOT,
    jobs: options.jobs,
    signal: stop.signal,
    ...(options.times ? { times: true } : {}),
    ...(use ? { handedIn: true } : {}),
    onResult: (result, done, of) => {
      part?.append(result)
      progress(`${done} of ${of}  ${shown(`${result.lab} ${result.name}`)}`)
    },
  })
  progress('')
  if (stop.signal.aborted) return 130
  const report: Report = {
    format: FORMAT,
    version: VERSION,
    mode,
    ...(options.shard && options.shard.of > 1 ? { shard: { ...options.shard, command: process.argv.slice(2) } } : {}),
    run,
    ...(part?.made ?? made),
    labs: summaries,
    results: inOrder(summaries, [...(part?.kept ?? []), ...results]),
  }
  return writeOutputs(report, options, { problems, part, use })
}

/** What decides about the results: with the same on another machine, they are the same. */
function runOf(options: Options, labs: Report['labs'], subjects: readonly Subject[], dated: boolean): Run {
  const { only, task: tasks, repeat, mutate, times } = options
  const at = commit()
  return {
    version: PROGRAM,
    ...(at === undefined ? {} : { commit: at }),
    asked: JSON.parse(
      JSON.stringify({
        labs: labs.map(({ id }) => id),
        only,
        tasks,
        repeat: repeat > 1 ? repeat : undefined,
        mutate,
        times,
        dated: dated || undefined,
      }),
    ),
    inputs: inputsOf(subjects),
    results: subjects.length,
  }
}

/** Where results of a part are kept while it runs; undefined where nobody asked for a part in a file. */
function partOf({ shard, json, again }: Options, head: Pick<Part, 'made'> & { run: Run }): Part | undefined {
  if (shard === undefined || typeof json !== 'string') {
    if (again) throw new UsageError('--again is for --shard with --json FILE')
    return undefined
  }
  const there = statSync(json, { throwIfNoEntry: false })
  if (there !== undefined && !there.isFile()) return undefined
  return Part.open(json, { ...head, shard }, again === true)
}

async function checkPairs(options: Options): Promise<number> {
  const all = await loadLabs()
  const [chosen, ...others] = (options.lab ?? []).map(name => lab(all, name))
  if (!chosen || others.length > 0 || options.submissions === undefined) {
    throw new UsageError('--pairs needs one --lab and --submissions')
  }
  const { csv, junit, report, shard, repeat, only, task, mutate } = options
  if (csv || junit || report || shard || repeat !== 1 || only || task || mutate) {
    throw new UsageError('with --pairs there are --json and --jobs, and no other options')
  }
  const module = await loadPairs(ROOT, chosen)
  if (!module) throw new UsageError(`lab ${chosen.number} has nothing that could meet; lab 3 has`)
  delete process.env.SSLKEYLOGFILE
  delete process.env.MASQUE_LAB_SEED
  const subjects = submissionSubjects(ROOT, resolve(options.submissions), [chosen], true)
  if (subjects.length > MOST_PAIRED) {
    throw new UsageError(`${subjects.length} submissions; at most ${MOST_PAIRED} can meet at once`)
  }
  const progress = progressLine()
  const pairs = await pair(module, subjects, {
    root: ROOT,
    jobs: options.jobs,
    signal: stop.signal,
    onProgress: progress,
  })
  progress('')
  if (stop.signal.aborted) return 130
  const found = { format: 'masque-lab pairs', version: 1, isolation: [(await isolation()).holds], ...pairs }
  const json = `${JSON.stringify(found, null, 2)}\n`
  if (typeof options.json === 'string') writeNamedFile(options.json, json)
  process.stdout.write(options.json === true ? json : pairsTable(pairs))
  return 0
}

function lab(all: readonly Lab[], name: string): Lab {
  const found = findLab(all, name)
  if (!found) throw new UsageError(`there is no lab '${name}'; there is ${all.map(({ number }) => number).join(', ')}`)
  return found
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1')
  return Number(text)
}

function shard(text: string): Shard {
  const [, index, of] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []
  const found = { index: Number(index), of: Number(of) }
  if (!(found.index >= 1 && found.index <= found.of)) throw new InvalidArgumentError('expected i/n with 1 ≤ i ≤ n')
  return found
}

function kind(text: string, before: Subject['kind'][] = []): Subject['kind'][] {
  if (text !== 'reference' && text !== 'start' && text !== 'mutant') {
    throw new InvalidArgumentError('expected reference, start or mutant')
  }
  return [...before, text]
}

/** One line that is written over again and again; nothing where nobody watches. */
function progressLine(): (text: string) => void {
  const { stderr } = process
  if (!stderr.isTTY || process.env.TERM === 'dumb') return () => {}
  return text => stderr.write(`\r\x1b[K${text.slice(0, Math.max(20, (stderr.columns ?? 80) - 1))}`)
}

endCleanly(stop)
try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof CommanderError) {
    const help = error.exitCode === 0
    if (!help) {
      const what = error.message.replace(/^error: /, '')
      process.stderr.write(`${what}; npm run check-solutions -- --help shows what there is\n`)
    }
    process.exitCode = help ? 0 : 2
  } else if ([UsageError, SubmissionsError, ReportError, ConfigError].some(known => error instanceof known)) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = error instanceof MissingPartsError ? 1 : 2
  } else if (error instanceof Error && 'code' in error && 'path' in error) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  } else throw error
}
await cleanUpEverything()

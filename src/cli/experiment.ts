/** `npm run experiment -- FILE`: runs an experiment, or goes on with it, and writes figures and a report. */

import { existsSync, readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { ConfigError } from '../config/config-error.ts'
import { formatNumber } from '../experiment/charts/axis.ts'
import { terminalFigure } from '../experiment/charts/terminal.ts'
import { type ExperimentDefinition, loadExperiment } from '../experiment/definition.ts'
import { resultsDirectory, runInvocation } from '../experiment/invocation.ts'
import type { Shard } from '../experiment/matrix.ts'
import { mergeShards } from '../experiment/merge.ts'
import { cellName, durationText, LiveView, progressLines, runText } from '../experiment/progress-view.ts'
import { type Progress, plannedRuns } from '../experiment/runner.ts'
import { loadProfile } from '../link/profile/load-profile.ts'
import { interrupted, runCommand } from './run-command.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const EXPERIMENTS = join(ROOT, 'experiments')
const RESULTS = join(ROOT, 'results')
/** What a run costs beside measuring: processes, tunnels, tidying up. For the estimate before the first run. */
const OVERHEAD_MS = 2_000
const REDRAW_MS = 250

interface Options {
  out?: string
  fresh?: boolean
  resume?: boolean
  retryFailed?: boolean
  jobs: number
  shard?: Shard
  dryRun?: boolean
  seeds?: number
  quick?: boolean
  list?: boolean
  ascii?: boolean
}

const program = new Command('npm run experiment --')
  .description(
    'Runs an experiment: a matrix of parameters, measured again and again. Ctrl-C stops it, and the same command goes on.',
  )
  .argument('[file]', 'an experiment file, or the name of one in experiments/')
  .option('--list', 'the experiments that are there')
  .option('--quick', 'the small version, which ends in about a minute')
  .option('--dry-run', 'only show what would be run')
  .option('--seeds <n>', "runs of each cell, in the place of the file's", positive)
  .option('--out <dir>', 'folder for the results')
  .option('--resume', 'go on where the last call stopped (this is the default)')
  .option('--fresh', 'put results that are there aside, and begin again')
  .option('--retry-failed', 'try again what has failed')
  .option('--jobs <n>', 'runs at the same time; they disturb each other', positive, 1)
  .option('--shard <i/n>', 'only the i-th of n parts, for one of n machines; put the parts together with merge', shard)
  .option('--ascii', 'figures in the terminal without block characters')

program.action((file: string | undefined, options: Options) => {
  if (options.list === true) return list()
  if (file !== undefined) return run(file, options)
  program.error('a file is missing: name an experiment, or see --list')
})

program
  .command('merge')
  .description('puts the parts of an experiment together that --shard has run, and writes figures and report')
  .argument('<file>', 'the experiment file, or its name')
  .argument(
    '[folders...]',
    "folders of parts, or folders that hold such; without one, those in the experiment's results",
  )
  .action((file: string, folders: string[], _: unknown, command: Command) => {
    // Options that both commands have are taken by the first of them.
    merge(file, folders, command.parent?.opts<Options>() as Options)
  })

await runCommand(async () => {
  await program.parseAsync()
})

function list(): void {
  for (const name of readdirSync(EXPERIMENTS).filter(name => name.endsWith('.toml'))) {
    const definition = loadExperiment(join(EXPERIMENTS, name), { loadProfile })
    console.log(`${name.replace(/\.toml$/, '').padEnd(18)}${definition.title}`)
    console.log(`${''.padEnd(18)}${definition.question.trim().replaceAll('\n', ' ')}`)
    console.log(`${''.padEnd(18)}${sizeOf(definition)}\n`)
  }
}

async function run(name: string, options: Options): Promise<void> {
  const file = findFile(name)
  const definition = loadExperiment(file, { quick: options.quick, seeds: options.seeds, loadProfile })
  const directory = options.out ?? resultsDirectory(definition, RESULTS, options.shard)
  console.log(`${definition.title}\n${definition.question.trim()}\n${sizeOf(definition)}\n`)
  if (options.dryRun === true) {
    for (const { cell, seed } of plannedRuns(definition, options.shard))
      console.log(`  ${cellName(definition, cell)}, seed ${seed}`)
    console.log(`\nresults would go to ${shown(directory)}`)
    return
  }
  const { runOnTestbed } = await import('../experiment/run-cell.ts')
  const controller = new AbortController()
  void interrupted().then(() => controller.abort(new Error('interrupted')))
  const command = commandOf(name, options)
  const display = startDisplay(definition)
  try {
    const { outcome, figures } = await runInvocation({
      definition,
      run: runOnTestbed(definition, { loadProfile }),
      resultsRoot: RESULTS,
      out: options.out,
      fresh: options.fresh,
      retryFailed: options.retryFailed,
      jobs: options.jobs,
      shard: options.shard,
      signal: controller.signal,
      command,
      onNotice: sentence => console.error(`note: ${sentence}`),
      onProgress: display.update,
    })
    display.end()
    if (!outcome.interrupted) {
      const width = Math.min(100, process.stdout.columns ?? 80)
      for (const figure of figures) console.log(`\n${terminalFigure(figure, { width, unicode: !options.ascii })}`)
    }
    console.log(
      `\n${outcome.done} of ${outcome.planned} runs done${outcome.failed > 0 ? `, ${outcome.failed} failed` : ''}`,
    )
    if (options.shard === undefined) printPlaces(directory)
    else console.log(`data      ${shown(join(directory, 'results.jsonl'))}`)
    if (outcome.left > 0) console.log(`\n${outcome.left} runs are left; this goes on with them:\n  ${command}`)
    if (outcome.interrupted) process.exitCode = 130
    else if (outcome.failed > 0) {
      console.log(
        `\nwhy runs failed is in the ${options.shard ? 'data' : 'report'}; this tries them again:\n  ${command} --retry-failed`,
      )
      process.exitCode = 1
    }
  } finally {
    display.end()
  }
  // Whoever waits for a second Ctrl-C must not keep the process alive.
  process.exit()
}

/** Status 1: runs are missing or have failed. What is there is in the report all the same. */
function merge(name: string, folders: readonly string[], options: Options): void {
  const definition = loadExperiment(findFile(name), { quick: options.quick, seeds: options.seeds, loadProfile })
  const { directory, figures, planned, done, failed, lacking } = mergeShards({
    definition,
    folders,
    resultsRoot: RESULTS,
    out: options.out,
    command: commandOf(name, { ...options, jobs: 1 }),
    onNotice: sentence => console.error(`note: ${sentence}`),
  })
  const width = Math.min(100, process.stdout.columns ?? 80)
  for (const figure of figures) console.log(`\n${terminalFigure(figure, { width, unicode: !options.ascii })}`)
  console.log(`\n${done} of ${planned} runs done${failed > 0 ? `, ${failed} failed` : ''}`)
  printPlaces(directory)
  for (const { shard, folder, missing, failed } of lacking) {
    const what = [missing > 0 ? `${missing} runs are missing` : '', failed > 0 ? `${failed} failed` : ''].filter(
      Boolean,
    )
    const usual = resultsDirectory(definition, RESULTS, shard)
    const out = folder === undefined || resolve(folder) === usual ? undefined : folder
    const command = commandOf(name, { ...options, jobs: 1, out, shard })
    console.log(`\npart ${shard.index} of ${shard.of}: ${what.join(', ')}; this goes on with it:`)
    console.log(`  ${command}${failed > 0 ? ' --retry-failed' : ''}`)
  }
  if (lacking.length > 0) process.exitCode = 1
}

function printPlaces(directory: string): void {
  console.log(`report    ${shown(join(directory, 'report.md'))}`)
  console.log(`figures   ${shown(join(directory, 'figures'))}`)
  console.log(`data      ${shown(join(directory, 'results.csv'))}, ${shown(join(directory, 'results.jsonl'))}`)
}

function findFile(name: string): string {
  const candidates = [name, join(EXPERIMENTS, name), join(EXPERIMENTS, `${name}.toml`)]
  const file = candidates.find(candidate => candidate.endsWith('.toml') && existsSync(candidate))
  if (file !== undefined) return file
  const names = readdirSync(EXPERIMENTS).filter(each => each.endsWith('.toml'))
  const known = names.map(each => each.replace(/\.toml$/, '')).join(', ')
  throw new ConfigError(name, [`${name}: there is no such experiment file; expected a path, or one of ${known}`])
}

/** As it would be typed to go on: without --fresh, which would begin again. */
function commandOf(name: string, options: Options): string {
  const parts = ['npm run experiment --', name]
  if (options.quick === true) parts.push('--quick')
  if (options.seeds !== undefined) parts.push('--seeds', String(options.seeds))
  if (options.out !== undefined) parts.push('--out', options.out)
  if (options.shard !== undefined) parts.push('--shard', `${options.shard.index}/${options.shard.of}`)
  if (options.jobs > 1) parts.push('--jobs', String(options.jobs))
  return parts.join(' ')
}

function sizeOf(definition: ExperimentDefinition): string {
  const { cells, seeds, probes, durationMs, warmUpMs, together } = definition
  const measuring = durationMs * (together ? 1 : probes.length)
  const total = cells.length * seeds.length * (measuring + warmUpMs + OVERHEAD_MS)
  return `${cells.length} cells × ${seeds.length} seeds = ${formatNumber(cells.length * seeds.length)} runs, about ${durationText(total)}`
}

/** A terminal gets a picture that changes in place; a file or a pipe gets one line a run. */
function startDisplay(definition: ExperimentDefinition): { update(progress: Progress): void; end(): void } {
  if (!process.stderr.isTTY) {
    let said = 0
    return {
      update({ done, failed, total, last, leftMs }) {
        if (done + failed === said || last === undefined) return
        said = done + failed
        const left = leftMs === undefined ? '' : `, about ${durationText(leftMs)} left`
        process.stderr.write(`[${said} of ${total}${left}] ${runText(definition, last)}\n`)
      },
      end() {},
    }
  }
  const view = new LiveView(text => process.stderr.write(text))
  let latest: { progress: Progress; at: number } | undefined
  const draw = (): void => {
    if (latest === undefined) return
    // Between two reports, the clock goes on.
    const since = performance.now() - latest.at
    const { progress } = latest
    const now = {
      ...progress,
      elapsedMs: progress.elapsedMs + since,
      leftMs: progress.leftMs === undefined ? undefined : Math.max(0, progress.leftMs - since),
      running: progress.running.map(each => ({ ...each, sinceMs: each.sinceMs + since })),
    }
    view.draw(progressLines(definition, now, process.stderr.columns ?? 80))
  }
  const timer = setInterval(draw, REDRAW_MS)
  let ended = false
  return {
    update(progress) {
      latest = { progress, at: performance.now() }
    },
    end() {
      if (ended) return
      ended = true
      clearInterval(timer)
      draw()
      view.end()
    },
  }
}

function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}

function shard(text: string): Shard {
  const [, index, of] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []
  const found = { index: Number(index), of: Number(of) }
  if (found.index >= 1 && found.index <= found.of) return found
  throw new InvalidArgumentError('expected i/n with 1 ≤ i ≤ n')
}

function positive(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new InvalidArgumentError('expected a whole number above 0')
}

/** `npm run compare -- handover-wifi-lte`: the same link and the same traffic through CONNECT-IP and other tunnels. */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { interrupted, runCommand } from '../../src/cli/run-command.ts'
import { svgFigure } from '../../src/experiment/charts/svg.ts'
import { loadProfile, profileNames } from '../../src/link/profile/load-profile.ts'
import { makeOwnFolder, removeLeftFolders } from '../../src/process/own-folder.ts'
import { type CompareResult, compare } from './compare.ts'
import { CONTENDER_NAMES, openKernelArena } from './kernel-arena.ts'
import { whyNoCompareNetwork } from './network.ts'
import { reportText } from './report.ts'
import { figuresOfResult } from './svg.ts'

/** Nothing was measured, or of some contender nothing. */
class CompareError extends Error {
  override name = 'CompareError'
}

/** Of the folder with keys and configuration files. One that a killed run has left is removed by the next. */
const FOLDER = 'compare'

interface Options {
  runs?: number
  quick?: boolean
  only?: string[]
  seed: string
  userspace?: boolean
  /** Undefined: neither --tcp nor --no-tcp was given. */
  tcp?: boolean
  svg?: string
  json?: boolean
}

const program = new Command('npm run compare --')
  .description(
    'Sends the same traffic over the same link through CONNECT-IP (moving, told to move, reconnecting only, over HTTP/2), wireguard-go and OpenVPN, in turns: time to ' +
      'recover, losses, latency and jitter before, during and after, goodput. In network namespaces, without root; where there are none, CONNECT-IP alone.',
  )
  .argument('[profile]', 'a link profile, by name or file; npm run netem -- list shows them')
  .option('--runs <n>', 'so many rounds; default: 6 to 12, until the intervals are narrow enough', positive)
  .option('--quick', 'one round, of about half a minute for each contender: no intervals')
  .option(
    '--tcp',
    'only one TCP flow, as fast as it gets; by default it follows echo train and paced flow, but not with --quick',
  )
  .option('--no-tcp', 'without it')
  .option('--only <names>', `of ${CONTENDER_NAMES.join(', ')}`, contenderNames)
  .option('--seed <text>', "of the link's random numbers and of the order", '1')
  .option('--userspace', 'CONNECT-IP alone, without namespaces, even where there are some')
  .option(
    '--svg <folder>',
    'figures into this folder: recovery, and the round trips of the first round; with --tcp, how long a megabyte takes',
  )
  .option('--json', 'the result as JSON, with each echo')

program.action((profile: string | undefined, options: Options) => {
  if (profile !== undefined) return run(profile, options)
  const names = profileNames().join(', ')
  program.error(`a profile is missing: one of ${names}; for a short look: npm run compare -- outage-3s --quick`)
})

await runCommand(async () => {
  await program.parseAsync()
})

async function run(name: string, options: Options): Promise<void> {
  // Before anything is started: a name that is wrong should be said at once.
  const profile = loadProfile(name)
  removeLeftFolders(FOLDER)
  const scratch = makeOwnFolder(FOLDER)
  const stop = new AbortController()
  void interrupted().then(signal => stop.abort(new CompareError(`ended by ${signal}`)))
  try {
    const why = options.userspace ? '--userspace was given' : whyNoCompareNetwork()
    const { openUserspaceArena } = await import('./userspace-arena.ts')
    const arena =
      why === undefined ? await openKernelArena(await makeTestCertificates(scratch), scratch) : openUserspaceArena(why)
    try {
      const unknown = options.only?.find(each => arena.contenders.every(contender => contender.name !== each))
      if (unknown !== undefined) {
        const names = arena.contenders.map(contender => contender.name).join(', ')
        throw new CompareError(
          [`${unknown} cannot take part here, but these can: ${names}`, ...arena.absent].join('; '),
        )
      }
      const { only, seed, runs, tcp } = options
      if (tcp && why !== undefined) throw new CompareError(`--tcp needs the system's own TCP in the tunnel: ${why}`)
      const rounds = options.quick ? 1 : runs
      const comparing = compare({
        arena,
        profile,
        seed,
        traffic: tcp ? ['tcp'] : tcp === undefined && !options.quick && arena.hasTcp ? ['udp', 'tcp'] : ['udp'],
        rounds,
        only,
        signal: stop.signal,
        onProgress: progress,
      })
      const result = await Promise.race([comparing, aborted(stop.signal)])
      if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
      console.log(options.json ? JSON.stringify(result, jsonNumber) : reportText(result))
      if (options.svg !== undefined) writeFigures(result, options.svg)
      if (hasFailed(result)) process.exitCode = 1
    } finally {
      await arena.close()
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function writeFigures(result: CompareResult, folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const figure of figuresOfResult(result)) writeFileSync(join(folder, `${figure.id}.svg`), svgFigure(figure))
}

/** Of some contender there is no figure at all. */
function hasFailed({ contenders }: CompareResult): boolean {
  return contenders.some(({ runs }) => runs.length === 0)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`)
}

/** Four digits: more would be noise. JSON has no Infinity; it stands for "not within the run", and is a text there. */
function jsonNumber(_key: string, value: unknown): unknown {
  if (typeof value !== 'number') return value
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : String(value)
}

/** `connect-ip,openvpn` */
function contenderNames(text: string): string[] {
  const names = text.split(',')
  const unknown = names.find(name => !CONTENDER_NAMES.includes(name))
  if (unknown === undefined) return names
  throw new InvalidArgumentError(`'${unknown}' is not one of ${CONTENDER_NAMES.join(', ')}`)
}

function positive(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new InvalidArgumentError('expected a whole number above 0')
}

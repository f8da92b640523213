/** The commands of `npm run netem`: impaired links, on their own. */

import { Command, InvalidArgumentError, Option } from 'commander'
import { EmulatorError } from '../../link/emulator/udp-socket.ts'
import { chooseBackend } from '../../link/kernel/kernel-link.ts'
import { IMPAIRMENT_KEYS, loadProfile, profileNames } from '../../link/profile/load-profile.ts'
import type { Direction } from '../../link/profile/profile.ts'
import { bitsPerSecond, timeMs } from '../../link/profile/tc-units.ts'
import type { SocketAddress } from '../../net/udp.ts'
import { interrupted } from '../run-command.ts'
import { checkProfiles } from './check.ts'
import { convertThroughput, importProfile } from './import.ts'
import { runEmulator } from './run.ts'
import { runKernel } from './run-kernel.ts'
import { changeRunningLink, type SetOptions } from './set.ts'
import { describeProfile, profileList, wrap } from './show.ts'

/** What the kernel backend has no use for. */
const EMULATOR_ONLY = ['to', 'listen', 'tcp', 'second', 'seed', 'json'] as const

/** `print` takes results, `tell` what is said beside them. */
export function netemCommand(
  print: (text: string) => void = console.log,
  tell: (text: string) => void = console.error,
): Command {
  const program = new Command('npm run netem --').description('Impairs a link as a profile says.')

  program
    .command('run')
    .description('a link between UDP clients and a UDP server; shows what it does to their datagrams')
    .argument('<profile>', 'name of a shipped profile (see `list`), or a file')
    .option('--to <host:port>', 'the server', address)
    .option('--listen <host:port>', 'where clients send to; anything but loopback lets other machines in', address)
    .option('--tcp', 'pass TCP on too, at the same addresses and as it is: without delay, loss, outage')
    .option('--second <host:port>', 'the second attachment, for a handover', address)
    .option('--seed <text>', 'the same seed and arrivals give the same decisions', '1')
    .option('--duration <seconds>', 'end after so long; without it Ctrl-C ends', positive)
    .option('--json', 'one JSON object a line', false)
    .addOption(
      new Option(
        '--backend <which>',
        'kernel: tc netem between network namespaces (Linux); auto: kernel where it can be had',
      )
        .choices(['emulator', 'kernel', 'auto'])
        .default('emulator'),
    )
    .addHelpText('after', '\nExample: npm run netem -- run lte --listen 127.0.0.1:5433 --to 127.0.0.1:4433')
    .action(run)

  program
    .command('list')
    .description('the shipped profiles')
    .option('--json', 'names and titles as JSON')
    .action((options: { json?: boolean }) => {
      const profiles = profileNames().map(loadProfile)
      if (options.json) print(JSON.stringify(profiles.map(({ name, title }) => ({ name, title }))))
      else print(profileList(profiles, width()))
    })

  program
    .command('show')
    .description('what a profile is: its numbers, and its timeline as a figure')
    .argument('<profile...>', 'names of shipped profiles, or files')
    .action((names: string[]) => {
      print(names.map(name => describeProfile(loadProfile(name), width())).join(`\n\n${'='.repeat(width())}\n\n`))
    })

  program
    .command('check')
    .description('measures an emulated link on this machine against its profile')
    .argument('[profile...]', 'names of shipped profiles, or files; all shipped ones unless said otherwise')
    .option('--packets <n>', 'in each direction; else as many as it takes to judge the loss', wholeNumber)
    .option('--seed <text>', 'of the link', '1')
    .option('--json', 'one JSON object a line', false)
    .addHelpText(
      'after',
      '\nExit status: 0 all lines agree, 1 something differs, 3 nothing differs but not everything\ncould be judged, 130 interrupted. A timeline is not played: its time stands still at 0.',
    )
    .action(async (names: string[], options: { packets?: number; seed: string; json: boolean }) => {
      // All of them before the first is measured: a name that is misspelt should not cost half a minute.
      const profiles = (names.length > 0 ? names : profileNames()).map(loadProfile)
      const stop = new AbortController()
      void interrupted().then(() => stop.abort())
      process.stdout.on('error', () => process.exit(0)) // `| head`
      const { packets, seed, json } = options
      process.exitCode = await checkProfiles(profiles, { packets, seed, json, width: width(), signal: stop.signal })
    })

  program
    .command('import')
    .description('commands of tc, or what `tc qdisc show` prints, as a profile')
    .argument('[words...]', 'the command; without it, what comes on standard input')
    .addOption(new Option('--direction <which>', 'what a single device impairs').choices(['up', 'down', 'both']))
    .option('--title <text>', 'of the profile')
    .option('-o, --out <file>', 'write it there')
    .option('--force', 'replace a file that is there', false)
    .addHelpText(
      'after',
      '\nExample: npm run netem -- import "tc qdisc add dev eth0 root netem delay 100ms 20ms loss 1%" -o my.toml\nWhat a profile cannot say is named on standard error and in the file.',
    )
    .action(
      (words: string[], options: { direction?: Direction | 'both'; title?: string; out?: string; force: boolean }) =>
        importProfile(words, { ...options, ...terminal(print, tell) }),
    )

  program
    .command('convert')
    .description('a list of times and throughputs (CSV or JSON) as a trace of delivery opportunities')
    .argument('[file]', 'two columns, or [[time, throughput], ...]; without it, standard input')
    .addOption(
      new Option('--time-unit <unit>', 'of the first column: s, ms, us, min').argParser(timeUnit).default(1000, 's'),
    )
    .addOption(
      new Option('--rate-unit <unit>', 'of the second one: Mbit, kbit, bit, MBps, ... (bps: bytes per second)')
        .argParser(rateUnit)
        .default(1e6, 'Mbit'),
    )
    .option('-o, --out <file>', 'write it there')
    .option('--force', 'replace a file that is there', false)
    .addHelpText('after', '\nExample: npm run netem -- convert drive.csv -o drive.trace')
    .action((file: string | undefined, options: { timeUnit: number; rateUnit: number; out?: string; force: boolean }) =>
      convertThroughput(
        file,
        { timeMs: options.timeUnit, bitsPerSecond: options.rateUnit },
        { ...options, ...terminal(print, tell) },
      ),
    )

  const set = program
    .command('set')
    .description('changes a link that `run` has started in another terminal, at once; without a value: what it does')
    .argument('[link]', 'its id or an address where clients send to; without it, the only one that runs')
    .option('--profile <name>', 'another profile: one of the shipped ones, or a file')
    .addOption(
      new Option('--direction <which>', 'of packets to the server, from it, or both')
        .choices(['up', 'down', 'both'])
        .default('both'),
    )
    .addOption(
      new Option('--attachment <which>', 'of the client, where the profile has two')
        .choices(['first', 'second', 'both'])
        .default('both'),
    )
    .addHelpText(
      'after',
      '\nExample: npm run netem -- set --delay 50ms --loss 2%\n--rate none and --trace none take the bottleneck away.',
    )
    .action(async (which: string | undefined, options: Record<string, string>) => {
      const values = Object.fromEntries(
        IMPAIRMENT_KEYS.flatMap(key => (options[key] === undefined ? [] : [[key, options[key]]])),
      )
      const { profile, direction, attachment } = options
      const where = { direction, attachment } as Pick<SetOptions, 'direction' | 'attachment'>
      for (const line of await changeRunningLink(which, { profile, values, ...where })) print(line)
    })
  for (const key of IMPAIRMENT_KEYS) set.option(`--${key} <value>`, 'as in a profile')

  return program
}

function terminal(print: (text: string) => void, tell: (text: string) => void) {
  return { print, tell, width: width() }
}

function timeUnit(text: string): number {
  return timeMs(`1${text}`) ?? refuse('expected a unit of times, such as s or ms.')
}

function rateUnit(text: string): number {
  return bitsPerSecond(`1${text}`) ?? refuse('expected a unit of rates as tc has them, such as Mbit, kbit or bps.')
}

function refuse(message: string): never {
  throw new InvalidArgumentError(message)
}

interface RunArguments {
  to?: SocketAddress
  listen?: SocketAddress
  tcp?: boolean
  second?: SocketAddress
  seed: string
  duration?: number
  json: boolean
  backend: 'emulator' | 'kernel' | 'auto'
}

async function run(name: string, options: RunArguments, command: Command): Promise<void> {
  const profile = loadProfile(name)
  const durationMs = options.duration === undefined ? undefined : options.duration * 1000
  const { backend, reason } = chooseBackend(options.backend)
  if (backend === 'kernel') {
    const given = EMULATOR_ONLY.filter(option => command.getOptionValueSource(option) === 'cli')
    const words = given.map(option => `--${option}`).join(', ')
    const sentence = `the kernel backend impairs the network of netem/topology.sh and has no ${words}`
    if (given.length > 0 && options.backend === 'kernel')
      throw new EmulatorError(`${sentence}; leave it away, or use --backend emulator`)
    if (given.length > 0) console.error(wrap(`note: ${sentence}`, width()))
    return runKernel(profile, { durationMs, stopped: interrupted(), width: width() })
  }
  if (reason !== undefined) console.error(wrap(`emulator instead of the kernel's netem: ${reason}`, width()))
  if (options.to === undefined) {
    throw new EmulatorError('--to is missing: where does the server listen? For example --to 127.0.0.1:4433')
  }
  await runEmulator({ ...options, to: options.to, profile, durationMs })
}

function address(text: string): SocketAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):([0-9]{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65535) {
    throw new InvalidArgumentError('expected HOST:PORT, such as 127.0.0.1:4433 or [::1]:4433.')
  }
  return { host: match[1] ?? match[2], port }
}

function positive(text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('expected a number above 0.')
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= 1_000_000) return value
  throw new InvalidArgumentError('expected a whole number from 1 to 1000000.')
}

function width(): number {
  return Math.max(40, Math.min(process.stdout.columns || 80, 100))
}

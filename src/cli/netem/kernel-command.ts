/** The commands of netem/apply.sh and netem/clear.sh: they impair the link of netem/topology.sh with the kernel's netem. */

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { ConfigError } from '../../config/config-error.ts'
import { KernelBackendError, KernelLink, KernelStatus, type PlayOptions } from '../../link/kernel/kernel-link.ts'
import { impairedDevice } from '../../link/kernel/kernel-topology.ts'
import {
  KERNEL_RESOLUTION_MS,
  type KernelStep,
  kernelLimits,
  kernelSteps,
  stillProfile,
  type TcCommand,
  TcDevice,
} from '../../link/kernel/tc.ts'
import { loadProfile } from '../../link/profile/load-profile.ts'
import type { Profile } from '../../link/profile/profile.ts'
import { timelineEndMs } from '../../link/profile/timeline.ts'
import { interrupted } from '../run-command.ts'

interface ApplyOptions {
  once?: boolean
  timeline?: boolean
  dryRun?: boolean
  resolution: number
}

/** A trace has no end: this much of it is printed by `--dry-run`. */
const LONGEST_DRY_RUN_MS = 10_000

type Print = (line: string) => void

/** `print` takes what is told on standard output. A wrong command line throws commander's error, once it has been told. */
export function kernelCommand(print: Print = console.log): Command {
  const program = new Command('netem')
    .description('Impairs the link of netem/topology.sh with netem of the kernel.')
    .exitOverride()
  program
    .command('apply')
    .argument('<profile>', 'name of a shipped profile (npm run netem -- list), or a file')
    .addOption(
      new Option('--once', 'set what the profile begins with, and leave it; clear.sh takes it away').conflicts(
        'timeline',
      ),
    )
    .option('--timeline', 'play the timeline, until it is over or Ctrl-C (the default where the profile has one)')
    .option('--dry-run', 'print the commands instead')
    .option('--resolution <ms>', 'how finely ramps and traces are followed', milliseconds, KERNEL_RESOLUTION_MS)
    .action((name: string, options: ApplyOptions) => apply(name, options, print))
  program.command('clear').action(() => {
    KernelLink.open()
  })
  return program
}

/** One of KernelStatus, or 0 where somebody only asked for help. */
export function kernelExitStatus(error: unknown): number {
  if (error instanceof KernelBackendError) return error.status
  if (error instanceof ConfigError) return KernelStatus.usage
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : KernelStatus.usage
  return KernelStatus.failed
}

async function apply(nameOrFile: string, options: ApplyOptions, print: Print): Promise<void> {
  const whole = loadProfile(nameOrFile)
  const moves = whole.timeline.length > 0 || hasTrace(whole)
  const once = options.once ?? !(options.timeline ?? moves)
  const profile = once ? stillProfile(whole) : whole
  if (once && hasTrace(whole)) print('# in place of a trace: its average rate')
  for (const sentence of kernelLimits(profile, options.resolution)) print(`# ${sentence}`)
  if (options.dryRun) return dryRun(profile, once, options.resolution, print)
  const link = KernelLink.open()
  if (once) {
    await link.apply(profile)
    print(`${profile.name} is on the link; netem/clear.sh takes it away`)
  } else {
    await playToTheEnd(link, profile, options.resolution, print)
  }
}

/** Ctrl-C takes everything from the link again; at the end of the timeline what was set last stays. */
async function playToTheEnd(link: KernelLink, profile: Profile, resolutionMs: number, print: Print): Promise<void> {
  const stop = new AbortController()
  void interrupted().then(() => stop.abort())
  const shown = new Map<string, number>()
  const begun: string[] = []
  let tell: Print = line => void begun.push(line)
  const options: PlayOptions = {
    resolutionMs,
    signal: stop.signal,
    onStep: (step, commands) => {
      const what = step.kind === 'impairment' ? `${step.attachment} ${step.direction}` : step.change
      // A ramp has many steps: one line a second is enough to see it move.
      if (step.atMs > 0 && step.atMs - (shown.get(what) ?? Number.NEGATIVE_INFINITY) < 1000) return
      shown.set(what, step.atMs)
      tell(describe(step, commands))
    },
  }
  // Whether the kernel takes it at all, without sch_netem say, is known before anything is said to run.
  await link.play(stillProfile(profile), options)
  print(`${profile.name}: the timeline runs; Ctrl-C ends it and clears the link`)
  for (const line of begun) print(line)
  tell = print
  await link.play(profile, options)
  if (stop.signal.aborted) {
    link.clear()
    print('stopped; the link is clear')
    process.exitCode = 130
  } else {
    print('the timeline is over; what was set last stays until netem/clear.sh')
  }
}

function describe(step: KernelStep, commands: readonly TcCommand[]): string {
  const time = `${(step.atMs / 1000).toFixed(1).padStart(8)} s`
  if (step.kind === 'address-change') return `${time}  ${step.change}, attachment ${step.to}`
  const { device } = impairedDevice(step.attachment, step.direction)
  return `${time}  ${device}  ${commands.map(command => command.slice(command.indexOf(device) + 1).join(' ')).join('; ')}`
}

function dryRun(profile: Profile, once: boolean, resolutionMs: number, print: Print): void {
  const prefix = process.env['MASQUE_NETEM_PREFIX'] ?? 'masque'
  print('# as root; without root behind the words that `netem/topology.sh enter router0` prints before `ip`')
  const lastMs = once ? 0 : Math.max(timelineEndMs(profile), hasTrace(profile) ? LONGEST_DRY_RUN_MS : 0)
  const devices = new Map<string, TcDevice>()
  let atMs = -1
  for (const step of kernelSteps(profile, resolutionMs)) {
    if (step.atMs > lastMs || (profile.repeatMs !== undefined && step.atMs >= profile.repeatMs)) break
    if (step.atMs !== atMs && !once) print(`# ${(atMs = step.atMs)} ms`)
    if (step.kind === 'address-change') {
      print(`netem/topology.sh ${step.change} ${step.to}`)
      continue
    }
    const { router, device } = impairedDevice(step.attachment, step.direction)
    if (!devices.has(device)) devices.set(device, new TcDevice(device))
    for (const command of devices.get(device)?.to(step.impairment) ?? []) {
      print(`ip netns exec ${prefix}-${router} tc ${command.join(' ')}`)
    }
  }
}

function hasTrace(profile: Profile): boolean {
  const links = [profile.up, profile.down, profile.second?.up, profile.second?.down]
  return links.some(link => link?.trace !== undefined)
}

function milliseconds(text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value >= 10 && value <= 10_000) return value
  throw new InvalidArgumentError('expected a number of milliseconds from 10 to 10000')
}

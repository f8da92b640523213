/**
 * The kernel backend at work: runs the commands of tc.ts in the namespaces that netem/topology.sh made.
 *
 * What the kernel leaves at our side is little: a `tc` process for each router, and an `ip` process for each change of address,
 * read commands as the timeline needs them, so that a step is not late by the start of a program.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type AddressChange, type Attachment, DIRECTIONS, type Direction, type Profile } from '../profile/profile.ts'
import { impairedDevice, type RouterName } from './kernel-topology.ts'
import { clearCommand, type KernelStep, kernelSteps, stillProfile, type TcCommand, TcDevice } from './tc.ts'

/** Exit statuses of the scripts in netem/: one for each thing that can be in the way. */
export const KernelStatus = {
  failed: 1,
  usage: 2,
  noModule: 3,
  noRight: 4,
  appArmor: 5,
  noTool: 6,
  notUp: 7,
} as const

/** The kernel backend cannot do what it should; the message says what is missing and what to do. */
export class KernelBackendError extends Error {
  override name = 'KernelBackendError'
  /** One of KernelStatus. */
  readonly status: number

  constructor(message: string, status: number = KernelStatus.failed) {
    super(message)
    this.status = status
  }
}

const TOPOLOGY = fileURLToPath(new URL('../../../netem/topology.sh', import.meta.url))

/** Runs netem/topology.sh and returns what it prints. Throws KernelBackendError with what it says is wrong. */
export function topology(...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync('bash', [TOPOLOGY, ...args], { encoding: 'utf8' })
  if (error) throw new KernelBackendError(`bash cannot be started: ${error.message}`, KernelStatus.noTool)
  if (status !== 0) throw new KernelBackendError(stderr.trim() || stdout.trim(), status ?? KernelStatus.failed)
  return stdout
}

/** What stands in the way of the kernel backend on this machine; undefined: nothing. Changes nothing. */
export function kernelBackendProblem(): KernelBackendError | undefined {
  try {
    topology('check')
    return undefined
  } catch (error) {
    if (error instanceof KernelBackendError) return error
    throw error
  }
}

export type Backend = 'emulator' | 'kernel'

/** `auto`: the kernel where it can be had, else the emulator, and `reason` says why. `kernel` throws where it cannot be had. */
export function chooseBackend(wanted: Backend | 'auto'): { backend: Backend; reason?: string } {
  if (wanted === 'emulator') return { backend: 'emulator' }
  const problem = kernelBackendProblem()
  if (problem === undefined) return { backend: 'kernel' }
  if (wanted === 'kernel') throw problem
  return { backend: 'emulator', reason: problem.message.split('\n', 1)[0] }
}

export interface PlayOptions {
  resolutionMs?: number
  /** Stops the timeline; `play` returns then. */
  signal?: AbortSignal
  /** Called when a step has been handed to `tc`. */
  onStep?: (step: KernelStep, commands: readonly TcCommand[]) => void
}

/** The impaired devices of a session that is up. */
export class KernelLink {
  readonly #routers = new Map<RouterName, BatchProcess>()
  readonly #changes = new Map<string, { process: BatchProcess; commands: TcCommand[] }>()
  readonly #devices = new Map<string, TcDevice>()
  /** What enterWords said: the namespaces stay the same for as long as the session is up. */
  readonly #enter = new Map<RouterName | 'client', string[]>()

  /** Removes what an earlier run left on the devices. Throws KernelBackendError when the namespaces are not up. */
  static open(): KernelLink {
    const link = new KernelLink()
    link.clear()
    return link
  }

  private constructor() {}

  /** Sets what a profile begins with, and leaves it. Resolves when the kernel has it. */
  async apply(profile: Profile): Promise<void> {
    await this.play(stillProfile(profile))
  }

  /** Plays the timeline from its beginning; resolves when it is over or `signal` aborts. What was set last stays. */
  async play(profile: Profile, options: PlayOptions = {}): Promise<void> {
    await this.#run(async failed => {
      for (const phase of profile.timeline) if (phase.kind === 'address-change') this.#prepare(phase.change, phase.to)
      // The timeline begins when its first impairments are on the link, not when the programs start that put them there.
      let beganMs: number | undefined
      for (const step of kernelSteps(profile, options.resolutionMs)) {
        if (step.atMs > 0) beganMs ??= performance.now()
        const waitMs = (beganMs ?? Number.NEGATIVE_INFINITY) + step.atMs - performance.now()
        if (waitMs > 0) await Promise.race([pause(waitMs, options.signal), failed])
        if (options.signal?.aborted) return
        this.#do(step, options)
      }
    })
  }

  /** Takes everything from the devices, also what another run put there. */
  clear(): void {
    this.#devices.clear()
    for (const attachment of [0, 1] as const) {
      const enter = this.#enterWords(`router${attachment}`)
      const commands = DIRECTIONS.map(direction => clearCommand(impairedDevice(attachment, direction).device))
      // A command fails when nothing is there, which is what we want to have: -force goes on with the next.
      spawnSync(enter[0], [...enter.slice(1), 'tc', '-force', '-batch', '-'], {
        input: commands.map(command => `${command.join(' ')}\n`).join(''),
        stdio: ['pipe', 'ignore', 'ignore'],
      })
    }
  }

  async #run(work: (failed: Promise<never>) => Promise<void>): Promise<void> {
    let fail: (error: Error) => void = () => {}
    const failed = new Promise<never>((_, reject) => {
      fail = reject
    })
    failed.catch(() => {})
    this.#onFailure = fail
    try {
      await Promise.race([work(failed), failed])
      await Promise.all(this.#processes().map(process => process.end()))
    } catch (error) {
      this.clear()
      throw error
    } finally {
      for (const process of this.#processes()) process.kill()
      this.#routers.clear()
      this.#changes.clear()
    }
  }

  #processes(): BatchProcess[] {
    return [...this.#routers.values(), ...[...this.#changes.values()].map(({ process }) => process)]
  }

  /** Has an `ip` wait in the right namespace for the commands of a change of address. */
  #prepare(change: AddressChange, to: Attachment): void {
    const key = `${change} ${to}`
    if (this.#changes.has(key)) return
    const lines = topology(change, '--print', String(to)).trimEnd().split('\n')
    const enter = this.#enterWords(change === 'nat-rebind' ? `router${to}` : 'client')
    const process = new BatchProcess('ip', enter, error => this.#onFailure(error))
    this.#changes.set(key, { process, commands: lines.map(line => line.split(' ')) })
  }

  #onFailure: (error: Error) => void = () => {}

  #do(step: KernelStep, { onStep }: PlayOptions): void {
    if (step.kind === 'address-change') {
      const prepared = this.#changes.get(`${step.change} ${step.to}`)
      prepared?.process.send(prepared.commands)
      onStep?.(step, [])
      return
    }
    const commands = this.#device(step.attachment, step.direction).to(step.impairment)
    if (commands.length === 0) return
    this.#router(`router${step.attachment}`).send(commands)
    onStep?.(step, commands)
  }

  #enterWords(name: RouterName | 'client'): string[] {
    const words = this.#enter.get(name) ?? enterWords(name)
    this.#enter.set(name, words)
    return words
  }

  #device(attachment: Attachment, direction: Direction): TcDevice {
    const { device } = impairedDevice(attachment, direction)
    const known = this.#devices.get(device) ?? new TcDevice(device)
    this.#devices.set(device, known)
    return known
  }

  #router(name: RouterName): BatchProcess {
    const known =
      this.#routers.get(name) ?? new BatchProcess('tc', this.#enterWords(name), error => this.#onFailure(error))
    this.#routers.set(name, known)
    return known
  }
}

/** The words in front of a command that shall run in a namespace. Throws KernelBackendError when it is not up. */
export function enterWords(who: 'client' | 'server' | RouterName): string[] {
  return topology('enter', who).trimEnd().split('\n')
}

/** `tc -batch` or `ip -batch`: carries out commands as they come, and ends at the first that fails. */
class BatchProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #said = ''

  constructor(program: 'tc' | 'ip', enter: readonly string[], onFailure: (error: Error) => void) {
    // A process group of its own: Ctrl-C is for us, who then take back what was set.
    this.#child = spawn(enter[0], [...enter.slice(1), program, '-batch', '-'], {
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(0, 2000)
    })
    this.#child.stdin?.on('error', () => {}) // it has ended; `close` says why
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on('error', error =>
        reject(new KernelBackendError(`${program} cannot be started: ${error.message}`, KernelStatus.noTool)),
      )
      this.#child.on('close', code => (code === 0 ? resolve() : reject(explainBatch(program, this.#said))))
    })
    this.#ended.catch(onFailure)
  }

  send(commands: readonly TcCommand[]): void {
    this.#child.stdin?.write(commands.map(command => `${command.join(' ')}\n`).join(''))
  }

  /** Resolves when all commands are carried out. */
  async end(): Promise<void> {
    this.#child.stdin?.end()
    await this.#ended
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

function explainBatch(program: 'tc' | 'ip', said: string): KernelBackendError {
  if (program === 'tc') return explainTc(said)
  const first = said.trim().split('\n', 1)[0] || 'it ended without a word: were the namespaces removed?'
  return new KernelBackendError(`the client's address cannot be changed: ip: ${first}`)
}

/** What `tc` said, with what to do about it. */
export function explainTc(said: string): KernelBackendError {
  const first = said.trim().split('\n', 1)[0] || 'it ended without a word: were the namespaces removed?'
  if (/No distribution data/i.test(first)) {
    return new KernelBackendError(
      `tc has no table for this distribution of delays: ${first}\n  The tables (normal.dist, pareto.dist, paretonormal.dist) come with iproute2: install its whole package,\n  or let the environment variable TC_LIB_DIR name the folder that has them.`,
      KernelStatus.noTool,
    )
  }
  if (/qdisc kind is unknown|Unknown qdisc|No such file or directory/i.test(first)) {
    return (
      kernelBackendProblem() ??
      new KernelBackendError(`the kernel does not know a queueing discipline: ${first}`, KernelStatus.noModule)
    )
  }
  if (/not permitted|denied/i.test(first)) {
    return new KernelBackendError(
      `no right to impair the link: ${first}\n  Use the same user that ran topology.sh up.`,
      KernelStatus.noRight,
    )
  }
  return new KernelBackendError(`tc: ${first}`)
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(error => {
    if (!signal?.aborted) throw error
  })
}

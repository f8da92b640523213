/** The kernel backend from `npm run netem`: netem/topology.sh makes the network, src/link/kernel/kernel-link.ts impairs it. */

import { KernelLink, topology } from '../../link/kernel/kernel-link.ts'
import { impairedDevice } from '../../link/kernel/kernel-topology.ts'
import { type KernelStep, kernelLimits, stillProfile } from '../../link/kernel/tc.ts'
import type { Profile } from '../../link/profile/profile.ts'
import { describeImpairment, wrap } from './show.ts'

export interface KernelRunOptions {
  /** Ends by itself after so long. */
  durationMs: number | undefined
  /** Ends it as Ctrl-C does. */
  stopped: Promise<unknown>
  width: number
}

/**
 * Makes the network, impairs it, and stays until Ctrl-C or for `durationMs`; then removes everything. Rejects with
 * KernelBackendError, also with nothing left behind.
 */
export async function runKernel(profile: Profile, { durationMs, stopped, width }: KernelRunOptions): Promise<void> {
  const stop = new AbortController()
  void stopped.then(() => stop.abort())
  let timer: NodeJS.Timeout | undefined
  try {
    console.log(topology('up').trimEnd())
  } catch (error) {
    // Ctrl-C reaches the script as well, which then takes back what it has made.
    await new Promise(resolve => setImmediate(resolve))
    if (stop.signal.aborted) return
    throw error
  }
  try {
    console.log(`${profile.name}: ${profile.title}`)
    for (const sentence of kernelLimits(profile)) console.log(wrap(`note: ${sentence}`, width))
    const link = KernelLink.open()
    if (durationMs !== undefined) timer = setTimeout(() => stop.abort(), durationMs)
    await play(link, profile, stop.signal, width)
    if (!stop.signal.aborted) {
      console.log(`${profile.timeline.length > 0 ? 'the timeline is over; ' : ''}the link stays as it is; Ctrl-C ends`)
      // Waiting for a signal alone does not keep Node from ending.
      const alive = setInterval(() => {}, 60_000)
      await new Promise(resolve => stop.signal.addEventListener('abort', resolve, { once: true }))
      clearInterval(alive)
    }
  } finally {
    clearTimeout(timer)
    console.log(topology('down').trimEnd())
  }
}

/** Plays the timeline, with a line for what happens. A link without one is set once. */
async function play(link: KernelLink, profile: Profile, signal: AbortSignal, width: number): Promise<void> {
  const moves = profile.timeline.length > 0 || [profile.up, profile.down].some(({ trace }) => trace !== undefined)
  const shown = new Map<string, number>()
  const words = new Map<string, Set<string>>()
  await link.play(moves ? profile : stillProfile(profile), {
    signal,
    onStep: step => {
      const what = step.kind === 'impairment' ? `${step.attachment} ${step.direction}` : step.change
      // A ramp has many steps: one line a second is enough to see it move.
      if (step.atMs > 0 && step.atMs - (shown.get(what) ?? Number.NEGATIVE_INFINITY) < 1000) return
      shown.set(what, step.atMs)
      const all = describe(step)
      // An address change says the same each time; of an impairment only what is new.
      const before = step.kind === 'impairment' ? words.get(what) : undefined
      const changed = all.filter(word => before?.has(word) !== true)
      words.set(what, new Set(all))
      if (changed.length === 0) return
      const start = `${(step.atMs / 1000).toFixed(1).padStart(7)} s  `
      const text = `${step.kind === 'impairment' ? `${device(step)}: ` : ''}${changed.join(', ')}`
      console.log(start + wrap(text, width - start.length).replaceAll('\n', `\n${' '.repeat(start.length)}`))
    },
  })
}

/** Device and direction. */
function device(step: Extract<KernelStep, { kind: 'impairment' }>): string {
  return `${impairedDevice(step.attachment, step.direction).device} (${step.direction})`
}

function describe(step: KernelStep): string[] {
  if (step.kind === 'address-change') return [`${step.change}, attachment ${step.to}`]
  const words = Object.entries(describeImpairment(step.impairment)).map(([name, value]) => `${name} ${value}`)
  return words.length > 0 ? words : ['nothing']
}

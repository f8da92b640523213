/** The tables and timelines of both backends, compared without a packet. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { kernelSteps } from '../../src/link/kernel/tc.ts'
import { distributionTable } from '../../src/link/model/distribution.ts'
import { DISTRIBUTIONS, type Impairment, type Profile } from '../../src/link/profile/profile.ts'
import { impairmentAt, timelineEndMs } from '../../src/link/profile/timeline.ts'
import type { Row } from './verdict.ts'

/** Where distributions put iproute2's tables. */
const FOLDERS = [
  '/usr/lib/tc',
  '/usr/lib64/tc',
  '/usr/lib/x86_64-linux-gnu/tc',
  '/usr/lib/aarch64-linux-gnu/tc',
  '/usr/share/tc',
]

/** Entry by entry: the tables that `tc` gives to the kernel, and ours. A row each; none where iproute2's are not found. */
export function distributionRows(): Row[] {
  const folders = [process.env['TC_LIB_DIR'], ...FOLDERS].filter(folder => folder !== undefined)
  return DISTRIBUTIONS.flatMap(distribution => {
    const ours = distributionTable(distribution)
    const file = folders.map(folder => join(folder, `${distribution}.dist`)).find(existsSync)
    if (ours === undefined || file === undefined) return []
    const theirs = readFileSync(file, 'utf8').replace(/#.*/g, '').trim().split(/\s+/).map(Number)
    const furthest = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i])), 0)
    const agrees = theirs.length === ours.length && furthest <= 1
    return [
      row(distribution, 'table', {
        kernel: `${theirs.length} entries`,
        emulator: `${ours.length} entries`,
        difference: `at most ${furthest}`,
        bound: '1 in 8192',
        verdict: agrees ? 'agree' : 'differ',
      }),
    ]
  })
}

const SAMPLES = 200

/** The steps of the kernel's timeline against the profile's state at the same moments. */
export function timelineRow(profile: Profile): Row {
  const endMs = timelineEndMs(profile)
  const current = new Map<string, Impairment>()
  const steps = kernelSteps(profile)
  let next = steps.next()
  let furthest = 0
  let others = 0
  for (let sample = 0; sample < SAMPLES; sample++) {
    const atMs = (sample * endMs) / SAMPLES
    while (!next.done && next.value.atMs <= atMs) {
      if (next.value.kind === 'impairment')
        current.set(`${next.value.attachment} ${next.value.direction}`, next.value.impairment)
      next = steps.next()
    }
    for (const direction of ['up', 'down'] as const) {
      const kernel = current.get(`0 ${direction}`)
      const emulator = impairmentAt(profile, 0, direction, atMs)
      if (kernel === undefined || kernel.down !== emulator.down || kernel.loss.model !== emulator.loss.model) others++
      else furthest = Math.max(furthest, Math.abs(kernel.delayMs - emulator.delayMs))
    }
  }
  // A ramp moves on while the kernel stays on its step: of the steepest of ours, 1 ms a step.
  return row(profile.name, 'steps', {
    kernel: `${SAMPLES} moments`,
    emulator: `${SAMPLES} moments`,
    difference: `${others} other states, delay ${furthest.toFixed(2)} ms`,
    bound: '0 other states, delay 2 ms',
    verdict: others === 0 && furthest <= 2 ? 'agree' : 'differ',
  })
}

function row(profile: string, property: string, part: Omit<Row, 'profile' | 'state' | 'direction' | 'property'>): Row {
  return { profile, state: 'computed', direction: 'up', property, ...part }
}

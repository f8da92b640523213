/**
 * Fuzzing that is led by coverage: an input that makes code run which never did, or comes to another end than all before, is kept, and others are made
 * from it.
 *
 *     inputs that are known ──> mutate.ts ──> target ──> new code ran? ──yes──> known from now on
 *
 * Asking V8 what ran takes longer than most inputs, so it is asked once for many of them; when there is something new, halves of them run again, and halves of
 * these.
 */

import { createContext, Script } from 'node:vm'
import { seeded } from '../quic/typescript/virtual-network.ts'
import { Coverage } from './coverage.ts'
import { mutate } from './mutate.ts'

export interface Target {
  name: string
  seeds: readonly Uint8Array[]
  /** Which files' coverage leads. */
  isOurs(url: string): boolean
  /** What came of it, in a few words. Throws: this is a fault. */
  run(input: Uint8Array): string
}

export interface Fault {
  error: Error
  /** In hexadecimal. */
  input: string
}

export interface Report {
  inputs: number
  kept: Uint8Array[]
  /** Characters of code that have run. */
  covered: number
  outcomes: Map<string, number>
  faults: Fault[]
}

/** In CPU time: so long inputs run until V8 is asked. */
const BATCH_MS = 50
/** On the clock: who takes so long never ends. */
const HANGS_AFTER_MS = 120_000
const MOST_FAULTS = 10

interface Limits {
  /** Whichever is reached first; the seconds are of CPU time, so that a busy machine does no less. */
  inputs: number
  seconds: number
  seed: number
  /** In CPU time, for one input: nothing that a peer may send at once is worth more. */
  mostCpuMs?: number
}

export async function fuzz(target: Target, { inputs, seconds, seed, mostCpuMs = 2000 }: Limits): Promise<Report> {
  const random = seeded(seed)
  const coverage = new Coverage(url => target.isOurs(url))
  const report: Report = { inputs: 0, kept: [...target.seeds], covered: 0, outcomes: new Map(), faults: [] }
  const attempt = newAttempt(target, report, mostCpuMs)
  const endMs = cpuMs() + seconds * 1000
  const goesOn = (): boolean => report.inputs < inputs && cpuMs() < endMs && report.faults.length < MOST_FAULTS
  /** Of these inputs, of which one or more have made new code run. */
  const keepNew = (batch: readonly Uint8Array[]): void => {
    if (batch.length === 1) {
      report.kept.push(batch[0])
      return
    }
    const middle = batch.length >> 1
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      attempt(half)
      if (coverage.hasNew(half.length === 1)) keepNew(half)
    }
  }
  try {
    attempt(target.seeds)
    coverage.hasNew(true)
    while (goesOn()) {
      // Who presses Ctrl-C is heard.
      await new Promise(setImmediate)
      const batch: Uint8Array[] = []
      const batchEndMs = cpuMs() + BATCH_MS
      attempt(nextInputs(() => cpuMs() < batchEndMs && goesOn()))
      if (coverage.hasNew(batch.length === 1)) keepNew(batch)

      function* nextInputs(isTime: () => boolean): Generator<Uint8Array> {
        while (isTime()) {
          report.inputs++
          batch.push(mutate(report.kept, random))
          yield batch[batch.length - 1]
        }
      }
    }
    report.covered = coverage.size
    return report
  } finally {
    coverage.close()
  }
}

/** Runs inputs, and writes down what comes of them. One that never ends is ended, too: V8 does that to the script that has called. */
function newAttempt({ run }: Target, report: Report, mostCpuMs: number): (inputs: Iterable<Uint8Array>) => void {
  let current: Uint8Array = new Uint8Array(0)
  const fail = (error: Error): void => {
    const isKnown = report.faults.some(fault => placeOf(fault.error) === placeOf(error))
    if (!isKnown) report.faults.push({ error, input: Buffer.from(current).toString('hex') })
  }
  const each = (inputs: Iterable<Uint8Array>): void => {
    for (current of inputs) {
      const beganMs = cpuMs()
      try {
        // A copy: what it does to its bytes is no concern of the next one.
        const outcome = run(Uint8Array.from(current)).replace(/0x[0-9a-f]+|\d+/g, 'N')
        const count = report.outcomes.get(outcome) ?? 0
        report.outcomes.set(outcome, count + 1)
        if (count === 0) report.kept.push(current)
      } catch (error) {
        if (isTimeout(error)) throw error
        fail(error as Error)
      }
      if (cpuMs() - beganMs > mostCpuMs) fail(new Error(`takes more than ${mostCpuMs} ms of CPU time`))
    }
  }
  const context = createContext({ each })
  const script = new Script('each(inputs)')
  return inputs => {
    context.inputs = inputs
    try {
      script.runInContext(context, { timeout: HANGS_AFTER_MS })
    } catch (error) {
      if (!isTimeout(error)) throw error
      fail(new Error(`does not end in ${HANGS_AFTER_MS} ms`))
    }
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function isTimeout(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
}

/** Where it was thrown: many inputs find the same fault. */
function placeOf({ message, stack = '' }: Error): string {
  return stack.split('\n').find(line => line.includes('/src/')) ?? message
}

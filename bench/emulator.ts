/**
 * `bench emulator`: how exactly the link emulator keeps time, and how many datagrams it carries.
 *
 * Three processes: this one orders, one sends and receives (so that a single monotonic clock stamps both ends), one is the
 * emulator. The error is what the emulator adds to a datagram's time beyond the profile's delay: a datagram that goes
 * around it, straight from socket to socket in the same process and the same seconds, shows what the sockets alone cost.
 */

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EmulatorCounters } from '../src/link/emulator/emulator.ts'
import { startEmulatorProcess } from '../src/link/emulator/emulator-process.ts'
import { CLEAN, type Impairment, type Profile } from '../src/link/profile/profile.ts'
import { Child } from '../src/process/child.ts'
import type { ProbeOrders } from './emulator-probe.ts'

export interface ProbeOrder {
  emulatorPort: number
  packetsPerSecond: number
  seconds: number
  payloadBytes: number
  /** Added on purpose; subtracted from what is measured. */
  delayMs: number
}

export interface Percentiles {
  p50: number
  p99: number
  max: number
}

export interface ProbeResult {
  sent: number
  received: number
  /** Of the measurement, without the warm-up. */
  receivedPerSecond: number
  /** One-way time beyond the delay, in ms. */
  through: Percentiles
  /** The same for datagrams that do not go through the emulator. */
  direct: Percentiles
}

export interface EmulatorBenchRow {
  name: string
  offeredPerSecond: number
  probe: ProbeResult
  /** What the emulator says about itself. */
  counters: EmulatorCounters
  /**
   * Datagrams (in at one side, out at the other) for each second of CPU time of the emulator's process, all threads. On a
   * busy machine this says more than the rate. undefined where the system does not tell (it is read from /proc).
   */
  perCpuSecond: number | undefined
}

const LTE_DELAY_MS = 35
/** Programs are slower until they are compiled; as long as the probe's own warm-up. */
const WARM_UP_MS = 1_500

export async function benchEmulator(options: {
  seconds: number
  onProgress?: (text: string) => void
}): Promise<EmulatorBenchRow[]> {
  const delayed: Impairment = { ...CLEAN, delayMs: LTE_DELAY_MS, jitterMs: 5, distribution: 'normal' }
  const constant: Impairment = { ...CLEAN, delayMs: LTE_DELAY_MS }
  const rows: EmulatorBenchRow[] = []
  for (const [name, impairment, packetsPerSecond] of [
    ['clean', CLEAN, 20_000],
    [`${LTE_DELAY_MS} ms`, constant, 20_000],
    // How late a jittered datagram is, only the emulator itself can tell.
    [`${LTE_DELAY_MS} ms +- 5 ms`, delayed, 20_000],
    [`${LTE_DELAY_MS} ms`, constant, 500],
    // More than it can carry: what arrives is its capacity.
    ['clean', CLEAN, 150_000],
  ] as const) {
    options.onProgress?.(`${name}, ${packetsPerSecond} datagrams/s`)
    rows.push({
      name,
      offeredPerSecond: packetsPerSecond,
      ...(await measure(impairment, {
        packetsPerSecond,
        seconds: options.seconds,
        payloadBytes: 1200,
        delayMs: impairment.delayMs,
      })),
    })
  }
  return rows
}

async function measure(
  impairment: Impairment,
  order: Omit<ProbeOrder, 'emulatorPort'>,
): Promise<Pick<EmulatorBenchRow, 'probe' | 'counters' | 'perCpuSecond'>> {
  const child = new Child<ProbeOrders>(new URL('./emulator-probe.ts', import.meta.url), { name: 'the probe' })
  let link: Awaited<ReturnType<typeof startEmulatorProcess>> | undefined
  try {
    const port = await child.ask('port')
    const profile: Profile = {
      name: 'bench',
      title: '',
      about: '',
      source: '',
      up: impairment,
      down: impairment,
      timeline: [],
    }
    link = await startEmulatorProcess({ profile, seed: '1', to: { host: '127.0.0.1', port } })
    const cpuBefore = cpuSeconds(link.pid)
    const { port: emulatorPort } = link.address
    const [probe] = await Promise.all([
      child.ask('run', { ...order, emulatorPort }),
      sleep(WARM_UP_MS).then(() => link?.forgetTiming()),
    ])
    const cpuAfter = cpuSeconds(link.pid)
    const counters = await link.counters()
    const used = cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore
    return { probe, counters, perCpuSecond: used === undefined ? undefined : counters.up[0].delivered / used }
  } finally {
    await child.close()
    await link?.close()
  }
}

/** User and system time of a process; /proc/PID/stat counts in hundredths of a second. */
function cpuSeconds(pid: number | undefined): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return undefined
  }
}

/** What is recorded beside every probe: what the link really did, how exact it was, and how busy the server was. */

import type { EmulatorCounters } from '../link/emulator/emulator.ts'
import type { Testbed } from '../testbed/testbed.ts'
import type { Measure, Measurements } from './measure.ts'

export const CONDITIONS_TITLE = 'conditions: what the link and the machine did meanwhile'

/** Over the time of the probes, without the warm-up. */
export const CONDITIONS: readonly Measure[] = [
  { name: 'up_packets', title: 'datagrams up', unit: '' },
  { name: 'down_packets', title: 'datagrams down', unit: '' },
  { name: 'up_lost_percent', title: 'lost by the link, up', unit: '%' },
  { name: 'down_lost_percent', title: 'lost by the link, down', unit: '%' },
  { name: 'overflow_percent', title: 'dropped by its full queue', unit: '%' },
  { name: 'outage_percent', title: 'lost in outages', unit: '%' },
  { name: 'timing_p99_ms', title: "the link's own lateness, 99th percentile", unit: 'ms' },
  { name: 'overdue', title: 'datagrams much too late', unit: '' },
  { name: 'server_cpu_percent', title: "CPU of the server's process", unit: '%' },
]

interface Reading {
  link: EmulatorCounters
  cpuMs: number
  atMs: number
}

export class ConditionsRecorder {
  readonly #bed: Testbed
  readonly #before: Reading

  static async start(bed: Testbed): Promise<ConditionsRecorder> {
    return new ConditionsRecorder(bed, await read(bed))
  }

  private constructor(bed: Testbed, before: Reading) {
    this.#bed = bed
    this.#before = before
  }

  /** What happened since `start`. */
  async stop(): Promise<Measurements> {
    const before = this.#before
    const after = await read(this.#bed)
    const grown = (direction: 'up' | 'down', name: 'offered' | 'lost' | 'overflow' | 'outage'): number =>
      sum(after.link[direction], name) - sum(before.link[direction], name)
    const up = grown('up', 'offered')
    const down = grown('down', 'offered')
    const both = (name: 'overflow' | 'outage'): number => grown('up', name) + grown('down', name)
    return {
      up_packets: up,
      down_packets: down,
      up_lost_percent: percent(grown('up', 'lost'), up),
      down_lost_percent: percent(grown('down', 'lost'), down),
      overflow_percent: percent(both('overflow'), up + down),
      outage_percent: percent(both('outage'), up + down),
      timing_p99_ms: after.link.timing.p99,
      overdue: after.link.timing.overdue - before.link.timing.overdue,
      server_cpu_percent: percent(after.cpuMs - before.cpuMs, after.atMs - before.atMs),
    }
  }
}

async function read(bed: Testbed): Promise<Reading> {
  const [link, { cpuMs }] = await Promise.all([bed.link.counters(), bed.serverResources()])
  return { link, cpuMs, atMs: performance.now() }
}

function sum(attachments: EmulatorCounters['up'], name: 'offered' | 'lost' | 'overflow' | 'outage'): number {
  return attachments.reduce((total, counters) => total + counters[name], 0)
}

function percent(part: number, whole: number): number | null {
  return whole === 0 ? null : (100 * part) / whole
}

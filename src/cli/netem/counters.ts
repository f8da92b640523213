/** The emulator's counters as a table for people. Fits into 80 columns, and into half as many. */

import type { EmulatorCounters } from '../../link/emulator/emulator.ts'
import type { LinkCounters } from '../../link/model/link-direction.ts'
import { bitrate, wrap } from './show.ts'

const ROWS: [name: string, key: keyof LinkCounters][] = [
  ['offered', 'offered'],
  ['delivered', 'delivered'],
  ['lost', 'lost'],
  ['outage', 'outage'],
  ['queue full', 'overflow'],
  ['duplicated', 'duplicated'],
  ['reordered', 'reordered'],
  ['corrupted', 'corrupted'],
  ['on the link', 'queued'],
]

const NAME_WIDTH = 12
const CELL_WIDTH = 14

interface Column {
  heading: string
  now: LinkCounters
  before: LinkCounters | undefined
}

/**
 * Lines of the table. `before` and `elapsedMs`: the counters of an earlier moment and how long ago that was, for the rate.
 * For the whole run leave `before` undefined. `brief`: without what has not happened.
 */
export function counterTable(
  now: EmulatorCounters,
  options: { before?: EmulatorCounters; elapsedMs: number; width: number; brief?: boolean },
): string[] {
  const columns: Column[] = now.up.flatMap((_, i) => {
    const suffix = now.up.length > 1 ? ` (${i === 0 ? 'first' : 'second'})` : ''
    return [
      { heading: `up${suffix}`, now: now.up[i], before: options.before?.up[i] },
      { heading: `down${suffix}`, now: now.down[i], before: options.before?.down[i] },
    ]
  })
  // As many columns side by side as there is room for.
  const atOnce = Math.max(1, Math.min(columns.length, Math.floor((options.width - NAME_WIDTH) / CELL_WIDTH)))
  const lines: string[] = []
  for (let i = 0; i < columns.length; i += atOnce) {
    if (i > 0) lines.push('')
    lines.push(...block(columns.slice(i, i + atOnce), options.elapsedMs, options.brief === true))
  }
  return [...lines, '', ...remarks(now).flatMap(remark => fitted(remark, options.width))]
}

function block(columns: Column[], elapsedMs: number, isBrief: boolean): string[] {
  const happened = ([, key]: (typeof ROWS)[number]): boolean =>
    key === 'offered' || key === 'delivered' || columns.some(({ now }) => now[key] > 0)
  const line = (name: string, cells: string[]): string =>
    name.padEnd(NAME_WIDTH) + cells.map(cell => cell.padStart(CELL_WIDTH)).join('')
  const rate = ({ now, before }: Column): string => {
    const bytes = now.bytesDelivered - (before?.bytesDelivered ?? 0)
    return bitrate(elapsedMs > 0 ? Number(((bytes * 8000) / elapsedMs).toPrecision(3)) : 0)
  }
  return [
    line(
      '',
      columns.map(({ heading }) => heading),
    ),
    ...ROWS.filter(row => !isBrief || happened(row)).map(([name, key]) =>
      line(
        name,
        columns.map(({ now }) => grouped(now[key])),
      ),
    ),
    line('payload', columns.map(rate)),
  ]
}

/** Lines that fit; one that does already keeps its blanks. */
function fitted(remark: string, width: number): string[] {
  return remark.length <= width ? [remark] : wrap(remark, width).split('\n')
}

/** What is not about the link itself, and what somebody should know who measures. */
export function remarks({ clients, addressChanges, timing, outside }: EmulatorCounters): string[] {
  const lines = [
    `${clients} client ${clients === 1 ? 'address' : 'addresses'}, ${addressChanges} address ${addressChanges === 1 ? 'change' : 'changes'}`,
    `late p50 ${timing.p50.toFixed(2)}  p99 ${timing.p99.toFixed(2)}  max ${timing.max.toFixed(2)} ms`,
  ]
  const warn = (count: number | undefined, what: string): void => {
    if (count !== undefined && count > 0) lines.push(`! ${grouped(count)} ${what}`)
  }
  warn(timing.overdue, 'sent more than 50 ms late: this machine was busy')
  warn(outside.kernelDrops, 'dropped by the kernel: this machine was busy')
  warn(outside.unsent, `not taken by the system: ${outside.unsentBecause ?? 'its buffer is full'}`)
  warn(outside.refused, 'refused: too many client addresses')
  warn(outside.unclaimed, 'for nobody')
  warn(outside.icmpErrors, 'ICMP errors: is the server there?')
  warn(outside.stray, 'from port 0, which cannot be answered: dropped')
  warn(outside.faults, 'errors of the emulator itself: a bug')
  return lines
}

/** One line, for a log. */
export function counterLine(now: EmulatorCounters): string {
  const direction = (name: string, list: LinkCounters[]): string => {
    const sum = (key: keyof LinkCounters): number => list.reduce((total, each) => total + each[key], 0)
    const other = sum('lost') + sum('outage') + sum('overflow')
    return `${name} ${sum('offered')} offered ${sum('delivered')} delivered ${other} dropped ${sum('queued')} queued`
  }
  return `${direction('up', now.up)}  ${direction('down', now.down)}  late p99 ${now.timing.p99.toFixed(2)} ms`
}

/** 1234567 → '1 234 567' */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ' ')
}

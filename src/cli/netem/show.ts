/** What a profile is, as text: its numbers, and its timeline as a figure. */

import { expectedLoss } from '../../link/model/loss.ts'
import {
  DIRECTIONS,
  type Direction,
  type Impairment,
  type LossModel,
  type Phase,
  type Profile,
} from '../../link/profile/profile.ts'
import { impairmentAt, steps, timelineEndMs } from '../../link/profile/timeline.ts'
import { traceRate } from '../../link/profile/trace.ts'

/** One line a profile: name, title, and the numbers that tell it from the others. */
export function profileList(profiles: readonly Profile[], width: number): string {
  const longest = Math.max(...profiles.map(({ name }) => name.length))
  return profiles
    .map(profile => {
      const line = `${profile.name.padEnd(longest)}  ${profile.title}`
      return clip(line, width)
    })
    .join('\n')
}

/** Everything about one profile, at most `width` columns. */
export function describeProfile(profile: Profile, width: number): string {
  const sections = [wrap(`${profile.name}: ${profile.title}`, width), wrap(profile.about, width)]
  if (profile.source !== '') sections.push(wrap(`Source: ${profile.source}`, width))
  sections.push(numbers(profile, profile.second === undefined ? '' : 'first attachment', width))
  if (profile.second !== undefined) sections.push(numbers(profile.second, 'second attachment', width))
  if (profile.timeline.length > 0) sections.push(phaseList(profile, width), figure(profile, width))
  return sections.filter(section => section !== '').join('\n\n')
}

// -- numbers ---------------------------------------------------------------------------------------------------------

function numbers(link: Record<Direction, Impairment>, title: string, width: number): string {
  const [up, down] = DIRECTIONS.map(direction => describeImpairment(link[direction]))
  const names = [...new Set([...Object.keys(up), ...Object.keys(down)])]
  const rows = [
    [title, 'up', 'down'],
    ...(names.length === 0
      ? [['', 'nothing', 'nothing']]
      : names.map(name => [name, up[name] ?? '-', down[name] ?? '-'])),
  ]
  const [nameWidth, upWidth] = [18, 26].map((least, i) => Math.max(least, ...rows.map(row => row[i].length)))
  const side = rows.map(([name, ...cells]) =>
    `${name.padEnd(nameWidth)} ${cells[0].padEnd(upWidth)}  ${cells[1]}`.trimEnd(),
  )
  if (Math.max(...side.map(line => line.length)) <= width) return side.join('\n')
  // One below the other where they do not fit side by side.
  return DIRECTIONS.map(direction => {
    const heading = title === '' ? direction : `${title}, ${direction}`
    const values = Object.entries(describeImpairment(link[direction]))
    return [
      heading,
      ...(values.length === 0 ? ['  nothing'] : values.map(([name, value]) => field(name, value, width))),
    ].join('\n')
  }).join('\n\n')
}

function field(name: string, value: string, width: number): string {
  const start = `  ${name.padEnd(11)} `
  return start + wrap(value, width - start.length).replaceAll('\n', `\n${' '.repeat(start.length)}`)
}

/** In netem's words; what does nothing is left out. */
export function describeImpairment(impairment: Impairment): Record<string, string> {
  const { delayMs, jitterMs, loss, duplicate, reorder, corrupt, rate, trace } = impairment
  const text: Record<string, string> = {}
  if (impairment.down) text.outage = 'nothing passes'
  if (delayMs > 0 || jitterMs > 0) text.delay = `${trim(delayMs)} ms`
  if (jitterMs > 0) {
    text.jitter = `${trim(jitterMs)} ms, ${impairment.distribution}`
    if (impairment.delayCorrelation > 0) text.correlation = percent(impairment.delayCorrelation)
  }
  if (loss.model !== 'none') text.loss = describeLoss(loss)
  if (duplicate.rate > 0) text.duplicate = percent(duplicate.rate) + correlation(duplicate.correlation)
  if (reorder.rate > 0) {
    const gap = reorder.gap > 1 ? `, gap ${reorder.gap}` : ''
    text.reorder = percent(reorder.rate) + correlation(reorder.correlation) + gap
  }
  if (corrupt.rate > 0) text.corrupt = percent(corrupt.rate) + correlation(corrupt.correlation)
  if (rate !== undefined) {
    text.rate = bitrate(rate.bitsPerSecond)
    text.limit = limit(rate.limit)
    text.burst = `${rate.burstBytes} bytes`
  }
  if (trace !== undefined) {
    text.trace = `${trace.name}, repeats at ${seconds(trace.periodMs)}`
    text['mean rate'] = bitrate(traceRate(trace, 0, trace.periodMs))
    text.limit = limit(trace.limit)
  }
  return text
}

function describeLoss(loss: Exclude<LossModel, { model: 'none' }>): string {
  switch (loss.model) {
    case 'random':
      return percent(loss.rate) + correlation(loss.correlation)
    case 'gemodel':
      return `gemodel ${[loss.p, loss.r, loss.oneMinusH, loss.oneMinusK].map(percent).join(' ')}`
    case 'state':
      return `state ${[loss.p13, loss.p31, loss.p32, loss.p23, loss.p14].map(percent).join(' ')}`
  }
}

function limit(queue: { packets: number } | { bytes: number }): string {
  return 'packets' in queue ? `${queue.packets} packets` : `${queue.bytes} bytes`
}

function correlation(value: number): string {
  return value > 0 ? ` (${percent(value)})` : ''
}

// -- timeline --------------------------------------------------------------------------------------------------------

function phaseList(profile: Profile, width: number): string {
  const repeat = profile.repeatMs === undefined ? '' : `, again every ${seconds(profile.repeatMs)}`
  return [
    `timeline${repeat}`,
    ...profile.timeline.map(phase => {
      const lasts = Number.isFinite(phase.durationMs) && phase.durationMs > 0 ? `for ${seconds(phase.durationMs)}` : ''
      const start = `  at ${seconds(phase.atMs).padStart(7)}  ${lasts.padEnd(12)} `
      return wrap(describePhase(phase), Math.max(12, width - start.length))
        .split('\n')
        .map((line, i) => (i === 0 ? start : ' '.repeat(start.length)) + line)
        .join('\n')
    }),
  ].join('\n')
}

/** What a phase does, without when. */
export function describePhase(phase: Phase): string {
  const who = [
    phase.direction === 'both' ? '' : phase.direction,
    phase.attachment === undefined ? '' : ATTACHMENT_NAMES[phase.attachment],
  ].filter(word => word !== '')
  return [...who, what(phase)].join(' ')
}

const ATTACHMENT_NAMES = ['first attachment', 'second attachment'] as const

function what(phase: Phase): string {
  switch (phase.kind) {
    case 'outage':
      return phase.only === undefined ? 'outage' : 'outage of UDP alone'
    case 'set':
      return `set ${changes(phase.change)}`
    case 'ramp':
      return `ramp to ${changes(phase.to)}`
    case 'oscillation':
      return `oscillation to ${changes(phase.to)} and back every ${seconds(phase.periodMs)}`
    case 'address-change':
      return phase.change === 'handover'
        ? `handover to the ${ATTACHMENT_NAMES[phase.to]}`
        : 'nat-rebind: another source port'
  }
}

function changes(change: object): string {
  return Object.entries(change)
    .filter(([key, value]) => value !== undefined && !(key === 'delayCorrelation' && value === 0))
    .map(([key, value]) => {
      if (key === 'delayCorrelation') return `correlation ${percent(value)}`
      if (key === 'delayMs') return `delay ${trim(value)} ms`
      if (key === 'jitterMs') return `jitter ${trim(value)} ms`
      if (key === 'lossRate') return `loss ${percent(value)}`
      if (key === 'bitsPerSecond') return `rate ${bitrate(value)}`
      if (key === 'rate' && value !== undefined) return `rate ${bitrate(value.bitsPerSecond)}`
      if (key === 'loss') return `loss ${value.model === 'none' ? 'none' : describeLoss(value)}`
      if (typeof value === 'object' && value !== null && 'rate' in value) return `${key} ${percent(value.rate)}`
      return typeof value === 'object' ? key : `${key} ${value}`
    })
    .join(', ')
}

/** What a quantity of an impairment is, for the figure. */
const QUANTITIES: { name: string; of(impairment: Impairment): number; show(value: number): string }[] = [
  { name: 'delay', of: ({ delayMs }) => delayMs, show: value => `${trim(value)} ms` },
  { name: 'jitter', of: ({ jitterMs }) => jitterMs, show: value => `${trim(value)} ms` },
  { name: 'loss', of: ({ loss }) => meanLoss(loss), show: percent },
  { name: 'rate', of: ({ rate }) => rate?.bitsPerSecond ?? 0, show: bitrate },
]

const FIGURE_ROWS = 4

/**
 * One round of the timeline, time to the right: a bar chart of each quantity that changes, `x` where nothing passes, and a
 * mark where the address changes.
 */
export function figure(profile: Profile, width: number): string {
  const end = figureEndMs(profile)
  const margin = 13
  const columns = Math.max(20, Math.min(width, 100) - margin)
  const times = Array.from({ length: columns }, (_, i) => ((i + 0.5) * end) / columns)
  const charts: string[] = []
  for (const attachment of profile.second === undefined ? ([0] as const) : ([0, 1] as const)) {
    const where = profile.second === undefined ? '' : `, ${ATTACHMENT_NAMES[attachment]}`
    const [up, down] = DIRECTIONS.map(direction => {
      return chartsOf(
        times.map(at => impairmentAt(profile, attachment, direction, at)),
        margin,
      )
    })
    for (const name of new Set([...up.keys(), ...down.keys()])) {
      if (up.get(name) === down.get(name)) charts.push(`${name}, up and down${where}\n${up.get(name)}`)
      else {
        if (up.has(name)) charts.push(`${name}, up${where}\n${up.get(name)}`)
        if (down.has(name)) charts.push(`${name}, down${where}\n${down.get(name)}`)
      }
    }
  }
  const marks = addressChanges(profile)
    .map(({ atMs, change }) => {
      const at = Math.min(columns - 1, Math.floor((atMs / end) * columns))
      // To the left of the mark where there is no room to its right.
      return at + change.length + 2 > columns
        ? `${' '.repeat(margin + Math.max(0, at - change.length - 1))}${change} ^`
        : `${' '.repeat(margin + at)}^ ${change}`
    })
    .join('\n')
  const label = seconds(end)
  const axis = `${' '.repeat(margin - 1)}+${'-'.repeat(columns)}\n${' '.repeat(margin)}0${label.padStart(columns - 1)}`
  return [...charts, ...(marks === '' ? [] : [marks]), axis].join('\n')
}

/** A chart by the name of its quantity. */
function chartsOf(samples: readonly Impairment[], margin: number): Map<string, string> {
  const charts = new Map<string, string>()
  for (const { name, of, show } of QUANTITIES) {
    const values = samples.map(of)
    if (new Set(values).size === 1) continue
    const top = Math.max(...values)
    const lines = Array.from({ length: FIGURE_ROWS }, (_, row) => {
      const label = row === 0 ? show(Number(top.toPrecision(3))) : row === FIGURE_ROWS - 1 ? '0' : ''
      const bars = samples.map((sample, i) => {
        if (sample.down) return 'x'
        if ((values[i] / top) * FIGURE_ROWS > FIGURE_ROWS - row - 0.5) return '#'
        return row === FIGURE_ROWS - 1 && values[i] > 0 ? '.' : ' '
      })
      return `${label.padStart(margin - 2)} |${bars.join('')}`.trimEnd()
    })
    charts.set(name, lines.join('\n'))
  }
  // An outage on a link whose numbers do not change otherwise.
  if (charts.size === 0 && samples.some(({ down }) => down)) {
    const bars = samples.map(({ down }) => (down ? 'x' : '='))
    charts.set('= passes, x nothing passes', `${' '.repeat(margin - 1)}|${bars.join('')}`)
  }
  return charts
}

function addressChanges(profile: Profile): { atMs: number; change: string }[] {
  return steps(profile, 1000).flatMap(step => (step.kind === 'address-change' ? [step] : []))
}

/** One round; where nothing ends by itself, somewhat more than what happens. */
function figureEndMs(profile: Profile): number {
  if (profile.repeatMs !== undefined) return profile.repeatMs
  const end = timelineEndMs(profile)
  return end > 0 ? end * 1.15 : 1000
}

/** One line, cut where the terminal would break it. */
export function clip(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 3))}...`
}

/** Breaks text at blanks. A word that is wider stays whole. */
export function wrap(text: string, width: number): string {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1)
    if (line === undefined || line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines.join('\n')
}

// -- units -----------------------------------------------------------------------------------------------------------

/** In the long run. netem's correlation changes the share that is lost; there is no formula for that. */
function meanLoss(loss: LossModel): number {
  return expectedLoss(loss) ?? (loss.model === 'random' ? loss.rate : 0)
}

export function bitrate(bitsPerSecond: number): string {
  if (bitsPerSecond >= 1e9) return `${trim(bitsPerSecond / 1e9)} Gbit/s`
  if (bitsPerSecond >= 1e6) return `${trim(bitsPerSecond / 1e6)} Mbit/s`
  return bitsPerSecond >= 1e3 ? `${trim(bitsPerSecond / 1e3)} kbit/s` : `${trim(bitsPerSecond)} bit/s`
}

export function percent(fraction: number): string {
  return `${trim(fraction * 100)} %`
}

export function seconds(ms: number): string {
  return `${trim(ms / 1000)} s`
}

/** At most three digits after the point, and none that say nothing. */
function trim(value: number): string {
  return String(Math.round(value * 1000) / 1000)
}

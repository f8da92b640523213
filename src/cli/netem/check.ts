/**
 * `netem check`: does an emulated link do what its profile says? What is measured, and how it is judged, is in src/link/check; here
 * is what the user sees of it.
 *
 * The time of a timeline stands still at its beginning.
 */

import { CheckedLink, type ControlDatagram, StoppedError } from '../../link/check/checked-link.ts'
import type { Line, Verdict } from '../../link/check/judge.ts'
import { linkAtBeginning, type MeasureReport, measureLink } from '../../link/check/measure.ts'
import { EmulatorError } from '../../link/emulator/udp-socket.ts'
import type { Attachment, Direction, Profile } from '../../link/profile/profile.ts'
import { DEFAULT_FALSE_ALARM } from '../../stats/acceptance.ts'
import { ascending, percentile } from '../../stats/statistics.ts'
import { bitrate, clip, percent, seconds, wrap } from './show.ts'

export interface CheckOptions {
  /** In each direction; undefined: as many as it takes to judge the loss, in 25 s at most. */
  packets: number | undefined
  seed: string
  json: boolean
  /** Of the terminal, in columns. */
  width: number
  signal: AbortSignal
}

/** Exit statuses of `netem check`. */
const CheckStatus = { ok: 0, refused: 1, unjudged: 3, interrupted: 130 } as const

/**
 * Measures one profile after the other and prints a line for each thing that was measured, as soon as it is. Returns the exit
 * status. A profile that cannot be measured is said to be so, and the next one is.
 */
export async function checkProfiles(profiles: readonly Profile[], options: CheckOptions): Promise<number> {
  const verdicts: Verdict[] = []
  const failed: string[] = []
  const beganMs = performance.now()
  try {
    for (const [i, profile] of profiles.entries()) {
      if (!options.json) console.log(heading(profile, i, profiles.length, options.width))
      const place = profiles.length > 1 ? `[${i + 1}/${profiles.length}] ` : ''
      const output = new Output(profile, options, place)
      try {
        verdicts.push(...(await checkProfile(profile, output, options)))
      } catch (error) {
        if (!(error instanceof EmulatorError) || options.signal.aborted) throw error
        failed.push(profile.name)
        console.error(`  ${profile.name} was not measured: ${error.message}`)
      } finally {
        output.progress('')
      }
      if (!options.json && i < profiles.length - 1) console.log()
    }
  } catch (error) {
    if (!(error instanceof StoppedError) && !options.signal.aborted) throw error
    console.error('stopped before everything was measured')
    return CheckStatus.interrupted
  }
  const count = (verdict: Verdict) => verdicts.filter(each => each === verdict).length
  if (!options.json && profiles.length > 1) {
    const rest = failed.length > 0 ? `; not measured: ${failed.join(', ')}` : ''
    const took = seconds(Math.round((performance.now() - beganMs) / 1000) * 1000)
    console.log(
      `\n${wrap(`${profiles.length} profiles in ${took}: ${count('ok')} ok, ${count('refused')} refused, ${count('unjudged')} not judged${rest}`, options.width)}`,
    )
  }
  if (count('refused') + failed.length > 0) return CheckStatus.refused
  return count('unjudged') > 0 ? CheckStatus.unjudged : CheckStatus.ok
}

async function checkProfile(profile: Profile, output: Output, options: CheckOptions): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const attachment of profile.second === undefined ? ([0] as const) : ([0, 1] as const)) {
    const link = linkAtBeginning(profile, attachment)
    output.attachment(attachment)
    output.progress('starting')
    const checked = await CheckedLink.start(link, attachment, options.seed, options.signal)
    try {
      for await (const line of measureLink(link, checked, { ...options, report: output })) {
        output.line(line)
        verdicts.push(line.verdict)
      }
      output.remarks(await checked.overdue())
    } finally {
      await checked.close()
    }
  }
  return verdicts
}

// -- text ------------------------------------------------------------------------------------------------------------

function heading(profile: Profile, index: number, count: number, width: number): string {
  const place = count > 1 ? `[${index + 1}/${count}] ` : ''
  const still = profile.timeline.length > 0 ? '\n  the time of its timeline stands still at 0 s' : ''
  return clip(`${place}${profile.name}: ${profile.title}`, width) + still
}

const VERDICTS = { ok: 'ok  ', refused: 'FAIL', unjudged: '?   ' } as const
const COLOURS = { ok: '', refused: '\x1b[31m', unjudged: '\x1b[33m' } as const
/** From here on there is room for the expected value. */
const WIDE = 76

class Output implements MeasureReport {
  readonly #profile: Profile
  readonly #options: CheckOptions
  readonly #place: string
  #attachment: Attachment = 0
  #hasHeader = false

  constructor(profile: Profile, options: CheckOptions, place: string) {
    this.#profile = profile
    this.#options = options
    this.#place = place
  }

  /** What is being done; '': nothing any more. Only for somebody who looks at a terminal. */
  progress(what: string): void {
    if (!process.stderr.isTTY) return
    const text = what === '' ? '' : clip(`  ${this.#place}${this.#profile.name}: ${what}`, this.#options.width - 1)
    process.stderr.write(`\r\x1b[K${text}`)
  }

  attachment(which: Attachment): void {
    this.#attachment = which
    this.#hasHeader = false
    if (this.#profile.second !== undefined) this.#print(`  ${which === 0 ? 'first' : 'second'} attachment`)
  }

  line(line: Line): void {
    if (this.#options.json) {
      const { name: profile } = this.#profile
      const where = this.#profile.second === undefined ? {} : { attachment: this.#attachment }
      this.progress('')
      console.log(JSON.stringify({ profile, ...where, ...line, falseAlarm: DEFAULT_FALSE_ALARM }))
      return
    }
    const isWide = this.#options.width >= WIDE
    if (!this.#hasHeader) {
      this.#hasHeader = true
      this.#print(columns(isWide, '    ', '', '', 'measured', 'expected', isWide ? 'agrees from ... to' : 'agrees'))
    }
    const { direction, name, verdict, unit, measured, expected, low, high, note } = line
    const show = SHOW[unit]
    const range =
      low === high ? show(low) : isWide ? `${show(low)} ... ${show(high)}` : shortRange(show(low), show(high))
    const text = columns(isWide, VERDICTS[verdict], direction, name, show(measured), show(expected), range)
    this.#print(coloured(text, COLOURS[verdict]))
    if (note !== undefined) this.#print(indented(note, this.#options.width))
  }

  /** What the control run found, which is part of the limits of every delay. */
  lateness(control: Record<Direction, ControlDatagram[]>): void {
    if (this.#options.json) return
    const all = ascending([...control.up, ...control.down].map(({ lateMs }) => lateMs))
    if (all.length === 0) return
    const [p10, p50, p99] = [0.1, 0.5, 0.99].map(fraction => percentile(all, fraction).toFixed(2))
    this.#print(
      indented(`control run: this machine adds p10 ${p10}, p50 ${p50}, p99 ${p99} ms`, this.#options.width, 2),
    )
  }

  remarks(overdue: number): void {
    if (this.#options.json || overdue === 0) return
    this.#print(indented(`this machine was busy: ${overdue} packets left more than 50 ms late`, this.#options.width, 2))
  }

  #print(text: string): void {
    if (this.#options.json) return
    this.progress('')
    console.log(text)
  }
}

function columns(
  isWide: boolean,
  verdict: string,
  direction: string,
  name: string,
  measured: string,
  expected: string,
  range: string,
): string {
  const text = isWide
    ? `  ${verdict} ${direction.padEnd(4)} ${name.padEnd(10)} ${measured.padStart(11)}  ${expected.padStart(11)}  ${range}`
    : `${verdict} ${direction.padEnd(4)} ${name.padEnd(10)}${measured.padStart(11)} ${range}`
  return text.trimEnd()
}

/** '19.95 ms', '20.74 ms' → '19.95..20.74 ms' */
function shortRange(low: string, high: string): string {
  const unit = low.slice(low.indexOf(' '))
  return high.endsWith(unit) ? `${low.slice(0, low.indexOf(' '))}..${high}` : `${low}..${high}`
}

function indented(text: string, width: number, by = 7): string {
  return wrap(text, width - by)
    .split('\n')
    .map(line => ' '.repeat(by) + line)
    .join('\n')
}

function coloured(text: string, colour: string): string {
  const isPlain = !process.stdout.isTTY || (process.env.NO_COLOR ?? '') !== '' || colour === ''
  return isPlain ? text : `${colour}${text}\x1b[39m`
}

const SHOW: Record<Line['unit'], (value: number) => string> = {
  share: value => percent(Number(value.toPrecision(3))),
  ms: value => `${value.toFixed(2)} ms`,
  'bit/s': value => (Number.isFinite(value) ? bitrate(Number(value.toPrecision(3))) : '-'),
}

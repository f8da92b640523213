/** What happened, drawn as it went: a few lines of characters that every terminal has. The panel shows them among the charts. */
import type { Line, Style } from '../kit/lab/text.ts'

export interface Picture {
  title: string
  lines: readonly Line[]
}

export function pictureLines(picture: Picture, room: { width: number; rows: number; position: string }): Line[] {
  const { width, rows, position } = room
  if (rows < 3) return []
  const kept = picture.lines.slice(-(rows - 1))
  return [
    [
      { text: cut(picture.title, width - position.length - 1).padEnd(width - position.length), style: 'strong' },
      { text: position, style: 'muted' },
    ],
    ...kept.map(line => line.map(span => ({ ...span, text: cut(span.text, width) }))),
  ]
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`
}

const line = (text: string, style?: Style): Line => [style === undefined ? { text } : { text, style }]

/**
 * The turns of a pump, the last ones at the end.
 *
 *     turn 1   0 1 2 3  yield
 *     turn 2   4 5 . .  yield
 */
export function turnsPicture(title: string, turns: readonly (readonly string[])[], failed: boolean): Picture {
  const rows = turns.map((turn, index) =>
    line(
      `turn ${String(index + 1).padEnd(4)} ${turn.join(' ')}`,
      failed && index === turns.length - 1 ? 'bad' : undefined,
    ),
  )
  return { title, lines: [...rows, line('0, 1, …: a packet of that queue   .: a read that said empty', 'muted')] }
}

/**
 * What a test has found out. What it has missed is at the end, which is seen in any case.
 *
 *     found out   it never finds the last byte
 *     missed      it has a probe before one is due
 */
export function foundOutPicture(
  title: string,
  results: readonly { fault: string; caught: string | undefined }[],
): Picture {
  const [caught, missed] = [true, false].map(right => results.filter(one => (one.caught !== undefined) === right))
  return {
    title: `${title}: ${caught.length} of ${results.length} found out`,
    lines: [
      ...caught.map(({ fault }) => line(`found out   ${fault}`)),
      ...missed.map(({ fault }) => line(`missed      ${fault}`, 'bad')),
    ],
  }
}

export interface Rung {
  size: number
  atMs: number
  passed: boolean
  /** What was known to pass when it was sent. */
  confirmed: number
}

const LADDER_COLUMNS = 44

/**
 * The probes of a search, one below the other.
 *
 *     1336 at 0 ms     |                    o         :             |
 *     1404 at 40 ms    |====================          :  x          |
 */
export function ladderPicture(
  title: string,
  {
    base,
    max,
    path,
    rungs,
    failed,
  }: { base: number; max: number; path: number; rungs: readonly Rung[]; failed: boolean },
): Picture {
  const column = (size: number) => Math.round(((size - base) / (max - base)) * (LADDER_COLUMNS - 1))
  const rows = rungs.map(({ size, atMs, passed, confirmed }, index) => {
    const cells = Array.from({ length: LADDER_COLUMNS }, (_, at): string => (at < column(confirmed) ? '=' : ' '))
    cells[column(path)] = ':'
    cells[column(Math.min(size, max))] = passed ? 'o' : 'x'
    const bad = failed && index === rungs.length - 1
    return line(`${`${size} at ${atMs} ms`.padEnd(18)}|${cells.join('')}|`, bad ? 'bad' : undefined)
  })
  return {
    title,
    lines: [...rows, line(`= confirmed   o passes   x lost   : what the path carries   (${base} to ${max})`, 'muted')],
  }
}

export interface Datagram {
  atMs: number
  from: 'client' | 'server'
  bytes: number
}

export interface Flight extends Datagram {
  datagrams: number
}

const ARROW_COLUMNS = 34

/**
 * What passed the client's socket, and when what was reached.
 *
 *        0 ms  |---- 1 datagram, 1200 bytes ------->|
 *      204 ms  |<--- 3 datagrams, 2735 bytes -------|
 *              |      the handshake is complete     |
 */
export function sequencePicture(
  title: string,
  flights: readonly Flight[],
  reached: readonly { atMs: number; text: string }[],
): Picture {
  const rows = [
    ...flights.map(({ atMs, from, datagrams, bytes }) => {
      const label = ` ${datagrams} ${datagrams === 1 ? 'datagram' : 'datagrams'}, ${bytes} bytes `
      const arrow = label.padStart(label.length + 4, '-').padEnd(ARROW_COLUMNS - 1, '-')
      return { atMs, row: line(`${time(atMs)}  |${from === 'client' ? `${arrow}>` : `<${arrow}`}|`) }
    }),
    ...reached.map(({ atMs, text }) => ({
      atMs,
      row: line(
        `${time(atMs)}  |${` ${text} `.padStart((ARROW_COLUMNS + text.length) / 2).padEnd(ARROW_COLUMNS)}|`,
        'accent',
      ),
    })),
  ]
  return {
    title,
    lines: [
      line(`${' '.repeat(11)}client${' '.repeat(ARROW_COLUMNS - 7)}proxy`, 'muted'),
      ...rows.sort((a, b) => a.atMs - b.atMs).map(({ row }) => row),
    ],
  }
}

function time(ms: number): string {
  return `${ms.toFixed(0)} ms`.padStart(9)
}

/** Datagrams in one direction that come within so many ms are one flight. */
const ONE_FLIGHT_MS = 15

export function flightsOf(datagrams: readonly Datagram[]): Flight[] {
  const flights: Flight[] = []
  for (const { atMs, from, bytes } of datagrams) {
    const open = flights.findLast(flight => flight.from === from && atMs - flight.atMs < ONE_FLIGHT_MS)
    if (open === undefined) flights.push({ atMs, from, datagrams: 1, bytes })
    else {
      open.datagrams++
      open.bytes += bytes
    }
  }
  return flights
}

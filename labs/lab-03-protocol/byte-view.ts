/**
 * A message byte by byte: which field each byte belongs to, how the reference reads the field, and how the student's
 * code read it.
 *
 *     decodeAddressAssign: one IPv4 address                        2 of 5
 *     0000  05 04 0a 59 01 02 20
 *           a  b  c  c  c  c  d
 *
 *       field               bytes         reference      yours
 *     a Request ID          05            5              5              ✓
 *     b IP Version          04            4              4              ✓
 *     c IP Address          0a590102      10.89.1.2      10.89.1.2      ✓
 *     d IP Prefix Length    20            32             2              ✗
 *
 * A letter says the same as the colour of a field, and a mark the same as green and red.
 */

import { type Call, type CallGroup, isMalformed, isTodo, REJECTED } from '../kit/check/calls.ts'
import { format, hex, same } from '../kit/check/format.ts'
import type { Marks } from '../kit/lab/marks.ts'
import type { Line, Span, Style } from '../kit/lab/text.ts'
import type { CheckContext, Live } from '../kit/lab/types.ts'
import type { Outcome, StudentError } from '../kit/student-code/types.ts'

export interface ViewField {
  name: string
  /** Bytes. */
  length: number
  /** How the reference reads it. */
  reference: string
  /** How the student's code read it; '' when it does not say. */
  student: string
}

export interface ByteView {
  title: string
  /** The first ones, as far as anybody would look. Numbers, so that they pass through JSON as they are. */
  bytes: readonly number[]
  /** Of the whole message. */
  length: number
  /** In the order of the bytes, without gaps. */
  fields: readonly ViewField[]
  /** There is nothing to compare with: one column of readings, with this above it. */
  onlyReading?: string
  /** Nothing is wrong with it: when the check has failed, it stopped at something else. */
  isRight?: boolean
}

/** A field of the reference's reading, and where the same is found in what the student's function returns. */
export interface ReadField {
  name: string
  length: number
  text: string
  path?: readonly (string | number)[]
  /** Default: as it is written in TypeScript. */
  format?: (value: unknown) => string
}

/** Under this key of `context.show` the panel finds the messages of the check that runs. */
export const MESSAGES_KEY = 'messages'
/** More than these would not be looked at; the last ones are the interesting ones. */
const MOST_MESSAGES = 16
export const MOST_BYTES = 256

const shown = new WeakMap<object, ByteView[]>()

/** Adds a message to those that the panel can show. */
export function showMessage(
  live: Pick<Live, 'show'>,
  message: Pick<ByteView, 'title' | 'fields' | 'isRight'> & { bytes: Uint8Array },
): void {
  const { bytes, ...rest } = message
  const view: ByteView = { ...rest, bytes: [...bytes.subarray(0, MOST_BYTES)], length: bytes.length }
  const messages = [...(shown.get(live) ?? []), view].slice(-MOST_MESSAGES)
  shown.set(live, messages)
  live.show(MESSAGES_KEY, messages)
}

/** How a group of calls is drawn: the bytes of a call, and its fields. */
export function inBytes(view: (call: Call) => { bytes: Uint8Array; fields: readonly ReadField[] }) {
  return (context: CheckContext, { name: called }: CallGroup, call: Call, outcome: Outcome, isWrong: boolean): void => {
    const { bytes, fields } = view(call)
    // A message that has to be refused: what is in its fields is not what was asked for.
    const refused = call.returns === REJECTED && isMalformed(outcome)
    let at = 0
    const read = fields.map(field => {
      const { name, length, text } = field
      const part = bytes.subarray(at, (at += length))
      const student = field.path
        ? studentReading(field, outcome)
        : studentWriting(part, at - length, text, call, outcome)
      if (refused) return { name, length, reference: text || 'MalformedError', student: text ? '' : student }
      return { name, length, reference: text, student }
    })
    showMessage(context, { title: `${called}: ${call.about}`, bytes, fields: read, isRight: !isWrong })
  }
}

/** Of a function that writes bytes: what it wrote in this place. */
function studentWriting(bytes: Uint8Array, at: number, text: string, call: Call, outcome: Outcome): string {
  if (!(call.returns instanceof Uint8Array)) return ''
  if (!outcome.ok) return briefly(outcome.error)
  if (!(outcome.value instanceof Uint8Array)) return format(outcome.value)
  const written = outcome.value.subarray(at, at + bytes.length)
  return same(written, bytes) ? text : hex(written, 8)
}

/** The same field in what the student's function returned. */
function studentReading(field: ReadField, outcome: Outcome): string {
  if (field.path === undefined) return ''
  if (!outcome.ok) return briefly(outcome.error)
  let value: unknown = outcome.value
  for (const key of field.path) value = (value as Record<string | number, unknown> | undefined)?.[key]
  return value === undefined ? 'nothing' : (field.format ?? format)(value)
}

/** For the narrow column of the panel. */
export function briefly(error: StudentError): string {
  if (isTodo({ ok: false, error })) return 'TODO'
  return error.kind === 'threw' ? (error.errorName ?? 'an error') : error.kind
}

/** A span whose colour is that of the field with this number. */
export interface FieldSpan extends Span {
  field?: number
}

const BYTES_A_ROW = 16
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

const letterOf = (field: number): string => LETTERS[field % LETTERS.length]

export interface ByteViewOptions {
  width: number
  rows: number
  /** Of bytes; what is longer is cut. Default: as many as leave room for the fields. */
  byteRows?: number
  marks: Marks
  /** "2 of 5", at the right of the title. */
  position?: string
}

/** The view as lines. Long messages are cut in the middle, so that there is room for the fields. */
export function byteViewLines(view: ByteView, options: ByteViewOptions): FieldSpan[][] {
  const { width, rows, marks, position = '' } = options
  const title = cut(view.title, Math.max(10, width - position.length - 2))
  const lines: FieldSpan[][] = [
    [
      { text: title.padEnd(width - position.length), style: 'strong' },
      { text: position, style: 'muted' },
    ],
  ]
  const perRow = Math.max(4, Math.min(BYTES_A_ROW, Math.floor((width - 6) / 3)))
  const owners = ownersOf(view)
  const byteRows = Math.ceil(view.bytes.length / perRow)
  const tableRows = view.fields.length + 2
  const mostByteRows = options.byteRows ?? Math.max(1, Math.floor((rows - 1 - Math.min(tableRows, 6)) / 2))
  for (let row = 0; row < Math.min(byteRows, mostByteRows); row++) {
    lines.push(...byteRow(view.bytes, owners, row * perRow, perRow))
  }
  const shownBytes = Math.min(view.bytes.length, mostByteRows * perRow)
  if (view.length > shownBytes) {
    lines.push([{ text: `      … ${view.length - shownBytes} more bytes`, style: 'muted' }])
  }
  lines.push(...fieldTable(view, width, marks, Math.max(1, rows - lines.length - 1)))
  return lines.slice(0, rows)
}

/** By byte: the number of its field, or -1. */
function ownersOf(view: ByteView): number[] {
  const owners = new Array<number>(view.bytes.length).fill(-1)
  let at = 0
  view.fields.forEach((field, index) => {
    owners.fill(index, at, Math.min(owners.length, at + field.length))
    at += field.length
  })
  return owners
}

function byteRow(bytes: readonly number[], owners: readonly number[], from: number, count: number): FieldSpan[][] {
  const numbers: FieldSpan[] = [{ text: `${from.toString(16).padStart(4, '0')}  `, style: 'muted' }]
  const letters: FieldSpan[] = [{ text: '      ' }]
  for (let at = from; at < Math.min(bytes.length, from + count); at++) {
    const field = owners[at] >= 0 ? { field: owners[at] } : {}
    numbers.push({ text: `${bytes[at].toString(16).padStart(2, '0')} `, ...field })
    letters.push({ text: `${owners[at] >= 0 ? letterOf(owners[at]) : ' '}  `, ...field })
  }
  return [numbers, letters]
}

function fieldTable(view: ByteView, width: number, marks: Marks, rows: number): FieldSpan[][] {
  const name = Math.min(24, Math.floor(width / 3), Math.max(5, ...view.fields.map(field => field.name.length)))
  const bytes = Math.min(13, Math.floor(width / 6))
  const room = Math.max(1, width - name - bytes - 7)
  const reading = view.onlyReading === undefined ? Math.max(1, Math.floor(room / 2)) : room
  const heads = view.onlyReading === undefined ? ['reference', 'yours'] : [view.onlyReading]
  const head: Style = 'muted'
  const lines: FieldSpan[][] = [
    [
      {
        text: `  ${padded('field', name)} ${padded('bytes', bytes)} ${heads.map(text => padded(text, reading)).join(' ')}`,
        style: head,
      },
    ],
  ]
  let at = 0
  const wrongFirst = view.fields.map((field, index) => {
    const entry = { field, index, from: at }
    at += field.length
    return entry
  })
  // When there is not room for all, those that differ must be seen.
  const differing = wrongFirst.filter(({ field }) => differs(field))
  const visible =
    wrongFirst.length <= rows
      ? wrongFirst
      : [...new Set([...differing, ...wrongFirst])].slice(0, rows).sort((a, b) => a.index - b.index)
  for (const { field, index, from } of visible) {
    const mark: FieldSpan =
      field.student === ''
        ? { text: ' ' }
        : differs(field)
          ? { text: marks.bad, style: 'bad' }
          : { text: marks.good, style: 'good' }
    lines.push([
      { text: `${letterOf(index)} ${padded(field.name, name)} `, field: index },
      { text: `${padded(hexOf(view.bytes.slice(from, from + field.length)), bytes)} `, field: index },
      { text: `${padded(field.reference, reading)} ` },
      ...(view.onlyReading === undefined ? [{ text: `${padded(field.student, reading)} ` }, mark] : []),
    ])
  }
  return lines
}

function differs(field: ViewField): boolean {
  return field.student !== '' && field.student !== field.reference
}

function hexOf(bytes: readonly number[]): string {
  return bytes.length === 0 ? '' : hex(Uint8Array.from(bytes), 64).replaceAll(' ', '')
}

function padded(text: string, width: number): string {
  return cut(text, width).padEnd(width)
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`
}

/** The same without the colours of fields. */
export function plainLines(lines: readonly FieldSpan[][]): Line[] {
  return lines.map(line => line.map(({ text, style }) => (style === undefined ? { text } : { text, style })))
}

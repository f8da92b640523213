/** How much room there is on the terminal, and what part of a longer text is seen. */
import { columns } from '../../../src/text/columns.ts'
import { bodyWidth, lineColumns, type Span } from '../lab/text.ts'
import type { Theme } from './theme.ts'

export interface Size {
  columns: number
  rows: number
}

/** Header, rule, body, rule, keys. */
const FRAME_ROWS = 4
/** Ink writes a newline after the last row; were that row the terminal's last, the screen would scroll. */
export const SPARE_ROWS = 1

export function bodyRows(size: Size): number {
  return Math.max(1, size.rows - FRAME_ROWS - SPARE_ROWS)
}

export function bodyColumns(size: Size): number {
  return bodyWidth(size.columns)
}

/** How far a window of `rows` may be scrolled over `total` lines. */
export function maxScroll(total: number, rows: number): number {
  return Math.max(0, total - rows)
}

export function scrollNote(theme: Theme, offset: number, total: number, rows: number): string | undefined {
  const max = maxScroll(total, rows)
  if (max === 0 || rows === 0) return undefined
  const arrows = `${offset > 0 ? theme.marks.up : ' '}${offset < max ? theme.marks.down : ' '}`
  return `${arrows} lines ${offset + 1}-${Math.min(total, offset + rows)} of ${total}`
}

export type FooterKey = readonly [key: string, action: string]

/** The keys at the bottom, as many as fit whole. The first ones count most; `?` shows all of them. */
export function footerSpans(keys: readonly FooterKey[], width: number): Span[] {
  const widthOf = (shown: readonly FooterKey[], gap: number) =>
    shown.reduce((sum, [key, action]) => sum + columns(`${key} ${action}`) + gap, -gap)
  let shown = keys
  while (shown.length > 1 && widthOf(shown, 2) > width) shown = shown.slice(0, -1)
  const gap: Span = { text: widthOf(shown, 3) <= width ? '   ' : '  ' }
  return shown.flatMap(([key, action], index) => [
    ...(index > 0 ? [gap] : []),
    { text: key, style: 'accent' as const },
    { text: ` ${action}` },
  ])
}

/** The right-hand side of a header: the last of its parts, and as many before it as fit beside the title. */
export function headerSpans(parts: readonly (readonly Span[])[], title: string, width: number): Span[] {
  const room = width - columns(title) - 2
  let shown = parts
  while (shown.length > 1 && lineColumns(shown.flat()) > room) shown = shown.slice(1)
  return shown.flat()
}

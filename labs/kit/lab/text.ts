/**
 * Styled text as data: lines of spans, wrapped to a width. The terminal UI colours them, plain mode joins them, so both
 * show the same words.
 */
import { columns, cutAt } from '../../../src/text/columns.ts'

export type Style = 'strong' | 'emphasis' | 'code' | 'heading' | 'muted' | 'good' | 'bad' | 'accent'

export interface Span {
  text: string
  style?: Style
}

export type Line = readonly Span[]

export function lineColumns(line: Line): number {
  return line.reduce((sum, span) => sum + columns(span.text), 0)
}

/** The text without its styles, without trailing blanks. */
export function plainText(line: Line): string {
  return line
    .map(span => span.text)
    .join('')
    .trimEnd()
}

/**
 * Breaks spans at blanks so that no line is wider than `width`; a word that is wider by itself is broken anywhere.
 * `first` goes before the first line, `rest` before the others (for list items and labels).
 */
export function wrap(spans: readonly Span[], width: number, first: Line = [], rest: Line = first): Line[] {
  const words = splitWords(spans)
  const lines: Line[] = []
  let prefix = first
  let line: Span[] = []
  let used = lineColumns(prefix)
  const flush = () => {
    lines.push([...prefix, ...line])
    prefix = rest
    line = []
    used = lineColumns(prefix)
  }
  for (const word of words) {
    const needed = lineColumns(word)
    if (line.length > 0) {
      if (used + 1 + needed > width) flush()
      else {
        line.push({ text: ' ', style: sameStyle(line.at(-1), word[0]) })
        used++
      }
    }
    let pending: readonly Span[] = word
    while (lineColumns(pending) > Math.max(1, width - used)) {
      const [head, tail] = splitAt(pending, Math.max(1, width - used))
      line.push(...head)
      flush()
      pending = tail
    }
    line.push(...pending)
    used += lineColumns(pending)
  }
  if (line.length > 0 || lines.length === 0) flush()
  return lines
}

/** Words keep the styles of their parts: `` `ttl`: `` is one word of two spans. */
function splitWords(spans: readonly Span[]): Span[][] {
  const words: Span[][] = []
  let word: Span[] = []
  for (const { text, style } of spans) {
    for (const part of text.split(/(\s+)/)) {
      if (part === '') continue
      if (/^\s+$/.test(part)) {
        if (word.length > 0) words.push(word)
        word = []
      } else word.push({ text: part, style })
    }
  }
  if (word.length > 0) words.push(word)
  return words
}

function splitAt(spans: readonly Span[], at: number): [Span[], Span[]] {
  const head: Span[] = []
  const tail: Span[] = []
  let room = at
  for (const span of spans) {
    let [before, after] = cutAt(span.text, room)
    // A wide character where there is room for half of it only: it has to go somewhere.
    if (head.length === 0 && before === '') [before, after] = cutAt(span.text, 2)
    if (before !== '') head.push({ ...span, text: before })
    if (after !== '') tail.push({ ...span, text: after })
    room = after === '' ? room - columns(before) : 0
  }
  return [head, tail]
}

/** The blank inside a styled phrase belongs to the phrase. */
function sameStyle(left: Span | undefined, right: Span | undefined): Style | undefined {
  return left?.style === right?.style ? left?.style : undefined
}

/** Columns of text in a terminal: one is left blank on either side. */
export function bodyWidth(terminalColumns: number): number {
  return Math.max(20, terminalColumns - 2)
}

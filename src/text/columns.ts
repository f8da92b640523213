/** Text in columns of a terminal, in which a Chinese character takes two, and an accent that is written apart none. */
import stringWidth from 'string-width'

const ASCII = /^[\x20-\x7e]*$/

/** How many columns a text takes. */
export function columns(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text)
}

/** `padEnd`, by columns. */
export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - columns(text)))
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** Cuts a text in two, the first part of which takes at most `width` columns. Nothing that is shown as one is cut apart. */
export function cutAt(text: string, width: number): [head: string, tail: string] {
  if (ASCII.test(text)) return [text.slice(0, Math.max(0, width)), text.slice(Math.max(0, width))]
  let head = ''
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    used += columns(segment)
    if (used > width) break
    head += segment
  }
  return [head, text.slice(head.length)]
}

/**
 * The little Markdown that briefs are written in: headings, paragraphs, lists, block quotes, fenced code, and inline
 * `code`, **bold** and _emphasis_. One-way: text in, wrapped lines out.
 */
import { columns, cutAt } from '../../../src/text/columns.ts'
import { type Line, type Span, type Style, wrap } from './text.ts'

export type Block =
  | { type: 'heading'; spans: Span[] }
  | { type: 'paragraph'; spans: Span[] }
  | { type: 'quote'; spans: Span[] }
  | { type: 'item'; marker: string; depth: number; spans: Span[] }
  | { type: 'code'; lines: string[] }

function parseMarkdown(text: string): Block[] {
  const blocks: Block[] = []
  const lines = dedent(text).split('\n')
  let paragraph: string[] = []
  let open: ((joined: string) => Block) | undefined
  const close = () => {
    if (open && paragraph.length > 0) blocks.push(open(paragraph.join(' ')))
    open = undefined
    paragraph = []
  }
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]
    const fence = /^\s*```/.test(line)
    const heading = /^#{1,6}\s+(.*)$/.exec(line)
    const item = /^(\s*)([-*]|\d+[.)])\s+(.*)$/.exec(line)
    const quote = /^>\s?(.*)$/.exec(line)
    if (fence) {
      close()
      const code: string[] = []
      for (i++; i < lines.length && !/^\s*```/.test(lines[i]); i++) code.push(lines[i])
      blocks.push({ type: 'code', lines: code })
    } else if (line.trim() === '') close()
    else if (heading) {
      close()
      blocks.push({ type: 'heading', spans: parseInline(heading[1]) })
    } else if (item) {
      close()
      const [, indent = '', marker = '-'] = item
      const depth = Math.floor(indent.length / 2)
      open = joined => ({ type: 'item', marker: /\d/.test(marker) ? marker : '-', depth, spans: parseInline(joined) })
      paragraph = [item[3]]
    } else if (quote) {
      if (paragraph.length === 0) open = joined => ({ type: 'quote', spans: parseInline(joined) })
      paragraph.push(quote[1].trim())
    } else {
      open ??= joined => ({ type: 'paragraph', spans: parseInline(joined) })
      paragraph.push(line.trim())
    }
  }
  close()
  return blocks
}

export function parseInline(text: string): Span[] {
  const spans: Span[] = []
  const pattern = /`([^`]+)`|\*\*([^*]+)\*\*|(?<!\w)_([^_]+)_(?!\w)/g
  let at = 0
  for (const match of text.matchAll(pattern)) {
    if (match.index > at) spans.push({ text: text.slice(at, match.index) })
    const [whole, code, strong, emphasis] = match
    const style: Style = code !== undefined ? 'code' : strong !== undefined ? 'strong' : 'emphasis'
    spans.push({ text: code ?? strong ?? emphasis ?? whole, style })
    at = match.index + whole.length
  }
  if (at < text.length) spans.push({ text: text.slice(at) })
  return spans
}

/** Lines no wider than `width`. A line of code that is wider goes on in the next, indented further. */
export function layoutMarkdown(text: string, width: number): Line[] {
  const lines: Line[] = []
  let previous: Block | undefined
  for (const block of parseMarkdown(text)) {
    const tight = previous?.type === 'item' && block.type === 'item'
    if (previous && !tight) lines.push([])
    switch (block.type) {
      case 'heading':
        lines.push(
          ...wrap(
            block.spans.map(span => ({ ...span, style: 'heading' as const })),
            width,
          ),
        )
        break
      case 'paragraph':
        lines.push(...wrap(block.spans, width))
        break
      case 'quote':
        lines.push(...wrap(block.spans, width, [{ text: '| ', style: 'muted' }]))
        break
      case 'item': {
        const indent = '  '.repeat(block.depth)
        const marker = `${indent}${block.marker} `
        lines.push(
          ...wrap(block.spans, width, [{ text: marker, style: 'muted' }], [{ text: ' '.repeat(marker.length) }]),
        )
        break
      }
      case 'code': {
        // Columns that line up stay so: a block that is nearly as wide as the window is indented less.
        const indent = Math.max(0, Math.min(CODE_INDENT, width - Math.max(...block.lines.map(columns))))
        for (const code of block.lines) lines.push(...layoutCode(code, width, indent))
      }
    }
    previous = block
  }
  return lines
}

const CODE_INDENT = 4

/**
 * A line of code or of a figure, its blanks as they are. One that is too wide goes on in the next line, indented further, from the
 * last blank on if there is one in its second half.
 */
export function layoutCode(code: string, width: number, left: number): Line[] {
  const indent = code.length - code.trimStart().length
  const lines: Line[] = []
  let rest = code
  for (let before = left; ; before = Math.min(left + indent + 4, Math.floor(width / 2))) {
    const [fits, tooMuch] = cutAt(rest, Math.max(1, width - before))
    const blank = fits.trimEnd().lastIndexOf(' ')
    const head = tooMuch !== '' && blank > fits.length / 2 ? fits.slice(0, blank) : fits
    lines.push([{ text: ' '.repeat(before) }, { text: head, style: 'code' }])
    if (tooMuch === '' || head === '') return lines
    rest = rest.slice(head.length).trimStart()
  }
}

/** How wide the widest line of code, or of a figure, is. */
export function codeColumns(text: string): number {
  return Math.max(0, ...parseMarkdown(text).flatMap(block => (block.type === 'code' ? block.lines.map(columns) : [])))
}

/** Takes away the indentation that all lines share, so that a brief can be indented like the code around it. */
function dedent(text: string): string {
  const lines = text.replace(/^\n/, '').trimEnd().split('\n')
  const filled = lines.filter(line => line.trim() !== '')
  const common = Math.min(...filled.map(line => line.length - line.trimStart().length), 80)
  return lines.map(line => line.slice(Math.min(common, line.length - line.trimStart().length))).join('\n')
}

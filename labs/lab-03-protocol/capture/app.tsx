/** A capture in the terminal: the list of its packets, and each of them byte by byte. */
import { basename } from 'node:path'
import { Box, type Key, useApp, useInput } from 'ink'
import { useRef, useState } from 'react'
import { printable } from '../../../src/text/printable.ts'
import { type Line, wrap } from '../../kit/lab/text.ts'
import { Frame, Lines, ThemeContext, useSize } from '../../kit/ui/frame.tsx'
import { bodyColumns, bodyRows, type FooterKey, type Size, scrollNote } from '../../kit/ui/geometry.ts'
import { type Theme, themeFor } from '../../kit/ui/theme.ts'
import { Row } from '../ui.tsx'
import { type Browsing, pressed, type Sight } from './browse.ts'
import { type CapturePages, headLine, packetLines, rowLine } from './pages.ts'

const LIST_KEYS: FooterKey[] = [
  ['j/k', 'move'],
  ['enter', 'open'],
  ['space/b', 'page'],
  ['g/G', 'first, last'],
  ['q', 'quit'],
]
const PACKET_KEYS: FooterKey[] = [
  ['[ ]', 'other packets'],
  ['j/k', 'scroll'],
  ['esc', 'list'],
  ['q', 'quit'],
]

export interface CaptureAppProps {
  file: string
  pages: CapturePages
  /** Opens this one at once. */
  first?: number
  theme?: Theme
}

export function CaptureApp({ file, pages, first, theme = themeFor() }: CaptureAppProps) {
  const { exit } = useApp()
  const size = useSize()
  const [state, setState] = useState<Browsing>({ selected: first ?? 0, isOpen: first !== undefined, scroll: 0 })
  // Of keys that come quickly, each meets what the one before it has left, drawn or not.
  const latest = useRef(state)
  const page = layout(pages, state, size, theme)
  useInput((input, key) => {
    let next: Browsing | undefined = latest.current
    // A text that was pasted is so many keys.
    for (const one of input.length > 1 ? input : [keyName(input, key)]) {
      if (next) next = pressed(next, one, layout(pages, next, size, theme).sight)
    }
    if (next === undefined) return exit()
    latest.current = next
    setState(next)
  })
  return (
    <ThemeContext.Provider value={theme}>
      <Frame
        title={`Lab 3  ${printable(basename(file))}`}
        right={[[{ text: 'capture', style: 'muted' }]]}
        note={page.note}
        keys={state.isOpen ? PACKET_KEYS : LIST_KEYS}
        size={size}
      >
        <Box flexDirection="column" flexShrink={0}>
          {page.packet?.map((line, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity besides their place
            <Row key={index} line={line} />
          ))}
          {page.list === undefined ? null : <Lines lines={page.list} />}
        </Box>
      </Frame>
    </ThemeContext.Provider>
  )
}

function layout(pages: CapturePages, state: Browsing, size: Size, theme: Theme) {
  const width = bodyColumns(size)
  const rows = bodyRows(size)
  const notes = notesLines(pages, width, Math.floor(rows / 2))
  // Above the list: the notes and its head.
  const sight: Sight = {
    packets: pages.rows.length,
    listRows: rows - notes.length - 1,
    packetRows: rows,
    packetLines: 0,
  }
  if (!state.isOpen) {
    const half = Math.floor(sight.listRows / 2)
    const offset = Math.max(0, Math.min(state.selected - half, sight.packets - sight.listRows))
    const shown = Array.from({ length: Math.min(sight.listRows, sight.packets - offset) }, (_, i) => offset + i)
    const list: Line[] = shown.map(index => {
      const here = index === state.selected
      const [{ text }] = rowLine(pages, index, width - 2)
      return [
        { text: here ? `${theme.marks.pointer} ` : '  ', style: 'accent' },
        here ? { text, style: 'strong' } : { text },
      ]
    })
    const note = scrollNote(theme, offset, sight.packets, sight.listRows)
    return { sight, note, list: [...notes, [{ text: '  ' }, ...headLine(pages)], ...list] }
  }
  // A long packet must leave room for what its fields say.
  const lines = packetLines(pages, state.selected, {
    width: Math.min(100, width),
    marks: theme.marks,
    byteRows: Math.max(2, Math.floor(rows / 4)),
  })
  return {
    sight: { ...sight, packetLines: lines.length },
    note: scrollNote(theme, state.scroll, lines.length, rows),
    packet: lines.slice(state.scroll, state.scroll + rows),
  }
}

function notesLines({ notes }: CapturePages, width: number, most: number): Line[] {
  if (notes.length === 0) return []
  const lines = notes.flatMap(note => wrap([{ text: note, style: 'muted' }], Math.min(100, width)))
  return [...lines.slice(0, most - 1), []]
}

function keyName(input: string, key: Key): string {
  if (key.return) return 'enter'
  if (key.escape) return 'escape'
  if (key.upArrow) return 'up'
  if (key.downArrow) return 'down'
  if (key.leftArrow) return 'left'
  if (key.rightArrow) return 'right'
  if (key.pageUp) return 'pageup'
  if (key.pageDown) return 'pagedown'
  return input
}

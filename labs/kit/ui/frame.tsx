/** What all screens share: header, body, keys; the lines in the body; the size of the terminal. */
import { Box, Text, useStdout } from 'ink'
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { columns } from '../../../src/text/columns.ts'
import { type Line, lineColumns, type Span } from '../lab/text.ts'
import { bodyColumns, bodyRows, type FooterKey, footerSpans, headerSpans, type Size, SPARE_ROWS } from './geometry.ts'
import { type Theme, themeFor } from './theme.ts'

export const ThemeContext = createContext<Theme>(themeFor())
export const useTheme = (): Theme => useContext(ThemeContext)

/** The terminal's size, kept up to date. */
export function useSize(): Size {
  const { stdout } = useStdout()
  const read = (): Size => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 })
  const [size, setSize] = useState(read)
  useEffect(() => {
    const resized = () => setSize({ columns: stdout.columns || 80, rows: stdout.rows || 24 })
    stdout.on('resize', resized)
    return () => {
      stdout.off('resize', resized)
    }
  }, [stdout])
  return size
}

/** A number that counts up while `active`, for spinners. */
export function useTicks(active: boolean, everyMs = 150): number {
  const [tick, setTick] = useState(0)
  useEffect(() => {
    if (!active) return
    const timer = setInterval(() => setTick(old => old + 1), everyMs)
    return () => clearInterval(timer)
  }, [active, everyMs])
  return tick
}

export interface FrameProps {
  title: string
  /** Right-hand side of the header, in parts: where there is little room, the first ones are left out. */
  right?: readonly (readonly Span[])[]
  /** Right-hand end of the lower rule, for instance how much more there is to scroll. */
  note?: string
  keys: readonly FooterKey[]
  size: Size
  children: ReactNode
}

export function Frame({ title, right = [], note, keys, size, children }: FrameProps) {
  const theme = useTheme()
  const width = bodyColumns(size)
  const noteText = note ? ` ${note} ` : ''
  return (
    <Box flexDirection="column" height={size.rows - SPARE_ROWS} paddingX={1}>
      <Box justifyContent="space-between" columnGap={2} height={1} flexShrink={0}>
        <Text bold wrap="truncate">
          {title}
        </Text>
        <Box flexShrink={0}>
          <SpanText spans={headerSpans(right, title, width)} />
        </Box>
      </Box>
      <Box height={1} flexShrink={0}>
        <Text dimColor>{theme.marks.rule.repeat(width)}</Text>
      </Box>
      <Box flexDirection="column" height={bodyRows(size)} flexShrink={0} overflow="hidden">
        {children}
      </Box>
      <Box height={1} flexShrink={0}>
        <Text dimColor>
          {theme.marks.rule.repeat(Math.max(0, width - columns(noteText)))}
          {noteText}
        </Text>
      </Box>
      <SpanText spans={footerSpans(keys, width)} />
    </Box>
  )
}

export function SpanText({ spans }: { spans: readonly Span[] }) {
  const theme = useTheme()
  return (
    <Text wrap="truncate-end">
      {spans.map((span, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: spans have no identity besides their place
        <Text key={index} {...theme.style(span.style)}>
          {span.text}
        </Text>
      ))}
    </Text>
  )
}

/** Lines as they are, each on one row; what is too wide is cut. Rows never shrink: what does not fit below is hidden. */
export function Lines({ lines }: { lines: readonly Line[] }) {
  return (
    <>
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity besides their place
        <Box key={index} height={1} flexShrink={0}>
          <SpanText spans={lineColumns(line) === 0 ? [{ text: ' ' }] : line} />
        </Box>
      ))}
    </>
  )
}

/** `━━━━────` with as many parts filled as there are done. */
export function barSpans(theme: Theme, done: number, total: number, width: number): Span[] {
  const filled = total === 0 ? 0 : Math.round((done / total) * width)
  return [
    { text: theme.marks.barFull.repeat(filled), style: 'good' },
    { text: theme.marks.barEmpty.repeat(width - filled), style: 'muted' },
  ]
}

/** The same, and in words: two parts of a header. */
export function progressSpans(theme: Theme, done: number, total: number, width: number): Span[][] {
  return [barSpans(theme, done, total, width), [{ text: ` ${done} of ${total} solved` }]]
}

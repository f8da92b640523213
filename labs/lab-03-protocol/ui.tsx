/**
 * The panel of lab 3: a message byte by byte, with the reference's reading and the student's side by side. The keys `[` and
 * `]` go through the messages of the check; the last one is where the check stopped, and is
 * shown first.
 */
import { Box, Text, type TextProps } from 'ink'
import type { Line } from '../kit/lab/text.ts'
import type { Panel, PanelProps } from '../kit/lab/types.ts'
import { useTheme } from '../kit/ui/frame.tsx'
import { type ByteView, byteViewLines, type FieldSpan, MESSAGES_KEY, plainLines } from './byte-view.ts'

/** Told apart also by who does not see all colours (Okabe and Ito). The letters below the bytes say the same. */
const FIELD_COLOURS = ['#56b4e9', '#e69f00', '#cc79a7', '#f0e442', '#009e73', '#d55e00'] as const

/** A panel with more rows than this would leave no room for the brief. */
const MOST_ROWS = 16

/** None where the check has stopped at something that is no message: those before it are all well, and say nothing about it. */
function messages({ live, passed, running }: PanelProps): readonly ByteView[] {
  const shown = live.shown[MESSAGES_KEY]
  const views = Array.isArray(shown) ? (shown as ByteView[]) : []
  return passed === false && !running && views.at(-1)?.isRight ? [] : views
}

function viewLines(props: PanelProps): FieldSpan[][] {
  const views = messages(props)
  const view = views[props.step]
  if (view === undefined) return []
  const position = views.length > 1 ? `${props.step + 1} of ${views.length}` : ''
  const { width, marks } = props
  return byteViewLines(view, { width, marks, position, rows: Math.min(props.rows, MOST_ROWS) })
}

export const Bytes: Panel = Object.assign(
  (props: PanelProps) => (
    <Box flexDirection="column" flexShrink={0}>
      {viewLines(props).map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity besides their place
        <Row key={index} line={line} />
      ))}
    </Box>
  ),
  {
    lines: (props: PanelProps): readonly Line[] => plainLines(viewLines(props)),
    steps: (props: PanelProps) => Math.max(1, messages(props).length),
  },
)

/** One line, in the colours of its fields. */
export function Row({ line }: { line: readonly FieldSpan[] }) {
  const theme = useTheme()
  return (
    <Box height={1} flexShrink={0}>
      <Text wrap="truncate-end">
        {line.map((span, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: spans have no identity besides their place
          <Text key={index} {...theme.style(span.style)} {...fieldStyle(span.field)}>
            {span.text}
          </Text>
        ))}
      </Text>
    </Box>
  )
}

/** Without colours, every other field is bold: so two neighbours differ. */
function fieldStyle(field: number | undefined): TextProps {
  if (field === undefined) return {}
  return process.env.NO_COLOR ? { bold: field % 2 === 0 } : { color: FIELD_COLOURS[field % FIELD_COLOURS.length] }
}

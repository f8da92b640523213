/** Gives a lab's panel another view, to which `g` switches: the windows of the QUIC connections that a check watches (check/window-recorder.ts). */
import { Box } from 'ink'
import { COURSES_KEY, type WindowCourse } from '../check/window-recorder.ts'
import type { Panel, PanelProps } from '../lab/types.ts'
import { Lines } from './frame.tsx'
import { windowLines } from './window-lines.ts'

export const WINDOW_VIEW = 'window'

export function withWindow(Own: Panel): Panel {
  return Object.assign(
    (props: PanelProps) =>
      isWindow(props) ? (
        <Box flexDirection="column" flexShrink={0}>
          <Lines lines={windowLines(coursesOf(props), props)} />
        </Box>
      ) : (
        <Own {...props} />
      ),
    {
      lines: (props: PanelProps) => (isWindow(props) ? windowLines(coursesOf(props), props) : Own.lines(props)),
      steps: (props: PanelProps) => (isWindow(props) ? coursesOf(props).length : (Own.steps?.(props) ?? 1)),
      views: (props: PanelProps) => (coursesOf(props).length > 0 ? [WINDOW_VIEW] : []),
    },
  )
}

function coursesOf({ live }: PanelProps): readonly WindowCourse[] {
  return (live.shown[COURSES_KEY] ?? []) as WindowCourse[]
}

function isWindow(props: PanelProps): boolean {
  return props.view === WINDOW_VIEW && coursesOf(props).length > 0
}

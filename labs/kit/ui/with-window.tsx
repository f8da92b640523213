/** Gives a lab's panel another view, to which `g` switches: the windows of the QUIC connections that a check watches (check/window-recorder.ts). */
import { COURSES_KEY, type WindowCourse } from '../check/window-recorder.ts'
import type { Panel, PanelProps } from '../lab/types.ts'
import { linesPanel } from './lines-panel.tsx'
import { windowLines } from './window-lines.ts'

const WINDOW_VIEW = 'window'

const Windows = linesPanel(
  props => windowLines(coursesOf(props), props),
  props => coursesOf(props).length,
)

export function withWindow(Own: Panel): Panel {
  const panelFor = (props: PanelProps) => (props.view === WINDOW_VIEW && coursesOf(props).length > 0 ? Windows : Own)
  return Object.assign(
    (props: PanelProps) => {
      const Shown = panelFor(props)
      return <Shown {...props} />
    },
    {
      lines: (props: PanelProps) => panelFor(props).lines(props),
      steps: (props: PanelProps) => panelFor(props).steps?.(props) ?? 1,
      views: (props: PanelProps) => (coursesOf(props).length > 0 ? [WINDOW_VIEW] : []),
    },
  )
}

function coursesOf({ live }: PanelProps): readonly WindowCourse[] {
  return (live.shown[COURSES_KEY] ?? []) as WindowCourse[]
}

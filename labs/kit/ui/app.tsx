/** The lab in a terminal: draws the state that program.ts holds, and hands it the keys. */
import { type Key, Text, useApp, useInput } from 'ink'
import { type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { Line, Span } from '../lab/text.ts'
import type { Lab, Panel, Task } from '../lab/types.ts'
import { closingLines, requiredTasks, STATE_WORDS, solvedCount, stateOf } from '../plain/pages.ts'
import type { Classroom } from '../run/classroom.ts'
import type { ProgressStore } from '../run/progress.ts'
import type { CheckQueue } from '../run/queue.ts'
import type { Runner } from '../run/runner.ts'
import { DemonstrationBody } from './demonstration.tsx'
import { barSpans, Frame, Lines, progressSpans, ThemeContext, useSize, useTicks } from './frame.tsx'
import { bodyColumns } from './geometry.ts'
import { Help } from './help.tsx'
import { keysOf } from './keys.ts'
import { usePanel } from './panel.tsx'
import { Program } from './program.ts'
import { type State, taskOf, watching } from './state.ts'
import { layoutTask, type Scene } from './task-layout.ts'
import { TaskListBody } from './task-list.tsx'
import { TaskBody } from './task-view.tsx'
import { type Theme, themeFor } from './theme.ts'

export interface AppProps {
  lab: Lab
  root: string
  store: ProgressStore
  /** Runs demonstrations and checks. */
  runner: Runner
  /** In which checks that measure wait for those of others. */
  queue?: CheckQueue
  /** Is told of what is opened and checked, if the student has joined one. */
  classroom?: Pick<Classroom, 'tell'>
  /** Opens this task at once, without the demonstration. */
  task?: Task
  /** Goes to the tasks at once, and checks every kind of task at each save. */
  watch?: boolean
  /** Why the student's files cannot be written, should it be so. */
  problem?: string
  /** The lab after this one. */
  following?: Lab
  theme?: Theme
}

const MIN_COLUMNS = 50
const MIN_ROWS = 14

export function App({ theme = themeFor(), following, ...options }: AppProps) {
  const { exit } = useApp()
  const size = useSize()
  const [program] = useState(() => new Program({ ...options, quit: exit }))
  const state = useSyncExternalStore(program.subscribe, program.state)
  useEffect(() => {
    program.start()
    return () => program.stop()
  }, [program])
  const panel = usePanel(state.lab, state.screen === 'task' ? taskOf(state) : undefined)
  const { running } = state.task
  const frame = useTicks(running !== undefined)
  const runningMs = useElapsed(running && (running.waiting === undefined ? 'checks' : 'waits'))

  const scene = (now: State): Scene => ({ state: now, theme, size, panel, runningMs, frame })
  useInput((input: string, key: Key) => {
    // A text that was pasted is so many keys. Each meets what the one before it has left, drawn or not.
    for (const one of input.length > 1 ? input : [input]) {
      const now = program.state()
      program.dispatch({ type: 'key', input: one, key, view: layoutTask(scene(now)).view })
    }
  })

  if (size.columns < MIN_COLUMNS || size.rows < MIN_ROWS) {
    return (
      <Text>
        Please make the window larger: {MIN_COLUMNS} columns by {MIN_ROWS} rows are needed. (q quits)
      </Text>
    )
  }
  const body = pageOf(state, scene(state), panel, following)
  const view = state.screen === 'task' ? layoutTask(scene(state)).view : undefined
  return (
    <ThemeContext.Provider value={theme}>
      <Frame size={size} keys={keysOf(state, view)} {...body} />
    </ThemeContext.Provider>
  )
}

interface Page {
  title: string
  right: Span[][]
  note?: string
  children: ReactNode
}

function pageOf(state: State, scene: Scene, panel: Panel | undefined, following: Lab | undefined): Page {
  const { theme, size } = scene
  const { lab, progress, selected, demonstration } = state
  const title = `Lab ${lab.number}  ${lab.title}`
  if (state.help)
    return { title, right: [[{ text: 'keys', style: 'muted' }]], children: <Help theme={theme} size={size} /> }
  if (state.screen === 'demonstration' && lab.demonstration) {
    return {
      title,
      right: demonstrationSpans(theme, demonstration),
      children: <DemonstrationBody demonstration={lab.demonstration} size={size} panel={panel} {...demonstration} />,
    }
  }
  if (state.screen === 'task') {
    const task = taskOf(state)
    const layout = layoutTask(scene)
    return {
      title: `${selected + 1}  ${task.title}`,
      right: stateSpans(
        theme,
        stateOf(progress, task),
        `lab ${lab.number}, task ${selected + 1} of ${lab.tasks.length}`,
      ),
      note: [watching(state) ? 'checks at each save' : '', layout.note ?? ''].filter(Boolean).join('   '),
      children: (
        <TaskBody task={task} layout={layout} size={size} draft={state.task.draft} confirming={state.task.confirming} />
      ),
    }
  }
  const right = progressSpans(theme, solvedCount(lab, progress), requiredTasks(lab).length, 12)
  const end: Line[] =
    state.screen === 'end' ? closingLines(lab, progress, following, Math.min(88, bodyColumns(size))) : []
  return {
    title,
    right,
    children:
      end.length > 0 ? (
        <Lines lines={end} />
      ) : (
        <TaskListBody lab={lab} progress={progress} selected={selected} size={size} />
      ),
  }
}

/** For how long it has been this that goes on, in ms; as of the last picture. */
function useElapsed(what: string | undefined): number {
  const since = useRef<{ what: string; at: number }>(undefined)
  if (what === undefined) since.current = undefined
  else if (since.current?.what !== what) since.current = { what, at: performance.now() }
  return since.current === undefined ? 0 : performance.now() - since.current.at
}

function demonstrationSpans(theme: Theme, { phases, outcome }: State['demonstration']): Span[][] {
  const label: Span = { text: 'demonstration', style: 'muted' }
  if (outcome) return [[label]]
  const done = phases.filter(phase => phase.state === 'done').length
  return [[label, { text: '  ' }], barSpans(theme, done, phases.length, 12), [{ text: ` ${done} of ${phases.length}` }]]
}

function stateSpans(theme: Theme, state: keyof typeof STATE_WORDS, where: string): Span[][] {
  const style = state === 'solved' ? 'good' : state === 'attempted' ? 'bad' : 'muted'
  return [[{ text: `${where}  `, style: 'muted' }], [{ text: `${theme.marks[state]} ${STATE_WORDS[state]}`, style }]]
}

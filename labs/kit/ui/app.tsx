/** The lab in a terminal: demonstration, list of tasks, one task. Which keys do what is decided here. */
import { type Key, Text, useApp, useInput } from 'ink'
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { ANSWERS_FILE, AnswerFileError, readAnswers, writeAnswer } from '../check/answers.ts'
import { exerciseFolder, resetExercises } from '../lab/exercises.ts'
import type { Line, Span } from '../lab/text.ts'
import type { Lab, LiveState, Panel, PanelProps, Phase, Question, Task } from '../lab/types.ts'
import { nextTask, STATE_WORDS, solvedCount, stateOf } from '../plain/pages.ts'
import type { DemonstrationOutcome } from '../run/demonstrate.ts'
import type { RunOptions, Step, TaskResult } from '../run/engine.ts'
import { NOTHING_YET } from '../run/live.ts'
import type { LabProgress, ProgressStore } from '../run/progress.ts'
import type { Runner } from '../run/runner.ts'
import { attemptsToGo, solutionLines } from '../run/solution.ts'
import { type Watcher, watchFiles } from '../run/watch.ts'
import { draftOf, edited } from './answer-input.tsx'
import { DemonstrationBody } from './demonstration.tsx'
import {
  barSpans,
  bodyColumns,
  Frame,
  maxScroll,
  progressSpans,
  type Size,
  scrollNote,
  ThemeContext,
  useSize,
  useTicks,
} from './frame.tsx'
import { Help } from './help.tsx'
import { usePanel } from './panel.tsx'
import { TaskListBody } from './task-list.tsx'
import { layoutTask, TaskBody, type TaskContent, taskRows } from './task-view.tsx'
import { type Theme, themeFor } from './theme.ts'

export interface AppProps {
  lab: Lab
  root: string
  store: ProgressStore
  /** Runs demonstrations and checks. */
  runner: Runner
  /** Opens this task at once, without the demonstration. */
  task?: Task
  /** Goes to the tasks at once, and checks every kind of task at each save. */
  watch?: boolean
  theme?: Theme
}

type Screen = 'demonstration' | 'tasks' | 'task'

const MIN_COLUMNS = 50
const MIN_ROWS = 14

export function App({ lab, root, store, runner, task: firstTask, watch = false, theme = themeFor() }: AppProps) {
  const { exit } = useApp()
  const size = useSize()
  const [screen, setScreen] = useState<Screen>(
    firstTask || watch ? 'task' : lab.demonstration ? 'demonstration' : 'tasks',
  )
  const [help, setHelp] = useState(false)
  const [watchChoice, setWatchChoice] = useState<boolean | undefined>(watch || undefined)
  const [progress, setProgress] = useState(() => store.lab(lab.id))
  const [selected, setSelected] = useState(() =>
    lab.tasks.indexOf(firstTask ?? nextTask(lab, progress) ?? lab.tasks[0]!),
  )
  const task = lab.tasks[selected]!

  const panel = usePanel(lab, screen === 'task' ? task : undefined)
  const watching = watchChoice ?? (task.kind === 'coding' || task.kind === 'config')
  const demonstration = useDemonstration(lab, runner, screen === 'demonstration')
  const refresh = useCallback(() => setProgress(store.lab(lab.id)), [store, lab])
  const shown = screen === 'task'
  const taskScreen = useTaskScreen({ lab, root, store, progress, runner, task, theme, refresh, panel, shown, watching })

  const press = (input: string, key: Key) => {
    if (input === 'q') return exit()
    if (help) return setHelp(false)
    if (input === '?') return setHelp(true)
    const down = key.downArrow || input === 'j'
    const up = key.upArrow || input === 'k'
    if (screen === 'demonstration') {
      if (key.return || key.escape) setScreen('tasks')
      else if (input === 'r') demonstration.again()
    } else if (screen === 'tasks') {
      if (down) setSelected(old => Math.min(lab.tasks.length - 1, old + 1))
      else if (up) setSelected(old => Math.max(0, old - 1))
      else if (key.return) setScreen('task')
      else if (input === 'd' && lab.demonstration) {
        demonstration.again()
        setScreen('demonstration')
      }
    } else {
      if (down) taskScreen.scroll(1)
      else if (up) taskScreen.scroll(-1)
      else if (key.pageDown || input === ' ') taskScreen.scroll(8)
      else if (key.pageUp) taskScreen.scroll(-8)
      else if (input === 'h') taskScreen.hint()
      else if (input === 'c') taskScreen.check()
      else if (input === 'a') taskScreen.startAnswering()
      else if (input === 's') taskScreen.solution()
      else if (input === 'R') taskScreen.askReset()
      else if (input === 'v') taskScreen.nextView()
      else if (input === '[') taskScreen.moveStep(-1)
      else if (input === ']') taskScreen.moveStep(1)
      else if (input === 'w') setWatchChoice(!watching)
      else if (input === 'n' && selected < lab.tasks.length - 1) setSelected(selected + 1)
      else if (key.escape || input === 'b') {
        if (taskScreen.running) taskScreen.cancel()
        else setScreen('tasks')
      }
    }
  }

  const take = (input: string, key: Key) => {
    if (taskScreen.asked) return taskScreen.type(input, key)
    if (taskScreen.confirming) return
    press(input, key)
  }
  useKeys(take)

  if (size.columns < MIN_COLUMNS || size.rows < MIN_ROWS) {
    return (
      <Text>
        Please make the window larger: {MIN_COLUMNS} columns by {MIN_ROWS} rows are needed. (q quits)
      </Text>
    )
  }

  const title = `Lab ${lab.number}  ${lab.title}`
  const solved = progressSpans(theme, solvedCount(lab, progress), lab.tasks.length, 12)
  return (
    <ThemeContext.Provider value={theme}>
      {help ? (
        <Frame title={title} right={[{ text: 'keys', style: 'muted' }]} size={size} keys={[['any key', 'back']]}>
          <Help theme={theme} size={size} />
        </Frame>
      ) : screen === 'demonstration' && lab.demonstration ? (
        <Frame
          title={title}
          right={demonstrationSpans(theme, demonstration)}
          size={size}
          keys={
            demonstration.outcome
              ? [
                  ['enter', 'to the tasks'],
                  ['r', 'run it again'],
                  ['?', 'keys'],
                  ['q', 'quit'],
                ]
              : [
                  ['enter', 'skip to the tasks'],
                  ['?', 'keys'],
                  ['q', 'quit'],
                ]
          }
        >
          <DemonstrationBody demonstration={lab.demonstration} size={size} panel={panel} {...demonstration} />
        </Frame>
      ) : screen === 'tasks' ? (
        <Frame
          title={title}
          right={solved}
          size={size}
          keys={[
            ['j/k', 'move'],
            ['enter', 'open'],
            ...(lab.demonstration ? [['d', 'demonstration'] as const] : []),
            ['?', 'keys'],
            ['q', 'quit'],
          ]}
        >
          <TaskListBody lab={lab} progress={progress} selected={selected} size={size} />
        </Frame>
      ) : (
        <Frame
          title={`${selected + 1}  ${task.title}`}
          right={stateSpans(
            theme,
            stateOf(progress, task),
            `lab ${lab.number}, task ${selected + 1} of ${lab.tasks.length}`,
          )}
          note={[watching ? 'checks at each save' : '', taskScreen.note ?? ''].filter(Boolean).join('   ')}
          size={size}
          keys={taskKeys(task, taskScreen, selected < lab.tasks.length - 1)}
        >
          <TaskBody {...taskScreen.body} size={size} />
        </Frame>
      )}
    </ThemeContext.Provider>
  )
}

/**
 * One key after the other: each is taken by what is on the screen after the key before it, however quickly they come. So
 * after every key the next one waits for a new picture.
 */
function useKeys(take: (input: string, key: Key) => void): void {
  const waiting = useRef<[string, Key][]>([])
  const busy = useRef(false)
  const [turn, setTurn] = useState(0)
  const latest = useRef(take)
  latest.current = take
  const next = () => {
    const pressed = waiting.current.shift()
    busy.current = pressed !== undefined
    if (!pressed) return
    latest.current(...pressed)
    setTurn(old => old + 1)
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: `turn` says that the key before has been drawn
  useLayoutEffect(next, [turn])
  useInput((input, key) => {
    // A text that was pasted is so many keys.
    for (const one of input.length > 1 ? input : [input]) waiting.current.push([one, key])
    if (!busy.current) next()
  })
}

function demonstrationSpans(theme: Theme, { phases, outcome }: DemonstrationState): Span[] {
  const label: Span = { text: 'demonstration', style: 'muted' }
  if (outcome) return [label]
  const done = phases.filter(phase => phase.state === 'done').length
  return [label, { text: '  ' }, ...barSpans(theme, done, phases.length, 12), { text: ` ${done} of ${phases.length}` }]
}

function stateSpans(theme: Theme, state: keyof typeof STATE_WORDS, where: string): Span[] {
  const style = state === 'solved' ? 'good' : state === 'attempted' ? 'bad' : 'muted'
  return [
    { text: `${where}  `, style: 'muted' },
    { text: `${theme.marks[state]} ${STATE_WORDS[state]}`, style },
  ]
}

function taskKeys(task: Task, state: TaskScreen, hasNext: boolean): (readonly [string, string])[] {
  if (state.asked)
    return [
      ['enter', 'save the answer'],
      ['esc', 'leave it'],
    ]
  if (state.running)
    return [
      ['esc', 'stop the check'],
      ['j/k', 'scroll'],
      ['q', 'quit'],
    ]
  // The first keys count most: what does not fit into the width is left out, and `?` shows it.
  return [
    ['c', 'check'],
    ...(task.questions.length > 0 ? [['a', 'answer'] as const] : []),
    ...(state.hintsLeft > 0 ? [['h', `hint (${state.hintsLeft} left)`] as const] : []),
    ['j/k', 'scroll'],
    ...(hasNext ? [['n', 'next'] as const] : []),
    ['?', 'keys'],
    ['esc', 'back'],
    ['q', 'quit'],
    ...(state.solutionAllowed ? [['s', 'solution'] as const] : []),
    ...(state.hasPanel ? [['v', 'picture'] as const] : []),
  ]
}

/** How much room the lab's picture gets: what it needs up to a part of the screen, all of it, or none. */
const PANEL_SIZES = ['auto', 'full', 'off'] as const
type PanelSize = (typeof PANEL_SIZES)[number]

function panelLimit(size: Size, asked: Question | undefined, view: PanelSize): number {
  const rows = taskRows(size, asked, 0)
  if (view === 'off') return 0
  return view === 'full' ? rows : Math.floor(rows * 0.45)
}

interface DemonstrationState {
  phases: readonly Phase[]
  outcome: DemonstrationOutcome | undefined
  live: LiveState
  again(): void
}

/** Runs the demonstration while its screen is shown; leaving the screen stops it. */
function useDemonstration(lab: Lab, runner: Runner, shown: boolean): DemonstrationState {
  const waiting = (): Phase[] => (lab.demonstration?.phases ?? []).map(phase => ({ ...phase, state: 'waiting' }))
  const [phases, setPhases] = useState<readonly Phase[]>(waiting)
  const [outcome, setOutcome] = useState<DemonstrationOutcome>()
  const [live, setLive] = useState(NOTHING_YET)
  const [turn, setTurn] = useState(0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another turn is what makes it run again
  useEffect(() => {
    if (!shown || !lab.demonstration) return
    const stop = new AbortController()
    setOutcome(undefined)
    setLive(NOTHING_YET)
    const onPhases = (now: readonly Phase[]) => {
      if (!stop.signal.aborted) setPhases(now)
    }
    const onLive = (now: LiveState) => {
      if (!stop.signal.aborted) setLive(now)
    }
    runner.demonstrate(lab, { signal: stop.signal, onPhases, onLive }).then(end => {
      if (!stop.signal.aborted) setOutcome(end)
    })
    return () => stop.abort()
  }, [lab, runner, shown, turn])
  return { phases, outcome, live, again: () => setTurn(old => old + 1) }
}

interface TaskScreenOptions {
  lab: Lab
  root: string
  store: ProgressStore
  progress: Readonly<LabProgress>
  runner: Runner
  task: Task
  theme: Theme
  refresh: () => void
  panel: Panel | undefined
  /** Whether its screen is the one that is seen. */
  shown: boolean
  watching: boolean
}

type TaskScreen = ReturnType<typeof useTaskScreen>

/** Everything that happens on the screen of one task. */
function useTaskScreen(options: TaskScreenOptions) {
  const { lab, root, store, progress, runner, task, theme, refresh, panel, shown, watching } = options
  const size = useSize()
  const exercises = exerciseFolder(root, lab)
  const [answers, setAnswers] = useState<Record<string, string>>({})
  const [notice, setNotice] = useState<string>()
  const [running, setRunning] = useState<readonly Step[]>()
  const [live, setLive] = useState(NOTHING_YET)
  const [results, setResults] = useState<Record<string, TaskResult>>({})
  const [question, setQuestion] = useState<number>()
  const [scrolled, setScrolled] = useState<readonly number[]>([0, 0])
  const [latest, setLatest] = useState<TaskContent['latest']>('check')
  // Keeps what is newest, a hint or the feedback, in view; until the student scrolls.
  const [follow, setFollow] = useState(false)
  const [solution, setSolution] = useState<{ task: Task; lines: readonly Line[] }>()
  const [view, setView] = useState<PanelSize>('auto')
  const [step, setStep] = useState(0)
  const check = useRef<AbortController>(undefined)
  const startedAt = useRef(0)
  // In a ref, so that a key meets what the key before it has left.
  const draft = useRef(draftOf(''))
  const [, setTyped] = useState(0)
  const [confirming, setConfirming] = useState(false)
  const watcher = useRef<Watcher>(undefined)
  const frame = useTicks(running !== undefined)

  const loadAnswers = useCallback(() => {
    try {
      setAnswers(readAnswers(exercises)[task.id] ?? {})
      setNotice(undefined)
    } catch (error) {
      if (!(error instanceof AnswerFileError)) throw error
      setNotice(error.message)
    }
  }, [exercises, task])

  // Another task begins at its top, without the check of the one before; at once, so that no key comes in between.
  useLayoutEffect(() => {
    loadAnswers()
    setScrolled([0, 0])
    setFollow(false)
    setQuestion(undefined)
    setLive(NOTHING_YET)
    setStep(0)
    return () => {
      check.current?.abort()
      check.current = undefined
      setRunning(undefined)
    }
  }, [loadAnswers])

  const hintsShown = progress[task.id]?.hints ?? 0
  const result = results[task.id]
  const liveNow = running || !result ? live : result.live
  const content: TaskContent = {
    lab,
    task,
    answers,
    hintsShown,
    running,
    runningMs: running ? performance.now() - startedAt.current : 0,
    live: liveNow,
    result,
    solution: solution?.task === task ? solution.lines : [],
    latest,
    notice,
  }
  const layout = layoutTask(content, theme, size, frame)
  const asked = question === undefined ? undefined : task.questions[question]
  const limit = panelLimit(size, asked, view)
  const panelProps: PanelProps = {
    task,
    phases: [],
    live: liveNow,
    running: running !== undefined,
    passed: result?.passed,
    step,
    width: bodyColumns(size),
    rows: limit,
    marks: theme.marks,
  }
  const panelRows = panel ? Math.min(limit, panel.lines(panelProps).length) : 0
  const rows = taskRows(size, asked, panelRows)
  const limits = layout.columns.map(column => maxScroll(column.lines.length, rows))
  const longest = limits.indexOf(Math.max(...limits))
  const offsets = limits.map((limit, index) =>
    Math.min(limit, follow && index === limits.length - 1 ? layout.newest : (scrolled[index] ?? 0)),
  )

  const scroll = (by: number) => {
    setScrolled(limits.map((limit, index) => Math.max(0, Math.min(limit, offsets[index]! + by))))
    setFollow(false)
  }

  const runTask = () => {
    check.current?.abort()
    startedAt.current = performance.now()
    setLive(NOTHING_YET)
    const stop = new AbortController()
    check.current = stop
    loadAnswers()
    setRunning([])
    setLatest('check')
    setFollow(true)
    const options: RunOptions = {
      root,
      mode: 'live',
      signal: stop.signal,
      onEvent: event => {
        if (stop.signal.aborted) return
        if (event.type === 'step') setRunning(event.steps)
        else if (event.type === 'live') setLive(event.live)
      },
    }
    runner.check(lab, task, options).then(result => {
      if (stop.signal.aborted) return
      check.current = undefined
      setRunning(undefined)
      if (!result.feedback.broken) store.recordCheck(lab.id, task.id, result.passed)
      setResults(old => ({ ...old, [task.id]: result }))
      setFollow(true)
      refresh()
    })
  }

  const ask = (number: number) => {
    const next = task.questions[number]
    setQuestion(next && number)
    draft.current = draftOf(next ? (answers[next.id] ?? '') : '')
  }

  const answer = (text: string) => {
    if (!asked || question === undefined) return
    try {
      if (text.trim() !== '') writeAnswer(exercises, task.id, asked.id, text.trim())
      watcher.current?.acknowledge()
      loadAnswers()
    } catch (error) {
      setNotice(error instanceof Error ? error.message : String(error))
    }
    ask(question + 1)
    setLatest('answer')
    setFollow(true)
  }

  const resettable = task.files.filter(file => file !== ANSWERS_FILE)
  const resetFiles = () => {
    setConfirming(false)
    try {
      const kept = resetExercises(root, lab, resettable).flatMap(({ backup }) => backup ?? [])
      setNotice(
        kept.length > 0
          ? `The starting files are back; yours are kept as ${kept.join(', ')}`
          : 'Nothing had been changed.',
      )
    } catch (error) {
      setNotice(error instanceof Error ? error.message : String(error))
    }
    setFollow(true)
  }

  // By way of a ref, so that the watcher is not started anew at every picture.
  const onSave = useRef(runTask)
  onSave.current = () => {
    if (!asked) runTask()
  }
  useEffect(() => {
    if (!shown || !watching) return
    const started = watchFiles(exercises, task.files, () => onSave.current())
    watcher.current = started
    return () => {
      started.stop()
      watcher.current = undefined
    }
  }, [shown, watching, exercises, task])

  return {
    asked,
    running: running !== undefined,
    hintsLeft: task.hints.length - hintsShown,
    scroll,
    check() {
      if (!check.current) runTask()
    },
    hasPanel: panelRows > 0 || (panel !== undefined && view === 'off'),
    nextView: () => setView(old => PANEL_SIZES[(PANEL_SIZES.indexOf(old) + 1) % PANEL_SIZES.length]!),
    moveStep(by: number) {
      const steps = panel?.steps?.(panelProps) ?? 1
      setStep(old => Math.max(0, Math.min(steps - 1, old + by)))
    },
    solutionAllowed: attemptsToGo(store.task(lab.id, task.id)) === 0,
    solution() {
      const toGo = attemptsToGo(store.task(lab.id, task.id))
      if (toGo > 0) {
        setNotice(`The solution can be seen once the task is solved, or after ${toGo} more failed check(s).`)
      } else {
        store.recordSolutionShown(lab.id, task.id)
        setSolution({ task, lines: solutionLines(root, lab, task) })
        setLatest('solution')
      }
      setFollow(true)
    },
    cancel() {
      check.current?.abort()
      check.current = undefined
      setRunning(undefined)
    },
    hint() {
      if (hintsShown >= task.hints.length) return
      store.revealHint(lab.id, task.id, task.hints.length)
      refresh()
      setLatest('hint')
      setFollow(true)
    },
    startAnswering() {
      if (task.questions.length > 0 && running === undefined) ask(0)
    },
    /** A key while a question is being answered. */
    type(input: string, key: Key) {
      if (key.escape) return setQuestion(undefined)
      if (key.return) return answer(draft.current.text)
      draft.current = edited(draft.current, input, key)
      setTyped(old => old + 1)
    },
    confirming,
    askReset() {
      if (resettable.length > 0 && running === undefined) setConfirming(true)
    },
    note: scrollNote(theme, offsets[longest]!, layout.columns[longest]!.lines.length, rows),
    body: {
      layout,
      offsets,
      panel: panel && panelRows > 0 ? { panel, props: panelProps, rows: panelRows } : undefined,
      asked,
      draft: draft.current,
      confirm: confirming
        ? { files: resettable, onConfirm: resetFiles, onCancel: () => setConfirming(false) }
        : undefined,
    },
  }
}

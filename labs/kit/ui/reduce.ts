/** Which keys do what, and what happens when something has happened: from one state to the next, and nothing else. */
import { ANSWERS_FILE } from '../check/answers.ts'
import type { Task } from '../lab/types.ts'
import { requiredTasks, solvedCount } from '../plain/pages.ts'
import { NOTHING_YET } from '../run/live.ts'
import { UNTOUCHED } from '../run/progress.ts'
import { attemptsToGo } from '../run/solution.ts'
import { draftOf, edited } from './draft.ts'
import {
  demonstrationOf,
  type Effect,
  type Event,
  NEW_TASK,
  type State,
  type TaskState,
  taskOf,
  viewAfter,
  watching,
} from './state.ts'

export type Next = readonly [State, readonly Effect[]]
type KeyEvent = Extract<Event, { type: 'key' }>

export function reduce(state: State, event: Event): Next {
  switch (event.type) {
    case 'key':
      return pressed(state, event)
    case 'phases':
      return demonstration(state, { phases: event.phases })
    case 'demonstration live':
      return demonstration(state, { live: event.live })
    case 'demonstrated':
      return demonstration(state, { outcome: event.outcome })
    case 'steps':
    case 'live': {
      const { running } = state.task
      return running ? on(state, { running: { ...running, ...withoutType(event) } }) : [state, []]
    }
    case 'queued': {
      const { running } = state.task
      return running ? on(withoutBusyNotice(state), { running: { ...running, waiting: event.text } }) : [state, []]
    }
    case 'checked': {
      const results = { ...state.results, [event.result.task]: event.result }
      return on({ ...withoutNotice(state, CHECKS, WAITS, NO_GRAPH), results }, { running: undefined, follow: true })
    }
    case 'answers':
      return answersRead(state, event.answers)
    case 'notice':
      return on(state, { notice: event.text, follow: true })
    case 'saved':
      return saved(state, event.files)
    case 'solution':
      return on(state, { solution: event.lines, latest: 'solution', follow: true })
    case 'progress':
      return [{ ...state, progress: event.progress }, []]
  }
}

const CHECKS = 'A check is running: esc stops it.'
const NO_GRAPH = 'There is no graph here yet: a check that opens tunnels on QUIC draws their windows.'
const WAITS = 'A check waits for its turn: esc gives up its place.'

/** What is said of a check that runs or waits is not true of it any more. */
function withoutBusyNotice(state: State): State {
  return withoutNotice(state, CHECKS, WAITS)
}

function withoutNotice(state: State, ...notices: string[]): State {
  const { notice } = state.task
  return notice !== undefined && notices.includes(notice)
    ? { ...state, task: { ...state.task, notice: undefined } }
    : state
}

function withoutType<E extends { type: string }>({ type, ...rest }: E): Omit<E, 'type'> {
  return rest
}

function on(state: State, changes: Partial<TaskState>, ...effects: Effect[]): Next {
  return [{ ...state, task: { ...state.task, ...changes } }, effects]
}

function demonstration(state: State, changes: Partial<State['demonstration']>): Next {
  return [{ ...state, demonstration: { ...state.demonstration, ...changes } }, []]
}

function saved(state: State, files: readonly string[]): Next {
  const task = taskOf(state)
  if (state.screen !== 'task') return [state, []]
  // A check that waits reads the files when it begins; another one would have to wait at the end of the queue.
  const waits = state.task.running?.waiting !== undefined
  if (watching(state) && !waits && state.task.question === undefined && task.files.some(file => files.includes(file)))
    return check(state, false)
  return files.includes(ANSWERS_FILE) ? [state, [{ do: 'read answers', task }]] : [state, []]
}

/** A verdict on other answers than these does not stand under them. */
function answersRead(state: State, answers: TaskState['answers']): Next {
  const task = taskOf(state)
  const { answers: before } = state.task
  const old = before !== NEW_TASK.answers && task.questions.some(({ id }) => before[id] !== answers[id])
  return on(old ? withoutResult(state) : state, { answers, notice: undefined })
}

function withoutResult(state: State): State {
  const { [taskOf(state).id]: _, ...results } = state.results
  return { ...state, results }
}

function check(state: State, asked: boolean): Next {
  const task = taskOf(state)
  return on(
    state,
    { running: { steps: [], live: NOTHING_YET }, latest: 'check', follow: true, step: undefined },
    { do: 'read answers', task },
    { do: 'check', task, asked },
  )
}

export function allSolved({ lab, progress }: State): boolean {
  return solvedCount(lab, progress) === requiredTasks(lab).length
}

/** Files of the task that can be put back; the answers of all tasks are in one file. */
export function resettable(task: Task): readonly string[] {
  return task.files.filter(file => file !== ANSWERS_FILE)
}

function pressed(state: State, event: KeyEvent): Next {
  const { input } = event
  const onTask = state.screen === 'task' && !state.help
  if (onTask && state.task.question !== undefined) return answering(state, event)
  if (onTask && state.task.confirming) {
    const effects: Effect[] = /^y$/i.test(input) ? [{ do: 'put the starting files back', task: taskOf(state) }] : []
    return on(state, { confirming: false }, ...effects)
  }
  if (input === 'q') return [state, [{ do: 'quit' }]]
  if (state.help) return [{ ...state, help: false }, []]
  if (input === '?') return [{ ...state, help: true }, []]
  switch (state.screen) {
    case 'demonstration':
      return onDemonstration(state, event)
    case 'tasks':
      return onTasks(state, event)
    case 'task':
      return onTaskScreen(state, event)
    case 'end':
      return event.key.return || event.key.escape || input === 'b' ? [{ ...state, screen: 'tasks' }, []] : [state, []]
  }
}

function onDemonstration(state: State, { input, key }: KeyEvent): Next {
  if (key.return || key.escape) return [{ ...state, screen: 'tasks' }, [{ do: 'stop the demonstration' }]]
  return input === 'r' ? demonstrate(state) : [state, []]
}

function demonstrate(state: State): Next {
  const { phases, live, outcome } = demonstrationOf(state.lab)
  return [{ ...state, screen: 'demonstration', demonstration: { phases, live, outcome } }, [{ do: 'demonstrate' }]]
}

function onTasks(state: State, { input, key }: KeyEvent): Next {
  if (isDown(input, key)) return [{ ...state, selected: Math.min(state.lab.tasks.length - 1, state.selected + 1) }, []]
  if (isUp(input, key)) return [{ ...state, selected: Math.max(0, state.selected - 1) }, []]
  if (key.return) return openTask(state, state.selected)
  if (input === 'd' && state.lab.demonstration) return demonstrate(state)
  if (input === 'e' && allSolved(state)) return [{ ...state, screen: 'end' }, []]
  return [state, []]
}

const isDown = (input: string, key: KeyEvent['key']) => key.downArrow || input === 'j'
const isUp = (input: string, key: KeyEvent['key']) => key.upArrow || input === 'k'

/** Another task begins at its top, without anything of the one before. */
function openTask(state: State, selected: number): Next {
  const next: State = { ...state, screen: 'task', selected, task: NEW_TASK }
  return [next, [{ do: 'read answers', task: taskOf(next) }]]
}

const PICTURES: readonly State['picture'][] = ['auto', 'full', 'off']

function onTaskScreen(state: State, event: KeyEvent): Next {
  const { input, key, view } = event
  const task = taskOf(state)
  const { running } = state.task
  const progress = state.progress[task.id] ?? UNTOUCHED
  const scroll = (by: number) =>
    on(state, {
      scrolled: view.limits.map((limit, column) => Math.max(0, Math.min(limit, (view.offsets[column] ?? 0) + by))),
      follow: false,
    })
  const moveStep = (by: number) => {
    const last = Math.max(0, view.steps - 1)
    const step = Math.max(0, Math.min(last, (state.task.step ?? last) + by))
    return on(state, { step: step === last ? undefined : step })
  }
  if (isDown(input, key)) return scroll(1)
  if (isUp(input, key)) return scroll(-1)
  if (key.pageDown || input === ' ') return scroll(8)
  if (key.pageUp) return scroll(-8)
  if (key.home) return scroll(-Infinity)
  if (key.end) return scroll(Infinity)
  if (key.escape || input === 'b') {
    if (running) return on(withoutBusyNotice(state), { running: undefined }, { do: 'stop the check' })
    return [{ ...state, screen: 'tasks' }, []]
  }
  switch (input) {
    case 'v':
      // Whoever presses it before there is one would switch off, unseen, the one that comes.
      if (!view.hasPicture) {
        return on(state, {
          notice: 'There is no picture here yet: a check draws it, if its task has one.',
          follow: true,
        })
      }
      return [{ ...state, picture: PICTURES[(PICTURES.indexOf(state.picture) + 1) % PICTURES.length] }, []]
    case 'g': {
      if (!view.views?.length) return on(state, { notice: NO_GRAPH, follow: true })
      const pictureView = viewAfter(view)
      const picture = state.picture === 'off' ? 'auto' : state.picture
      return on({ ...withoutNotice(state, NO_GRAPH), pictureView, picture }, { step: undefined })
    }
    case '[':
      return moveStep(-1)
    case ']':
      return moveStep(1)
    case 'w':
      return [{ ...state, watch: !watching(state) }, []]
    case 'h':
      if (progress.hints >= task.hints.length) return [state, []]
      return on(state, { latest: 'hint', follow: true }, { do: 'reveal a hint', task })
    case 's': {
      const toGo = attemptsToGo(progress)
      if (toGo === 0) return [state, [{ do: 'show the solution', task }]]
      const more = toGo === 1 ? 'one more check that fails' : `${toGo} more checks that fail`
      return on(state, {
        notice: `The solution can be seen once the task is solved, or after ${more} (c; a save does not count).`,
        follow: true,
      })
    }
  }
  if (running) {
    const busy = 'ncaR'.includes(input) && input !== ''
    return busy ? on(state, { notice: running.waiting === undefined ? CHECKS : WAITS, follow: true }) : [state, []]
  }
  switch (input) {
    case 'c':
      return check(state, true)
    case 'a':
      return ask(state, 0)
    case 'R':
      return on(state, { confirming: resettable(task).length > 0 })
    case 'n':
      if (state.selected < state.lab.tasks.length - 1) return openTask(state, state.selected + 1)
      return allSolved(state) ? [{ ...state, screen: 'end' }, []] : [state, []]
  }
  return key.return && allSolved(state) ? [{ ...state, screen: 'end' }, []] : [state, []]
}

function ask(state: State, number: number, ...effects: Effect[]): Next {
  const question = taskOf(state).questions[number]
  const draft = draftOf(question ? (state.task.answers[question.id] ?? '') : '')
  return on(state, { question: question && number, draft }, ...effects)
}

/** A key while a question is being answered. */
function answering(state: State, { input, key }: KeyEvent): Next {
  const { question: number = 0, draft } = state.task
  if (key.escape) return on(state, { question: undefined })
  if (!key.return) return on(state, { draft: edited(draft, input, key) })
  const task = taskOf(state)
  const question = task.questions[number].id
  const text = draft.text.trim()
  const effects: Effect[] = text === '' ? [] : [{ do: 'write answer', task, question, text }]
  const answers = text === '' ? state.task.answers : { ...state.task.answers, [question]: text }
  const old = answers[question] === state.task.answers[question] ? state : withoutResult(state)
  const written = { ...old, task: { ...state.task, answers, latest: 'answer' as const, follow: true } }
  if (number + 1 < task.questions.length || Object.keys(answers).length === 0)
    return ask(written, number + 1, ...effects)
  // The last one: as on the command line, answering checks.
  const [checking, more] = check({ ...written, task: { ...written.task, question: undefined } }, true)
  return [checking, [...effects, ...more]]
}

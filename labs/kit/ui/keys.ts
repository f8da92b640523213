/** The keys at the bottom of a screen. The first ones count most: what does not fit into the width is left out, and `?` shows it. */

import { UNTOUCHED } from '../run/progress.ts'
import { attemptsToGo } from '../run/solution.ts'
import type { FooterKey } from './geometry.ts'
import { allSolved } from './reduce.ts'
import { type State, taskOf, type View, viewAfter } from './state.ts'

const HELP: FooterKey = ['?', 'keys']
const QUIT: FooterKey = ['q', 'quit']

type PictureView = Pick<View, 'hasPicture' | 'steps' | 'views' | 'shown'>

/** `view`: of the task that is on the screen. */
export function keysOf(state: State, view?: PictureView): FooterKey[] {
  if (state.help) return [['any key', 'back']]
  const end: FooterKey[] = allSolved(state) ? [[state.screen === 'task' ? 'enter' : 'e', 'the end']] : []
  switch (state.screen) {
    case 'demonstration':
      if (!state.demonstration.outcome) return [['enter', 'skip to the tasks'], HELP, QUIT]
      return [['enter', 'to the tasks'], ['r', 'run it again'], HELP, QUIT]
    case 'tasks':
      return [
        ['j/k', 'move'],
        ['enter', 'open'],
        ...end,
        ...(state.lab.demonstration ? [['d', 'demonstration'] as const] : []),
        HELP,
        QUIT,
      ]
    case 'task':
      return taskKeys(state, end, view)
    case 'end':
      return [['enter', 'to the tasks'], HELP, QUIT]
  }
}

function taskKeys(state: State, end: readonly FooterKey[], view?: PictureView): FooterKey[] {
  const task = taskOf(state)
  const progress = state.progress[task.id] ?? UNTOUCHED
  if (state.task.question !== undefined) {
    return [
      ['enter', state.task.question + 1 < task.questions.length ? 'save the answer' : 'save the answer and check'],
      ['esc', 'leave it'],
    ]
  }
  const graph = graphKeys(view)
  const { running } = state.task
  if (running)
    return [
      ['esc', running.waiting === undefined ? 'stop the check' : 'leave the queue'],
      ['j/k', 'scroll'],
      ...graph,
      QUIT,
    ]
  const hintsLeft = task.hints.length - progress.hints
  return [
    ['c', 'check'],
    ...(task.questions.length > 0 ? [['a', 'answer'] as const] : []),
    ...(hintsLeft > 0 ? [['h', `hint (${hintsLeft} left)`] as const] : []),
    ['j/k', 'scroll'],
    ...graph,
    ...end,
    ...(state.selected < state.lab.tasks.length - 1 ? [['n', 'next'] as const] : []),
    HELP,
    QUIT,
    ['esc', 'back'],
    ...(attemptsToGo(progress) === 0 ? [['s', 'solution'] as const] : []),
    ...(view?.hasPicture ? [['v', 'picture'] as const] : []),
    ...(view?.hasPicture && view.steps > 1 ? [['[ ]', 'its steps'] as const] : []),
  ]
}

/** Named after what it leads to. */
function graphKeys(view: PictureView | undefined): FooterKey[] {
  if (!view?.views?.length) return []
  return [['g', viewAfter(view) ?? `${view.shown} off`]]
}

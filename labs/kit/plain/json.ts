/** What `--json` prints: for scripts, and for people who like jq. Field names and meanings stay; new ones may come. */

import type { CheckMode, Lab, Task } from '../lab/types.ts'
import type { TaskResult } from '../run/engine.ts'
import type { ProgressStore } from '../run/progress.ts'
import { mustPass, requiredTasks, solvedCount } from './pages.ts'

export function labsJson(labs: readonly Lab[], store: ProgressStore): object {
  return {
    labs: labs.map(lab => ({
      id: lab.id,
      number: lab.number,
      title: lab.title,
      minutes: lab.minutes,
      tasks: requiredTasks(lab).length,
      solved: solvedCount(lab, store.lab(lab.id)),
      points: earned(lab, store),
      maxPoints: total(lab.tasks),
    })),
  }
}

export function tasksJson(lab: Lab, store: ProgressStore): object {
  return {
    lab: lab.id,
    number: lab.number,
    title: lab.title,
    tasks: lab.tasks.map(task => ({ ...identity(task), files: task.files, ...store.task(lab.id, task.id) })),
    points: earned(lab, store),
    maxPoints: total(lab.tasks),
  }
}

export function resultsJson(lab: Lab, mode: CheckMode, tasks: readonly Task[], results: readonly TaskResult[]): object {
  const passed = results.filter(result => result.passed)
  const points = (id: string) => tasks.find(task => task.id === id)?.points ?? 0
  return {
    lab: lab.id,
    mode,
    passed: mustPass(tasks).every(({ id }) => passed.some(({ task }) => task === id)),
    points: passed.reduce((sum, result) => sum + points(result.task), 0),
    maxPoints: total(tasks),
    tasks: results.map(({ task, passed, feedback, steps, live, ms }) => ({
      ...identity(tasks.find(candidate => candidate.id === task)!),
      passed,
      ...(feedback.broken && { broken: true }),
      expected: feedback.expected,
      found: feedback.found,
      ...(feedback.misconception === undefined ? {} : { misconception: feedback.misconception }),
      ...(feedback.leftOut === undefined ? {} : { leftOut: feedback.leftOut }),
      read: feedback.read,
      steps,
      measured: live.comparisons,
      ms: Math.round(ms),
    })),
  }
}

function identity({ id, title, kind, points }: Task): object {
  return { id, title, kind, points }
}

function total(tasks: readonly Task[]): number {
  return tasks.reduce((sum, task) => sum + task.points, 0)
}

function earned(lab: Lab, store: ProgressStore): number {
  return total(lab.tasks.filter(task => store.task(lab.id, task.id).state === 'solved'))
}

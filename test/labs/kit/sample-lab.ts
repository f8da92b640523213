/** A small lab for the tests of the kit: no network, no files but the answers. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Check, Lab, Task } from '../../../labs/kit/lab/types.ts'

export const passing: Check = async () => ({ passed: true, expected: 'the sky', found: 'the sky', read: ['RFC 1149'] })

export function sampleTask(changes: Partial<Task> = {}): Task {
  return {
    id: 'first',
    title: 'The first task',
    kind: 'config',
    points: 5,
    brief: 'Read **this** and run:\n\n```\nnpm run something\n```',
    hints: ['A nudge.', 'Nearly the solution.'],
    files: ['server.toml'],
    questions: [],
    reading: ['RFC 9484 §1'],
    check: passing,
    ...changes,
  }
}

export function sampleLab(tasks: Task[], changes: Partial<Lab> = {}): Lab {
  return {
    id: 'lab-99-sample',
    number: 99,
    title: 'A sample',
    summary: 'For tests.',
    objectives: ['test the kit'],
    prerequisites: [],
    minutes: 1,
    tasks,
    reading: [],
    ...changes,
  }
}

/** A root with the exercise folder of the sample lab. */
export function sampleRoot(answers?: string): { root: string; exercises: string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'masque-kit-test-'))
  const exercises = join(root, 'labs', 'lab-99-sample', 'exercises')
  mkdirSync(exercises, { recursive: true })
  if (answers !== undefined) writeFileSync(join(exercises, 'answers.toml'), answers)
  return { root, exercises, remove: () => rmSync(root, { recursive: true, force: true }) }
}

/** Checks of lab 2 on a scratch copy: starting files, with solutions over them, with a mutant over those. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCheck, type TaskResult } from '../../../labs/kit/engine.ts'
import { ROOT } from '../../../labs/kit/registry.ts'
import { lab } from '../../../labs/lab-02-performance/lab.ts'

const LAB = join(ROOT, 'labs', lab.id)
export const SOLUTIONS = join(ROOT, 'solutions', lab.id)
export const START = join(LAB, 'start')
const MUTANTS = join(LAB, 'mutants')

export interface Mutant {
  task: string
  name: string
  folder: string
  /** Words that the feedback has to contain. */
  expect: string
}

export class Scratch {
  readonly root = mkdtempSync(join(tmpdir(), 'masque-lab2-test-'))
  readonly exercises = join(this.root, 'labs', lab.id, 'exercises')

  /** The starting files, and over them what is in the folders. */
  fill(...folders: readonly string[]): void {
    rmSync(this.exercises, { recursive: true, force: true })
    mkdirSync(this.exercises, { recursive: true })
    for (const folder of [START, ...folders]) cpSync(folder, this.exercises, { recursive: true })
  }

  async check(id: string, seed: string): Promise<TaskResult> {
    const task = lab.tasks.find(candidate => candidate.id === id)!
    return await runCheck(lab, task, { root: this.root, mode: 'unattended', seed })
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

export function mutantsOf(task: string): Mutant[] {
  const folder = join(MUTANTS, task)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .map(name => {
      const own = join(folder, name)
      const text = readFileSync(join(own, readdirSync(own)[0]!), 'utf8')
      const header = /^(?:\/\/|#) mutant: .+?; expect: (.+)$/m.exec(text)
      return { task, name, folder: own, expect: header?.[1]?.trim() ?? '' }
    })
}

/** All that the student is told. */
export function said({ feedback }: TaskResult): string {
  return `${feedback.expected}\n${feedback.found}\n${feedback.misconception ?? ''}`
}

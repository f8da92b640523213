/** Checks of a lab on a scratch copy: starting files, with solutions over them, with a mutant over those. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exerciseFolder, startFolder } from '../../labs/kit/lab/exercises.ts'
import { findTask, ROOT } from '../../labs/kit/lab/registry.ts'
import type { Lab } from '../../labs/kit/lab/types.ts'
import { type RunOptions, runCheck, type TaskResult } from '../../labs/kit/run/engine.ts'

export interface Mutant {
  name: string
  folder: string
  /** Words that the feedback has to contain. */
  expect: string
}

export function solutionFolder(lab: Lab): string {
  return join(ROOT, 'solutions', lab.id)
}

export function mutantsOf(lab: Lab, task: string): Mutant[] {
  const folder = join(ROOT, 'labs', lab.id, 'mutants', task)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .map(name => {
      const own = join(folder, name)
      const text = readFileSync(join(own, readdirSync(own)[0]!), 'utf8')
      const header = /^(?:\/\/|#) mutant: .+?; expect: (.+)$/m.exec(text)
      return { name, folder: own, expect: header?.[1]?.trim() ?? '' }
    })
}

export class Scratch {
  readonly root = mkdtempSync(join(tmpdir(), 'masque-lab-test-'))
  readonly exercises: string
  readonly #lab: Lab

  constructor(lab: Lab) {
    this.#lab = lab
    this.exercises = exerciseFolder(this.root, lab)
  }

  /** The starting files alone. */
  begin(): void {
    rmSync(this.exercises, { recursive: true, force: true })
    mkdirSync(this.exercises, { recursive: true })
    cpSync(startFolder(ROOT, this.#lab), this.exercises, { recursive: true })
  }

  /** The solutions over the starting files, and over them a mutant. */
  solve(mutant?: Mutant): void {
    this.begin()
    for (const folder of [solutionFolder(this.#lab), ...(mutant ? [mutant.folder] : [])]) {
      cpSync(folder, this.exercises, { recursive: true })
    }
  }

  async check(id: string, changes: { mode?: RunOptions['mode']; seed?: string } = {}): Promise<TaskResult> {
    const task = findTask(this.#lab, id)!
    return await runCheck(this.#lab, task, { root: this.root, mode: 'unattended', seed: 'reference-0', ...changes })
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** All that the student is told. */
export function said({ feedback }: TaskResult): string {
  return `${feedback.expected}\n${feedback.found}\n${feedback.misconception ?? ''}`
}

/** Checks of a lab on a scratch copy: starting files, with solutions over them, with a mutant over those. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Mutant, mutated } from '../../labs/kit/grading/mutants.ts'
import { exerciseFolder, startFolder } from '../../labs/kit/lab/exercises.ts'
import { findTask, ROOT } from '../../labs/kit/lab/registry.ts'
import type { Lab } from '../../labs/kit/lab/types.ts'
import { type RunOptions, runCheck, type TaskResult } from '../../labs/kit/run/engine.ts'

export function solutionFolder(lab: Lab): string {
  return join(ROOT, 'solutions', lab.id)
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

  /** The solutions over the starting files, or what a mutant makes of them. */
  solve(mutant?: Mutant): void {
    this.begin()
    cpSync(solutionFolder(this.#lab), this.exercises, { recursive: true })
    if (!mutant) return
    const file = join(this.exercises, mutant.file)
    writeFileSync(file, mutated(mutant, readFileSync(file, 'utf8')))
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

/**
 * A student's side of the classroom: who has joined one (`npm run lab -- --join`) tells it which task is open and how checks end, until
 * `--leave`. Nobody joins by accident, nothing else is told, and a classroom that is not there is no obstacle to work.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Lab, Task } from '../lab/types.ts'
import type { TaskResult } from './engine.ts'
import { progressDirectory } from './progress.ts'

export const CLASSROOM_PORT = 8088
/** A classroom is on the same machine: what does not answer by then is not told. */
const ANSWER_MS = 1500
/** Longer ones are cut; and so is what a classroom takes. */
export const MAX_ALIAS = 24
export const MAX_MISCONCEPTION = 400

/** What is told, as JSON. `misconception`: what the check said it is, and nothing of the code or its output. */
export interface Told {
  alias: string
  lab: string
  task: string
  what: 'opened' | 'passed' | 'failed'
  misconception?: string
}

export interface Membership {
  port: number
  alias: string
}

export class Classroom {
  readonly #file: string
  /** What is told arrives in the order in which it was. */
  #telling: Promise<void> = Promise.resolve()

  constructor(directory: string = progressDirectory()) {
    this.#file = join(directory, 'classroom.json')
  }

  /** Undefined: none is joined. A file that says something else is none, either. */
  get membership(): Membership | undefined {
    try {
      const { port, alias } = JSON.parse(readFileSync(this.#file, 'utf8')) as Partial<Membership>
      return isPort(port) && typeof alias === 'string' && isAlias(alias) ? { port, alias } : undefined
    } catch {
      return undefined
    }
  }

  /** Returns a sentence when the classroom does not take it, and then nothing is joined. */
  async join({ port, alias }: Membership): Promise<string | undefined> {
    const problem = await this.#post(port, '/join', { alias })
    if (problem !== undefined) return problem
    mkdirSync(join(this.#file, '..'), { recursive: true, mode: 0o700 })
    writeFileSync(this.#file, `${JSON.stringify({ port, alias })}\n`, { mode: 0o600 })
    return undefined
  }

  /** Takes what was told out of the class, too. Returns whether one had been joined. */
  async leave(): Promise<boolean> {
    const membership = this.membership
    rmSync(this.#file, { force: true })
    if (membership) await this.#post(membership.port, '/leave', {})
    return membership !== undefined
  }

  /** Never fails, and nobody waits for it. */
  tell(lab: Lab, task: Task, result?: TaskResult): void {
    const membership = this.membership
    if (!membership || result?.feedback.broken) return
    const misconception = result?.feedback.misconception?.slice(0, MAX_MISCONCEPTION)
    const told: Told = {
      alias: membership.alias,
      lab: lab.id,
      task: task.id,
      what: result === undefined ? 'opened' : result.passed ? 'passed' : 'failed',
      ...(misconception !== undefined && { misconception }),
    }
    this.#telling = this.#telling.then(async () => void (await this.#post(membership.port, '/reports', told)))
  }

  async #post(port: number, path: string, body: object): Promise<string | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(ANSWER_MS),
      })
      if (response.ok) return undefined
      const { detail } = (await response.json()) as { detail?: unknown }
      return `the classroom says: ${String(detail).slice(0, 200)}`
    } catch {
      return `there is no classroom on port ${port} of this machine; your instructor starts it with npm run classroom, and knows its port`
    }
  }
}

/** The name under which somebody is shown who chooses none. */
export function defaultAlias(): string {
  try {
    const name = userInfo().username
    return isAlias(name) ? name : 'student'
  } catch {
    return 'student'
  }
}

/** Letters and digits of any language, and little else: it is read from a projector. */
export function isAlias(text: string): boolean {
  return text.length <= MAX_ALIAS && /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N} ._-]*[\p{L}\p{M}\p{N}])?$/u.test(text)
}

export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535
}

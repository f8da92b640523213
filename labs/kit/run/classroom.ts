/**
 * A student's side of the classroom: who has joined one (`npm run lab -- --join`) tells it which task is open and how checks end, until
 * `--leave`. Nobody joins by accident, nothing else is told, and a classroom that is not there is no obstacle to work.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { printable } from '../../../src/text/printable.ts'
import type { Lab, Task } from '../lab/types.ts'
import type { TaskResult } from './engine.ts'
import { progressDirectory } from './progress.ts'
import type { RelayOffer, RelayResult } from './relay-plan.ts'

export const CLASSROOM_PORT = 8088
/** A classroom is on the same machine, but so is the class, and may be busy. What does not answer by then is not told. */
const ANSWER_MS = 10_000
/** In characters: a certificate has some hundred. */
const MAX_ANSWER = 16_384
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
  /** For a classroom that was started again, and does not know whose report it is. */
  code?: string
}

export interface Membership {
  port: number
  alias: string
  /** Of the class, as it was typed; undefined where the account is on the instructor's list. */
  code?: string
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
      const { port, alias, code } = JSON.parse(readFileSync(this.#file, 'utf8')) as Partial<Membership>
      if (!isPort(port) || typeof alias !== 'string' || !isAlias(alias)) return undefined
      return { port, alias, ...(typeof code === 'string' && { code }) }
    } catch {
      return undefined
    }
  }

  /** Returns a sentence when the classroom does not take it, and then nothing is joined. */
  async join(membership: Membership): Promise<string | undefined> {
    const { port, ...told } = membership
    const problem = await this.#post(port, '/join', told)
    if (problem !== undefined) return problem
    mkdirSync(join(this.#file, '..'), { recursive: true, mode: 0o700 })
    writeFileSync(this.#file, `${JSON.stringify(membership)}\n`, { mode: 0o600 })
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
      ...(membership.code !== undefined && { code: membership.code }),
      lab: lab.id,
      task: task.id,
      what: result === undefined ? 'opened' : result.passed ? 'passed' : 'failed',
      ...(misconception !== undefined && { misconception }),
    }
    this.#telling = this.#telling.then(async () => void (await this.#post(membership.port, '/reports', told)))
  }

  /**
   * Opens a tunnel to the classroom's relay and measures through it; what is measured is told once a second. Returns a sentence when there is no relay to be had, and
   * throws what a client throws that cannot connect.
   */
  async relay(
    options: { signal?: AbortSignal; seconds?: number; onOffer?: () => void } = {},
  ): Promise<RelayResult | string> {
    const { port } = this.membership ?? {}
    if (port === undefined) return 'join the classroom first: npm run lab -- --join CODE'
    const offer = await this.#ask(port, '/relay', {})
    if (typeof offer === 'string') return offer
    const { port: at, ca } = (offer ?? {}) as Partial<RelayOffer>
    if (!isPort(at) || typeof ca !== 'string') return 'the classroom did not say where its relay is'
    options.onOffer?.()
    // It brings the client with it, which nothing else here needs.
    const { measureRelay } = await import('./relay.ts')
    // One after the other, and never more than one that waits: a classroom that does not answer costs nothing but its page.
    let telling = false
    return await measureRelay(
      { port: at, ca },
      report => {
        if (telling) return
        telling = true
        void this.#post(port, '/relay/reports', report).finally(() => {
          telling = false
        })
      },
      options,
    )
  }

  async #post(port: number, path: string, body: object): Promise<string | undefined> {
    const answer = await this.#ask(port, path, body)
    return typeof answer === 'string' ? answer : undefined
  }

  /** The answer, undefined where there is none in it; or a sentence that says why it was not taken. */
  async #ask(port: number, path: string, body: object): Promise<object | string | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(ANSWER_MS),
      })
      if (response.status === 204) return undefined
      if (response.ok) {
        const answer: unknown = JSON.parse((await response.text()).slice(0, MAX_ANSWER))
        return typeof answer === 'object' && answer !== null ? answer : undefined
      }
      const { detail } = (await response.json()) as { detail?: unknown }
      // Somebody else may listen where the classroom was.
      return `the classroom says: ${printable(String(detail).slice(0, 200))}`
    } catch {
      return `there is no classroom on port ${port} of this machine (the code says which port, or --port); your instructor starts it with npm run classroom`
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

/**
 * A student's side of the classroom: who has joined one (`npm run lab -- --join`) tells it which task is open and how checks end, until
 * `--leave`. Nobody joins by accident, nothing else is told, and a classroom that is not there is no obstacle to work.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { printable } from '../../../src/text/printable.ts'
import type { Lab, Task } from '../lab/types.ts'
import type { TaskResult } from './engine.ts'
import { connected, post } from './local-post.ts'
import { accountName, portOwners } from './port-owner.ts'
import { progressDirectory } from './progress.ts'
import { RELAY_PLAN, type RelayOffer, type RelayResult } from './relay-plan.ts'

export const CLASSROOM_PORT = 8088
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
  /** The user id of whoever ran the classroom that was joined: when it has ended, anybody may take its port. Undefined where the system does not tell. */
  instructor?: number
}

/** Whom to speak to: the port, and whose it has to be. */
type Joined = Pick<Membership, 'port' | 'instructor'>

export class Classroom {
  readonly #file: string
  /** What is told arrives in the order in which it was. */
  #telling: Promise<void> = Promise.resolve()
  readonly #ownersOf: typeof portOwners

  /** `ownersOf`: for tests. */
  constructor(directory: string = progressDirectory(), ownersOf: typeof portOwners = portOwners) {
    this.#file = join(directory, 'classroom.json')
    this.#ownersOf = ownersOf
  }

  /** Undefined: none is joined. A file that says something else is none, either. */
  get membership(): Membership | undefined {
    try {
      const { port, alias, code, instructor } = JSON.parse(readFileSync(this.#file, 'utf8')) as Partial<Membership>
      if (!isPort(port) || typeof alias !== 'string' || !isAlias(alias)) return undefined
      return {
        port,
        alias,
        ...(typeof code === 'string' && { code }),
        ...(Number.isInteger(instructor) && { instructor: instructor as number }),
      }
    } catch {
      return undefined
    }
  }

  /** Returns a sentence when the classroom does not take it, and then nothing is joined. */
  async join(given: Omit<Membership, 'instructor'>): Promise<string | undefined> {
    const { port, ...told } = given
    const owners = this.#ownersOf(port)
    if (owners?.length === 0) return noClassroom(port)
    const [instructor, another] = owners ?? []
    if (another !== undefined) return `programs of several accounts listen on port ${port}: ask your instructor`
    const membership: Membership = { ...given, ...(instructor !== undefined && { instructor }) }
    const problem = await this.#post(membership, '/join', told)
    if (problem !== undefined) return problem
    mkdirSync(join(this.#file, '..'), { recursive: true, mode: 0o700 })
    writeFileSync(this.#file, `${JSON.stringify(membership)}\n`, { mode: 0o600 })
    return undefined
  }

  /** Takes what was told out of the class, too. Returns whether one had been joined. */
  async leave(): Promise<boolean> {
    const membership = this.membership
    rmSync(this.#file, { force: true })
    if (membership) await this.#post(membership, '/leave', {})
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
    this.#telling = this.#telling.then(async () => void (await this.#post(membership, '/reports', told)))
  }

  /**
   * Opens a tunnel to the classroom's relay and measures through it; what is measured is told once a second. Returns a sentence when there is no relay to be had, and
   * throws what a client throws that cannot connect.
   */
  async relay(
    options: { signal?: AbortSignal; seconds?: number; onOffer?: () => void } = {},
  ): Promise<RelayResult | string> {
    const { membership } = this
    if (membership === undefined) return 'join the classroom first: npm run lab -- --join CODE'
    const offer = await this.#ask(membership, '/relay', {})
    if (typeof offer === 'string') return offer
    const { port: at, ca, token } = (offer ?? {}) as Partial<RelayOffer>
    if (!isPort(at) || typeof ca !== 'string' || typeof token !== 'string')
      return 'the classroom did not say where its relay is'
    options.onOffer?.()
    // It brings the client with it, which nothing else here needs.
    const { measureRelay } = await import('./relay.ts')
    // One after the other, and never more than one that waits: a classroom that does not answer costs nothing but its page.
    let telling = false
    try {
      return await measureRelay(
        { port: at, ca, token },
        report => {
          if (telling) return
          telling = true
          void this.#post(membership, '/relay/reports', report).finally(() => {
            telling = false
          })
        },
        options,
      )
    } catch (error) {
      if ((error as { status?: unknown }).status !== 429) throw error
      const { tunnelsEach } = RELAY_PLAN
      return `an account has ${tunnelsEach} tunnels to the relay at most, and yours are open: end another measurement of yours (Ctrl-C), or wait half a minute where one was killed`
    }
  }

  async #post(to: Joined, path: string, body: object): Promise<string | undefined> {
    const answer = await this.#ask(to, path, body)
    return typeof answer === 'string' ? answer : undefined
  }

  /** Why nothing is to be said to whoever listens there. */
  #problemWith({ port, instructor }: Joined): string | undefined {
    if (instructor === undefined) return undefined
    const owners = this.#ownersOf(port) ?? []
    // Also who stops to listen once the connection is there.
    const [owner, ...more] = owners
    if (owner === instructor && more.length === 0) return undefined
    const others = owners.filter(uid => uid !== instructor).map(accountName)
    const who = others.length > 0 ? `is ${others.join(' and ')}'s now` : 'is nobody’s now'
    return `port ${port} ${who}, and the classroom that you have joined was ${accountName(instructor)}'s: nothing is told there. If that is right, join again with the code of the class`
  }

  /** The answer, undefined where there is none in it; or a sentence that says why it was not taken. */
  async #ask(to: Joined, path: string, body: object): Promise<object | string | undefined> {
    const { port } = to
    let socket: Socket | undefined
    try {
      socket = await connected(port)
      // Now it is known to whom: who listens there later has another connection.
      const problem = this.#problemWith(to)
      if (problem !== undefined) return problem
      const { status, text } = await post(socket, port, path, JSON.stringify(body))
      if (status === 204) return undefined
      const answer: unknown = JSON.parse(text)
      if (status >= 200 && status < 300) return typeof answer === 'object' && answer !== null ? answer : undefined
      // Somebody else may listen where the classroom was.
      return `the classroom says: ${printable(String((answer as { detail?: unknown }).detail).slice(0, 200))}`
    } catch {
      return noClassroom(port)
    } finally {
      socket?.destroy()
    }
  }
}

function noClassroom(port: number): string {
  return `there is no classroom on port ${port} of this machine (the code says which port, or --port); your instructor starts it with npm run classroom`
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

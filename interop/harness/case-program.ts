import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

/** A case as the peer's program lists it. */
export interface PeerCase {
  /** Is the peer the client of our proxy, or the proxy of our client? */
  role: 'client' | 'proxy'
  /** Begins with the ids of the rows in docs/conformance.md that it shows. */
  name: string
  /** Where the rule stands, such as `RFC 9484 §4.7.1`. */
  source: string
  sends: string
  expects: string
  /** How our side is to be set up, and what it is to do: see `setups.ts` and `our-client.ts`. */
  ours: Record<string, unknown>
  /** The peer, not our side, gets this wrong: the case must fail, and is shown as its fault. */
  knownFault?: string | null
}

/** How a case ended. */
export type Verdict = { ok: true } | { ok: false; expected: string; found: string; log: string[] }

interface Answer {
  cases?: PeerCase[]
  listening?: number
  ok?: boolean
}

/** Those that run now. */
const running = new Set<CaseProgram>()

/** Ends every program that still runs: the end of a run, also of one that left a whole suite out. */
export async function stopCasePrograms(): Promise<void> {
  await Promise.all([...running].map(program => program.stop()))
}

const ANSWER_TIMEOUT_MS = 30_000
const STDERR_KEPT = 4000

/**
 * A peer's program that runs cases one at a time, told so by lines of JSON. It is started with the first command, ended
 * with `stop` or when it does not answer in time, and started anew when it has ended: so one case cannot spoil the next.
 */
export class CaseProgram {
  readonly name: string
  readonly #command: string
  readonly #args: string[]
  readonly #cwd: string
  readonly #env: NodeJS.ProcessEnv
  #child: ChildProcessByStdio<Writable, Readable, Readable> | undefined
  #stderr = ''
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined

  constructor(options: { name: string; command: string; args: string[]; cwd: string; env?: NodeJS.ProcessEnv }) {
    this.name = options.name
    this.#command = options.command
    this.#args = options.args
    this.#cwd = options.cwd
    this.#env = { ...process.env, ...options.env }
  }

  /** All cases of the program, in its own order. */
  async list(): Promise<PeerCase[]> {
    return (await this.#ask({ list: true })).cases ?? []
  }

  /** The peer is the client: `options` says where our proxy is. */
  async run(name: string, options: { port: number; ca: string; token?: string; engine: string }): Promise<Verdict> {
    return (await this.#ask({ run: name, ...options })) as Verdict
  }

  /** The peer is the proxy: resolves with its port; `verdict` resolves when its side of the case is over. */
  async serve(
    name: string,
    options: { certificate: string; key: string },
  ): Promise<{ port: number; verdict: Promise<Verdict> }> {
    const { listening } = await this.#ask({ serve: name, ...options })
    if (listening === undefined) throw new Error(`${this.name} did not say on which port it listens`)
    const verdict = this.#next() as Promise<Verdict>
    verdict.catch(() => {}) // whoever awaits it hears of it, perhaps later
    return { port: listening, verdict }
  }

  /** Ends the program; harmless when it is not running. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    running.delete(this)
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }

  #ask(command: object): Promise<Answer> {
    const child = this.#start()
    const answer = this.#next()
    child.stdin.write(`${JSON.stringify(command)}\n`)
    return answer
  }

  /** The next line that the program writes. */
  #next(): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${this.name} gave no answer within ${ANSWER_TIMEOUT_MS / 1000} s${this.#complaint()}`))
        void this.stop()
      }, ANSWER_TIMEOUT_MS)
      const settle = (then: () => void) => {
        clearTimeout(timer)
        this.#waiting = undefined
        then()
      }
      this.#waiting = {
        resolve: answer => settle(() => resolve(answer)),
        reject: error => settle(() => reject(error)),
      }
    })
  }

  #start(): ChildProcessByStdio<Writable, Readable, Readable> {
    if (this.#child !== undefined) return this.#child
    const child = spawn(this.#command, this.#args, { cwd: this.#cwd, env: this.#env, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child = child
    running.add(this)
    this.#stderr = ''
    child.stdin.on('error', () => {}) // it has ended, and 'close' says so
    child.on('error', error => this.#waiting?.reject(error))
    child.stderr.on('data', chunk => {
      this.#stderr = (this.#stderr + chunk).slice(-STDERR_KEPT)
    })
    createInterface({ input: child.stdout }).on('line', line => {
      try {
        this.#waiting?.resolve(JSON.parse(line))
      } catch {
        this.#waiting?.reject(new Error(`${this.name} wrote a line that is no JSON: ${line.slice(0, 200)}`))
      }
    })
    child.on('close', code => {
      if (this.#child === child) this.#child = undefined
      this.#waiting?.reject(new Error(`${this.name} ended with status ${code}${this.#complaint()}`))
    })
    return child
  }

  #complaint(): string {
    return this.#stderr === '' ? '' : `, and said:\n${this.#stderr.trimEnd()}`
  }
}

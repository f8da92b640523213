/** The parent's side of the server's process: starting it, asking it, noticing that it has died. */

import { type ChildProcess, fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Answer, Request, RequestName, ServerRequests } from './orders.ts'

/** How much of what a process said last is kept for the error message. */
const OUTPUT_LENGTH = 4_000
const OUTPUT_LINES = 8
/** Starting takes half a second on an idle machine; this is for one that is busy with other things. */
const START_TIMEOUT_MS = 30_000
/** How long the process gets to end in good order before it is killed. */
const CLOSE_TIMEOUT_MS = 3_000

/** Something of the testbed itself failed: a process died, or would not start. Not a measurement, but no measurement. */
export class TestbedError extends Error {
  override name = 'TestbedError'
}

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
}

export class ServerProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #isReady = false
  #nextId = 1
  #output = ''
  #closing = false
  #dead: TestbedError | undefined
  readonly #ended: Promise<void>
  readonly #ready: Promise<unknown>
  /** Called once when the process ends although nobody asked it to. */
  onDeath: (error: TestbedError) => void = () => {}

  /** Starts the process, which needs a moment before it is `ready`. Whoever makes it closes it. */
  constructor() {
    this.#child = fork(fileURLToPath(new URL('./server-child.ts', import.meta.url)), [], {
      // Found from here and not from the working directory; and none of the parent's own options, such as a debugger's port.
      execArgv: ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Structured clone: JSON has no undefined and no Infinity.
      serialization: 'advanced',
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', text => {
        this.#output = (this.#output + text).slice(-OUTPUT_LENGTH)
      })
    }
    this.#ready = this.#answered(0, START_TIMEOUT_MS).then(() => {
      this.#isReady = true
    })
    // Whoever waits for it gets the error; nobody has to wait.
    this.#ready.catch(() => {})
    this.#child.on('message', message => this.#receive(message as Answer))
    // If this process ends without a word, the child sees its channel close. This is for a child that is stuck.
    const kill = (): void => void this.#child.kill('SIGKILL')
    process.once('exit', kill)
    this.#ended = new Promise(resolve => {
      // `close`, not `exit`: by then its last words have been read.
      this.#child.once('close', (code, signal) => {
        process.off('exit', kill)
        this.#die(code, signal)
        resolve()
      })
      this.#child.once('error', error => {
        this.#output += error.message
        process.off('exit', kill)
        this.#die(null, null)
        resolve()
      })
    })
  }

  /** Resolves when the process takes orders. Rejects with TestbedError. */
  async ready(): Promise<void> {
    await this.#ready
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Asks for something and waits for the answer. Rejects with TestbedError: what the server said, or that it died. */
  request<N extends RequestName>(name: N, given: ServerRequests[N]['arguments']): Promise<ServerRequests[N]['result']> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead)
    const id = this.#nextId++
    const answered = this.#answered(id)
    this.#child.send({ id, name, arguments: given } satisfies Request<N>, error => {
      if (error) this.#receive({ id, error: `the order '${name}' could not be sent: ${error.message}` })
    })
    return answered as Promise<ServerRequests[N]['result']>
  }

  /** Ends the server in good order, and the process in any case. Idempotent. */
  async close(): Promise<void> {
    if (this.#dead === undefined && !this.#closing) {
      this.#closing = true
      // While it still loads its code it would not listen, and has nothing yet to end in good order.
      if (!this.#isReady) this.#child.kill('SIGKILL')
      const closed = this.request('close', null).catch(() => {})
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_TIMEOUT_MS)
      // It answers, and then ends by itself. (Were the channel closed from here, Node 20 would never say 'close'.)
      await Promise.race([closed, this.#ended])
      await this.#ended
      clearTimeout(timer)
    }
    await this.#ended
  }

  #answered(id: number, timeoutMs?: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => {
              this.#receive({ id, error: `the testbed's server did not start within ${timeoutMs / 1000} s` })
            }, timeoutMs)
      const settle = <T>(then: (value: T) => void) => {
        return (value: T): void => {
          clearTimeout(timer)
          then(value)
        }
      }
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) })
    })
  }

  #receive(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if ('error' in answer) waiting?.reject(new TestbedError(answer.error))
    else waiting?.resolve(answer.result)
  }

  #die(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#dead !== undefined) return
    const how = signal === null ? `with status ${code}` : `by ${signal}`
    const lines = this.#output.trim().split('\n').slice(-OUTPUT_LINES).join('\n')
    this.#dead = new TestbedError(
      `the testbed's server process ended ${how}${lines === '' ? ' and said nothing' : `; its last words:\n${lines}`}`,
    )
    for (const { reject } of this.#waiting.values()) reject(this.#dead)
    this.#waiting.clear()
    if (!this.#closing) this.onDeath(this.#dead)
  }
}

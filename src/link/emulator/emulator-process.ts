/**
 * The link emulator in a process of its own: its event loop then serves nobody else, so a packet does not wait for a client's
 * cryptography, and a client does not wait for packets.
 *
 * The process ends with this one, on every way that this one can end.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { SocketAddress } from '../../net/udp.ts'
import type { Profile } from '../profile/profile.ts'
import type { EmulatorCounters, EmulatorEvents, EmulatorOptions } from './emulator.ts'
import { EmulatorError } from './udp-socket.ts'

/** How much of what the process said last is kept for the error message. */
const OUTPUT_LENGTH = 2_000
/** How long it gets to end in good order before it is killed. */
const CLOSE_TIMEOUT_MS = 2_000

export type ChildOrder = { id: number } & (
  | { method: 'start'; options: EmulatorOptions }
  | { method: 'counters' | 'beginTimeline' | 'forgetTiming' | 'close' }
  | { method: 'setProfile'; profile: Profile }
)

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never

export type ChildAnswer =
  | { kind: 'result'; id: number; result: unknown }
  | { kind: 'error'; id: number; name: string; message: string }
  | { kind: 'event'; event: keyof EmulatorEvents; detail: unknown }

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
}

export type EmulatorHandleEvents = EmulatorEvents & {
  /** The process ended although nobody closed it. Calls that wait, and all later ones, reject with the same error. */
  died: [EmulatorError]
}

/** Starts the emulator. Rejects with EmulatorError, with nothing left behind. */
export async function startEmulatorProcess(options: EmulatorOptions): Promise<EmulatorHandle> {
  const handle = new EmulatorHandle()
  try {
    await handle.start(options)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** The emulator as its owner sees it: as `LinkEmulator`, but everything takes a moment. */
export class EmulatorHandle extends EventEmitter<EmulatorHandleEvents> {
  address: SocketAddress = { host: '', port: 0 }
  secondAddress: SocketAddress | undefined

  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  readonly #ended: Promise<void>
  #nextId = 1
  #output = ''
  #dead: EmulatorError | undefined
  #closed: Promise<void> | undefined

  constructor() {
    super()
    this.#child = fork(fileURLToPath(new URL('./emulator-child.ts', import.meta.url)), [], {
      // Found from here and not from the working directory; and none of the parent's own options, such as a debugger's port.
      execArgv: ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Structured clone: traces are Float64Arrays, and phases without end last Infinity.
      serialization: 'advanced',
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', text => {
        this.#output = (this.#output + text).slice(-OUTPUT_LENGTH)
      })
    }
    this.#child.on('message', message => this.#receive(message as ChildAnswer))
    // If this process ends without a word, the child sees its channel close. This is for a child that is stuck.
    const kill = (): void => void this.#child.kill('SIGKILL')
    process.once('exit', kill)
    this.#ended = new Promise(resolve => {
      const ended = (how: string): void => {
        process.off('exit', kill)
        this.#die(how)
        resolve()
      }
      // `close` and not `exit`: by then its last words have been read.
      this.#child.once('close', (code, signal) =>
        ended(signal === null ? `ended with status ${code}` : `was ended by ${signal}`),
      )
      this.#child.once('error', error => ended(`did not start: ${error.message}`))
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** For `startEmulatorProcess`. */
  async start(options: EmulatorOptions): Promise<void> {
    const { address, secondAddress } = (await this.#ask({ method: 'start', options })) as EmulatorHandle
    this.address = address
    this.secondAddress = secondAddress
  }

  async counters(): Promise<EmulatorCounters> {
    return (await this.#ask({ method: 'counters' })) as EmulatorCounters
  }

  async beginTimeline(): Promise<void> {
    await this.#ask({ method: 'beginTimeline' })
  }

  async setProfile(profile: Profile): Promise<void> {
    await this.#ask({ method: 'setProfile', profile })
  }

  async forgetTiming(): Promise<void> {
    await this.#ask({ method: 'forgetTiming' })
  }

  /** Resolves when the process is gone. Idempotent; never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  async #shutDown(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_TIMEOUT_MS)
    // The child hangs up. If this side did, Node would not tell when the child's output has been read ('close').
    this.#ask({ method: 'close' }).catch(() => {})
    await this.#ended
    clearTimeout(timer)
  }

  #ask(order: WithoutId<ChildOrder>): Promise<unknown> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.send({ id, ...order }, error => {
        if (error) this.#receive({ kind: 'error', id, name: error.name, message: error.message })
      })
    })
  }

  #receive(answer: ChildAnswer): void {
    if (answer.kind === 'event') {
      this.emit(answer.event, answer.detail as never)
      return
    }
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (answer.kind === 'result') waiting?.resolve(answer.result)
    else if (answer.name === 'EmulatorError') waiting?.reject(new EmulatorError(answer.message))
    else waiting?.reject(new EmulatorError(`the emulator failed: ${answer.name}: ${answer.message}`))
  }

  #die(how: string): void {
    if (this.#dead !== undefined) return
    const words = this.#output.trim()
    this.#dead = new EmulatorError(
      `the link emulator's process ${how}${words === '' ? '' : `; its last words:\n${words}`}`,
    )
    for (const { reject } of this.#waiting.values()) reject(this.#dead)
    this.#waiting.clear()
    if (this.#closed === undefined) this.emit('died', this.#dead)
  }
}

/**
 * The link emulator in a process of its own: its event loop then serves nobody else, so a packet does not wait for a client's
 * cryptography, and a client does not wait for packets.
 */

import { EventEmitter } from 'node:events'
import type { SocketAddress } from '../../net/udp.ts'
import { Child } from '../../process/child.ts'
import type { Profile } from '../profile/profile.ts'
import type { EmulatorCounters, EmulatorEvents, EmulatorOptions } from './emulator.ts'
import type { EmulatorOrders } from './emulator-child.ts'
import { EmulatorError } from './udp-socket.ts'

type EmulatorHandleEvents = EmulatorEvents & {
  /** The process ended although nobody closed it. Calls that wait, and all later ones, reject with the same error. */
  died: [Error]
}

/** It answers all orders at once, as long as it runs: so much is for a machine on which sixty others want to run. */
const ANSWER_MS = 30_000

interface HandleOptions {
  /** See ChildOptions. */
  within?: readonly string[]
  /** After which time without an answer what it is asked for rejects with LateAnswerError; see AskOptions. */
  answerMs?: number
}

/** Starts the emulator. Rejects with EmulatorError or LateAnswerError, with nothing left behind. */
export async function startEmulatorProcess(
  options: EmulatorOptions,
  handleOptions: HandleOptions = {},
): Promise<EmulatorHandle> {
  const handle = new EmulatorHandle(handleOptions)
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

  readonly #child: Child<EmulatorOrders>
  readonly #inTime: { limitMs: number }

  constructor({ within, answerMs = ANSWER_MS }: HandleOptions = {}) {
    super()
    this.#inTime = { limitMs: answerMs }
    this.#child = new Child<EmulatorOrders>(new URL('./emulator-child.ts', import.meta.url), {
      name: "the link emulator's process",
      error: EmulatorError,
      within,
      onDeath: error => this.emit('died', error),
    })
    const onReport = ({ name, detail }: { name: keyof EmulatorEvents; detail: unknown }): void => {
      this.emit(name, detail as never)
    }
    // It is rejected when the process ends, which `died` and everything else tell, too.
    this.#child.ask('events', null, { onReport }).catch(() => {})
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** For those who want the process to load its code before they know what to start it with; else there is `startEmulatorProcess`. */
  async start(options: EmulatorOptions): Promise<void> {
    Object.assign(this, await this.#child.ask('start', options, this.#inTime))
  }

  counters(): Promise<EmulatorCounters> {
    return this.#child.ask('counters', null, this.#inTime)
  }

  /** Resolves with the moment, on the clock that all processes of this machine share (hosts/clock.ts). */
  beginTimeline(skipMs?: number): Promise<number> {
    return this.#child.ask('beginTimeline', skipMs, this.#inTime)
  }

  async setProfile(profile: Profile): Promise<void> {
    await this.#child.ask('setProfile', profile, this.#inTime)
  }

  async forgetTiming(): Promise<void> {
    await this.#child.ask('forgetTiming', null, this.#inTime)
  }

  /** Resolves when the process is gone. Idempotent; never rejects. */
  close(): Promise<void> {
    return this.#child.close()
  }
}

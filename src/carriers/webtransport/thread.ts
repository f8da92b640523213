/** Starts a thread with the package in it. What it prints goes nowhere, and what it throws ends it. */

import { Worker } from 'node:worker_threads'
import type { ClientThreadData, ServerThreadData, ToThread } from './messages.ts'

/** What one thread may use, in MB: a peer that finds out how to make the package keep things ends that thread, not the process. */
const MEMORY = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32 }

/** How long a thread has to take leave, in ms. */
const STOP_MS = 500

export interface ThreadHandler<From> {
  onMessage(message: From): void
  /** It has ended. `error`: what it has thrown, or the limit that it has met; undefined: it was stopped. */
  onEnded(error: Error | undefined): void
}

export class PackageThread<From> {
  readonly #worker: Worker
  #error: Error | undefined
  readonly #ended: Promise<void>
  #stopping = false

  /** Throws when the system does not let this process have another thread. */
  constructor(
    file: './server-thread.ts' | './client-thread.ts',
    data: ServerThreadData | ClientThreadData,
    handler: ThreadHandler<From>,
  ) {
    this.#worker = new Worker(new URL('./thread-main.mjs', import.meta.url), {
      workerData: { file, data },
      // None of this process's own options, such as a debugger's port.
      execArgv: [],
      resourceLimits: MEMORY,
      stdout: true,
      stderr: true,
    })
    this.#worker.stdout.resume()
    this.#worker.stderr.resume()
    this.#worker.on('message', message => handler.onMessage(message))
    this.#worker.on('error', error => {
      this.#error = error
    })
    this.#ended = new Promise(resolve => {
      this.#worker.once('exit', code => {
        resolve()
        handler.onEnded(this.#stopping ? undefined : (this.#error ?? new Error(`it has ended with code ${code}`)))
      })
    })
  }

  post(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer)
  }

  /** Resolves when it has ended. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.post({ type: 'stop' })
    const timer = setTimeout(() => this.kill(), STOP_MS)
    await this.#ended
    clearTimeout(timer)
  }

  /** At once, as if it had failed unless it was told to stop. */
  kill(): void {
    void this.#worker.terminate()
  }
}

/**
 * Says when there is something to read from descriptors for which Node has no class: TUN devices, sockets that were opened through
 * koffi. For Linux; for macOS, where it has not been tried yet.
 *
 *     const watch = watchReadable(fd, { onReadable: () => readSome(fd), onError: error => ... })
 *     ...
 *     await watch.close()      // from here on nobody looks at fd any more
 *     close(fd)
 *
 * Node's own event loop watches them, beside its sockets: libuv's poll handles do that (uv_poll_t in libuv's documentation), which
 * Node exports for addons. No thread stands in between, which would have to be woken for each packet that comes alone.
 *
 *     epoll_wait of the event loop --> libuv --> koffi --> setImmediate --> onReadable --> back to epoll_wait
 *
 * libuv's callback only asks for an immediate, which is run as soon as all descriptors have been looked at: JavaScript called from outside of
 * Node's own calls would have neither its ticks nor its microtasks served.
 */

import { getSystemErrorName } from 'node:util'
import { isMainThread } from 'node:worker_threads'
import {
  allocateForever,
  loadLibrary,
  type NativeCallback,
  type NativeFunction,
  type NativeMemory,
  registerCallback,
} from './libc.ts'

export interface Watcher {
  /** There is something to read, or the descriptor has failed. Reads a bounded amount: what is left over is told again in the next turn. */
  onReadable(): void
  /** `onReadable` has thrown, or the descriptor cannot be watched; it is not watched any more. Must not throw. */
  onError(error: unknown): void
}

export interface Watch {
  /** Nothing is told until `resume`, for whoever has no use for more at the moment. Both are harmless when repeated. */
  pause(): void
  resume(): void
  /** Resolves when the descriptor is no longer in use here, and may be closed. Idempotent; never rejects. */
  close(): Promise<void>
}

export interface WatchOptions {
  /** Whether the process goes on for as long as this is watched; it does unless false. */
  keepsAlive?: boolean
}

/** <uv.h> */
const UV_POLL = 8
const UV_READABLE = 1

interface PollFunctions {
  readonly loop: bigint
  readonly handleSize: number
  readonly init: NativeFunction
  readonly start: NativeFunction
  readonly stop: NativeFunction
  readonly unref: NativeFunction
  readonly close: NativeFunction
  readonly onReadable: NativeCallback
  readonly onClosed: NativeCallback
}

let functions: PollFunctions | string | undefined
/** By the address of their handle, as libuv knows them. */
const watches = new Map<number, OpenWatch>()
/** Of handles that are closed: used again, as a tunnel that comes and goes would otherwise cost memory each time. */
const spare: NativeMemory[] = []

class OpenWatch implements Watch {
  readonly fd: number
  readonly #watcher: Watcher
  readonly #functions: PollFunctions
  readonly #memory: NativeMemory
  #isTold = false
  #isPaused = false
  #onClosed: (() => void) | undefined
  #closed: Promise<void> | undefined

  constructor(fd: number, watcher: Watcher, native: PollFunctions) {
    this.fd = fd
    this.#watcher = watcher
    this.#functions = native
    this.#memory = spare.pop() ?? allocateForever(native.handleSize)
  }

  open({ keepsAlive = true }: WatchOptions): void {
    const { init, loop, unref } = this.#functions
    const failed: number = init(loop, this.#memory.address, this.fd)
    if (failed < 0) {
      // A handle that was never made is not closed either.
      spare.push(this.#memory)
      this.#closed = Promise.resolve()
      setImmediate(() => this.#watcher.onError(new Error(`descriptor ${this.fd} cannot be watched: ${whyNot(failed)}`)))
      return
    }
    watches.set(Number(this.#memory.address), this)
    if (!keepsAlive) unref(this.#memory.address)
    this.#start()
  }

  /** Called by libuv, again in each round of the event loop while there is something. */
  tell(status: number): void {
    if (this.#isTold || this.#closed !== undefined) return
    this.#isTold = true
    setImmediate(this.#serve, status)
  }

  readonly #serve = (status: number): void => {
    this.#isTold = false
    if (this.#closed !== undefined || this.#isPaused) return
    try {
      this.#watcher.onReadable()
      // An error waits at the descriptor, such as one that ICMP has told: libuv has stopped looking, and whoever reads has had it now.
      if (status < 0 && this.#closed === undefined && !this.#isPaused) this.#start()
    } catch (error) {
      void this.close()
      this.#watcher.onError(error)
    }
  }

  #start(): void {
    const { start, onReadable } = this.#functions
    start(this.#memory.address, UV_READABLE, onReadable)
  }

  pause(): void {
    if (this.#closed !== undefined || this.#isPaused) return
    this.#isPaused = true
    this.#functions.stop(this.#memory.address)
  }

  resume(): void {
    if (this.#closed !== undefined || !this.#isPaused) return
    this.#isPaused = false
    this.#start()
  }

  close(): Promise<void> {
    this.#closed ??= new Promise(resolve => {
      this.#onClosed = resolve
      this.#functions.close(this.#memory.address, this.#functions.onClosed)
    })
    return this.#closed
  }

  wasClosed(): void {
    watches.delete(Number(this.#memory.address))
    spare.push(this.#memory)
    if (this.#onClosed !== undefined) setImmediate(this.#onClosed)
  }
}

/** Why nothing can be watched here; undefined: it can. */
export function readinessProblem(): string | undefined {
  if (process.platform !== 'linux' && process.platform !== 'darwin') return `not built for ${process.platform}`
  // The only loop that can be had by name is that of the main thread.
  if (!isMainThread) return 'a worker thread has an event loop of its own, which is out of reach'
  functions ??= loadFunctions()
  return typeof functions === 'string' ? functions : undefined
}

/** Begins to watch. Throws where `readinessProblem` says why. The caller keeps the descriptor open until `close` has resolved. */
export function watchReadable(fd: number, watcher: Watcher, options: WatchOptions = {}): Watch {
  const problem = readinessProblem()
  if (problem !== undefined) throw new Error(`descriptors cannot be watched: ${problem}`)
  const watch = new OpenWatch(fd, watcher, functions as PollFunctions)
  watch.open(options)
  return watch
}

function loadFunctions(): PollFunctions | string {
  const library = loadLibrary(null)
  if (typeof library === 'string') return library
  try {
    return {
      loop: library.func('intptr_t uv_default_loop()')(),
      handleSize: Number(library.func('size_t uv_handle_size(int type)')(UV_POLL)),
      init: library.func('int uv_poll_init(intptr_t loop, intptr_t handle, int fd)'),
      start: library.func('int uv_poll_start(intptr_t handle, int events, void *callback)'),
      stop: library.func('int uv_poll_stop(intptr_t handle)'),
      unref: library.func('void uv_unref(intptr_t handle)'),
      close: library.func('void uv_close(intptr_t handle, void *callback)'),
      onReadable: registerCallback('void (intptr_t handle, int status, int events)', (handle, status) =>
        watches.get(handle)?.tell(status),
      ),
      onClosed: registerCallback('void (intptr_t handle)', handle => watches.get(handle)?.wasClosed()),
    }
  } catch (error) {
    return `this Node does not export libuv: ${(error as Error).message.split('\n')[0]}`
  }
}

function whyNot(errno: number): string {
  const name = getSystemErrorName(errno)
  if (name === 'EBADF') return 'it is not open'
  return name === 'EEXIST' ? 'it is being watched already' : name
}

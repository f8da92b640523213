/**
 * Says when there is something to read from descriptors that Node's event loop does not know: TUN devices, sockets that were opened
 * through koffi. For Linux; for macOS, where it has not been tried yet.
 *
 *     const watch = watchReadable(fd, { onReadable: () => readSome(fd), onError: error => ... })
 *     ...
 *     await watch.close()      // from here on nobody looks at fd any more
 *     close(fd)
 *
 * One poll(2) serves the whole process. It waits on one of the four threads that Node has for files and names, so that any number of
 * descriptors takes one of them. A pipe(2) among the descriptors wakes it, when one is added or removed, and when the process ends:
 * Node waits for its threads then.
 *
 *     watchReadable --> pipe --> poll returns --> onReadable of what is ready --> poll again, at first without waiting
 *
 * After something was read, the next turn of the event loop asks poll itself, without a thread and without waiting: under load there is
 * something again, and the way over the thread is spared.
 */

import { constants } from 'node:fs'
import { loadLibrary, type NativeFunction } from './libc.ts'

export interface Watcher {
  /** There is something to read, or the descriptor has failed. Reads a bounded amount: what is left over is told again in the next turn. */
  onReadable(): void
  /** `onReadable` has thrown, or the descriptor cannot be watched; it is not watched any more. Must not throw. */
  onError(error: unknown): void
}

export interface Watch {
  /** Resolves when the descriptor is no longer in use here, and may be closed. Idempotent; never rejects. */
  close(): Promise<void>
}

/** <poll.h>, <fcntl.h>: the same on Linux and macOS, but for O_NONBLOCK. */
const POLLIN = 1
const POLLNVAL = 0x20
const POLLFD_SIZE = 8
const F_SETFD = 2
const F_SETFL = 4
const FD_CLOEXEC = 1
/** poll is interrupted now and then; when it fails this often in a row, something is wrong that will not pass. */
const MAX_FAILURES = 16

interface PollFunctions {
  readonly poll: NativeFunction
  readonly pipe: NativeFunction
  /** With an argument of any kind: it has to be named, as some systems hand it over in another way. */
  readonly fcntl: NativeFunction
  readonly read: NativeFunction
  readonly write: NativeFunction
  readonly close: NativeFunction
}

class OpenWatch implements Watch {
  readonly fd: number
  readonly watcher: Watcher
  /** Where it stands in the poll that is under way; -1: not in it. */
  position = -1

  constructor(fd: number, watcher: Watcher) {
    this.fd = fd
    this.watcher = watcher
  }

  close(): Promise<void> {
    return remove(this)
  }
}

let functions: PollFunctions | string | undefined
const watches = new Set<OpenWatch>()
/** Those who wait for the poll under way to end. */
const waiting: (() => void)[] = []
/** The ends of the pipe: what is written into the one wakes the poll, in which the other is. */
let wakeFd = -1
let wakenFd = -1
let isPolling = false
let isServing = false
let failures = 0
let descriptors = Buffer.allocUnsafeSlow(8 * POLLFD_SIZE)
const oneByte = Buffer.alloc(1)
const drained = Buffer.alloc(64)

/** Why nothing can be watched here; undefined: it can. */
export function readinessProblem(): string | undefined {
  if (process.platform !== 'linux' && process.platform !== 'darwin') return `not built for ${process.platform}`
  if (process.env.UV_THREADPOOL_SIZE === '1') return 'UV_THREADPOOL_SIZE is 1: waiting would leave no thread for files'
  functions ??= loadFunctions()
  return typeof functions === 'string' ? functions : undefined
}

/** Begins to watch. Throws where `readinessProblem` says why. The caller keeps the descriptor open until `close` has resolved. */
export function watchReadable(fd: number, watcher: Watcher): Watch {
  const problem = readinessProblem()
  if (problem !== undefined) throw new Error(`descriptors cannot be watched: ${problem}`)
  if (wakeFd === -1) open()
  const watch = new OpenWatch(fd, watcher)
  watches.add(watch)
  if (isPolling) wake()
  else if (!isServing) poll()
  return watch
}

function remove(watch: OpenWatch): Promise<void> {
  watches.delete(watch)
  if (!isPolling) {
    if (watches.size === 0 && !isServing) shut()
    return Promise.resolve()
  }
  wake()
  return new Promise(resolve => waiting.push(resolve))
}

function loadFunctions(): PollFunctions | string {
  const library = loadLibrary(null)
  if (typeof library === 'string') return library
  return {
    poll: library.func('int poll(void *fds, unsigned long count, int timeout)'),
    pipe: library.func('int pipe(void *fds)'),
    fcntl: library.func('int fcntl(int fd, int command, ...)'),
    read: library.func('int64 read(int fd, void *bytes, size_t length)'),
    write: library.func('int64 write(int fd, void *bytes, size_t length)'),
    close: library.func('int close(int fd)'),
  }
}

function open(): void {
  const { pipe, fcntl } = functions as PollFunctions
  const ends = new Int32Array(2)
  if (pipe(ends) === -1) throw new Error('a pipe was refused: too many files are open; raise the limit with ulimit -n')
  for (const fd of ends) {
    fcntl(fd, F_SETFL, 'int', constants.O_NONBLOCK)
    fcntl(fd, F_SETFD, 'int', FD_CLOEXEC)
  }
  ;[wakenFd, wakeFd] = ends
  process.on('exit', wake)
}

function shut(): void {
  if (wakeFd === -1) return
  process.off('exit', wake)
  for (const fd of [wakenFd, wakeFd]) (functions as PollFunctions).close(fd)
  wakeFd = -1
}

/** A pipe that is full wakes all the same. */
function wake(): void {
  ;(functions as PollFunctions).write(wakeFd, oneByte, 1)
}

/** Waits, on a thread, for the next that is ready. */
function poll(): void {
  isPolling = true
  const { poll } = functions as PollFunctions
  // First: it may put a larger buffer there.
  const count = writeDescriptors()
  poll.async(descriptors, count, -1, (error: Error | null, ready: number) => {
    isPolling = false
    for (const resolve of waiting.splice(0)) resolve()
    serve(error === null ? ready : -1)
  })
}

function pollWithoutWaiting(): void {
  const { poll } = functions as PollFunctions
  const count = writeDescriptors()
  serve(poll(descriptors, count, 0))
}

/** One for each watch, the pipe in front of them. Returns how many. */
function writeDescriptors(): number {
  if (descriptors.length < (watches.size + 1) * POLLFD_SIZE) {
    descriptors = Buffer.allocUnsafeSlow((watches.size + 1) * 2 * POLLFD_SIZE)
  }
  let position = 0
  writeDescriptor(position++, wakenFd)
  for (const watch of watches) {
    watch.position = position
    writeDescriptor(position++, watch.fd)
  }
  return position
}

function writeDescriptor(position: number, fd: number): void {
  descriptors.writeInt32LE(fd, position * POLLFD_SIZE)
  descriptors.writeInt32LE(POLLIN, position * POLLFD_SIZE + 4)
}

/** What poll says of it: POLLIN and others; 0 for nothing. */
function stateAt(position: number): number {
  return descriptors[position * POLLFD_SIZE + 6]
}

/** `ready`: how many poll has found; negative when it has failed. */
function serve(ready: number): void {
  isServing = true
  failures = ready < 0 ? failures + 1 : 0
  if (failures >= MAX_FAILURES) failAll(new Error('poll(2) fails each time'))
  if (ready > 0) {
    if (stateAt(0) !== 0) (functions as PollFunctions).read(wakenFd, drained, drained.length)
    for (const watch of watches) {
      const state = watch.position === -1 ? 0 : stateAt(watch.position)
      watch.position = -1
      if (state & POLLNVAL) fail(watch, new Error(`descriptor ${watch.fd} is not open`))
      else if (state !== 0) serveOne(watch)
    }
  }
  if (watches.size > 0 && ready > 0) {
    setImmediate(pollWithoutWaiting)
    return
  }
  isServing = false
  if (watches.size > 0) poll()
  else shut()
}

function serveOne(watch: OpenWatch): void {
  try {
    watch.watcher.onReadable()
  } catch (error) {
    fail(watch, error)
  }
}

function fail(watch: OpenWatch, error: unknown): void {
  watches.delete(watch)
  watch.watcher.onError(error)
}

function failAll(error: Error): void {
  failures = 0
  for (const watch of [...watches]) fail(watch, error)
}

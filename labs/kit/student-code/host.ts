/**
 * What runs in the child process beside a student's code: it loads the code, calls what it is told to call, and sends
 * back what was returned. It knows no expected results, so there is nothing here worth stealing.
 *
 * Four walls stand around the student's code. This file builds the innermost: it takes away every global and every
 * module by which code reaches out of its process, and freezes what is left (freeze.ts). The process itself is started with Node's
 * permission model (no files, no child processes, no threads), without a network where the operating system can do that
 * (isolation.ts), and its parent ends it when it takes too much of anything (sandbox.ts).
 *
 * It is bundled into one script and given to `node -e`, so that the child need not be allowed to read any file.
 *
 * Questions come on standard input, replies leave through descriptor 3. No stream is made for either: a socket in this process
 * is one that student code may find, and its class connects to anything. Replies are written synchronously, so that everything about
 * one call has left the process before the next one gets a chance never to end.
 */
import { compileFunction } from 'node:vm'
import { fromWire, NotCloneable, toWire } from './codec.ts'
import { encodeFrame, FrameReader, MAX_FRAME_BYTES } from './frames.ts'
import { freezeAll } from './freeze.ts'
import type { Reply, Request, WireError } from './protocol.ts'

/** None that leads to sockets, files or threads. */
const MODULES = ['assert', 'assert/strict', 'buffer', 'path', 'string_decoder', 'url', 'util'] as const

const GLOBALS = new Set(
  (
    'Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise RegExp ' +
    'Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError globalThis JSON Math Intl ' +
    'ArrayBuffer SharedArrayBuffer Atomics Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array ' +
    'Float32Array Float64Array Float16Array Uint8ClampedArray BigUint64Array BigInt64Array DataView Map BigInt Set ' +
    'WeakMap WeakSet WeakRef FinalizationRegistry Proxy Reflect Iterator decodeURI decodeURIComponent encodeURI ' +
    'encodeURIComponent escape unescape eval isFinite isNaN Buffer URL URLSearchParams AbortController AbortSignal ' +
    'Event EventTarget DOMException TextEncoder TextDecoder setTimeout clearTimeout setInterval clearInterval ' +
    'setImmediate clearImmediate queueMicrotask structuredClone atob btoa'
  ).split(' '),
)

/** What this file needs itself is taken before any student's code can have changed it. */
const realProcess = process
const QUESTIONS = 0
const REPLIES = 3
const { read, writeSync } = process.getBuiltinModule('node:fs')
const { inspect } = process.getBuiltinModule('node:util')
const provided = new Map(MODULES.map(name => [name as string, process.getBuiltinModule(`node:${name}`)]))

function send(reply: Reply): void {
  write(encodeFrame(withOutput(reply)))
}

/** An outcome, and what was printed on the way to it. */
function withOutput(reply: Reply): Reply {
  if (printed === '' || 'ready' in reply || 'exit' in reply) return reply
  const told = { ...reply, printed }
  printed = ''
  return told
}

function write(frame: Uint8Array): void {
  try {
    for (let done = 0; done < frame.length; ) done += writeSync(REPLIES, frame, done)
  } catch {
    // The check has gone, and with it any reason to be here.
    realProcess.exit(0)
  }
}

/** What the call that is running has printed: the beginning of it. */
let printed = ''
const KEPT_OUTPUT = 2000

/** A console that writes and can do nothing else. */
const print =
  (descriptor: 1 | 2) =>
  (...values: unknown[]) => {
    const text = `${values.map(value => (typeof value === 'string' ? value : inspect(value))).join(' ')}\n`
    if (printed.length < KEPT_OUTPUT) printed += text.slice(0, KEPT_OUTPUT - printed.length)
    try {
      writeSync(descriptor, text)
    } catch {
      // Nobody reads it any more.
    }
  }
const quiet = () => {}
const console = {
  log: print(1),
  info: print(1),
  debug: print(1),
  dir: print(1),
  table: print(1),
  group: print(1),
  groupEnd: quiet,
  time: quiet,
  timeEnd: quiet,
  assert: (holds: unknown, ...values: unknown[]) => {
    if (!holds) console.error('Assertion failed', ...values)
  },
  error: print(2),
  warn: print(2),
  trace: print(2),
}

/** What is left of `process`: enough for code that measures or branches on it. */
const process_ = {
  argv: [] as string[],
  env: {} as Record<string, string>,
  platform: realProcess.platform,
  arch: realProcess.arch,
  version: realProcess.version,
  versions: { ...realProcess.versions },
  hrtime: realProcess.hrtime,
  nextTick: realProcess.nextTick,
  uptime: () => realProcess.uptime(),
  exit(code?: number | string | null) {
    // Told first: the real one waits for the thread that reads questions, so this process has to be ended from outside.
    send({ id: -2, exit: Number(code ?? 0) })
    realProcess.exit(Number(code ?? 0))
  },
}

function closeTheDoors(): void {
  const globals = globalThis as Record<string, unknown>
  const kept: unknown[] = []
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!GLOBALS.has(name)) {
      delete globals[name]
      continue
    }
    if (name === 'globalThis') continue
    kept.push(globals[name])
    // This file uses them, too.
    Object.defineProperty(globalThis, name, { value: globals[name], writable: false, configurable: false })
  }
  Object.assign(globalThis, { console, process: process_, global: globalThis })
  // Some members of modules put themselves in their place when they are read for the first time.
  for (const module of provided.values())
    for (const name of Object.keys(module as object)) Reflect.get(module as object, name)
  const own = [realProcess, globalThis, console, process_]
  freezeAll([...kept, ...provided.values(), ...withoutName()], new Set<unknown>(own))
  // Should the real one be found by some way nobody thought of, it is of little use.
  const dangerous = (
    'kill _kill binding _linkedBinding dlopen getBuiltinModule mainModule _debugProcess _debugEnd _startProfilerIdleNotifier ' +
    'stdin stdout stderr openStdin _getActiveHandles _getActiveRequests getActiveResourcesInfo chdir emit emitWarning env report'
  ).split(' ')
  for (const name of dangerous) delete (realProcess as unknown as Record<string, unknown>)[name]
  // What Node itself asks for: AssertionError whether there are colours, whatever is deprecated a way to say so.
  const left = {
    stderr: Object.freeze({ isTTY: false, getColorDepth: () => 1 }),
    env: Object.freeze({}),
    emitWarning: quiet,
  }
  for (const [name, value] of Object.entries(left)) Object.defineProperty(realProcess, name, { value })
}

/** Objects of the language and of Node that code reaches although they have no name. */
function withoutName(): unknown[] {
  const [timeout, immediate] = [setTimeout(quiet, 0), setImmediate(quiet)]
  clearTimeout(timeout)
  clearImmediate(immediate)
  const iterators = [[], '', new Map(), new Set(), new URLSearchParams()].map(one => one[Symbol.iterator]())
  const functions = [function* () {}, async () => {}, async function* () {}]
  return [timeout, immediate, ...iterators, 'a'.matchAll(/a/g), ...functions].map(one => Object.getPrototypeOf(one))
}

const loaded = new Map<string, Record<string, unknown>>()
const objects = new Map<number, object>()

async function load(file: string, code: string): Promise<void> {
  const module = { exports: {} as Record<string, unknown> }
  const require = (name: string): unknown => {
    const found = provided.get(name.replace(/^node:/, ''))
    if (!found) throw new Error(`${name} is not available to exercises`)
    return found
  }
  // Without a callback for it, import() fails in this code, in whatever form it is written.
  const run = compileFunction(code, ['module', 'exports', 'require'], { filename: `student:${file}` })
  // A module that awaits is a promise.
  await run.call(undefined, module, module.exports, require)
  loaded.set(file, module.exports)
}

function describe(error: unknown, kind: string): WireError {
  try {
    if (!(error instanceof Error)) return { kind, message: `${inspect(error)} (not an Error)`.slice(0, 4000) }
    const frame = /student:(.+?):(\d+):(\d+)/.exec(String(error.stack))
    const outOfMemory =
      error instanceof RangeError &&
      /^(Array buffer allocation failed|Invalid (typed )?array (buffer )?length)/.test(error.message)
    return {
      kind: outOfMemory ? 'memory' : kind,
      message: String(error.message).slice(0, 4000),
      errorName: String(error.constructor?.name ?? error.name).slice(0, 200),
      classes: classesOf(error),
      ...(frame ? { at: [frame[1], Number(frame[2]), Number(frame[3])] } : {}),
    }
  } catch {
    return { kind, message: 'an error that cannot be shown' }
  }
}

function classesOf(error: Error): string[] {
  const names: string[] = []
  for (let at = Object.getPrototypeOf(error); at && names.length < 8; at = Object.getPrototypeOf(at)) {
    names.push(String(at.constructor?.name).slice(0, 200))
  }
  return names
}

function reply(id: number, value: unknown, name: string): void {
  try {
    const frame = encodeFrame(withOutput({ id, value: toWire(value, `what ${name} returned`) }))
    if (frame.length > MAX_FRAME_BYTES) {
      throw new NotCloneable(
        `what ${name} returned takes ${frame.length} bytes; at most ${MAX_FRAME_BYTES} can be handed over`,
      )
    }
    write(frame)
  } catch (error) {
    const notCloneable = error instanceof NotCloneable
    send({ id, error: notCloneable ? { kind: 'not-cloneable', message: error.message } : describe(error, 'threw') })
  }
}

function missing(name: string, names: readonly string[]): WireError {
  return { kind: 'missing-export', message: JSON.stringify([name, names.slice(0, 50)]) }
}

function exported(file: string, name: string): unknown {
  const exports = loaded.get(file) ?? {}
  return Object.hasOwn(exports, name) ? exports[name] : undefined
}

async function callEach(
  id: number,
  name: string,
  argLists: unknown[],
  target: unknown,
  { self, whole = false }: { self?: object; whole?: boolean | undefined } = {},
): Promise<void> {
  for (const wire of argLists) {
    const args = (wire as unknown[]).slice(1).map(one => frozen(fromWire(one, !whole)))
    try {
      const value = await Reflect.apply(target as () => unknown, self, args)
      const error = changedArgument(wire as unknown[], args) ?? changedOutput(value, name, self)
      if (error) send({ id, error })
      else reply(id, value, name)
    } catch (error) {
      send({ id, error: describe(error, 'threw') })
    }
  }
}

/** Arrays and objects that are handed over cannot be changed: whoever tries it is told the line. Bytes cannot be frozen. */
function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const item of Object.values(value)) frozen(item)
  return Object.freeze(value)
}

const sameOnWire = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/** `wire`: as they were before the call. */
function changedArgument(wire: readonly unknown[], args: readonly unknown[]): WireError | undefined {
  const at = args.findIndex((arg, index) => typeof arg === 'object' && !sameOnWire(toWire(arg), wire[index + 1]))
  if (at < 0) return undefined
  const [before, after] = [fromWire(wire[at + 1]), args[at]]
  const byte = before instanceof Uint8Array ? before.findIndex((one, i) => one !== (after as Uint8Array)[i]) : -1
  const where =
    byte < 0 ? '' : `; its byte ${byte} was ${(before as Uint8Array)[byte]} and is ${(after as Uint8Array)[byte]} now`
  return { kind: 'changed-input', message: `argument ${at + 1} is not what it was before the call${where}` }
}

/** What was returned last, to be looked at once more after later calls. */
const outputs: { name: string; value: object; wire: string }[] = []
const OUTPUTS_KEPT = 8
const LONGEST_KEPT = 64 * 1024

function changedOutput(value: unknown, name: string, self: object | undefined): WireError | undefined {
  const changed = outputs.filter(one => JSON.stringify(toWire(one.value)) !== one.wire)
  for (const one of changed) outputs.splice(outputs.indexOf(one), 1)
  if (typeof value === 'object' && value !== null && value !== self) remember(value, name)
  if (changed.length === 0) return undefined
  return {
    kind: 'changed-output',
    message: `this call changed what an earlier call of ${changed[0].name} had returned`,
  }
}

function remember(value: object, name: string): void {
  try {
    const wire = JSON.stringify(toWire(value))
    if (wire.length <= LONGEST_KEPT) outputs.push({ name, value, wire })
    if (outputs.length > OUTPUTS_KEPT) outputs.shift()
  } catch {
    // It cannot be copied: `reply` says why.
  }
}

async function obey(request: Request): Promise<void> {
  const { id } = request
  switch (request.op) {
    case 'load':
      try {
        await load(request.file, request.code)
        send({ id, value: null })
      } catch (error) {
        send({ id, error: describe(error, 'import') })
      }
      return
    case 'call': {
      const target = exported(request.file, request.name)
      if (typeof target !== 'function') {
        send({ id, error: missing(request.name, Object.keys(loaded.get(request.file) ?? {})), all: true })
        return
      }
      await callEach(id, `${request.name}()`, request.argLists, target, { whole: request.whole })
      return
    }
    case 'create': {
      const target = exported(request.file, request.name)
      if (typeof target !== 'function') {
        send({ id, error: missing(request.name, Object.keys(loaded.get(request.file) ?? {})) })
        return
      }
      try {
        objects.set(request.object, Reflect.construct(target, fromWire(request.args) as unknown[]))
        send({ id, value: null })
      } catch (error) {
        send({ id, error: describe(error, 'threw') })
      }
      return
    }
    case 'method': {
      const self = objects.get(request.object) as Record<string, unknown> | undefined
      const target = self?.[request.name]
      if (typeof target !== 'function') {
        const names = self ? Object.getOwnPropertyNames(Object.getPrototypeOf(self)) : []
        send({ id, error: missing(request.name, names), all: true })
        return
      }
      await callEach(id, `${request.name}()`, request.argLists, target, { self: self as object })
      return
    }
    case 'get':
      try {
        reply(id, (objects.get(request.object) as Record<string, unknown> | undefined)?.[request.name], request.name)
      } catch (error) {
        send({ id, error: describe(error, 'threw') })
      }
  }
}

closeTheDoors()
const frames = new FrameReader()
const piece = Buffer.allocUnsafeSlow(64 * 1024)
function nextQuestions(): void {
  read(QUESTIONS, piece, 0, piece.length, null, (error, length) => {
    // The check has gone.
    if (error || length === 0) realProcess.exit(0)
    for (const message of frames.push(Buffer.from(piece.subarray(0, length)))) void obey(message as Request)
    nextQuestions()
  })
}
nextQuestions()
// Thrown after its function has returned, by a timer or in a promise that nobody waits for.
realProcess.on('uncaughtException', error => {
  send({ id: -1, error: describe(error, 'threw') })
  realProcess.exit(1)
})
send({ id: 0, ready: true })

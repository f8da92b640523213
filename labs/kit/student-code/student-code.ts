/** `StudentCode` for an exercise folder: builds what is called, and calls it in a sandbox. */
import { type BuiltFile, buildStudentFile } from './build.ts'
import { fromWire, toWire } from './codec.ts'
import type { WireError } from './protocol.ts'
import { type Ask, type End, type Limits, Sandbox, type WireOutcome } from './sandbox.ts'
import {
  firstValue,
  type Outcome,
  SandboxError,
  STUDENT_ERROR_KINDS,
  type StudentCode,
  StudentError,
  type StudentErrorDetails,
  type StudentErrorKind,
  type StudentObject,
} from './types.ts'

export type { Outcome, StudentCode, StudentErrorKind, StudentObject } from './types.ts'
export { SandboxError, StudentError } from './types.ts'

export interface StudentCodeOptions {
  /** Where the student's files are. */
  exercises: string
  /** Ends the process when it is aborted. */
  signal?: AbortSignal
  limits?: Partial<Limits>
  /** Files of a check's own, by name, that run in the sandbox and may import the student's. */
  ours?: ReadonlyMap<string, string>
}

/** Nothing is read or started before the first call. `close` it in the end. */
export function openStudentCode({ exercises, signal, limits = {}, ours }: StudentCodeOptions): StudentCode {
  const code = new SandboxedCode(exercises, limits, ours)
  const close = () => void code.close()
  if (signal?.aborted) close()
  else signal?.addEventListener('abort', close, { once: true })
  return code
}

class SandboxedCode implements StudentCode {
  #folder: string
  #limits: Partial<Limits>
  #ours: ReadonlyMap<string, string> | undefined
  #sandbox: Promise<Sandbox> | undefined
  #files = new Map<string, Promise<BuiltFile>>()
  #loading = new Map<string, Promise<void>>()
  #objects = 0
  #others = new Set<SandboxedCode>()
  #closed = false

  constructor(folder: string, limits: Partial<Limits>, ours?: ReadonlyMap<string, string>) {
    this.#folder = folder
    this.#limits = limits
    this.#ours = ours
  }

  async call<T>(file: string, name: string, ...args: unknown[]): Promise<T> {
    return firstValue(await this.batch<T>(file, name, [args]))
  }

  async batch<T>(file: string, name: string, argLists: readonly (readonly unknown[])[]): Promise<Outcome<T>[]> {
    await this.#load(file)
    const ask: Ask = { op: 'call', file, name, argLists: argLists.map(args => toWire([...args])) }
    return await this.#each<T>(ask, argLists.length, file, `${name}()`)
  }

  async alone<T>(file: string, name: string, args: readonly unknown[], whole: boolean): Promise<Outcome<T>> {
    const other = new SandboxedCode(this.#folder, this.#limits, this.#ours)
    this.#others.add(other)
    try {
      await other.#load(file)
      const ask: Ask = { op: 'call', file, name, argLists: [toWire([...args])], whole }
      return (await other.#each<T>(ask, 1, file, `${name}()`))[0]
    } finally {
      await other.close()
      this.#others.delete(other)
    }
  }

  async create(file: string, className: string, ...args: unknown[]): Promise<StudentObject> {
    await this.#load(file)
    const object = ++this.#objects
    const what = `new ${className}()`
    const one = async (ask: Ask, what: string) => {
      return firstValue(await this.#each(ask, 1, file, what))
    }
    await one({ op: 'create', file, name: className, object, args: toWire(args) }, what)
    const batch = async <T>(method: string, argLists: readonly (readonly unknown[])[]): Promise<Outcome<T>[]> => {
      const ask: Ask = { op: 'method', object, name: method, argLists: argLists.map(list => toWire([...list])) }
      return await this.#each<T>(ask, argLists.length, file, `${className}.${method}()`)
    }
    return {
      batch,
      call: async <T>(method: string, ...args: unknown[]) => firstValue(await batch<T>(method, [args])),
      get: async <T>(property: string) =>
        (await one({ op: 'get', object, name: property }, `${className}.${property}`)) as T,
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const other of this.#others) void other.close()
    await this.#sandbox?.then(
      sandbox => sandbox.close(),
      () => {},
    )
  }

  async #start(): Promise<Sandbox> {
    if (this.#closed) throw new Error('the student code has been closed')
    this.#sandbox ??= Sandbox.start(this.#limits)
    return await this.#sandbox
  }

  /** Builds and loads a file at its first use. The process starts meanwhile. */
  #load(file: string): Promise<void> {
    let loading = this.#loading.get(file)
    if (!loading) {
      loading = (async () => {
        const starting = this.#start()
        starting.catch(() => {})
        const built = buildStudentFile(this.#folder, file, this.#ours)
        this.#files.set(file, built)
        const { code } = await built
        await starting
        firstValue(await this.#each({ op: 'load', file, code }, 1, file, `loading ${file}`))
      })()
      this.#loading.set(file, loading)
    }
    return loading
  }

  async #each<T>(ask: Ask, count: number, file: string, what: string): Promise<Outcome<T>[]> {
    const sandbox = await this.#start()
    const { outcomes, all, end } = await sandbox.ask(ask, count)
    if (all) throw await this.#error(all, file, what, sandbox.output)
    const result: Outcome<T>[] = []
    for (const outcome of outcomes) result.push(await this.#outcome<T>(outcome, file, what))
    if (end && result.length < count) {
      if (end.kind === 'sandbox') throw new SandboxError(end.message)
      const error = await this.#endError(end, file, what, sandbox)
      while (result.length < count) result.push({ ok: false, error })
    }
    return result
  }

  async #outcome<T>(outcome: WireOutcome, file: string, what: string): Promise<Outcome<T>> {
    const { printed } = outcome
    if ('error' in outcome) return { ok: false, error: await this.#error(outcome.error, file, what, printed) }
    try {
      return { ok: true, value: fromWire(outcome.value) as T, ...outputOf(printed) }
    } catch {
      return {
        ok: false,
        error: new StudentError('not-cloneable', `${what} returned what cannot be read`, { file, during: what }),
      }
    }
  }

  async #error(wire: WireError, file: string, what: string, printed?: string): Promise<StudentError> {
    const kind: StudentErrorKind = STUDENT_ERROR_KINDS.find(known => known === wire.kind) ?? 'threw'
    const details: StudentErrorDetails = { file, during: what, ...(await this.#position(wire)), ...outputOf(printed) }
    if (wire.errorName !== undefined) details.errorName = wire.errorName
    if (wire.classes !== undefined) details.classes = wire.classes
    if (kind === 'missing-export') return new StudentError(kind, missingExport(wire.message, what), details)
    return new StudentError(kind, wire.message, details)
  }

  async #endError(end: End, file: string, what: string, sandbox: Sandbox): Promise<StudentError> {
    if (end.error) return await this.#error(end.error, file, `what ${what} had left running`, sandbox.output)
    const kind = end.kind === 'sandbox' ? 'exited' : end.kind
    return new StudentError(kind, end.message, { file, during: what, ...outputOf(sandbox.output) })
  }

  /** Where in the student's own file that was. */
  async #position({ at }: WireError): Promise<StudentErrorDetails> {
    if (!at) return {}
    const built = await this.#files.get(at[0])?.catch(() => undefined)
    return built?.original(at[1], at[2]) ?? {}
  }
}

function outputOf(output = ''): { output?: string } {
  return output === '' ? {} : { output }
}

/** `wire`: what was looked for, and what there is. */
function missingExport(wire: string, what: string): string {
  let wanted = what
  let names: string[] = []
  try {
    const parsed = JSON.parse(wire) as [string, string[]]
    wanted = String(parsed[0])
    names = parsed[1].map(String).filter(name => name !== 'constructor')
  } catch {
    // Then it is said without the names.
  }
  const similar = names.find(name => name.toLowerCase() === wanted.toLowerCase())
  const hint = similar ? ` Is ${similar} meant to be ${wanted}?` : ''
  const there = names.length === 0 ? 'nothing' : names.join(', ')
  if (what.includes('.')) return `there is no method ${wanted}; there is ${there}.${hint}`
  return `there is no export named ${wanted}; the file exports ${there}.${hint}`
}

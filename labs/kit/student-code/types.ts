/**
 * How a check calls what a student wrote.
 *
 * Students export plain functions and small classes. Their code never runs in the process of the check: it runs in a
 * child process that holds nothing else (host.ts), and the check judges the values that come back. So a student's code
 * can neither patch the assertions, nor end the check early, nor print a result: all it can do is to return values.
 */

/**
 * What is handed over belongs to the caller: objects and arrays are frozen, bytes are a part of a larger buffer and compared with what
 * they were when the call has returned, and what was returned is looked at again after later calls.
 *
 * Arguments and results are copied: numbers, strings, booleans, bigint, null, undefined, Uint8Array and the other typed
 * arrays, arrays, plain objects, Map, Set, Date. An instance of a class arrives as a plain object with its fields and getters.
 */
export interface StudentCode {
  /** Calls an exported function; `file` is relative to the exercise folder. Rejects with `StudentError`. */
  call<T = unknown>(file: string, name: string, ...args: unknown[]): Promise<T>
  /**
   * Many calls of one function in one round trip, in order; one outcome for each list of arguments. When a call ends
   * everything (a loop without end, `process.exit`), its outcome is that error, and so is that of the calls after it.
   * Rejects with `StudentError` only when there is no such function.
   */
  batch<T = unknown>(file: string, name: string, argLists: readonly (readonly unknown[])[]): Promise<Outcome<T>[]>
  /**
   * One call in a process of its own, before which there was none. `whole`: byte arrays fill their buffers there, which they do
   * not elsewhere. Both find out why a call went wrong; no verdict is made of them.
   */
  alone<T = unknown>(file: string, name: string, args: readonly unknown[], whole: boolean): Promise<Outcome<T>>
  /** Constructs an exported class. */
  create(file: string, className: string, ...args: unknown[]): Promise<StudentObject>
  /** Ends the child process. */
  close(): Promise<void>
}

/** An object that lives in the child process. */
export interface StudentObject {
  /** Calls a method. */
  call<T = unknown>(method: string, ...args: unknown[]): Promise<T>
  /** As `StudentCode.batch`, with a method of this object. */
  batch<T = unknown>(method: string, argLists: readonly (readonly unknown[])[]): Promise<Outcome<T>[]>
  /** Reads a property. */
  get<T = unknown>(property: string): Promise<T>
}

/** `output`: the beginning of what the call has printed. */
export type Outcome<T = unknown> =
  | { readonly ok: true; readonly value: T; readonly output?: string }
  | { readonly ok: false; readonly error: StudentError }

/** What the first call returned. Throws what it threw. */
export function firstValue<T>([outcome]: readonly Outcome<T>[]): T {
  if (!outcome.ok) throw outcome.error
  return outcome.value
}

export const STUDENT_ERROR_KINDS = [
  /** The exercise file is not there, or is not an ordinary file. */
  'missing-file',
  /** It is not TypeScript, or imports what may not be imported. */
  'compile',
  /** It threw while it was loaded. */
  'import',
  /** It exports no function or class, or the object has no method, of that name. */
  'missing-export',
  /** The function threw. */
  'threw',
  /** It took longer than it may. */
  'timeout',
  /** It took more memory than it may. */
  'memory',
  /** It ended its process. */
  'exited',
  /** It printed more than it may. */
  'output',
  /** It changed what it was given. */
  'changed-input',
  /** It changed what an earlier call had returned. */
  'changed-output',
  /** What it returned cannot be copied: a function, a symbol, a cycle, too much. */
  'not-cloneable',
] as const
export type StudentErrorKind = (typeof STUDENT_ERROR_KINDS)[number]

export interface StudentErrorDetails {
  /** Relative to the exercise folder. */
  file?: string
  /** From 1. */
  line?: number
  /** From 1. */
  column?: number
  /** That line of the file. */
  source?: string
  /** The class of what the student's code threw, such as `RangeError`. */
  errorName?: string
  /** That class and those above it. */
  classes?: readonly string[]
  /** What was being done: `decodeVarint()`. */
  during?: string
  /** The beginning of what the call printed; of what was printed before it, when the process has ended. */
  output?: string
}

/**
 * What went wrong in the sandbox itself, and not in the student's code: it could not be started, or something outside ended it. The
 * message is one sentence. Whoever catches it blames nobody.
 */
export class SandboxError extends Error {
  override name = 'SandboxError'
}

/**
 * What went wrong in the student's code. `message` is what their code threw, as it is, for the kinds `threw` and
 * `import`, else a sentence about what happened; feedback.ts puts the whole into words for the student.
 */
export class StudentError extends Error {
  declare readonly kind: StudentErrorKind
  declare readonly file?: string
  declare readonly line?: number
  declare readonly column?: number
  declare readonly source?: string
  declare readonly errorName?: string
  declare readonly classes?: readonly string[]
  declare readonly during?: string
  declare readonly output?: string

  constructor(kind: StudentErrorKind, message: string, details: StudentErrorDetails = {}) {
    super(message)
    this.name = 'StudentError'
    Object.assign(this, { kind, ...details })
  }

  /** `capsule.ts:12:5`, as far as it is known. */
  get where(): string {
    return [this.file, this.line, this.column].filter(part => part !== undefined).join(':')
  }
}

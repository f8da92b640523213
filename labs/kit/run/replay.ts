/**
 * A failing input on its own: a small program beside the student's files that makes the same calls once more, without the check around
 * them. It can be read, changed, run and stepped through.
 *
 *     labs/lab-03-protocol/exercises/.replay/varint.ts
 *     npm run lab -- 3 --task varint --replay --inspect
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { thrownAt } from '../check/feedback.ts'
import { exerciseFolder } from '../lab/exercises.ts'
import type { FailingCalls, Lab, Task } from '../lab/types.ts'
import {
  firstValue,
  type Outcome,
  type StudentCode,
  type StudentError,
  type StudentObject,
} from '../student-code/types.ts'

/** Where it is, from the exercise folder. A name with a dot: it is no part of what is handed in. */
const FOLDER = '.replay'
/** A longer one would be read by nobody. */
const MAX_BYTES = 4 * 1024 * 1024

/** The same code, of which it is known what it was asked last. */
export class RecordedCode implements StudentCode {
  readonly #code: StudentCode
  #last: { calls: FailingCalls; outcomes: readonly Outcome[] } | undefined

  constructor(code: StudentCode) {
    this.#code = code
  }

  /** What was asked last, and what was printed on the way to its last outcome. */
  get last(): { calls: FailingCalls; output: string } | undefined {
    if (!this.#last) return undefined
    const { calls, outcomes } = this.#last
    const outcome = outcomes.at(-1)
    return { calls, output: (outcome?.ok ? outcome.output : outcome?.error.output) ?? '' }
  }

  async call<T>(file: string, name: string, ...args: unknown[]): Promise<T> {
    return firstValue(await this.batch<T>(file, name, [args]))
  }

  async batch<T>(file: string, name: string, argLists: readonly (readonly unknown[])[]): Promise<Outcome<T>[]> {
    this.#last = undefined
    const outcomes = await this.#code.batch<T>(file, name, argLists)
    const calls = argLists.map(args => ({ method: name, args }))
    // The first one that failed by itself; a check that compares results says which of them it means.
    const failed = outcomes.findIndex(outcome => !outcome.ok)
    const from = failed < 0 ? { calls, outcomes } : { calls: [calls[failed]], outcomes: [outcomes[failed]] }
    this.#last = { calls: { file, name, calls: from.calls }, outcomes: from.outcomes }
    return outcomes
  }

  async alone<T>(file: string, name: string, args: readonly unknown[], whole: boolean): Promise<Outcome<T>> {
    return await this.#code.alone<T>(file, name, args, whole)
  }

  async create(file: string, name: string, ...created: unknown[]): Promise<StudentObject> {
    const calls: { method: string; args: readonly unknown[] }[] = []
    const note = (outcomes: readonly Outcome[]) => {
      this.#last = { calls: { file, name, created, calls }, outcomes }
    }
    this.#last = undefined
    const object = await this.#code.create(file, name, ...created)
    const batch = async <T>(method: string, argLists: readonly (readonly unknown[])[]): Promise<Outcome<T>[]> => {
      calls.push(...argLists.map(args => ({ method, args })))
      const outcomes = await object.batch<T>(method, argLists)
      note(outcomes)
      return outcomes
    }
    return {
      batch,
      call: async <T>(method: string, ...args: unknown[]) => firstValue(await batch<T>(method, [args])),
      get: property => object.get(property),
    }
  }

  async close(): Promise<void> {
    await this.#code.close()
  }
}

function replayFile(root: string, lab: Lab, task: Task): string {
  return join(exerciseFolder(root, lab), FOLDER, `${task.id}.ts`)
}

export interface Found {
  expected: string
  found: string
}

/** Writes it, unless that cannot be done. Returns its path from `root` and the command that runs it. */
export function writeReplay(
  root: string,
  lab: Lab,
  task: Task,
  calls: FailingCalls,
  found: Found,
): { file: string; command: string } | undefined {
  const file = replayFile(root, lab, task)
  const command = `npm run lab -- ${lab.number} --task ${task.id} --replay`
  try {
    const text = programOf(calls, command, found)
    if (text.length > MAX_BYTES) return undefined
    mkdirSync(join(exerciseFolder(root, lab), FOLDER), { recursive: true })
    writeFileSync(file, text)
    return { file: `labs/${lab.id}/exercises/${FOLDER}/${task.id}.ts`, command }
  } catch {
    return undefined
  }
}

/** The task passes, or failed without such a call: there is nothing to be run again. */
export function forgetReplay(root: string, lab: Lab, task: Task): void {
  try {
    rmSync(replayFile(root, lab, task), { force: true })
  } catch {
    // Somebody else's folder.
  }
}

/** A call that has not ended by then never does. */
const REPLAY_LIMIT_MS = 20_000

export interface ReplayOptions {
  /** Waits for a debugger: for as long as it takes. */
  inspect?: boolean
  limitMs?: number
  /** Takes what is to be said besides what the program prints. */
  say: (text: string) => void
}

/** Runs it in this terminal, until it ends. Returns its exit status, or undefined when there is none for this task. */
export async function runReplay(root: string, lab: Lab, task: Task, given: ReplayOptions): Promise<number | undefined> {
  const { inspect = false, limitMs = REPLAY_LIMIT_MS, say } = given
  const file = replayFile(root, lab, task)
  if (!existsSync(file)) return undefined
  const problem = await compileProblem(exerciseFolder(root, lab), file)
  if (problem !== undefined) {
    say(problem)
    return 1
  }
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  // This process may be killed before it can end the other, which may be in an endless loop.
  const guard = new URL(`../../../src/process/die-with-parent.mjs?parent=${process.pid}`, import.meta.url).href
  const options = ['--import', guard, '--import', tsx]
  if (inspect) options.push('--inspect', '--import', new URL('./wait-for-debugger.mjs', import.meta.url).href)
  const child = spawn(process.execPath, [...options, file], { stdio: 'inherit', cwd: root })
  // Nobody asks a program that is in an endless loop to end.
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  const late = (): void => {
    say(`it had not ended after ${limitMs / 1000} s; with --inspect, a debugger shows where it is`)
    kill()
  }
  const timer = inspect ? undefined : setTimeout(late, limitMs)
  const [status] = (await once(child, 'exit')) as [number | null]
  clearTimeout(timer)
  process.off('exit', kill)
  return status ?? 1
}

/** What keeps the student's file from being compiled, in the words of the check. */
async function compileProblem(exercises: string, replay: string): Promise<string | undefined> {
  const file = /from '\.\.\/([^']+)'/.exec(readFileSync(replay, 'utf8'))?.[1]
  if (file === undefined) return undefined
  const { buildStudentFile } = await import('../student-code/build.ts')
  try {
    await buildStudentFile(exercises, file)
    return undefined
  } catch (error) {
    // By name, as in engine.ts.
    if (error instanceof Error && error.name === 'StudentError') return thrownAt(error as StudentError)
    throw error
  }
}

function programOf({ file, name, created, calls }: FailingCalls, command: string, { expected, found }: Found): string {
  const lines = calls.map(({ method, args }) => {
    const target = created ? `it.${method}` : method
    return `show(await ${target}(${args.map(literal).join(', ')}))`
  })
  const comment = (label: string, text: string) =>
    text.split('\n').map((line, at) => `// ${at === 0 ? label : ' '.repeat(label.length)}${line}`)
  return [
    '// What failed, on its own. Change it as you like; the next check that fails writes it anew.',
    '//',
    `//     ${command}`,
    `//     ${command} --inspect     waits for a debugger: chrome://inspect, or that of your editor`,
    '//',
    ...comment('Expected: ', expected),
    ...comment('Found:    ', found),
    `import { ${name} } from '../${file}'`,
    '',
    "const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))",
    'const show = (value: unknown) => console.dir(value, { depth: null, maxArrayLength: null })',
    '',
    'debugger // It stops here when it is run with --inspect.',
    '',
    ...(created ? [`const it = new ${name}(${created.map(literal).join(', ')})`] : []),
    ...lines,
    '',
  ].join('\n')
}

/** A value as TypeScript, whole. */
export function literal(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes('${Buffer.from(value).toString('hex')}')`
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}.from([${[...(value as Uint32Array)].map(literal)}])`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${Array.from(value, literal).join(', ')}]`
  if (value instanceof Map) return `new Map(${literal([...value])})`
  if (value instanceof Set) return `new Set(${literal([...value])})`
  if (value instanceof Date) return `new Date(${value.getTime()})`
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).map(
    ([key, entry]) => `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)}: ${literal(entry)}`,
  )
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
}

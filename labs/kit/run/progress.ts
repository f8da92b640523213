/**
 * What a student has done so far. One JSON file per user, outside of the repository, so that it survives `git pull`, a
 * fresh clone and a reset of the exercises.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { numberIn } from '../check/questions.ts'
import type { Question, Task } from '../lab/types.ts'

export interface TaskProgress {
  state: 'open' | 'attempted' | 'solved'
  /** Checks that the student asked for and that failed, before the first success. */
  attempts: number
  /** How many of the task's hints have been shown. */
  hints: number
  /** Whether the reference solution has been looked at. */
  solutionShown: boolean
  /** The first answers to questions that ask for a prediction, from before anything was measured. */
  predictions?: Record<string, string>
  /** ISO 8601; of the first success. */
  solvedAt?: string
}

/** Of a task that nobody has looked at. */
export const UNTOUCHED: TaskProgress = { state: 'open', attempts: 0, hints: 0, solutionShown: false }

export type LabProgress = Record<string, TaskProgress>

interface ProgressFile {
  version: typeof PROGRESS_VERSION
  labs: Record<string, LabProgress>
}

const PROGRESS_VERSION = 2

/**
 * From an old version to the next one. A file of an old version is kept beside the new one, as `progress.json.version-1`.
 */
const MIGRATIONS: Readonly<Record<number, (old: OldFile) => OldFile>> = {
  // Version 2 knows whether the solution was looked at; before it, there was no way to look at it.
  1: old => ({
    version: 2,
    labs: Object.fromEntries(
      Object.entries(old.labs).map(([lab, tasks]) => [
        lab,
        Object.fromEntries(Object.entries(tasks).map(([task, entry]) => [task, { ...entry, solutionShown: false }])),
      ]),
    ),
  }),
}

interface OldFile {
  version: number
  labs: Record<string, Record<string, object>>
}

/**
 * `$MASQUE_LAB_HOME`, else the place where the platform keeps a program's state: `$XDG_STATE_HOME/masque-lab` or
 * `~/.local/state/masque-lab`, on macOS `~/Library/Application Support/masque-lab`, on Windows `%LOCALAPPDATA%\masque-lab`.
 */
export function progressDirectory(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (env.MASQUE_LAB_HOME) return env.MASQUE_LAB_HOME
  if (env.XDG_STATE_HOME) return join(env.XDG_STATE_HOME, 'masque-lab')
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'masque-lab')
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'masque-lab')
  return join(home, '.local', 'state', 'masque-lab')
}

export class ProgressStore {
  readonly file: string
  /** One sentence for the student when something about the file was not as it should be. */
  warning: string | undefined
  readonly #directory: string
  readonly #now: () => Date
  /** What is known when the file cannot be written: progress then lasts as long as the process. */
  #memory: ProgressFile | undefined

  constructor(directory: string = progressDirectory(), now: () => Date = () => new Date()) {
    this.#directory = directory
    this.#now = now
    this.file = join(directory, 'progress.json')
  }

  lab(lab: string): Readonly<LabProgress> {
    return this.#read().labs[lab] ?? {}
  }

  task(lab: string, task: string): Readonly<TaskProgress> {
    return this.lab(lab)[task] ?? UNTOUCHED
  }

  /**
   * A check has been run. A task once solved stays solved: the student may break things on purpose afterwards. `asked`: by the
   * student; a failure that a save has brought about is no try.
   */
  recordCheck(lab: string, task: string, passed: boolean, asked = true): void {
    this.#update(lab, task, old => {
      if (old.state === 'solved') return old
      if (passed) return { ...old, state: 'solved', solvedAt: this.#now().toISOString() }
      return { ...old, state: 'attempted', attempts: old.attempts + (asked ? 1 : 0) }
    })
  }

  /** A check is about to measure what was predicted: the first predictions stay, once each is a number. `answers`: to all questions of the task. */
  lockPredictions(lab: string, task: Pick<Task, 'id' | 'questions'>, answers: Readonly<Record<string, string>>): void {
    const asked = task.questions.filter(({ prediction }) => prediction)
    const isNumber = ({ id, prediction }: Question) =>
      numberIn(answers[id], typeof prediction === 'object' ? prediction.units : []).problem === undefined
    if (asked.length === 0 || !asked.every(isNumber) || this.task(lab, task.id).predictions) return
    const predictions = Object.fromEntries(asked.map(({ id }) => [id, answers[id]]))
    this.#update(lab, task.id, old => ({ ...old, predictions }))
  }

  /** One more hint has been shown; `of` is how many there are. Returns how many have been shown now. */
  revealHint(lab: string, task: string, of: number): number {
    this.#update(lab, task, old => ({ ...old, hints: Math.min(of, old.hints + 1) }))
    return this.task(lab, task).hints
  }

  recordSolutionShown(lab: string, task: string): void {
    this.#update(lab, task, old => ({ ...old, solutionShown: true }))
  }

  #update(lab: string, task: string, change: (old: TaskProgress) => TaskProgress): void {
    // Read again first: a second terminal may have written in the meantime.
    const all = this.#read()
    const tasks = (all.labs[lab] ??= {})
    tasks[task] = change(tasks[task] ?? UNTOUCHED)
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
      const fresh = `${this.file}.${process.pid}.new`
      writeFileSync(fresh, `${JSON.stringify(all, null, 2)}\n`, { mode: 0o600 })
      renameSync(fresh, this.file)
      this.#memory = undefined
    } catch (error) {
      this.#memory = all
      this.warning = `progress is not saved: ${(error as Error).message}. Set MASQUE_LAB_HOME to a directory you may write to.`
    }
  }

  #read(): ProgressFile {
    if (this.#memory) return this.#memory
    if (!existsSync(this.file)) return { version: PROGRESS_VERSION, labs: {} }
    try {
      const text = readFileSync(this.file, 'utf8')
      const { file, from } = migrated(validated(JSON.parse(text)))
      // The old file is kept, and is replaced only when there is something new to write.
      if (from !== PROGRESS_VERSION) this.#keep(text, from)
      return file
    } catch (error) {
      return this.#startAfresh(error instanceof Error ? error.message : String(error))
    }
  }

  #keep(text: string, version: number): void {
    try {
      writeFileSync(`${this.file}.version-${version}`, text, { mode: 0o600, flag: 'wx' })
    } catch {
      // It has been kept before, or nothing can be written here at all, and then nothing is replaced either.
    }
  }

  /** A file that cannot be understood is kept beside the new one: someone may still want what is in it. */
  #startAfresh(reason: string): ProgressFile {
    const aside = `${this.file}.broken-${this.#now().toISOString().replace(/[:.]/g, '-')}`
    const empty: ProgressFile = { version: PROGRESS_VERSION, labs: {} }
    try {
      renameSync(this.file, aside)
      this.warning = `the progress file could not be read (${reason}); it is kept as ${aside}, and progress starts afresh`
    } catch {
      // It cannot even be moved: leave it alone and remember in memory only.
      this.#memory = empty
      this.warning = `the progress file ${this.file} can be neither read nor moved (${reason}); progress is not saved`
    }
    return empty
  }
}

function validated(value: unknown): OldFile {
  if (!isRecord(value)) throw new Error('it is not a JSON object')
  const known = value.version === PROGRESS_VERSION || Object.hasOwn(MIGRATIONS, String(value.version))
  if (!known) {
    throw new Error(
      `it has version ${JSON.stringify(value.version)}, and this program knows version ${PROGRESS_VERSION} and older`,
    )
  }
  if (!isRecord(value.labs)) throw new Error("its 'labs' is not an object")
  for (const [lab, tasks] of Object.entries(value.labs)) {
    if (!isRecord(tasks)) throw new Error(`its labs.${lab} is not an object`)
    for (const [task, entry] of Object.entries(tasks)) {
      const sound =
        isRecord(entry) &&
        ['open', 'attempted', 'solved'].includes(entry.state as string) &&
        Number.isInteger(entry.attempts) &&
        Number.isInteger(entry.hints) &&
        (value.version === 1 || typeof entry.solutionShown === 'boolean')
      if (!sound) throw new Error(`its labs.${lab}.${task} is not an entry`)
    }
  }
  return value as unknown as OldFile
}

function migrated(file: OldFile): { file: ProgressFile; from: number } {
  let current = file
  for (let step = MIGRATIONS[current.version]; step; step = MIGRATIONS[current.version]) current = step(current)
  return { file: current as ProgressFile, from: file.version }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

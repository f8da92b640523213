/**
 * How a lab is declared, so that what is forgotten or misspelt is an error of the compiler, and not of the lesson.
 *
 *     export const lab = defineLab({ at: import.meta.url, id: 'lab-06-my-topic', number: 6, …, tasks: [{ id: 'hops', … }] })
 */
import type { CaptureRequest, Check, Demonstration, Lab, Markdown, Panel, Question, Reading, Task } from './types.ts'

type NonEmpty<T> = readonly [T, ...T[]]
type Digit = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

/** `lab-05-…` for number 5, `lab-12-…` for number 12. */
type LabId<Number extends number> = Number extends Digit ? `lab-0${Number}-${string}` : `lab-${Number}-${string}`

interface TaskBasics {
  id: string
  title: string
  /** 0 for one that is optional. */
  points: number
  optional?: true
  brief: Markdown
  hints: NonEmpty<Markdown>
  reading: NonEmpty<Reading>
  timeoutMs?: number
  /** Are there known-wrong solutions? Default: of coding tasks. False: it cannot be solved wrongly in a way worth keeping. */
  mutants?: boolean
  panel?: () => Promise<Panel>
  /** Default: the function `check` of `checks/<id>.ts`, beside the declaration. */
  check?: Check
}

/** A coding task has code to be written, a configuration task a file to be completed, a question a question. */
export type TaskDeclaration =
  | (TaskBasics & {
      kind: 'coding'
      files: NonEmpty<`${string}.ts` | 'answers.toml' | 'measured.toml'>
      questions?: readonly Question[]
    })
  | (TaskBasics & { kind: 'config'; files: NonEmpty<string>; questions?: readonly Question[] })
  | (TaskBasics & {
      kind: 'question'
      files: NonEmpty<'answers.toml' | 'measured.toml' | `${string}.sqlog`>
      questions: NonEmpty<Question>
    })
  | (TaskBasics & { kind: 'live'; files: readonly string[]; questions?: readonly Question[] })

/** Two tasks of one lab must not have the same id: it is their key in progress files and in answers. */
type DistinctIds<Tasks extends readonly { id: string }[], Seen extends string = never> = Tasks extends readonly [
  infer First extends { id: string },
  ...infer Rest extends readonly { id: string }[],
]
  ? First['id'] extends Seen
    ? `two tasks have the id ${First['id']}`
    : DistinctIds<Rest, Seen | First['id']>
  : unknown

export interface LabDeclaration<Number extends number, Tasks extends NonEmpty<TaskDeclaration>> {
  /** `import.meta.url` of the file that declares it. */
  at: string
  id: LabId<NoInfer<Number>>
  number: Number
  title: string
  summary: string
  objectives: NonEmpty<string>
  prerequisites: readonly string[]
  minutes: number
  reading: NonEmpty<Reading>
  demonstration?: Demonstration
  panel?: () => Promise<Panel>
  capture?: () => Promise<{ showCapture(request: CaptureRequest): Promise<number> }>
  tasks: Tasks & DistinctIds<Tasks>
}

/** The lab, as the kit takes it. Throws for what types cannot say. */
export function defineLab<const Number extends number, const Tasks extends NonEmpty<TaskDeclaration>>({
  at,
  ...declaration
}: LabDeclaration<Number, Tasks>): Lab {
  const tasks = (declaration.tasks as readonly TaskDeclaration[]).map(
    (task): Task => ({ questions: [], check: checkIn(at, task.id), ...task }),
  )
  for (const task of tasks) {
    const where = `${declaration.id}, task '${task.id}'`
    if (!/^[a-z][a-z0-9-]*$/.test(task.id))
      throw new Error(`${where}: lower case letters, digits and - are expected in an id`)
    if (task.optional && task.points !== 0) throw new Error(`${where}: it is optional, so 0 points are expected`)
    if (!task.optional && !(task.points > 0)) throw new Error(`${where}: points above 0 are expected`)
    if (task.questions.length > 0 && !task.files.includes('answers.toml'))
      throw new Error(`${where}: it asks questions, so 'answers.toml' is expected among its files`)
  }
  return { ...declaration, tasks }
}

/**
 * Loaded when it runs for the first time: a lab's declaration is also read where only its texts are of interest, and there it has to be
 * quick.
 */
function checkIn(at: string, id: string): Check {
  return async context => {
    const module: { check: Check } = await import(new URL(`checks/${id}.ts`, at).href)
    return await module.check(context)
  }
}

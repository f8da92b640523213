/** What is to be graded: the reference, the starting files and the mutants of each lab, or each student's submission. */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { startFolder } from '../lab/exercises.ts'
import type { Lab, Task } from '../lab/types.ts'
import { bareCode, likeness } from './likeness.ts'
import { loadEquivalents, loadMutants, mutated } from './mutants.ts'
import { type Kind, NAMES_ASIDE } from './results.ts'
import { collect, type Files, filesOf, fingerprints } from './submission.ts'

export interface Subject {
  kind: Kind
  name: string
  lab: Lab
  /** Hidden inputs are generated from it. */
  seed: string
  tasks: readonly Task[]
  /** What goes over the starting files, in order. Read when its turn comes. */
  layers(): { files: ReadonlyMap<string, Buffer>[]; notes: string[]; newestMs?: number }
  /** Of a mutant: words that the feedback has to contain. */
  expects?: string
  /** Of a mutant: software of others that is installed here takes part in the check. */
  withOthers?: true
  /** Of a submission: the hashes of the student's own files. */
  fingerprints?(files: ReadonlyMap<string, Buffer>): Promise<Record<string, string>>
}

/** A coding task with fewer mutants has not been thought about enough. */
const MIN_MUTANTS = 5

export interface SolutionSubjects {
  subjects: Subject[]
  /** What is wrong with the labs themselves. */
  problems: { lab: Lab; problem: string }[]
}

/**
 * `repeat`: how often the reference solution is run, each time with another seed. `only`: the ids of the tasks that are
 * wanted; without it, all are.
 */
export async function solutionSubjects(
  root: string,
  labs: readonly Lab[],
  repeat = 1,
  only?: readonly string[],
): Promise<SolutionSubjects> {
  const wantedTasks = (lab: Lab) => lab.tasks.filter(task => only?.includes(task.id) ?? true)
  const subjects: Subject[] = []
  const problems: SolutionSubjects['problems'] = []
  for (const lab of labs) {
    const wanted = filesOf(root, lab)
    const folder = join(root, 'solutions', lab.id)
    const reference = (): Files =>
      existsSync(folder) ? collect(folder, wanted, true) : { files: new Map(), notes: [], newestMs: 0 }
    if (!existsSync(folder)) problems.push({ lab, problem: `there is no solutions/${lab.id}` })
    for (let run = 0; run < repeat; run++) {
      subjects.push({
        kind: 'reference',
        name: run === 0 ? 'reference' : `reference run ${String(run + 1).padStart(String(repeat).length, '0')}`,
        lab,
        seed: `reference-${run}`,
        tasks: wantedTasks(lab),
        layers: () => ({ files: [reference().files], notes: [] }),
      })
    }
    const start: Subject = {
      kind: 'start',
      name: 'starting files',
      lab,
      seed: 'start',
      tasks: wantedTasks(lab),
      layers: () => ({ files: [], notes: [] }),
    }
    subjects.push(start)

    const catalogues = await loadMutants(root, lab)
    const solution = reference().files
    for (const name of catalogues.keys()) {
      if (!lab.tasks.some(task => task.id === name))
        problems.push({ lab, problem: `mutants/${name}.ts: there is no such task` })
    }
    for (const task of wantedTasks(lab)) {
      const mutants = catalogues.get(task.id) ?? []
      const needed = task.mutants ?? task.kind === 'coding'
      if (needed && mutants.length < MIN_MUTANTS) {
        const problem = `mutants/${task.id}.ts: ${mutants.length} mutants; expected at least ${MIN_MUTANTS}`
        problems.push({ lab, problem })
      }
      for (const mutant of mutants) {
        const files = new Map(solution)
        try {
          files.set(mutant.file, Buffer.from(mutated(mutant, solution.get(mutant.file)?.toString('utf8') ?? '')))
        } catch (error) {
          problems.push({ lab, problem: `mutants/${task.id}.ts: ${(error as Error).message}` })
          continue
        }
        subjects.push({
          kind: 'mutant',
          name: `${task.id}/${mutant.id}`,
          lab,
          seed: `mutant-${mutant.id}`,
          tasks: [task],
          layers: () => ({ files: [files], notes: [] }),
          expects: mutant.says,
          ...(mutant.withOthers ? { withOthers: true as const } : {}),
        })
      }
    }
  }
  return { subjects, problems }
}

/**
 * One subject for each mutation of the reference solutions, but for those that are known to change nothing; `repeat` times, each with other
 * hidden inputs: what some of them do not find out, others may have found by luck.
 */
export async function mutationSubjects(
  root: string,
  labs: readonly Lab[],
  only?: readonly string[],
  repeat = 1,
): Promise<SolutionSubjects> {
  // The parser is for those who write labs: grading does without.
  const { mutationsOf } = await import('./mutations.ts')
  const subjects: Subject[] = []
  const problems: SolutionSubjects['problems'] = []
  for (const lab of labs) {
    const equivalents = await loadEquivalents(root, lab)
    const solution = collect(join(root, 'solutions', lab.id), filesOf(root, lab), true).files
    const tasks = lab.tasks.filter(task => !task.answerIsTest && (only?.includes(task.id) ?? true))
    const taskOf = new Map(tasks.flatMap(task => task.files.map(file => [file, task] as const)))
    const programs = [...taskOf.keys()].filter(file => file.endsWith('.ts') && solution.has(file))
    const mutations = mutationsOf(new Map(programs.map(file => [file, solution.get(file)!.toString('utf8')])))
    for (const [file, ofFile] of mutations) {
      const equivalent = Object.values(equivalents[file] ?? {}).flat()
      for (const [before, after] of equivalent) {
        if (ofFile.some(mutation => mutation.before === before && mutation.after === after)) continue
        problems.push({ lab, problem: `mutants/equivalent.ts: no mutation of ${file} makes '${after}' of '${before}'` })
      }
      const task = taskOf.get(file)!
      for (const { line, column, before, after, text } of ofFile) {
        if (equivalent.some(known => known[0] === before && known[1] === after)) continue
        for (let run = 0; run < repeat; run++) {
          const again = run === 0 ? '' : `-${run}`
          subjects.push({
            kind: 'mutant',
            name: `${file}:${line}:${column} ${before} → ${after}`,
            lab,
            seed: `mutation${again}-${file}:${line}:${column}`,
            tasks: [task],
            layers: () => ({ files: [new Map([...solution, [file, Buffer.from(text)]])], notes: [] }),
          })
        }
      }
    }
  }
  return { subjects, problems }
}

export class SubmissionsError extends Error {}

/**
 * One subject for each student and lab. The folder of a student holds a folder for each lab (`lab-03-protocol/`, or a
 * whole copy of the repository), or, when one lab is graded, its files.
 */
export function submissionSubjects(
  root: string,
  directory: string,
  labs: readonly Lab[],
  labChosen: boolean,
): Subject[] {
  if (!lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new SubmissionsError(`${directory} is not a folder; expected one that holds a folder for each student`)
  }
  const students = foldersIn(directory)
  if (students.length === 0) {
    throw new SubmissionsError(`${directory} holds no folders; expected one for each student`)
  }
  const one = labChosen && labs.length === 1
  // A lab that nobody handed in is not graded, unless it was asked for.
  const graded = labs.filter(
    lab => labChosen || students.some(student => submittedFolder(join(directory, student), lab, one) !== undefined),
  )
  if (graded.length === 0) {
    const example = `${directory}/${students[0]}`
    throw new SubmissionsError(
      `no student's folder holds a lab; expected ${example}/${labs[0]?.id ?? 'lab-01-deploy'}/, or files in ${example} and --lab`,
    )
  }
  return graded.flatMap(lab => {
    const wanted = filesOf(root, lab)
    const named = lab.tasks.flatMap(task => task.files)
    const common = commonFingerprints(root, lab, wanted)
    const likenesses = lazily(() => commonLikenesses(root, lab, wanted, named))
    return students.map((student): Subject => {
      const folder = submittedFolder(join(directory, student), lab, one)
      return {
        kind: 'submission',
        name: student,
        lab,
        seed: student,
        tasks: lab.tasks,
        layers() {
          if (folder === undefined) return { files: [], notes: ['nothing was handed in'] }
          const { files, notes, newestMs } = collect(folder, wanted)
          if (files.size === 0 && notes.length === 0) notes.push('nothing was handed in')
          const required = [...new Set(lab.tasks.flatMap(task => task.files))]
          for (const file of required) {
            if (files.size > 0 && !files.has(file) && !notes.some(note => note.startsWith(`${file} `))) {
              notes.push(`${file} was not handed in; the starting file was graded`)
            }
          }
          return { files: [files], notes, newestMs }
        },
        async fingerprints(files) {
          const own = [...files].filter(([file]) => named.includes(file))
          const exact = own.flatMap(([file, content]) => fingerprints(file, content))
          const found = exact.filter(([name, hash]) => !common.has(`${name} ${hash}`))
          const { start, known } = await likenesses()
          for (const [file, content] of own.filter(([file]) => file.endsWith('.ts'))) {
            const hash = await likeness(content.toString('utf8'), start.get(file))
            if (hash !== undefined && !known.has(`${file} ${hash}`)) found.push([`${file}${NAMES_ASIDE}`, hash])
          }
          return Object.fromEntries(found)
        },
      }
    })
  })
}

function submittedFolder(student: string, lab: Lab, one: boolean): string | undefined {
  const places = [['labs', lab.id, 'exercises'], [lab.id, 'exercises'], [lab.id]]
  const found = places.find(place => isRealFolder(student, place))
  if (found) return join(student, ...found)
  // Bare files; but not where there are folders of other labs, which then are all that was handed in.
  return one && !foldersIn(student).some(name => name === 'labs' || name.startsWith('lab-')) ? student : undefined
}

function isRealFolder(base: string, parts: readonly string[]): boolean {
  let at = base
  for (const part of ['', ...parts]) {
    at = join(at, part)
    if (!lstatSync(at, { throwIfNoEntry: false })?.isDirectory()) return false
  }
  return true
}

/** What every student has: the starting files and, perhaps, the reference. */
function commonFingerprints(root: string, lab: Lab, wanted: ReadonlySet<string>): Set<string> {
  const common = new Set<string>()
  for (const folder of [startFolder(root, lab), join(root, 'solutions', lab.id)]) {
    if (!existsSync(folder)) continue
    for (const [file, content] of collect(folder, wanted, true).files) {
      for (const [name, hash] of fingerprints(file, content)) common.add(`${name} ${hash}`)
    }
  }
  return common
}

/** The same, but for names: what the starting files are then, and the hashes of the reference, which is nobody's. */
async function commonLikenesses(
  root: string,
  lab: Lab,
  wanted: ReadonlySet<string>,
  named: readonly string[],
): Promise<{ start: Map<string, string>; known: Set<string> }> {
  const programs = (folder: string) =>
    existsSync(folder)
      ? [...collect(folder, wanted, true).files].filter(([file]) => file.endsWith('.ts') && named.includes(file))
      : []
  const start = new Map<string, string>()
  for (const [file, content] of programs(startFolder(root, lab))) {
    const bare = await bareCode(content.toString('utf8'))
    if (bare !== undefined) start.set(file, bare)
  }
  const known = new Set<string>()
  for (const [file, content] of programs(join(root, 'solutions', lab.id))) {
    const hash = await likeness(content.toString('utf8'), start.get(file))
    if (hash !== undefined) known.add(`${file} ${hash}`)
  }
  return { start, known }
}

/** Once, and only when somebody asks. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}

/** Real folders, no links, nothing hidden. */
function foldersIn(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(entry => entry.name)
    .sort()
}

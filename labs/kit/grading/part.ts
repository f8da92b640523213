/**
 * One part of a run over several machines (`--shard i/n --json FILE`). What is graded is kept in FILE.unfinished, a line a result, until
 * all is: whoever starts a part again that was killed goes on with the next one, and a part that is done is not graded again.
 */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { writeNamedFile } from '../../../src/config/write-file.ts'
import { parseReport, type Report, ReportError, type Result, type Run, runDifference, type Shard } from './results.ts'
import type { Subject } from './subjects.ts'

export const UNFINISHED = '.unfinished'

/** Where it ran: what kept student code in, and the versions of Node. */
export type Made = Required<Pick<Report, 'isolation' | 'node'>>

interface Head {
  /** What two calls have in common that work at the same part. */
  run: Run
  shard: Shard
  made: Made
}

/**
 * The i-th of n parts: no subject is in two, each is in one, and their sizes differ by one at most. Those with most tasks are dealt
 * first, so that no part gets all the long ones.
 */
export function shardOf<T>(all: readonly T[], shard: Shard | undefined, weight: (one: T) => number = () => 1): T[] {
  if (shard === undefined) return [...all]
  const dealt = all.toSorted((a, b) => weight(b) - weight(a))
  return dealt.filter((_, position) => position % shard.of === shard.index - 1)
}

/** A hash of everything that is graded. Of submissions the files, too; what else there is comes with the labs, and so with the commit. */
export function inputsOf(subjects: readonly Subject[]): string {
  const hash = createHash('sha256')
  const add = (...parts: (string | Uint8Array)[]) => {
    for (const part of parts) hash.update(`${part.length} `).update(part)
  }
  for (const { kind, name, lab, seed, tasks, layers } of subjects) {
    add(kind, name, lab.id, seed, tasks.map(({ id }) => id).join())
    if (kind !== 'submission') continue
    try {
      for (const files of layers().files) for (const [file, content] of files) add(file, content)
    } catch {
      add('cannot be read')
    }
  }
  return hash.digest('hex').slice(0, 16)
}

/** What a part's unfinished file says; undefined when that is no such file. A last line that was not finished is left out. */
export function parsePart(text: string): { head: Head; results: Result[] } | undefined {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  try {
    const head = JSON.parse(lines[0]) as Head
    if (typeof head.run?.inputs !== 'string' || typeof head.shard?.index !== 'number' || !head.made) return undefined
    return { head, results: lines.slice(1, -1).map(line => JSON.parse(line) as Result) }
  } catch {
    return undefined
  }
}

export class Part {
  /** What was done by earlier calls, and could be graded. */
  readonly kept: Result[]
  /** Why results that are there do not count, as a sentence. */
  readonly notice: string | undefined
  /** Of this call, and of those that made `kept`. */
  readonly made: Made
  readonly #file: string
  readonly #descriptor: number

  /** Throws what the system says, and ReportError. `again`: nothing is kept. */
  static open(file: string, head: Head, again: boolean): Part {
    const finished = again ? undefined : readFinished(file)
    const begun = again ? undefined : readUnfinished(file + UNFINISHED)
    const isSame = (other: Head | undefined) =>
      other !== undefined &&
      other.shard.index === head.shard.index &&
      other.shard.of === head.shard.of &&
      runDifference(head.run, other.run) === undefined
    const kept = new Map<string, Result>()
    let notice: string | undefined
    let { made } = head
    for (const [place, earlier] of [
      [file, finished],
      [file + UNFINISHED, begun],
    ] as const) {
      if (earlier === undefined) continue
      if (!isSame(earlier.head)) {
        const why = earlier.head && runDifference(head.run, earlier.head.run)
        notice = `what is in ${place} is of another ${why === undefined ? 'part' : `run (${why})`}: it is graded anew`
        continue
      }
      // What could not be graded may have been the machine's fault.
      for (const result of earlier.results) if (result.problems.length === 0) kept.set(idOf(result), result)
      made = together(made, earlier.head!.made)
    }
    return new Part(file, { ...head, made }, [...kept.values()], notice)
  }

  private constructor(file: string, head: Head, kept: Result[], notice: string | undefined) {
    this.#file = file
    this.kept = kept
    this.made = head.made
    this.notice = notice
    // The old one stays until the new one is whole.
    const path = file + UNFINISHED
    const descriptor = openSync(`${path}.new`, 'w')
    this.#descriptor = descriptor
    this.#write([head, ...kept])
    renameSync(`${path}.new`, path)
  }

  /** Of `subjects` those that are still to be graded. */
  rest(subjects: readonly Subject[]): Subject[] {
    const done = new Set(this.kept.map(idOf))
    return subjects.filter(({ kind, name, lab, seed }) => !done.has(idOf({ kind, name, lab: lab.id, seed })))
  }

  append(result: Result): void {
    this.#write([result])
  }

  /** Writes the part's result file, in one step, and takes the unfinished one away. */
  finish(json: string): void {
    this.close()
    writeNamedFile(`${this.#file}.new`, json)
    renameSync(`${this.#file}.new`, this.#file)
    rmSync(this.#file + UNFINISHED, { force: true })
  }

  /** What is done stays, for whoever goes on. */
  close(): void {
    closeSync(this.#descriptor)
  }

  #write(lines: readonly unknown[]): void {
    const bytes = Buffer.from(lines.map(line => `${JSON.stringify(line)}\n`).join(''))
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes.subarray(done))
      fsyncSync(this.#descriptor)
    } catch (error) {
      const why = (error as Error).message
      throw new ReportError(`${this.#file + UNFINISHED} cannot be written: ${why}; the same command goes on from there`)
    }
  }
}

function idOf({ kind, name, lab, seed }: Pick<Result, 'kind' | 'name' | 'lab' | 'seed'>): string {
  return JSON.stringify([kind, name, lab, seed])
}

interface Earlier {
  /** undefined: it does not say. */
  head: Head | undefined
  results: Result[]
}

function readFinished(file: string): Earlier | undefined {
  if (!existsSync(file)) return undefined
  const report = parseReport(readFileSync(file, 'utf8'), file)
  const { run, shard = { index: 1, of: 1 }, results, isolation = [], node = [] } = report
  return { head: run && { run, shard, made: { isolation, node } }, results }
}

function readUnfinished(file: string): Earlier | undefined {
  return existsSync(file) ? parsePart(readFileSync(file, 'utf8')) : undefined
}

function together(a: Made, b: Made): Made {
  const union = (a: readonly string[], b: readonly string[]) => [...new Set([...a, ...b])].sort()
  return { isolation: union(a.isolation, b.isolation), node: union(a.node, b.node) }
}

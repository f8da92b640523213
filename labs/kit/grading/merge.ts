/** Parts of one run, made by `--shard`, become the report that a single machine would have written. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parsePart, UNFINISHED } from './part.ts'
import { inOrder, parseReport, type Report, ReportError, runDifference } from './results.ts'

export interface PartFile {
  file: string
  report: Report
}

/** Some parts are not there yet: nobody did anything wrong, and the message says how to make them. */
export class MissingPartsError extends ReportError {}

/** Reads result files, and those in folders. Parts that were begun and not finished are given by their files' names. */
export function readParts(paths: readonly string[]): { parts: PartFile[]; unfinished: Map<number, string> } {
  const unfinished = new Map<number, string>()
  const files = paths.flatMap(path => {
    if (!statSync(path).isDirectory()) return [path]
    const names = readdirSync(path).sort()
    for (const name of names.filter(name => name.endsWith(UNFINISHED))) {
      const head = parsePart(readFileSync(join(path, name), 'utf8'))?.head
      if (head !== undefined) unfinished.set(head.shard.index, join(path, name))
    }
    const found = names.filter(name => name.endsWith('.json'))
    if (found.length + unfinished.size === 0) {
      throw new ReportError(
        `${path} holds no result files; expected what check-solutions wrote with --shard and --json`,
      )
    }
    return found.map(name => join(path, name))
  })
  return { parts: files.map(file => ({ file, report: parseReport(readFileSync(file, 'utf8'), file) })), unfinished }
}

/**
 * Puts the parts of one run together. Throws `ReportError` when they do not belong together, which names each that does not, and
 * `MissingPartsError` when that is all that is wrong.
 */
export function mergeReports(parts: readonly PartFile[], unfinished: ReadonlyMap<number, string> = new Map()): Report {
  const [first, ...others] = parts
  if (!first) throw new ReportError('no result files were given')
  const of = first.report.shard?.of ?? 1
  const foreign = others.flatMap(part => {
    const why = whyForeign(first, part)
    return why === undefined ? [] : [why]
  })
  const seen = new Map<number, string>()
  const twice: string[] = []
  for (const { file, report } of parts) {
    const { index } = report.shard ?? { index: 1 }
    const other = seen.get(index)
    if (other !== undefined && foreign.length === 0) {
      twice.push(`${file} and ${other} are both part ${index} of ${of}: leave one of them out`)
    }
    seen.set(index, file)
  }
  if (foreign.length + twice.length > 0) throw new ReportError([...foreign, ...twice].join('\n'))
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter(index => !seen.has(index))
  if (missing.length > 0) throw new MissingPartsError(missingText(first, missing, unfinished))

  const { format, version, mode, run, labs } = first.report
  const results = parts.flatMap(({ report }) => report.results)
  if (run !== undefined && results.length !== run.results) {
    throw new ReportError(`the parts hold ${results.length} results of ${run.results}: one of them has been changed`)
  }
  const union = (of: (report: Report) => readonly string[] | undefined) =>
    [...new Set(parts.flatMap(({ report }) => of(report) ?? []))].sort()
  const node = union(report => report.node)
  const isolation = union(report => report.isolation)
  return {
    format,
    version,
    mode,
    ...(run ? { run } : {}),
    ...(node.length > 0 ? { node } : {}),
    ...(isolation.length > 0 ? { isolation } : {}),
    labs,
    results: inOrder(labs, results),
  }
}

/** How a part's results that could not be graded are tried again; undefined where all could be, or nothing is known of how. */
export function againCommand({ file, report }: PartFile): string | undefined {
  const failed = report.results.filter(({ problems }) => problems.length > 0).length
  if (failed === 0 || report.shard?.command === undefined) return undefined
  return `${file}: ${failed} of ${report.results.length} could not be graded; this tries them again:\n  ${commandLine(report.shard.command)}`
}

function whyForeign(first: PartFile, { file, report }: PartFile): string | undefined {
  if (report.mode !== first.report.mode) {
    return `${file} is about ${report.mode}, ${first.file} about ${first.report.mode}`
  }
  const [shard, other] = [report.shard ?? { of: 1 }, first.report.shard ?? { of: 1 }]
  if (shard.of !== other.of) return `${file} is one of ${shard.of} parts, ${first.file} one of ${other.of}`
  const what = runDifference(first.report.run, report.run)
  if (what !== undefined) return `${file} and ${first.file} are parts of different runs: ${what}`
  if (JSON.stringify(report.labs) !== JSON.stringify(first.report.labs)) {
    return `${file} and ${first.file} are about different labs, or different versions of them`
  }
  return undefined
}

function missingText({ file, report }: PartFile, missing: readonly number[], unfinished: ReadonlyMap<number, string>) {
  const { of, command } = { of: 1, command: undefined, ...report.shard }
  const lines = [`part ${missing.join(', ')} of ${of} is missing`]
  for (const index of missing) {
    const begun = unfinished.get(index)
    const note = begun === undefined ? '' : `  # goes on with ${begun}`
    if (command) lines.push(`  ${commandLine(commandFor(command, index, of, file))}${note}`)
    else if (begun !== undefined) lines.push(`  ${begun} was begun and is not finished`)
  }
  return lines.join('\n')
}

/** The command of one part, for another: its number changes, and with it the name of its file. */
function commandFor(command: readonly string[], index: number, of: number, file: string): string[] {
  const own = /^(\d+)\//
  const at = (option: string) =>
    command.findIndex((word, i) => word.startsWith(`${option}=`) || command[i - 1] === option)
  const result = [...command]
  const set = (option: string, change: (value: string) => string) => {
    const i = at(option)
    if (i === -1) return
    const [, prefix, value] = /^(--[a-z]+=)?(.*)$/s.exec(result[i]) as RegExpExecArray
    result[i] = `${prefix ?? ''}${change(value)}`
  }
  let before = ''
  set('--shard', value => {
    before = own.exec(value)?.[1] ?? ''
    return `${index}/${of}`
  })
  set('--json', value => partName(value === '' ? file : value, before, index))
  return result
}

/** `part-2.json` becomes `part-3.json`: the last number in the name that is the part's. */
function partName(path: string, before: string, index: number): string {
  const name = basename(path)
  const place = [...name.matchAll(/\d+/g)].findLast(([digits]) => Number(digits) === Number(before))
  const other = place
    ? name.slice(0, place.index) +
      String(index).padStart(place[0].length, '0') +
      name.slice(place.index + place[0].length)
    : `part-${index}.json`
  return dirname(path) === '.' && !path.startsWith('./') ? other : join(dirname(path), other)
}

export function commandLine(args: readonly string[]): string {
  const quoted = args.map(word => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
  return ['npm run check-solutions --', ...quoted].join(' ')
}

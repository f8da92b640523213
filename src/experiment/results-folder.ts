/** Whose is what lies in a folder that results are to go to? What an experiment did not write is not overwritten. */

import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { basename, extname, join } from 'node:path'
import { isRunning } from '../process/is-running.ts'
import { type ExperimentLine, parseLine, ResultsError } from './results-file.ts'

export const RESULTS = 'results.jsonl'

/** Written anew from the results at the end of each call. */
const OUTPUTS = ['report.md', 'results.csv', 'figures'] as const

/** No line that says which experiment it is is longer. */
const LONGEST_HEADER = 1024 * 1024

/**
 * Makes sure that nothing in the folder is overwritten but an experiment's own files, which are known by the first line of
 * results.jsonl. With `fresh`, what is there is put aside. Throws ResultsError, with nothing changed, when something of somebody
 * else's is in the way.
 */
export function claimFolder(directory: string, fresh: boolean, onNotice: (sentence: string) => void): void {
  const ours = existsSync(join(directory, RESULTS)) && isResultsFile(join(directory, RESULTS))
  const inTheWay = ours ? [] : [RESULTS, ...OUTPUTS].filter(name => isOccupied(join(directory, name)))
  if (inTheWay.length > 0 && !fresh) {
    throw new ResultsError(
      `${directory} holds ${inTheWay.join(', ')}, which no experiment has written (no first line of ${RESULTS} says so): give another ` +
        'folder with --out, or --fresh to put what is there aside and begin',
    )
  }
  if (!fresh) return
  for (const name of ours ? [RESULTS] : inTheWay) {
    const aside = freeName(directory, name)
    renameSync(join(directory, name), aside)
    onNotice(`what was in ${join(directory, name)} is now in ${aside}`)
  }
}

/** Two at once would write into each other's results. Returns what takes the lock away. */
export function lockFolder(directory: string): () => void {
  const path = join(directory, 'lock')
  for (;;) {
    try {
      const descriptor = openSync(path, 'wx')
      writeSync(descriptor, String(process.pid))
      closeSync(descriptor)
      return () => rmSync(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const owner = ownerOf(path)
      if (isRunning(owner)) {
        throw new ResultsError(
          `${directory} is in use by process ${owner}; wait for it, or give another folder with --out`,
        )
      }
      // Its owner was killed.
      rmSync(path, { force: true })
    }
  }
}

/** The process that has locked a folder. Throws ResultsError when the file is something else. */
function ownerOf(lock: string): number {
  const text = lstatSync(lock).isFile() ? beginningOf(lock, 16) : ''
  if (/^[1-9][0-9]{0,9}$/.test(text)) return Number(text)
  throw new ResultsError(
    `${lock} is in the way: it is not the lock of an experiment, which holds the number of a process; move it away, or give another folder with --out`,
  )
}

/** Does it begin as results do? A program that was killed may have left nothing yet, or half of the line. */
function isResultsFile(path: string): boolean {
  if (!lstatSync(path).isFile()) return false
  const text = beginningOf(path, LONGEST_HEADER)
  const end = text.indexOf('\n')
  if (end === -1) return isBeginningOfHeader(text)
  return parseLine(text.slice(0, end))?.type === 'experiment'
}

const HEADER_BEGINS = '{"type":"experiment",'

function isBeginningOfHeader(text: string): boolean {
  return text.startsWith(HEADER_BEGINS) || HEADER_BEGINS.startsWith(text)
}

/** The line that says which experiment a file is of; undefined when it is no such file. */
export function readHeader(path: string): ExperimentLine | undefined {
  try {
    if (!lstatSync(path).isFile()) return undefined
    const line = parseLine(beginningOf(path, LONGEST_HEADER).split('\n', 1)[0])
    return line?.type === 'experiment' ? line : undefined
  } catch {
    return undefined
  }
}

function beginningOf(path: string, length: number): string {
  const descriptor = openSync(path, 'r')
  try {
    const bytes = new Uint8Array(length)
    return Buffer.from(bytes.subarray(0, readSync(descriptor, bytes))).toString('utf8')
  } finally {
    closeSync(descriptor)
  }
}

/** Is something there that would be lost? An empty folder is nothing. */
function isOccupied(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return false
  return !stat.isDirectory() || readdirSync(path).length > 0
}

/** "results-before-20260131120000.jsonl", or with another number behind it where that is taken. */
function freeName(directory: string, name: string): string {
  const stamp = new Date()
    .toISOString()
    .replace(/[^0-9]/g, '')
    .slice(0, 14)
  const extension = extname(name)
  const stem = `${basename(name, extension)}-before-${stamp}`
  let path = join(directory, `${stem}${extension}`)
  for (let n = 2; existsSync(path); n++) path = join(directory, `${stem}-${n}${extension}`)
  return path
}

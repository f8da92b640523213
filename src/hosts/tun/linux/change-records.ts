/**
 * Files about changes of this machine, each of one process:
 *
 *     /run/masque-lab/1234-masque0-router.json       process 1234, as a router for its device masque0; its user's only
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { isRunning } from '../../../process/is-running.ts'
import { TunError } from '../errors.ts'
import { change } from './change.ts'

const ROOTS_FOLDER = '/run/masque-lab'
/** A router changes a setting of each interface, and a machine may have thousands. */
const MAX_CHANGES = 10_000
const MAX_FILE_BYTES = 4 << 20
/** What the name of a record ends with while it is being written. */
const UNFINISHED = '.new'

const record = z.object({
  pid: z.number().int().positive(),
  /** Of the process, in the kernel's ticks: ids are used again. */
  startTime: z.string(),
  boot: z.string(),
  /** Network and process namespaces: in others, the same names mean other things. */
  network: z.string(),
  processes: z.string(),
  device: z.string(),
  changes: z.array(change).max(MAX_CHANGES),
})

export type ChangeRecord = z.output<typeof record>

/** Whole or not at all, and on the disk when it returns. Throws TunError. */
export function writeRecord(file: string, content: ChangeRecord): void {
  const temporary = `${file}${UNFINISHED}`
  const text = `${JSON.stringify(content, undefined, 2)}\n`
  // What nobody would read again later must not be written now.
  if (content.changes.length > MAX_CHANGES || Buffer.byteLength(text) > MAX_FILE_BYTES) {
    throw new TunError('system', `more than ${MAX_CHANGES} changes of this machine are too many, so none is made`)
  }
  try {
    const fd = openSync(temporary, 'w', 0o600)
    writeFileSync(fd, text)
    fsyncSync(fd)
    closeSync(fd)
    renameSync(temporary, file)
  } catch (error) {
    const why = (error as Error).message
    throw new TunError('system', `what is changed cannot be written down, so nothing is changed: ${why}`)
  }
}

/** Of processes that are gone: such a file is renamed in the moment after it was made. */
export function removeUnfinished(folder: string): void {
  if (!existsSync(folder)) return
  checkRunFolder(folder)
  for (const name of readdirSync(folder)) {
    if (name.endsWith(UNFINISHED) && !isRunning(Number.parseInt(name, 10))) removeRecord(join(folder, name))
  }
}

/** `content`: undefined where a file is no record. Throws TunError where others could have written them. */
export function readRecords(folder: string): { file: string; content: ChangeRecord | undefined }[] {
  if (!existsSync(folder)) return []
  checkRunFolder(folder)
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .map(name => ({ file: join(folder, name), content: readRecord(join(folder, name)) }))
}

/** And the folder, when nothing else is in there. */
export function removeRecord(file: string): void {
  rmSync(file, { force: true })
  try {
    rmdirSync(dirname(file))
  } catch {
    // Others have their records in there.
  }
}

function readRecord(file: string): ChangeRecord | undefined {
  try {
    if (lstatSync(file).size > MAX_FILE_BYTES) return undefined
    return record.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return undefined
  }
}

export function isAlive({ pid, startTime }: ChangeRecord): boolean {
  return isRunning(pid) && startTimeOf(pid) === startTime
}

export function ourselves(): Pick<ChangeRecord, 'pid' | 'startTime' | 'boot' | 'network' | 'processes'> {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    network: readlinkSync('/proc/self/ns/net'),
    processes: readlinkSync('/proc/self/ns/pid'),
  }
}

/** Field 22 of proc_pid_stat(5); the second, the name in parentheses, may contain anything. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

/** Where this user's records are. */
export function runFolderName(): string {
  return process.getuid?.() === 0 ? ROOTS_FOLDER : join(tmpdir(), `masque-lab-${process.getuid?.()}`)
}

/** Of root, where this user is another one and root has left records; undefined: there are none. */
export function rootsFolder(): string | undefined {
  return runFolderName() !== ROOTS_FOLDER && existsSync(ROOTS_FOLDER) ? ROOTS_FOLDER : undefined
}

/** Makes the folder for records when it is missing. Throws TunError. */
export function makeRunFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700, recursive: true })
  } catch (error) {
    throw new TunError('system', `${folder} cannot be made: ${(error as Error).message}`)
  }
  checkRunFolder(folder)
}

/** Nobody else may write there, or they could tell root what to undo. Throws TunError. */
function checkRunFolder(folder: string): void {
  const { uid, mode } = lstatSync(folder)
  if (lstatSync(folder).isDirectory() && uid === process.getuid?.() && (mode & 0o022) === 0) return
  throw new TunError('system', `${folder} is not a folder that only this user may write to: have it removed`)
}

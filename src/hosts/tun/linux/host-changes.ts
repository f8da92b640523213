/**
 * What stays when the process is killed, unlike a device of its own: settings of the kernel and rules of the firewall (a router's), the DNS servers (a
 * client's), and what is set on a persistent device. Each change is written into a file first; whoever finds the file of a process that is gone knows
 * what to undo: `npm run doctor`, and who is about to change the same (`undoLeftovers`).
 *
 *     /run/masque-lab/1234-masque0-router.json       process 1234, as a router for its device masque0; its user's only
 */

import { spawnSync } from 'node:child_process'
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
import { runTool } from '../run-tool.ts'
import { type DeviceState, deviceState, restoreDevice } from './device-state.ts'
import { MAX_RESOLV_CONF, RESOLV_CONF, RESOLV_CONF_MARK, readResolvConf, writeResolvConf } from './resolv-conf.ts'
import { readSetting, writeSetting } from './settings.ts'

const SETTING = /^net\/(ipv4\/ip_forward|ipv6\/conf\/all\/forwarding|ipv6\/conf\/[^/]{1,15}\/accept_ra)$/
/** A router changes a setting of each interface, and a machine may have thousands. */
const MAX_CHANGES = 10_000
const MAX_FILE_BYTES = 4 << 20
/** What the name of a record ends with while it is being written. */
const UNFINISHED = '.new'

const change = z.discriminatedUnion('kind', [
  /** A file below /proc/sys. */
  z.object({ kind: z.literal('setting'), key: z.string().regex(SETTING), before: z.string(), after: z.string() }),
  z.object({ kind: z.literal('nft'), table: z.string().regex(/^masque_lab_[\w.-]{1,15}$/) }),
  z.object({
    kind: z.literal('iptables'),
    command: z.enum(['iptables', 'ip6tables']),
    table: z.enum(['nat', 'mangle']),
    rule: z.array(z.string().regex(/^[\w.:/!,%-]+$/)).max(32),
  }),
  /** The file with the DNS servers, whole. */
  z.object({
    kind: z.literal('resolv-conf'),
    before: z.string().max(MAX_RESOLV_CONF),
    after: z.string().startsWith(RESOLV_CONF_MARK),
  }),
  /** How a persistent TUN device was. */
  z.object({ kind: z.literal('device'), before: deviceState }),
])

/** One thing that was changed, or was about to be. */
export type Change = z.output<typeof change>

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

type ChangeRecord = z.output<typeof record>

/** What a process has left behind. */
export interface Leftover {
  readonly file: string
  readonly pid: number
  readonly device: string
  readonly changes: readonly Change[]
}

export interface Leftovers {
  /** Of processes that are gone; to be undone. */
  readonly found: readonly Leftover[]
  /** Sentences about files that cannot be judged here. */
  readonly unclear: readonly string[]
}

/** What the changes of one record are for. */
export type Purpose = 'router' | 'dns' | 'device'

/** The changes of this process for one device and purpose. */
export class HostChanges {
  readonly #record: ChangeRecord
  readonly #file: string
  #isUndone = false

  /** Throws TunError where its file cannot be written: then nothing is changed. */
  constructor(device: string, purpose: Purpose) {
    this.#record = { ...ourselves(), device, changes: [] }
    this.#file = join(runFolder(), `${process.pid}-${device}-${purpose}.json`)
    this.#write()
  }

  /** Sets all of these to one value; they are written down together, before the first is set. Throws TunError when the kernel does not take it. */
  set(keys: readonly string[], after: string): void {
    const others = claimsOfOthers(this.#file)
    const changes = keys.map(key => {
      const current = readSetting(key)
      if (current === undefined) {
        throw new TunError('system', `/proc/sys/${key} cannot be read: has this kernel that family?`)
      }
      // Who came first knows how it was; who leaves last puts it back.
      const first = others.find(other => other.kind === 'setting' && other.key === key)
      return {
        kind: 'setting',
        key,
        current,
        before: first?.kind === 'setting' ? first.before : current,
        after,
      } as const
    })
    this.#remember(...changes.map(({ kind, key, before }) => ({ kind, key, before, after })))
    for (const { key, current } of changes) if (current !== after) writeSetting(key, after)
  }

  /** Has another process that lives changed this setting, so that it counts on it? */
  isClaimed(key: string): boolean {
    return claimsOfOthers(this.#file).some(other => other.kind === 'setting' && other.key === key)
  }

  /** A table of nftables; `script` makes it. Throws TunError, with nothing left, when nft does not take it. */
  nft(table: string, script: string): void {
    this.#remember({ kind: 'nft', table })
    // Replaced as a whole: one of this name can only be left over from before.
    runTool('nft', ['-f', '-'], `table inet ${table}\ndelete table inet ${table}\n${script}`)
  }

  /** A rule of iptables, appended. Throws TunError when it is not taken. */
  iptables(command: 'iptables' | 'ip6tables', table: 'nat' | 'mangle', rule: string[]): void {
    this.#remember({ kind: 'iptables', command, table, rule })
    runTool(command, ['-w', '-t', table, '-A', ...rule])
  }

  /** `before`: what is in there. Throws TunError when it cannot be written. */
  resolvConf(before: string, after: string): void {
    this.#remember({ kind: 'resolv-conf', before, after })
    writeResolvConf(after)
  }

  /** How a persistent device is, before anything is set on it. */
  device(before: DeviceState): void {
    this.#remember({ kind: 'device', before })
  }

  /** Undoes everything, the last first. Returns a sentence for each thing that could not be undone. Idempotent. */
  undo(): string[] {
    if (this.#isUndone) return []
    this.#isUndone = true
    return undo({ ...this.#record, file: this.#file })
  }

  #remember(...changes: Change[]): void {
    this.#record.changes.push(...changes)
    this.#write()
  }

  /** Whole or not at all, and on the disk before anything is changed. */
  #write(): void {
    const temporary = `${this.#file}${UNFINISHED}`
    const text = `${JSON.stringify(this.#record, undefined, 2)}\n`
    // What nobody would read again later must not be written now.
    if (this.#record.changes.length > MAX_CHANGES || Buffer.byteLength(text) > MAX_FILE_BYTES) {
      throw new TunError('system', `more than ${MAX_CHANGES} changes of this machine are too many, so none is made`)
    }
    try {
      const fd = openSync(temporary, 'w', 0o600)
      writeFileSync(fd, text)
      fsyncSync(fd)
      closeSync(fd)
      renameSync(temporary, this.#file)
    } catch (error) {
      const why = (error as Error).message
      throw new TunError('system', `what is changed cannot be written down, so nothing is changed: ${why}`)
    }
  }
}

/**
 * What processes that are gone have left in this network namespace. Changes nothing, but for what says nothing any more, which it removes: records from
 * before the last boot, and those that were never finished, so that nothing was changed yet.
 */
export function findLeftovers(): Leftovers {
  removeUnfinished()
  const found: Leftover[] = []
  const unclear: string[] = []
  const here = ourselves()
  const roots = '/run/masque-lab'
  if (runFolderName() !== roots && existsSync(roots)) {
    unclear.push(`${roots} has records of what root has changed: run this as root to look at them`)
  }
  for (const { file, content } of readRecords()) {
    if (content === undefined) {
      unclear.push(`${file} is no record of masque-lab: look at it, and remove it`)
    } else if (content.boot !== here.boot) {
      removeRecord(file)
    } else if (content.processes === here.processes && isAlive(content)) {
      // Whoever it is undoes it at its own end, in whichever network it is.
    } else if (content.network !== here.network || content.processes !== here.processes) {
      unclear.push(`${file} is about another namespace: run the command in there, or remove the file if that is gone`)
    } else {
      found.push({ file, pid: content.pid, device: content.device, changes: content.changes })
    }
  }
  return { found, unclear }
}

/**
 * For who is about to change the machine: what processes that are gone have left is undone first, so that what is found is how it was before them,
 * and nobody undoes it later under somebody else's feet. What cannot be undone stays for doctor.
 */
export function undoLeftovers(): void {
  for (const leftover of findLeftovers().found) undo(leftover)
}

/** Undoes what was left behind, and removes its record. Returns a sentence for each thing that could not be undone. */
export function undo({ file, changes }: Pick<Leftover, 'file' | 'changes'>): string[] {
  const problems: string[] = []
  for (const change of [...changes].reverse()) {
    try {
      undoOne(change, file)
    } catch (error) {
      problems.push((error as Error).message)
    }
  }
  // With problems the record stays, for another attempt.
  if (problems.length === 0) removeRecord(file)
  return problems
}

/** "net.ipv4.ip_forward 0 -> 1" */
export function describeChange(change: Change): string {
  switch (change.kind) {
    case 'setting':
      return `${change.key.replaceAll('/', '.')} ${change.before} -> ${change.after}`
    case 'nft':
      return `the nftables table inet ${change.table}`
    case 'iptables':
      return `the rule ${change.command} -t ${change.table} ${change.rule.join(' ')}`
    case 'resolv-conf':
      return `the DNS servers in ${RESOLV_CONF}`
    case 'device':
      return `addresses, routes and settings of the TUN device ${change.before.name}, which is persistent`
  }
}

function undoOne(change: Change, file: string): void {
  // Who lives still needs it, and undoes it. Rules of iptables are another thing: of two that are the same, this takes away one.
  if (change.kind !== 'iptables' && claimsOfOthers(file).some(other => isSameThing(other, change))) return
  switch (change.kind) {
    case 'setting': {
      const { key, before, after } = change
      // Or somebody else has set something else meanwhile.
      if (before !== after && readSetting(key) === after) writeSetting(key, before)
      return
    }
    case 'nft':
      // Made first, so that one that is missing is no failure.
      runTool('nft', ['-f', '-'], `table inet ${change.table}\ndelete table inet ${change.table}\n`)
      return
    case 'iptables': {
      const { command, table, rule } = change
      if (spawnSync(command, ['-w', '-t', table, '-C', ...rule]).status !== 0) return
      runTool(command, ['-w', '-t', table, '-D', ...rule])
      return
    }
    case 'resolv-conf': {
      // Somebody else may have written it meanwhile, as when the machine has moved to another network: theirs is right. A part of ours is what is
      // left of a process that was killed while it wrote.
      const { before, after } = change
      const content = readResolvConf()
      const isOurs = after.startsWith(content) || before.startsWith(content)
      if (isOurs && content !== before) writeResolvConf(before)
      return
    }
    case 'device':
      return restoreDevice(change.before)
  }
}

/** What other processes that live have changed in this namespace. */
function claimsOfOthers(file: string): Change[] {
  const { network } = ourselves()
  return readRecords().flatMap(({ file: other, content }) => {
    if (other === file || content === undefined || content.network !== network || !isAlive(content)) return []
    return content.changes
  })
}

function isSameThing(a: Change, b: Change): boolean {
  return identityOf(a) === identityOf(b)
}

/** What a change is about, whatever the values are. */
function identityOf(change: Change): string {
  switch (change.kind) {
    case 'setting':
      return `${change.kind} ${change.key}`
    case 'nft':
      return `${change.kind} ${change.table}`
    case 'iptables':
      return `${change.kind} ${change.command} ${change.table} ${change.rule.join(' ')}`
    case 'resolv-conf':
      return change.kind
    case 'device':
      return `${change.kind} ${change.before.name}`
  }
}

/** Of processes that are gone: such a file is renamed in the moment after it was made. */
function removeUnfinished(): void {
  const folder = runFolderName()
  if (!existsSync(folder)) return
  checkRunFolder(folder)
  for (const name of readdirSync(folder)) {
    if (name.endsWith(UNFINISHED) && !isRunning(Number.parseInt(name, 10))) removeRecord(join(folder, name))
  }
}

function readRecords(): { file: string; content: ChangeRecord | undefined }[] {
  const folder = runFolderName()
  if (!existsSync(folder)) return []
  checkRunFolder(folder)
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .map(name => ({ file: join(folder, name), content: readRecord(join(folder, name)) }))
}

/** And the folder, when nothing else is in there. */
function removeRecord(file: string): void {
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

function isAlive({ pid, startTime }: ChangeRecord): boolean {
  return isRunning(pid) && startTimeOf(pid) === startTime
}

function ourselves(): Pick<ChangeRecord, 'pid' | 'startTime' | 'boot' | 'network' | 'processes'> {
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

function runFolderName(): string {
  return process.getuid?.() === 0 ? '/run/masque-lab' : join(tmpdir(), `masque-lab-${process.getuid?.()}`)
}

/** Where records are kept, made when it is missing. Throws TunError. */
function runFolder(): string {
  const folder = runFolderName()
  try {
    mkdirSync(folder, { mode: 0o700, recursive: true })
  } catch (error) {
    throw new TunError('system', `${folder} cannot be made: ${(error as Error).message}`)
  }
  checkRunFolder(folder)
  return folder
}

/** Nobody else may write there, or they could tell root what to undo. Throws TunError. */
function checkRunFolder(folder: string): void {
  const { uid, mode } = lstatSync(folder)
  if (lstatSync(folder).isDirectory() && uid === process.getuid?.() && (mode & 0o022) === 0) return
  throw new TunError('system', `${folder} is not a folder that only this user may write to: have it removed`)
}

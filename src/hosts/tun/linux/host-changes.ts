/**
 * What stays when the process is killed, unlike a device of its own: settings of the kernel and rules of the firewall (a router's), the DNS servers (a
 * client's), and what is set on a persistent device. Each change is written into a file first; whoever finds the file of a process that is gone knows
 * what to undo: `npm run doctor`, and who is about to change the same (`undoLeftovers`).
 */

import { dirname, join } from 'node:path'
import { TunError } from '../errors.ts'
import { runTool } from '../run-tool.ts'
import { type Change, isSameThing, undoChange } from './change.ts'
import {
  type ChangeRecord,
  isAlive,
  makeRunFolder,
  ourselves,
  readRecords,
  removeRecord,
  removeUnfinished,
  rootsFolder,
  runFolderName,
  writeRecord,
} from './change-records.ts'
import type { DeviceState } from './device-state.ts'
import { writeResolvConf } from './resolv-conf.ts'
import { readSetting, writeSetting } from './settings.ts'

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

  /** `folder`: where its file is. Throws TunError where that cannot be written: then nothing is changed. */
  constructor(device: string, purpose: Purpose, folder = runFolderName()) {
    makeRunFolder(folder)
    this.#record = { ...ourselves(), device, changes: [] }
    this.#file = join(folder, `${process.pid}-${device}-${purpose}.json`)
    writeRecord(this.#file, this.#record)
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
    writeRecord(this.#file, this.#record)
  }
}

/**
 * What processes that are gone have left in this network namespace. Changes nothing, but for what says nothing any more, which it removes: records from
 * before the last boot, and those that were never finished, so that nothing was changed yet. Throws TunError where others could have written the records.
 */
export function findLeftovers(folder = runFolderName()): Leftovers {
  removeUnfinished(folder)
  const found: Leftover[] = []
  const unclear: string[] = []
  const here = ourselves()
  const roots = rootsFolder()
  if (roots !== undefined) {
    unclear.push(`${roots} has records of what root has changed: run this as root to look at them`)
  }
  for (const { file, content } of readRecords(folder)) {
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
      // Who lives still needs it, and undoes it. Rules of iptables are another thing: of two that are the same, this takes away one.
      const isNeeded = change.kind !== 'iptables' && claimsOfOthers(file).some(other => isSameThing(other, change))
      if (!isNeeded) undoChange(change)
    } catch (error) {
      problems.push((error as Error).message)
    }
  }
  // With problems the record stays, for another attempt.
  if (problems.length === 0) removeRecord(file)
  return problems
}

/** What other processes that live have changed in this namespace. */
function claimsOfOthers(file: string): Change[] {
  const { network } = ourselves()
  return readRecords(dirname(file)).flatMap(({ file: other, content }) => {
    if (other === file || content === undefined || content.network !== network || !isAlive(content)) return []
    return content.changes
  })
}

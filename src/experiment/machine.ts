/** What is recorded about the machine and the program with every run. */

import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { commit, VERSION } from '../version.ts'
import type { MachineFacts, RunLine } from './results-file.ts'

/** No host name, no user, no paths: results are passed on. */
export function machineFacts(): MachineFacts {
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${arch()} ${release().split(/[-+]/, 1)[0]}`,
    load: Number(loadavg()[0].toFixed(2)),
  }
}

let versionsOnce: RunLine['versions'] | undefined

/** Looked up once: what is loaded stays as it is while the program runs. */
export function versions(): RunLine['versions'] {
  if (versionsOnce === undefined) {
    const at = commit()
    versionsOnce = { masqueLab: VERSION, node: process.versions.node, ...(at === undefined ? {} : { commit: at }) }
  }
  return versionsOnce
}

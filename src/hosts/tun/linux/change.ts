/** One change of this machine that stays when the process is killed: what it is, in words and in a record, and how it is undone. */

import { spawnSync } from 'node:child_process'
import { z } from 'zod'
import { runTool } from '../run-tool.ts'
import { deviceState, restoreDevice } from './device-state.ts'
import { MAX_RESOLV_CONF, RESOLV_CONF, RESOLV_CONF_MARK, readResolvConf, writeResolvConf } from './resolv-conf.ts'
import { readSetting, writeSetting } from './settings.ts'

const SETTING = /^net\/(ipv4\/ip_forward|ipv6\/conf\/all\/forwarding|ipv6\/conf\/[^/]{1,15}\/accept_ra)$/

/** As it stands in a record. */
export const change = z.discriminatedUnion('kind', [
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

/** Whatever of it is there. Throws when the system refuses. */
export function undoChange(change: Change): void {
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

/** Are these two about one thing, whatever the values are? */
export function isSameThing(a: Change, b: Change): boolean {
  return identityOf(a) === identityOf(b)
}

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

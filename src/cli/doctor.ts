/** `npm run doctor`: finds what a killed program has left on this machine, and undoes it. */

import { Command } from 'commander'
import { describeChange } from '../hosts/tun/linux/change.ts'
import { findLeftovers, undo } from '../hosts/tun/linux/host-changes.ts'
import { findDnsEntries, removeDnsEntry } from '../hosts/tun/macos/macos-dns.ts'
import { VERSION } from '../version.ts'
import { runCommand } from './run-command.ts'

const { dryRun } = new Command('npm run doctor --')
  .description(
    'Finds what masque-lab has changed on this machine and could not undo because it was killed (forwarding, NAT, DNS servers, persistent TUN devices), and undoes it. ' +
      'Exit status 1: something remains, or cannot be judged from here.',
  )
  .option('--dry-run', 'only say what would be undone')
  .version(VERSION)
  .parse()
  .opts<{ dryRun?: boolean }>()

/** What a process has left, in words, and how it is undone. */
interface Finding {
  readonly title: string
  readonly changes: readonly string[]
  /** Returns a sentence for each thing that could not be undone. */
  undo(): string[]
}

await runCommand(async () => {
  const { found, unclear } = look()
  if (found.length === 0 && unclear.length === 0) console.log('Nothing was left behind.')
  for (const { title, changes, undo } of found) {
    console.log(title)
    for (const change of changes) console.log(`  ${change}`)
    const problems = dryRun ? [] : undo()
    for (const problem of problems) console.log(`  not undone: ${problem}`)
    if (!dryRun && problems.length === 0) console.log('  undone')
    if (dryRun || problems.length > 0) process.exitCode = 1
  }
  for (const sentence of unclear) console.log(sentence)
  if (unclear.length > 0) process.exitCode = 1
})

function look(): { found: Finding[]; unclear: readonly string[] } {
  if (process.platform === 'darwin') {
    const found = findDnsEntries().map(entry => ({
      title: 'A process that is gone has left DNS servers:',
      changes: [entry],
      undo: () => removeDnsEntry(entry),
    }))
    return { found, unclear: [] }
  }
  // On Windows, everything is on the adapter, and goes with it.
  if (process.platform !== 'linux') return { found: [], unclear: [] }
  const { found, unclear } = findLeftovers()
  return {
    found: found.map(leftover => ({
      title: `Process ${leftover.pid}, which is gone, has left for its TUN device ${leftover.device}:`,
      changes: leftover.changes.map(describeChange),
      undo: () => undo(leftover),
    })),
    unclear,
  }
}

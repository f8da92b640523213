/** `npm run doctor`: finds what a killed program has left on this machine, and undoes it. */

import { Command } from 'commander'
import { describeChange, findLeftovers, undo } from '../hosts/tun/linux/host-changes.ts'
import { VERSION } from '../version.ts'
import { runCommand } from './run-command.ts'

const { dryRun } = new Command('npm run doctor --')
  .description(
    'Finds what masque-lab has changed on this machine and could not undo because it was killed (forwarding, NAT), and undoes it. ' +
      'Exit status 1: something remains.',
  )
  .option('--dry-run', 'only say what would be undone')
  .version(VERSION)
  .parse()
  .opts<{ dryRun?: boolean }>()

await runCommand(async () => {
  if (process.platform !== 'linux')
    return console.log('Nothing is changed on systems other than Linux: nothing to undo.')
  const { found, unclear } = findLeftovers()
  if (found.length === 0) console.log('Nothing was left behind.')
  for (const leftover of found) {
    console.log(`Process ${leftover.pid}, which is gone, has left for its TUN device ${leftover.device}:`)
    for (const change of leftover.changes) console.log(`  ${describeChange(change)}`)
    if (dryRun) continue
    const problems = undo(leftover)
    for (const problem of problems) console.log(`  not undone: ${problem}`)
    if (problems.length === 0) console.log('  undone')
    else process.exitCode = 1
  }
  for (const sentence of unclear) console.log(sentence)
})

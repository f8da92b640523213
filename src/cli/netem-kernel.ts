/** What netem/apply.sh and netem/clear.sh start. */

import { CommanderError } from 'commander'
import { kernelCommand, kernelExitStatus } from './netem/kernel-command.ts'
import { explain } from './run-command.ts'

// `apply.sh … --dry-run | head` is no failure.
process.stdout.once('error', () => process.exit())

try {
  await kernelCommand().parseAsync()
} catch (error) {
  process.exitCode = kernelExitStatus(error)
  // commander has said itself what is wrong with the command line.
  if (!(error instanceof CommanderError)) console.error(explain(error))
}

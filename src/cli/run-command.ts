/** What all commands have in common: how they end. */

import { ConfigError } from '../config/config-error.ts'

/**
 * Runs a command to its end. A failure that the user can do something about is one clear sentence on standard error and
 * exit status 1; a bug of ours keeps its stack trace.
 */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command()
  } catch (error) {
    process.exitCode = 1
    console.error(explain(error))
  }
}

export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Our own error classes have names of their own and messages for people; anything else is unexpected.
  const known =
    error instanceof ConfigError || !['Error', 'TypeError', 'RangeError', 'ReferenceError'].includes(error.name)
  return known ? error.message : (error.stack ?? error.message)
}

/** Resolves at the first Ctrl-C or SIGTERM. At the second, the process ends at once, as people expect. */
export function interrupted(): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    const onSignal = (signal: NodeJS.Signals): void => {
      for (const each of ['SIGINT', 'SIGTERM'] as const) {
        process.off(each, onSignal)
        process.once(each, () => process.exit(130))
      }
      resolve(signal)
    }
    process.once('SIGINT', onSignal)
    process.once('SIGTERM', onSignal)
  })
}

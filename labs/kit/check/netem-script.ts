/** What the scripts in the labs' `netem/` folders have in common: their options, one line for each expectation, their end. */
import { Command, Option } from 'commander'
import { explain, interrupted } from '../../../src/cli/run-command.ts'
import type { Backend } from '../../../src/link/kernel/kernel-link.ts'
import { KernelBackendError } from '../../../src/link/kernel/kernel-link.ts'
import { Cleanup } from './cleanup.ts'

export interface ScriptOptions {
  backend: Backend | 'auto'
  seed: string
}

/** Prints `ok` or `FAIL` and what was measured. */
export type Expect = (met: boolean, what: string) => void

/**
 * Reads the command line, runs the script, and ends the process: status 0 when every expectation is met, 1 when not, another
 * (netem/README.md) when the link could not be impaired. What was opened is closed, also after Ctrl-C.
 */
export async function netemScript(
  about: { description: string; profiles?: string[] },
  script: (profiles: string[], options: ScriptOptions, cleanup: Cleanup, expect: Expect) => Promise<void>,
): Promise<void> {
  const program = new Command('check').description(about.description)
  if (about.profiles) program.argument('[profile...]', 'profiles of netem/profiles, or files', about.profiles)
  program
    .addOption(
      new Option('--backend <which>', 'what impairs the link; auto: the kernel where it can be had')
        .choices(['auto', 'emulator', 'kernel'])
        .default('auto'),
    )
    .option('--seed <text>', 'of the emulator’s random numbers', '1')
    .parse()
  const profiles = about.profiles ? (program.processedArgs[0] as string[]) : []
  let failed = 0
  const expect: Expect = (met, what) => {
    if (!met) failed++
    console.log(`  ${met ? 'ok  ' : 'FAIL'}  ${what}`)
  }
  const cleanup = new Cleanup()
  const work = script(profiles, program.opts<ScriptOptions>(), cleanup, expect)
  try {
    const stopped = await Promise.race([work.then(() => undefined), interrupted()])
    if (stopped !== undefined) {
      work.catch(() => {}) // it fails now that what it works with is closed
      console.log('stopped')
      process.exitCode = 130
    } else process.exitCode = failed === 0 ? 0 : 1
  } catch (error) {
    console.error(explain(error))
    process.exitCode = error instanceof KernelBackendError ? error.status : 1
  } finally {
    await cleanup.run()
  }
  process.exit()
}

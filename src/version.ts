import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import packageJson from '../package.json' with { type: 'json' }

/** The version of this program, as package.json has it. */
export const VERSION: string = packageJson.version

/**
 * The commit that this program runs from, with `+` behind it when files have been changed since. undefined where that cannot be told: in
 * an archive without git, for instance.
 */
export function commit(): string | undefined {
  try {
    // Without a lock on the index, on which somebody's `git commit` at the same time would fail.
    const said = execFileSync(
      'git',
      ['--no-optional-locks', 'describe', '--always', '--exclude=*', '--abbrev=12', '--dirty=+'],
      {
        cwd: fileURLToPath(new URL('..', import.meta.url)),
        stdio: ['ignore', 'pipe', 'ignore'],
        encoding: 'utf8',
        timeout: 10_000,
      },
    )
    return said.trim() || undefined
  } catch {
    return undefined
  }
}

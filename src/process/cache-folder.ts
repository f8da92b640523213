/** Where what can be made again is kept between two runs: programs that were compiled, packages that were downloaded. */
import { mkdirSync, rmdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * A folder of the user's, outside of the repository: `$XDG_CACHE_HOME/masque-lab` or `~/.cache/masque-lab`, on macOS
 * `~/Library/Caches/masque-lab`, on Windows `%LOCALAPPDATA%\masque-lab`.
 */
export function userCache(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'masque-lab')
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'masque-lab')
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'masque-lab')
  return join(home, '.cache', 'masque-lab')
}

/** The first of these folders that is there or can be made, and in which files can be made. Throws what the system says about the last one. */
export function firstWritable(folders: readonly string[]): string {
  let problem: unknown = new Error('no folder was named')
  for (const folder of folders) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      // Root may write where the mode forbids it, and nobody on a file system that is read-only: so it is tried out.
      const probe = join(folder, `.try-${process.pid}`)
      mkdirSync(probe)
      rmdirSync(probe)
      return folder
    } catch (error) {
      problem = error
    }
  }
  throw problem
}

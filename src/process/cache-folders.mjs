import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Where what is made of our sources is kept: beside the packages; where these belong to somebody else, as in a classroom, in the user's own cache.
 * Plain JavaScript, because it is needed before TypeScript can be loaded.
 * @param {string} root of the repository
 * @returns {string[]} the first that serves is used
 */
export function cacheFolders(root) {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  const own = XDG_CACHE_HOME || (process.platform === 'win32' && LOCALAPPDATA) || join(homedir(), '.cache')
  return [join(root, 'node_modules', '.cache', 'masque-lab'), join(own, 'masque-lab')]
}

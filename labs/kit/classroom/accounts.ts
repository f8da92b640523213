/** Accounts that the instructor has named, which join by their Unix names alone: a name a line, as in a list of the class. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'

export const MAX_ACCOUNTS = 1000
/** useradd's rule, and directories have dots, and `@` in front of a domain. No dash in front: it would be an option. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.@$-]{0,255}$/

/** The message is for the instructor. */
export class AccountsError extends Error {
  override name = 'AccountsError'
}

/** The names that a file holds; `#` begins a comment. Throws an AccountsError. */
export function accountNames(text: string, file: string): string[] {
  const names = text.split('\n').flatMap((line, i) => {
    const name = line.replace(/#.*/, '').trim()
    if (name === '') return []
    if (NAME.test(name)) return name
    throw new AccountsError(`${file}, line ${i + 1}: the name of an account is expected, one a line`)
  })
  if (names.length > MAX_ACCOUNTS)
    throw new AccountsError(`${file} has ${names.length} names, and ${MAX_ACCOUNTS} are possible`)
  return names
}

/** Their user ids. Throws an AccountsError that names those that this machine does not know. */
export function userIds(file: string, idOf: (name: string) => number | undefined = systemId): Set<string> {
  const unknown: string[] = []
  const ids = new Set<string>()
  for (const name of accountNames(readFileSync(file, 'utf8'), file)) {
    const id = idOf(name)
    if (id === undefined) unknown.push(name)
    else ids.add(String(id))
  }
  if (unknown.length > 0)
    throw new AccountsError(`${file}: this machine has no account ${unknown.slice(0, 10).join(', ')}`)
  return ids
}

/** As the system says, which may ask a directory. */
function systemId(name: string): number | undefined {
  if (name === userInfo().username) return userInfo().uid
  const { status, stdout } = spawnSync('id', ['-u', '--', name], { encoding: 'utf8', timeout: 10_000 })
  const id = Number(stdout)
  return status === 0 && Number.isInteger(id) ? id : undefined
}

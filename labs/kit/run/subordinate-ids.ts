import { readFileSync } from 'node:fs'

/**
 * Ids that a user may give to processes of his own in a user namespace (subuid(5)): thousands of them, behind which is no account, so that
 * one user could be many. Where the file cannot be read there are none.
 */
export function subordinateIds(
  table: () => string = () => readFileSync('/etc/subuid', 'latin1'),
): (uid: number) => boolean {
  let text = ''
  try {
    text = table()
  } catch {
    // Not Linux, or without user namespaces.
  }
  const ranges = text.split('\n').flatMap(line => {
    const [, first, count] = /^[^:#]+:(\d+):(\d+)\s*$/.exec(line) ?? []
    return first === undefined ? [] : [{ first: Number(first), end: Number(first) + Number(count) }]
  })
  return uid => ranges.some(({ first, end }) => uid >= first && uid < end)
}

/** Whose programs listen on a port of 127.0.0.1, and what that account is called: the kernel knows, and nobody can say otherwise. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { printable } from '../../../src/text/printable.ts'

const LISTENING = '0A'
/** As /proc/net/tcp and tcp6 write them: those that a connection to 127.0.0.1 may end at. */
const HERE = new Set([
  '0100007F',
  '00000000',
  '00000000000000000000000000000000',
  '0000000000000000FFFF00000100007F',
  '0000000000000000FFFF000000000000',
])
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6']

/** Their user ids, each once. Undefined where the system does not tell: anywhere but on Linux. `read`: for tests. */
export function portOwners(
  port: number,
  read: (file: string) => string = file => readFileSync(file, 'latin1'),
): number[] | undefined {
  const owners = new Set<number>()
  let tables = 0
  for (const file of TABLES) {
    let text: string
    try {
      text = read(file)
    } catch {
      // Without IPv6 there is one table.
      continue
    }
    tables++
    for (const line of text.split('\n')) {
      // sl, local address, remote address, state, queues, timer, retransmissions, uid: proc_pid_net(5).
      const [, local = '', , state, , , , uid] = line.trim().split(/\s+/)
      const [address = '', hexPort = ''] = local.split(':')
      if (state === LISTENING && HERE.has(address) && Number.parseInt(hexPort, 16) === port) owners.add(Number(uid))
    }
  }
  return tables === 0 ? undefined : [...owners]
}

/** As the system says, which may ask a directory; its number where it has none. */
export function accountName(uid: number): string {
  const { status, stdout } = spawnSync('id', ['-un', '--', String(uid)], { encoding: 'utf8', timeout: 10_000 })
  const name = status === 0 ? printable(stdout.trim().slice(0, 100)) : ''
  return name === '' ? `user id ${uid}` : name
}

/** Whose process is at the other end of a TCP connection over loopback: the kernel knows, and a student cannot say otherwise. */
import { readFileSync } from 'node:fs'

const ESTABLISHED = '01'

/**
 * The user's id; undefined where the system does not tell (anywhere but on Linux), and where the other end is closed already. `table`: of
 * /proc/net/tcp, for tests.
 */
export function peerUser(
  peerPort: number,
  ownPort: number,
  table: () => string = () => readFileSync('/proc/net/tcp', 'latin1'),
): number | undefined {
  let text: string
  try {
    text = table()
  } catch {
    return undefined
  }
  const [peer, own] = [peerPort, ownPort].map(hexPort)
  for (const line of text.split('\n')) {
    // sl, local address, remote address, state, queues, timer, retransmissions, uid: proc_pid_net(5).
    const [, local, remote, state, , , , uid] = line.trim().split(/\s+/)
    if (local !== `0100007F:${peer}` || remote !== `0100007F:${own}`) continue
    // Of a socket that its process has closed the kernel says that it is root's.
    return state === ESTABLISHED ? Number(uid) : undefined
  }
  return undefined
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}

/**
 * Ports for each user of a machine that many share: who starts a server on one of them meets nobody. They follow from the user id alone, so that nobody has
 * to be asked, and they are the same tomorrow.
 *
 *     first port = 10000 + 4 * (user id mod 5680)
 *
 * All of them lie above the well-known ones and below those that systems hand out by themselves (from 32768 on Linux, from 49152 elsewhere).
 */
export interface UserPorts {
  /** Of a proxy: UDP, and the same of TCP. */
  proxy: number
  /** Of its REST API. */
  api: number
  /** Of a link emulator in front of the proxy. */
  link: number
  /** Of a Prometheus. */
  prometheus: number
}

const NAMES = ['proxy', 'api', 'link', 'prometheus'] as const satisfies readonly (keyof UserPorts)[]

export const USER_PORTS = { first: 10_000, each: NAMES.length, users: 5680 } as const

/** Two users have the same ones only when their ids differ by a multiple of 5680. Where a system has no user ids they are those of 0. */
export function userPorts(uid: number = ownId() ?? 0): UserPorts {
  const { first, each, users } = USER_PORTS
  const start = first + each * (uid % users)
  return Object.fromEntries(NAMES.map((name, i) => [name, start + i])) as unknown as UserPorts
}

/** What to say to a user who finds `port` taken; empty where a system has no user ids. */
export function takenPortHint(port: number, uid: number | undefined = ownId()): string {
  if (uid === undefined) return ''
  const { proxy, prometheus } = userPorts(uid)
  if (port < proxy || port > prometheus)
    return `; on a machine that you share, ${proxy} to ${prometheus} are yours (npm run lab -- --ports)`
  const { first, each, users } = USER_PORTS
  return `; ${port} is one of yours, by your user id (${first} + ${each} * (${uid} mod ${users}) is the first of them): a program of your own has it still, or somebody took it, and then any free one from 1024 to 32767 will do`
}

function ownId(): number | undefined {
  return process.getuid?.()
}

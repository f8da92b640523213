/** The seed of a student: hidden inputs are generated from it, so that two neighbours do not have the same ones. */
import { hostname, userInfo } from 'node:os'

/** The same on every run of one user on one machine. `MASQUE_LAB_SEED` sets another. */
export function defaultSeed(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env.MASQUE_LAB_SEED) return env.MASQUE_LAB_SEED
  return `${userName()}@${hostname()}`
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'student' // a container may run under a user id that has no name
  }
}

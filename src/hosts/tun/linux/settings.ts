/** Settings of the kernel, the files below /proc/sys. */

import { readFileSync, writeFileSync } from 'node:fs'
import { TunError } from '../errors.ts'

/** `key`: such as net/ipv4/ip_forward. Undefined where there is no such setting. */
export function readSetting(key: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${key}`, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Throws TunError. */
export function writeSetting(key: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/${key}`, value)
  } catch (error) {
    const name = key.replaceAll('/', '.')
    throw new TunError(
      'no-rights',
      `${name} cannot be set to ${value} (${(error as NodeJS.ErrnoException).code}): run as root`,
    )
  }
}

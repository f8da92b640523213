/**
 * The file with the DNS servers of a machine, resolv.conf(5). Written in place, and not by a new file that takes its name: in a container it is a
 * mount of its own, and elsewhere often a symbolic link.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { TunError } from '../errors.ts'

export const RESOLV_CONF = '/etc/resolv.conf'
/** With this begins one that was written here. */
export const RESOLV_CONF_MARK = '# masque-lab'
/** As it has to be written down before it is changed. */
export const MAX_RESOLV_CONF = 8192

/** Each byte a character, so that it can be put back as it was. Throws TunError. */
export function readResolvConf(): string {
  let content: string
  try {
    content = readFileSync(RESOLV_CONF, 'latin1')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new TunError('system', `${RESOLV_CONF} cannot be read (${code}), so DNS stays as it is`)
  }
  if (content.length <= MAX_RESOLV_CONF) return content
  const found = `${content.length} bytes, expected at most ${MAX_RESOLV_CONF}`
  throw new TunError('system', `${RESOLV_CONF} is too large to be put back later (${found}), so DNS stays as it is`)
}

/** Throws TunError. */
export function writeResolvConf(content: string): void {
  try {
    writeFileSync(RESOLV_CONF, content, 'latin1')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new TunError('no-rights', `${RESOLV_CONF} cannot be written (${code}): run as root, or leave DNS as it is`)
  }
}

import { getSystemErrorName } from 'node:util'

/**
 *   unsupported  not on this system, or without koffi
 *   no-device    the system offers no TUN devices
 *   no-rights    this user may not do that
 *   name         no name for an interface
 *   busy         somebody else has the device, or an interface of another kind has the name
 *   taken        an address that another interface has
 *   system       what else the system says
 */
export type TunErrorKind = 'unsupported' | 'no-device' | 'no-rights' | 'name' | 'busy' | 'taken' | 'system'

const EPERM = 1
const EACCES = 13
const EEXIST = 17

/** A TUN device cannot be had, or something about it cannot be changed. The message says what to do. */
export class TunError extends Error {
  override name = 'TunError'
  readonly kind: TunErrorKind

  constructor(kind: TunErrorKind, message: string) {
    super(message)
    this.kind = kind
  }

  /** What the kernel says to a change. `text`: in its own words, if it has any. */
  static fromErrno(what: string, errno: number, text: string): TunError {
    const name = errnoName(errno)
    if (errno === EPERM || errno === EACCES) {
      // The kernel says the same where IPv6 is turned off.
      const isIpv6 = what.includes('::') ? ', and IPv6 must not be turned off (net.ipv6.conf.all.disable_ipv6)' : ''
      const need = `that needs root or CAP_NET_ADMIN${isIpv6}`
      return new TunError('no-rights', `${what} was refused (${name}): ${need}, or have it set by somebody who may`)
    }
    if (errno === EEXIST) return new TunError('taken', `${what} exists already (${name}): remove it, or use another`)
    return new TunError('system', `${what} was refused (${name})${text === '' ? '' : `: ${text}`}`)
  }
}

/** `EPERM`, as in errno(3). */
export function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno)
  } catch {
    return `error ${errno}`
  }
}

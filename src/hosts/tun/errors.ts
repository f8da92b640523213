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
  /** What the kernel said, where it was asked. */
  readonly errno: number | undefined

  constructor(kind: TunErrorKind, message: string, errno?: number) {
    super(message)
    this.kind = kind
    this.errno = errno
  }

  /** What the kernel says to a change. `text`: in its own words, if it has any. */
  static fromErrno(what: string, errno: number, text: string): TunError {
    const name = errnoName(errno)
    if (errno === EPERM || errno === EACCES) {
      // The kernel says the same where IPv6 is turned off.
      const isIpv6 = what.includes('::') ? ', and IPv6 must not be turned off (net.ipv6.conf.all.disable_ipv6)' : ''
      const need = `that needs root or CAP_NET_ADMIN${isIpv6}`
      return new TunError(
        'no-rights',
        `${what} was refused (${name}): ${need}, or have it set by somebody who may`,
        errno,
      )
    }
    if (errno === EEXIST)
      return new TunError('taken', `${what} exists already (${name}): remove it, or use another`, errno)
    return new TunError('system', `${what} was refused (${name})${text === '' ? '' : `: ${text}`}`, errno)
  }
}

/**
 * What could not be done to a device, as sentences. Of what the kernel has refused for one reason, the first stands for all: a full tunnel has dozens of routes,
 * and who may not set one may set none.
 */
export function tellProblems(device: string, errors: readonly TunError[]): string[] {
  const alike = new Map<number | string, TunError[]>()
  for (const error of errors) {
    const reason = error.errno ?? error.message
    alike.set(reason, [...(alike.get(reason) ?? []), error])
  }
  return [...alike.values()].map(([first, ...others]) => {
    const more = others.length === 0 ? '' : ` (and so ${others.length} more)`
    return `${device}: ${first.message}${more}`
  })
}

/** `EPERM`, as in errno(3). */
export function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno)
  } catch {
    return `error ${errno}`
  }
}

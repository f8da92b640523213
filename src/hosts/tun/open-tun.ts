import type { TunDevice } from './device.ts'
import { TunError } from './errors.ts'
import { LinuxTunDevice } from './linux/tun-device.ts'

/** The name where none is given: the system puts the first free number into it. */
const DEFAULT_TUN_NAME = 'masque%d'

export interface TunOptions {
  /** Default `masque%d`. */
  readonly name?: string
  /** Many packets in one read and one write; default false. */
  readonly offload?: boolean
}

/** Makes a TUN device of this system, or attaches to one of this name. Throws TunError, which says what to do. */
export function openTun({ name = DEFAULT_TUN_NAME, offload }: TunOptions = {}): TunDevice {
  if (process.platform === 'linux') return LinuxTunDevice.open({ name, offload })
  throw new TunError('unsupported', `there are no TUN devices for ${process.platform} yet: leave the TUN device out`)
}

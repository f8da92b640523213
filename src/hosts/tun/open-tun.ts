import type { TunDevice } from './device.ts'
import { TunError } from './errors.ts'
import { LinuxTunDevice } from './linux/tun-device.ts'
import { MacosTunDevice } from './macos/tun-device.ts'
import { WindowsTunDevice } from './windows/tun-device.ts'

/** The name where none is given: the system puts the first free number into it. On macOS, all are called utun0 and so on. */
const DEFAULT_TUN_NAME = 'masque%d'

export interface TunOptions {
  /** Default `masque%d`. */
  readonly name?: string
  /** Many packets in one read and one write; default false. For Linux. */
  readonly offload?: boolean
}

/** Makes a TUN device of this system, or attaches to one of this name. Throws TunError, which says what to do. */
export function openTun({ name = DEFAULT_TUN_NAME, offload }: TunOptions = {}): TunDevice {
  const { platform } = process
  if (platform === 'linux') return LinuxTunDevice.open({ name, offload })
  if (offload) {
    const todo = 'leave out --tun-offload, or offload in [tun]'
    throw new TunError('unsupported', `many packets at once are for TUN devices of Linux: ${todo}`)
  }
  if (platform === 'darwin') return MacosTunDevice.open({ name })
  if (platform === 'win32') return WindowsTunDevice.open({ name })
  throw new TunError('unsupported', `there are no TUN devices for ${platform} yet: leave the TUN device out`)
}

/** What whoever uses a TUN device of this system has to know first; undefined: nothing. */
export function tunCaution(): string | undefined {
  if (process.platform === 'linux') return undefined
  return 'TUN devices of this system were built from its documentation and have never run on real hardware: be ready to start the network anew'
}

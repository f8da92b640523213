import type { TunDevice } from './device.ts'
import type { DnsAbilities, DnsSettings } from './dns-plan.ts'
import { TunError } from './errors.ts'
import { createLinuxDns } from './linux/linux-dns.ts'
import { MacosDns } from './macos/macos-dns.ts'
import { WindowsDns } from './windows/windows-dns.ts'

/** Whom the system asks for names while a tunnel is up. */
export interface SystemDns {
  readonly abilities: DnsAbilities
  /** Replaces what was set before. Throws TunError, with nothing left changed. */
  set(settings: DnsSettings): void
  /** Puts it back as it was. Returns a sentence for each thing that could not be. Idempotent. */
  restore(): string[]
}

/** For names that are looked up while this device is there. Changes nothing yet. Throws TunError where that is not possible. */
export function systemDns({ name, index }: Pick<TunDevice, 'name' | 'index'>): SystemDns {
  switch (process.platform) {
    case 'linux':
      return createLinuxDns(name)
    case 'darwin':
      return new MacosDns(name)
    case 'win32':
      return new WindowsDns(index)
    default:
      throw new TunError('unsupported', `DNS cannot be set on ${process.platform} yet: leave out --tun-dns and tun_dns`)
  }
}

/**
 * What was set on a device, for systems where it begins empty and is ours alone: nothing has to be asked for. What was refused is not
 * counted as set, and so is tried again with the next settings.
 */

import { networkInterfaces } from 'node:os'
import { IpAddress } from '../../ip/address.ts'
import { IPV6_MINIMUM_MTU } from '../../ip/ipv6.ts'
import type { IpPrefix } from '../../ip/prefix.ts'
import { differences, type InterfaceAddress, type InterfaceSettings } from './device.ts'
import { TunError, tellProblems } from './errors.ts'

/** The changes that a system makes. Each throws TunError. */
export interface SettingChanges {
  setMtu(mtu: number): void
  addAddress(address: InterfaceAddress): void
  removeAddress(address: InterfaceAddress): void
  addRoute(prefix: IpPrefix): void
  removeRoute(prefix: IpPrefix): void
}

/** An address that this machine has. */
export interface LocalAddress extends InterfaceAddress {
  /** The name of the interface. */
  readonly on: string
}

/** What a new device has on both systems. */
const USUAL_MTU = 1500

export class OwnSettings {
  readonly #device: string
  readonly #changes: SettingChanges
  #addresses: InterfaceAddress[] = []
  #routes: IpPrefix[] = []
  #mtu: number | undefined

  constructor(device: string, changes: SettingChanges) {
    this.#device = device
    this.#changes = changes
  }

  /** Changes what differs. `others`: the addresses of all other interfaces. Returns a sentence for each thing that could not be done. */
  apply({ addresses, routes, mtu }: InterfaceSettings, others: readonly LocalAddress[]): string[] {
    const changes = this.#changes
    const problems: TunError[] = []
    const attempt = (step: () => void): boolean => {
      try {
        step()
        return true
      } catch (error) {
        if (!(error instanceof TunError)) throw error
        problems.push(error)
        return false
      }
    }

    // What has to go, goes before the MTU is changed: in a link that becomes too narrow, the system takes IPv6 away itself.
    const narrow = mtu ?? this.#mtu
    const gone = differences(this.#addresses, possible(addresses, narrow), addressKey).remove
    const wanted = possible(routes, narrow)
    for (const prefix of [...this.#routes]) {
      // A route hangs on an address of its version: when one of these goes, the system may take the route along. So it is made anew.
      const isLoose = gone.some(({ address }) => address.version === prefix.version)
      if (!isLoose && wanted.some(other => other.equals(prefix))) continue
      if (attempt(() => changes.removeRoute(prefix))) remove(this.#routes, prefix)
    }
    for (const entry of gone) if (attempt(() => changes.removeAddress(entry))) remove(this.#addresses, entry)

    if (mtu !== undefined && mtu !== this.#mtu && attempt(() => changes.setMtu(mtu))) this.#mtu = mtu

    for (const entry of differences(this.#addresses, possible(addresses, this.#mtu), addressKey).add) {
      const other = others.find(({ address }) => address.equals(entry.address))
      if (other !== undefined) problems.push(this.#taken(other))
      else if (attempt(() => changes.addAddress(entry))) this.#addresses.push(entry)
    }
    for (const prefix of differences(this.#routes, possible(routes, this.#mtu), String).add) {
      if (attempt(() => changes.addRoute(prefix))) this.#routes.push(prefix)
    }
    return tellProblems(this.#device, problems)
  }

  #taken({ address, on }: LocalAddress): TunError {
    const todo = 'remove it there, or have the proxy assign another'
    return new TunError('taken', `${address} is an address of ${on} already: ${todo}`)
  }
}

/** In a link that is too narrow for IPv6 (RFC 8200 §5), what is of IPv6 waits until it no longer is. */
function possible<T extends InterfaceAddress | IpPrefix>(items: readonly T[], mtu = USUAL_MTU): readonly T[] {
  return mtu >= IPV6_MINIMUM_MTU ? items : items.filter(({ address }) => address.version === 4)
}

/** Those of every interface that is up. */
export function localAddresses(): LocalAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([on, addresses = []]) =>
    addresses.flatMap(({ cidr }) => {
      if (cidr === null) return []
      const [text, length] = cidr.split('/')
      // Without the zone of a link-local address.
      return [{ address: IpAddress.parse(text.split('%')[0]), length: Number(length), on }]
    }),
  )
}

function addressKey({ address, length }: InterfaceAddress): string {
  return `${address}/${length}`
}

function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1)
}

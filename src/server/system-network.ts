/**
 * The operating system behind the proxy: a TUN device; on Linux also forwarding between it and the machine's other networks, and NAT where it is
 * wanted. On other systems, clients reach this machine itself, and whoever runs it may have it forward.
 */

import { TunError } from '../hosts/tun/errors.ts'
import { startRouting } from '../hosts/tun/linux/router.ts'
import { openTun } from '../hosts/tun/open-tun.ts'
import { localAddresses } from '../hosts/tun/own-settings.ts'
import { TunHost } from '../hosts/tun/tun-host.ts'
import type { IpAddress } from '../ip/address.ts'
import type { IpPrefix } from '../ip/prefix.ts'

export interface SystemNetworkOptions {
  readonly name: string
  readonly mtu: number
  readonly nat: boolean
  readonly offload: boolean
  /** The proxy's own, which the system answers for. */
  readonly addresses: readonly IpAddress[]
  /** What is in the tunnels: the system's routes lead there over the device. */
  readonly inside: readonly IpPrefix[]
  /** What NAT hides. */
  readonly hidden: readonly IpPrefix[]
  /** A sentence about something that could not be set, or undone. */
  readonly onProblem: (sentence: string) => void
  /** Somebody has removed the device. */
  readonly onGone: (sentence: string) => void
}

export class SystemNetwork {
  readonly host: TunHost
  readonly #onProblem: (sentence: string) => void
  readonly #stopRouting: () => string[]

  /** Throws TunError, with nothing left changed. */
  constructor({ name, mtu, nat, offload, addresses, inside, hidden, onProblem, onGone }: SystemNetworkOptions) {
    checkAddresses(addresses, name)
    const device = openTun({ name, offload })
    this.#onProblem = onProblem
    this.host = new TunHost(device, { onProblem, onGone })
    try {
      this.host.configure({ addresses, routes: inside.map(prefix => prefix.toRange()), mtu })
      const isLinux = process.platform === 'linux'
      this.#stopRouting = isLinux ? startRouting({ device: device.name, networks: hidden, nat }) : () => []
    } catch (error) {
      this.host.close()
      throw error
    }
  }

  get name(): string {
    return this.host.device.name
  }

  /** Puts everything back as it was. Idempotent. */
  async close(): Promise<void> {
    for (const sentence of this.#stopRouting()) this.#onProblem(sentence)
    await this.host.closed()
  }
}

/** Without an address of its own, a proxy would seem to run, and nobody would reach it. Throws TunError. */
function checkAddresses(addresses: readonly IpAddress[], device: string): void {
  for (const { address, on } of localAddresses()) {
    if (on === device || !addresses.some(own => own.equals(address))) continue
    const todo = 'choose another pool, or remove it there'
    throw new TunError(
      'taken',
      `${address}, the first of a pool and so the proxy's own, is an address of ${on}: ${todo}`,
    )
  }
}

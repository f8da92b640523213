import type { IpAddress, IpVersion } from '../ip/address.ts'

/** Figures in docs/security.md. */
export const ADDRESS_MEMORY_LIMITS = { identities: 1024, addressesEach: 8 }

/**
 * Which addresses an identity had, so that it gets them again when it comes back: what a client has told others about itself,
 * or a firewall behind the proxy about it, then still holds. A wish, no promise: meanwhile the address is free for others,
 * who come to it last (see AddressPool).
 *
 * Whoever has no identity is not remembered. The identities that were here longest ago are forgotten first.
 */
export class AddressMemory {
  readonly #limits: typeof ADDRESS_MEMORY_LIMITS
  /** Latest first. In the order in which identities last gave an address back. */
  readonly #addresses = new Map<string, readonly IpAddress[]>()

  constructor(limits = ADDRESS_MEMORY_LIMITS) {
    this.#limits = limits
  }

  remember(identity: string | undefined, address: IpAddress): void {
    if (identity === undefined) return
    const before = this.#addresses.get(identity) ?? []
    const others = before.filter(other => !other.equals(address)).slice(0, this.#limits.addressesEach - 1)
    this.#addresses.delete(identity)
    this.#addresses.set(identity, [address, ...others])
    if (this.#addresses.size <= this.#limits.identities) return
    const [oldest] = this.#addresses.keys()
    this.#addresses.delete(oldest)
  }

  /** Those of one IP version, the latest first. */
  recall(identity: string | undefined, version: IpVersion): IpAddress[] {
    if (identity === undefined) return []
    return (this.#addresses.get(identity) ?? []).filter(address => address.version === version)
  }
}

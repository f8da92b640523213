/**
 * Addresses of tunnels that were lost, not ended: kept for a while, for the identity that had them and nobody else. A client that
 * reconnects after an outage gets its addresses again, and its flows go on.
 *
 *     tunnel ── lost ──> kept ── the same identity comes back ──> tunnel
 *                          └── time is up, or the pool is empty ──> pool
 *
 * Who has no identity gets nothing kept: nobody could tell who comes back.
 */

import type { IpAddress, IpVersion } from '../ip/address.ts'

/** Figures in docs/security.md. */
export const KEPT_LEASES_LIMITS = { total: 1024, each: 8 }

export interface KeptLeasesOptions {
  /** For how long, in ms; 0: nothing is kept. */
  graceMs: number
  /** The address is for everybody again. */
  release(address: IpAddress): void
  limits?: typeof KEPT_LEASES_LIMITS
}

interface Kept {
  readonly identity: string
  readonly address: IpAddress
  readonly timer: NodeJS.Timeout
}

export class KeptLeases {
  readonly #options: KeptLeasesOptions
  readonly #limits: typeof KEPT_LEASES_LIMITS
  /** The oldest first. */
  readonly #kept = new Set<Kept>()

  constructor(options: KeptLeasesOptions) {
    this.#options = options
    this.#limits = options.limits ?? KEPT_LEASES_LIMITS
  }

  /** A tunnel has lost this address. What exceeds the limits goes to everybody, the oldest first. */
  keep(identity: string | undefined, address: IpAddress): void {
    const { graceMs, release } = this.#options
    if (identity === undefined || graceMs === 0) return release(address)
    const lease: Kept = { identity, address, timer: setTimeout(() => this.#giveUp(lease), graceMs).unref() }
    this.#kept.add(lease)
    const own = [...this.#kept].filter(other => other.identity === identity)
    if (own.length > this.#limits.each) this.#giveUp(own[0])
    if (this.#kept.size > this.#limits.total) this.giveUpOldest(() => true)
  }

  /** One that was kept for this identity: the latest, or this very one. It is the caller's again. */
  take(identity: string | undefined, version: IpVersion, wanted?: IpAddress): IpAddress | undefined {
    const lease = [...this.#kept].findLast(
      kept =>
        kept.identity === identity &&
        kept.address.version === version &&
        (wanted === undefined || kept.address.equals(wanted)),
    )
    if (lease === undefined) return undefined
    this.#remove(lease)
    return lease.address
  }

  /** The pool is empty, and somebody is there who needs an address now. False: nothing is kept. */
  giveUpOldest(isWanted: (address: IpAddress) => boolean): boolean {
    for (const lease of this.#kept) {
      if (!isWanted(lease.address)) continue
      this.#giveUp(lease)
      return true
    }
    return false
  }

  /** How many addresses of this family are kept. */
  count(version: IpVersion): number {
    return [...this.#kept].filter(({ address }) => address.version === version).length
  }

  close(): void {
    for (const { timer } of this.#kept) clearTimeout(timer)
    this.#kept.clear()
  }

  #giveUp(lease: Kept): void {
    this.#remove(lease)
    this.#options.release(lease.address)
  }

  #remove(lease: Kept): void {
    clearTimeout(lease.timer)
    this.#kept.delete(lease)
  }
}

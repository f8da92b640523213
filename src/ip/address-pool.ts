import { addressLength, IpAddress } from './address.ts'
import type { IpPrefix } from './prefix.ts'

/**
 * The addresses a proxy has to assign (RFC 9484 §4.7.1), one to a client, none twice at the same time.
 *
 * What is kept grows with the leases that are out, not with the pool, so a /64 costs no more than a /24. New leases go
 * round the pool: an address just given back is the last to come up again, because packets meant for its
 * former holder may still be on their way.
 *
 * Never leased: the gateway, which is the first usable address and the proxy's own; in IPv4 up to /30 the network and
 * the broadcast address (RFC 1122 §3.2.1.3; on a /31 both are hosts, RFC 3021); in IPv6 up to /126 the subnet-router
 * anycast address (RFC 4291 §2.6.1; not on a /127, RFC 6164). So a pool of a single address has nothing to lease.
 */
export class AddressPool {
  readonly prefix: IpPrefix
  /** The prefix length of each lease: 32 or 128 for single addresses. */
  readonly leaseLength: number
  /** The proxy's own address inside the pool. */
  readonly gateway: IpAddress
  /** How many leases there can be at once: 2^80 in a /48, so a bigint. */
  readonly total: bigint

  // The pool is a row of blocks, each one possible lease, known by their indexes. bigint: a /48 has 2^80 addresses.
  readonly #blockBits: bigint
  readonly #blockCount: bigint
  readonly #firstAddress: bigint
  readonly #reserved: ReadonlySet<bigint>
  readonly #leased = new Set<bigint>()
  #next = 0n

  /**
   * `reserved`: more addresses never to lease, such as those of hosts inside the pool; those outside of it do not
   * matter. `leaseLength`: to lease whole prefixes of this length, default single addresses. Throws RangeError when
   * that is shorter than the pool's prefix or longer than an address.
   */
  constructor(prefix: IpPrefix, options: { reserved?: readonly IpAddress[]; leaseLength?: number } = {}) {
    const bits = addressLength(prefix.version) * 8
    const leaseLength = options.leaseLength ?? bits
    if (!Number.isInteger(leaseLength) || leaseLength < prefix.length || leaseLength > bits) {
      throw new RangeError(`leases of /${leaseLength} from the pool ${prefix}; expected /${prefix.length} to /${bits}`)
    }
    this.prefix = prefix
    this.leaseLength = leaseLength
    this.#blockBits = BigInt(bits - leaseLength)
    this.#blockCount = 1n << BigInt(leaseLength - prefix.length)
    this.#firstAddress = prefix.address.toBigInt()

    const hasSubnetAddresses = bits - prefix.length >= 2
    this.gateway = IpAddress.fromBigInt(prefix.version, this.#firstAddress + (hasSubnetAddresses ? 1n : 0n))
    const reserved = [this.gateway, ...(options.reserved ?? [])]
    if (hasSubnetAddresses) reserved.push(prefix.address)
    if (hasSubnetAddresses && prefix.version === 4) reserved.push(prefix.toRange().end)
    this.#reserved = new Set(
      reserved.filter(address => prefix.contains(address)).map(address => this.#blockOf(address)),
    )
    this.total = this.#blockCount - BigInt(this.#reserved.size)
  }

  /** How many leases are out. */
  get used(): number {
    return this.#leased.size
  }

  /**
   * Leases an address: `preferred` when it is free, else, unless `exact`, any. Undefined when there is none: the pool
   * is exhausted, or the exact one is taken, reserved or not in the pool. 0.0.0.0 and :: are no preference (RFC 9484
   * §4.7.2).
   *
   * Of a pool that leases prefixes, the result is the prefix's first address, and `preferred` any address in it.
   */
  lease(preferred?: IpAddress, options: { exact?: boolean } = {}): IpAddress | undefined {
    if (preferred !== undefined && !preferred.isUnspecified) {
      if (this.prefix.contains(preferred) && this.#isFree(this.#blockOf(preferred))) {
        return this.#take(this.#blockOf(preferred))
      }
      if (options.exact) return undefined
    }
    if (this.#leased.size + this.#reserved.size >= this.#blockCount) return undefined
    // Ends: at least one block is free. Long only in a pool that is nearly full.
    while (!this.#isFree(this.#next)) this.#next = (this.#next + 1n) % this.#blockCount
    const block = this.#next
    this.#next = (block + 1n) % this.#blockCount
    return this.#take(block)
  }

  /** Takes a lease back. False when the address was not leased. */
  release(address: IpAddress): boolean {
    if (!this.isLeased(address)) return false
    const block = this.#blockOf(address)
    this.#leased.delete(block)
    // A preferred address may lie right where the next lease would be taken: all others come first.
    if (block === this.#next) this.#next = (block + 1n) % this.#blockCount
    return true
  }

  isLeased(address: IpAddress): boolean {
    return this.prefix.contains(address) && this.#leased.has(this.#blockOf(address))
  }

  #blockOf(address: IpAddress): bigint {
    return (address.toBigInt() - this.#firstAddress) >> this.#blockBits
  }

  #isFree(block: bigint): boolean {
    return !this.#leased.has(block) && !this.#reserved.has(block)
  }

  #take(block: bigint): IpAddress {
    this.#leased.add(block)
    return IpAddress.fromBigInt(this.prefix.version, this.#firstAddress + (block << this.#blockBits))
  }
}

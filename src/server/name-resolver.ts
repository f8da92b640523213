/** Looking up the names that requests are scoped to (RFC 9484 §4.6), a few at a time. */

import { lookup } from 'node:dns/promises'
import { RequestRejected } from '../connect-ip/request.ts'
import { IpAddress } from '../ip/address.ts'
import type { BoundedLog } from '../log/log-budget.ts'
import { SharedBudget } from './shared-budget.ts'

/** All addresses of a name, as in its A and AAAA records. */
export type ResolveName = (name: string) => Promise<IpAddress[]>

const DNS_TIMEOUT_MS = 5_000
/** Addresses of a name that a line of the log has room for. */
const ADDRESSES_TOLD = 8

/**
 * Lookups at once. The system's resolver works in four threads, which files and ciphers need as well; one that is given up after
 * its time holds its thread nevertheless, and counts until it has really ended.
 */
export const LOOKUP_LIMITS = { each: 4, inAll: 16 }

/** The resolver's error codes as DNS response codes, where there is one. */
const DNS_RCODES: Readonly<Record<string, string>> = { ENOTFOUND: 'NXDOMAIN', EAI_AGAIN: 'SERVFAIL' }

export class NameResolver {
  readonly #resolve: ResolveName
  readonly #timeoutMs: number
  readonly #log: BoundedLog | undefined
  readonly #budget = new SharedBudget(LOOKUP_LIMITS)

  constructor(resolve: ResolveName = resolveWithSystem, timeoutMs = DNS_TIMEOUT_MS, log?: BoundedLog) {
    this.#resolve = resolve
    this.#timeoutMs = timeoutMs
    this.#log = log
  }

  /**
   * RFC 9484 §4.6: a name is resolved before the answer; when that fails the request is rejected, saying so. `owner` is whose
   * request it is. Rejects with RequestRejected.
   */
  async resolve(name: string, owner: string): Promise<IpAddress[]> {
    const startedAt = performance.now()
    const told = (): object => ({ name, owner, ms: performance.now() - startedAt })
    try {
      const addresses = await this.#lookUp(name, owner)
      this.#log?.debug({ ...told(), addresses: addresses.slice(0, ADDRESSES_TOLD).map(String) }, 'looked up')
      return addresses
    } catch (error) {
      this.#log?.debug({ ...told(), reason: (error as Error).message }, 'not looked up')
      throw error
    }
  }

  async #lookUp(name: string, owner: string): Promise<IpAddress[]> {
    const inTheWay = this.#budget.take(owner)
    if (inTheWay !== undefined) {
      const details = inTheWay === 'each' ? 'too many names to look up at once' : 'the resolver is busy'
      throw new RequestRejected(429, `${details}: ${owner}`, 'connection_limit_reached', { details })
    }
    // Also when the resolver throws and does not reject: whatever happens, what was taken is given back.
    const lookup = (async () => this.#resolve(name))().finally(() => this.#budget.giveBack(owner))
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(RequestRejected.because('dns_timeout', `no answer for ${name}`)), this.#timeoutMs)
    })
    try {
      const addresses = await Promise.race([lookup, timeout])
      if (addresses.length === 0) throw RequestRejected.because('dns_error', `${name} has no addresses`)
      return addresses
    } catch (error) {
      if (error instanceof RequestRejected) throw error
      const code = (error as NodeJS.ErrnoException).code
      throw RequestRejected.because('dns_error', `${name} cannot be resolved`, { rcode: DNS_RCODES[code ?? ''] })
    } finally {
      clearTimeout(timer)
    }
  }
}

async function resolveWithSystem(name: string): Promise<IpAddress[]> {
  const found = await lookup(name, { all: true, verbatim: true })
  return found.map(({ address }) => IpAddress.parse(address))
}

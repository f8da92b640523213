/** The address pools, as the API shows them. */

import type { AddressPool } from '../ip/address-pool.ts'
import type { KeptLeases } from './kept-leases.ts'
import type { OpenTunnel } from './masque-handler.ts'
import type { PoolInfo, ServerStatus } from './status.ts'

type Pools = Readonly<{ 4?: AddressPool; 6?: AddressPool }>

export function poolStatus(pools: Pools): ServerStatus['pools'] {
  return poolsOf(pools).map(({ prefix, used, total }) => ({
    family: prefix.version,
    prefix: String(prefix),
    used,
    total: exact(total),
  }))
}

/** With who has which address; more than there are tunnels, times the addresses of one, there cannot be. */
export function poolInfo(pools: Pools, keptLeases: KeptLeases, tunnels: Iterable<OpenTunnel>): PoolInfo[] {
  const leases = [...tunnels].flatMap(({ id, identity, proxyTunnel }) =>
    proxyTunnel.addresses.map(address => ({
      version: address.version,
      address: String(address),
      client: id,
      identity,
    })),
  )
  return poolsOf(pools).map((pool, i) => {
    const { version } = pool.prefix
    return {
      ...poolStatus(pools)[i],
      gateway: String(pool.gateway),
      kept: keptLeases.count(version),
      leases: leases.filter(lease => lease.version === version).map(({ version: _, ...lease }) => lease),
    }
  })
}

function poolsOf(pools: Pools): AddressPool[] {
  return [pools[4], pools[6]].filter(pool => pool !== undefined)
}

/** JSON's numbers lose digits beyond 2^53: those are given as text. */
function exact(count: bigint): number | string {
  return count <= Number.MAX_SAFE_INTEGER ? Number(count) : String(count)
}

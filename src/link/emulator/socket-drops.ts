import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import type { SocketAddress } from '../../net/udp.ts'

/**
 * Datagrams that the kernel threw away because the receive buffer of a local UDP socket was full: the reader was too
 * slow. They look like loss on the link and are none. Linux only (`/proc/net/udp`, last column); undefined elsewhere.
 *
 * Takes about 0.1 ms: for once a second, not once a packet.
 */
export function kernelDrops(sockets: readonly SocketAddress[]): number | undefined {
  const ports = { udp: new Set<string>(), udp6: new Set<string>() }
  for (const { host, port } of sockets) ports[isIPv6(host) ? 'udp6' : 'udp'].add(hexPort(port))
  try {
    let drops = 0
    for (const table of ['udp', 'udp6'] as const) {
      if (ports[table].size > 0) drops += countDrops(readFileSync(`/proc/net/${table}`, 'latin1'), ports[table])
    }
    return drops
  } catch {
    return undefined
  }
}

/** Sums the drops of the sockets with these local ports (four hexadecimal digits, as the table has them). */
export function countDrops(table: string, ports: ReadonlySet<string>): number {
  let drops = 0
  for (const line of table.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/)
    if (columns.length >= 13 && ports.has(columns[1].slice(-4))) drops += Number(columns[columns.length - 1])
  }
  return drops
}

export function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}

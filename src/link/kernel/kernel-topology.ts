/**
 * Where the kernel backend impairs: the names and addresses that netem/topology.sh gives (netem/README.md has the figure).
 */
import type { Attachment, Direction } from '../profile/profile.ts'

/** The server's own addresses, reached over either attachment. From the ranges for benchmarks, RFC 2544 and RFC 5180. */
export const KERNEL_SERVER = { ipv4: '198.18.30.1', ipv6: '2001:2:0:30::1' } as const

export type RouterName = 'router0' | 'router1'

/** The device through which a router sends in that direction: up is towards the server, down is towards the client. */
export function impairedDevice(attachment: Attachment, direction: Direction): { router: RouterName; device: string } {
  return { router: `router${attachment}`, device: `masque-r${attachment}${direction === 'up' ? 's' : 'c'}` }
}

/**
 * Makes the machine forward between a TUN device and its other networks, and perhaps hide the addresses of the tunnels behind its own (NAT).
 * All that is undone when it is closed.
 */

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import type { IpPrefix } from '../../../ip/prefix.ts'
import { HostChanges, undoLeftovers } from './host-changes.ts'
import { readSetting } from './settings.ts'

export interface RouterOptions {
  /** The name of the TUN device. */
  readonly device: string
  /** The networks behind the device, of the families that are to be forwarded. */
  readonly networks: readonly IpPrefix[]
  /** Packets from there leave the machine with its own address. */
  readonly nat: boolean
}

/** Returns what undoes it, with sentences about what could not be undone. Throws TunError, with nothing left changed. */
export function startRouting({ device, networks, nat }: RouterOptions): () => string[] {
  undoLeftovers()
  const changes = new HostChanges(device, 'router')
  try {
    const versions = new Set(networks.map(({ version }) => version))
    if (versions.has(4)) changes.set(['net/ipv4/ip_forward'], '1')
    if (versions.has(6)) {
      keepDefaultRoutes(changes, device)
      changes.set(['net/ipv6/conf/all/forwarding'], '1')
    }
    if (nat) hideAddresses(changes, device, networks)
  } catch (error) {
    changes.undo()
    throw error
  }
  return () => changes.undo()
}

/** A sentence for each IP version in which this machine does not forward for these networks, though packets for them come out of the tunnel. */
export function whyNotForwarded(networks: readonly IpPrefix[]): string[] {
  // Other systems have other settings.
  if (process.platform !== 'linux') return []
  const settings = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' }
  return ([4, 6] as const).flatMap(version => {
    const network = networks.find(candidate => candidate.version === version)
    const key = settings[version]
    if (network === undefined || readSetting(key) === '1') return []
    const name = key.replaceAll('/', '.')
    return [`this machine does not forward to ${network}, which is advertised: sysctl -w ${name}=1`]
  })
}

/**
 * An interface that begins to forward IPv6 forgets the default route that its router has announced, unless accept_ra is 2. One that forwards already
 * takes no such routes, and is not to begin with it.
 */
function keepDefaultRoutes(changes: HostChanges, device: string): void {
  const folder = 'net/ipv6/conf'
  const keys = readdirSync(`/proc/sys/${folder}`)
    .filter(name => !['all', 'default', 'lo', device].includes(name))
    .filter(name => {
      const learns =
        readSetting(`${folder}/${name}/accept_ra`) === '1' && readSetting(`${folder}/${name}/forwarding`) === '0'
      // Another proxy on this machine has changed it, and may end before this one.
      return learns || changes.isClaimed(`${folder}/${name}/accept_ra`)
    })
    .map(name => `${folder}/${name}/accept_ra`)
  changes.set(keys, '2')
}

function hideAddresses(changes: HostChanges, device: string, networks: readonly IpPrefix[]): void {
  if (spawnSync('nft', ['--version']).status === 0) {
    const table = `masque_lab_${device}`
    changes.nft(table, nftScript(table, device, networks))
    return
  }
  for (const network of networks) {
    const command = network.version === 4 ? 'iptables' : 'ip6tables'
    changes.iptables(command, 'nat', ['POSTROUTING', '-s', `${network}`, '!', '-o', device, '-j', 'MASQUERADE'])
    const unknown = ['-m', 'conntrack', '--ctstate', 'INVALID,UNTRACKED']
    changes.iptables(command, 'mangle', ['FORWARD', '-i', device, ...unknown, '-j', 'DROP'])
    for (const [side, port] of [
      ['-i', '-s'],
      ['-o', '-d'],
    ]) {
      const syn = ['-p', 'tcp', '--tcp-flags', 'SYN,RST', 'SYN']
      const clamp = ['-j', 'TCPMSS', '--clamp-mss-to-pmtu']
      changes.iptables(command, 'mangle', ['FORWARD', port, `${network}`, side, device, ...syn, ...clamp])
    }
  }
}

/**
 * What belongs to no connection that the kernel knows, such as an answer that nobody has asked for, is not translated, and would leave with an address
 * of the tunnels: it is dropped. The last chain sees what leaves after the translation: there is no other way for such an address, but for answers
 * to somebody outside who knows the way in.
 *
 * Also the largest segments that TCP agrees on, for routers on the way that say nothing about what does not fit.
 */
function nftScript(table: string, device: string, networks: readonly IpPrefix[]): string {
  const outside = `oifname != "${device}"`
  const from = networks.map(network => `${network.version === 4 ? 'ip' : 'ip6'} saddr ${network}`)
  return `table inet ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
${from.map(source => `    ${source} ${outside} masquerade`).join('\n')}
  }
  chain forward {
    type filter hook forward priority mangle; policy accept;
    iifname "${device}" ct state invalid,untracked drop
    iifname "${device}" tcp flags syn tcp option maxseg size set rt mtu
    oifname "${device}" tcp flags syn tcp option maxseg size set rt mtu
  }
  chain translated {
    type filter hook postrouting priority srcnat + 10; policy accept;
${from.map(source => `    ${source} ${outside} oifname != "lo" ct direction original drop`).join('\n')}
  }
}
`
}

/** wireguard-go as the distribution ships it. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keyPair, onPath } from '../tun-contenders.ts'
import type { Contender } from './contender.ts'
import { type CompareNetwork, SERVER } from './network.ts'
import { configureDevices } from './start-program.ts'

/** Not the same name: wireguard-go keeps a socket for each name, in a folder that both ends share. */
const DEVICES = { client: 'wgc', server: 'wgs' }
/** wireguard-go's own. */
const MTU = 1420

export const WIREGUARD: Contender = {
  name: 'wireguard-go',
  title: 'wireguard-go',
  atHandover: 'sends from the new address with its next packet; the server follows whoever has the key (roaming)',
  whyNot() {
    const missing = ['wireguard-go', 'wg'].find(program => !onPath(program))
    return missing && `${missing} is not installed (Debian packages wireguard-go and wireguard-tools)`
  },
  async start({ network, scratch }) {
    const keys = { client: keyPair(), server: keyPair() }
    for (const end of ['client', 'server'] as const) {
      const key = join(scratch, `wireguard-${end}.key`)
      writeFileSync(key, keys[end].secret, { mode: 0o600 })
      const command = `mkdir -p /run/wireguard; exec wireguard-go --foreground ${DEVICES[end]}`
      network.spawn(end, ['sh', '-c', command]).stderr?.resume()
      const other = end === 'client' ? 'server' : 'client'
      await configure(network, end, [
        ...['private-key', key],
        ...(end === 'server' ? ['listen-port', String(SERVER.port)] : []),
        ...['peer', keys[other].public, 'allowed-ips', '0.0.0.0/0'],
        // The server learns where its peer is from what comes, the first time as after a handover.
        ...(end === 'client' ? ['endpoint', `${SERVER.host}:${SERVER.port}`] : []),
      ])
    }
    await configureDevices(network, DEVICES, MTU)
    return {}
  },
}

/** The device has to be there first, which nobody tells: so it is tried again for a while. */
async function configure(network: CompareNetwork, end: 'client' | 'server', args: string[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const error = await network.run(end, ['wg', 'set', DEVICES[end], ...args]).then(
      () => undefined,
      (failed: Error) => failed,
    )
    if (error === undefined) return
    if (attempt === 100) throw error
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

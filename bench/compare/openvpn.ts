/** OpenVPN over UDP, with its defaults but for the names of things; TLS with this repository's throw-away certificates. */

import { onPath } from '../tun-contenders.ts'
import type { Contender } from './contender.ts'
import { SERVER } from './network.ts'
import { INNER, startProgram } from './start-program.ts'

const READY = /Initialization Sequence Completed/

export const OPENVPN: Contender = {
  name: 'openvpn',
  title: 'OpenVPN',
  atHandover: 'sends from the new address with its next packet; the server follows whoever has the keys (float)',
  whyNot: () => (onPath('openvpn') ? undefined : 'openvpn is not installed (Debian package openvpn)'),
  async start({ network, certificates }) {
    const { ca, server, serverKey, clients } = certificates
    const [client] = Object.values(clients)
    // The kernel's own data path would be another program than the one that is named.
    const common = ['openvpn', '--dev', 'tun', '--proto', 'udp4', '--disable-dco', '--ca', ca]
    const net = INNER.server.replace(/\d+$/, '0')
    await startProgram(
      network,
      'server',
      [
        ...common,
        ...['--local', SERVER.host, '--port', String(SERVER.port), '--topology', 'subnet'],
        ...['--server', net, '255.255.255.0', '--dh', 'none', '--cert', server, '--key', serverKey],
      ],
      READY,
    )
    await startProgram(
      network,
      'client',
      [
        ...common,
        ...['--client', '--nobind', '--remote', SERVER.host, String(SERVER.port)],
        ...['--cert', client.certificate, '--key', client.key],
      ],
      READY,
    )
    return {}
  },
}

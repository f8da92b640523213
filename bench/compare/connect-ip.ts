/** This repository's own client and proxy, with TUN devices: moving by itself, told to move, and without moving at all. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Contender, Setting } from './contender.ts'
import { SERVER } from './network.ts'
import { INNER, startProgram } from './start-program.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/masque-lab.mjs', import.meta.url))

/** With the default of 30 s it would be out of the picture; less than this is lost in every outage of the shipped profiles. */
export const RECONNECT_AFTER_MS = 2000

export const CONNECT_IP: readonly Contender[] = [
  connectIp({
    name: 'connect-ip',
    title: 'CONNECT-IP',
    atHandover:
      'hears of the change (elsewhere than on Linux: looks twice a second), sees that the system sends from another address, and moves (RFC 9000 §9)',
  }),
  connectIp({
    name: 'connect-ip-told',
    title: 'CONNECT-IP, told',
    atHandover: 'is told by SIGUSR2 at that moment, as a system would that knows, and moves',
    isTold: true,
  }),
  connectIp({
    name: 'connect-ip-reconnect',
    title: 'CONNECT-IP, reconnect only',
    atHandover:
      'does not move (migration.enabled = false): after two seconds of silence the tunnel is lost, and it opens another one',
    config: `[migration]\nenabled = false\n[quic]\nidle_timeout_ms = ${RECONNECT_AFTER_MS}`,
  }),
  connectIp({
    name: 'connect-ip-h2',
    title: 'CONNECT-IP over HTTP/2',
    atHandover: 'cannot move, as a TCP connection has its addresses: when it is lost, it opens another tunnel',
    carrier: 'h2',
  }),
]

function connectIp(options: {
  name: string
  title: string
  atHandover: string
  isTold?: boolean
  config?: string
  carrier?: 'h3' | 'h2'
}): Contender {
  const { name, title, atHandover, isTold = false, config = '', carrier = 'h3' } = options
  return {
    name,
    title,
    atHandover,
    carriedBy: carrier === 'h2' ? 'tcp' : 'udp',
    whyNot: () => undefined,
    async start({ network, certificates, scratch }: Setting) {
      const file = (end: string): string => join(scratch, `${name}-${end}.toml`)
      writeFileSync(file('server'), serverConfig(certificates))
      writeFileSync(file('client'), `${clientConfig(certificates, carrier)}\n${config}\n`)
      const node = [process.execPath, PROGRAM]
      await startProgram(network, 'server', [...node, 'server', '-c', file('server')], /Ctrl-C/)
      const client = await startProgram(network, 'client', [...node, 'client', '-c', file('client'), '--tun'], /TUN /)
      return isTold ? { moved: () => network.signal(client, 'SIGUSR2') } : {}
    },
  }
}

/** The pool begins with the proxy's own address; the first client has the next one. */
function serverConfig({ server, serverKey }: Setting['certificates']): string {
  return `
[listen]
host = "${SERVER.host}"
port = ${SERVER.port}
names = ["localhost"]
[tls]
certificate = "${server}"
key = "${serverKey}"
[pool]
ipv4 = "${INNER.server.replace(/\d+$/, '0')}/24"
[tun]
[api]
enabled = false
[log]
level = "warn"
`
}

function clientConfig({ ca }: Setting['certificates'], carrier: string): string {
  return `
[proxy]
template = "https://localhost:${SERVER.port}/.well-known/masque/ip/{target}/{ipproto}/"
address = "${SERVER.host}:${SERVER.port}"
[tls]
ca = "${ca}"
[tunnel]
carrier = "${carrier}"
request_addresses = ["ipv4"]
[log]
level = "warn"`
}

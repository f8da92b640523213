/**
 * The ports in what a lab hands out: in `start/` they are those of the project's examples, 4433 and 8080, and whoever opens the lab gets their own instead. So two
 * students on one machine do not meet, and nobody has to take a number.
 */
import { type UserPorts, userPorts } from '../../../src/net/user-ports.ts'

const EXAMPLES: Readonly<Record<string, keyof UserPorts>> = { 4433: 'proxy', 8080: 'api' }
const CONFIGURATION = /\.(?:toml|ya?ml)$/

/** A starting file as this user gets it. Only configuration has ports in it: code is handed out as it is. */
export function withOwnPorts(file: string, content: Buffer, ports: UserPorts = userPorts()): Buffer {
  if (!CONFIGURATION.test(file)) return content
  const text = content.toString('utf8')
  return Buffer.from(text.replace(/\b(?:4433|8080)\b/g, port => String(ports[EXAMPLES[port] as keyof UserPorts])))
}

/** For `npm run lab -- --ports`: lines. */
export function portsTable(ports: UserPorts = userPorts()): string[] {
  return [
    `${ports.proxy}  your proxy (UDP, and TCP for HTTP/2 and HTTP/1.1)`,
    `${ports.api}  its REST API (TCP): curl http://127.0.0.1:${ports.api}/health`,
    `${ports.link}  a bad network in front of it: npm run netem -- run lte --listen 127.0.0.1:${ports.link} --to 127.0.0.1:${ports.proxy}`,
    `${ports.prometheus}  a Prometheus of your own (TCP): --web.listen-address=127.0.0.1:${ports.prometheus}`,
  ]
}

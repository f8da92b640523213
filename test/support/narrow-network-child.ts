/** The client and the server of narrow-network.ts, each a process in its own namespace. */

import { PingError } from '../../src/hosts/userspace/pinger.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { newTestClient, startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import { SERVER_ADDRESS } from './narrow-network.ts'

const [role, families, packets = ''] = process.argv.slice(2)
const has = (family: string): boolean => families.split(',').includes(family)
const files = JSON.parse(process.env.NARROW_CERTIFICATES as string) as { server: string; serverKey: string; ca: string }
const PORT = 4433

async function runServer(): Promise<void> {
  const pool = {
    ...(has('ipv4') && { ipv4: IpPrefix.parse('10.89.0.0/24') }),
    ...(has('ipv6') && { ipv6: IpPrefix.parse('fd00:89::/64') }),
  }
  const server = await startTestProxy(files, { listen: { host: SERVER_ADDRESS, port: PORT }, pool, hosts: [] })
  // Whoever started it holds the other end of the pipe.
  process.stdin.resume().once('end', () => void server.close())
}

async function runClient(): Promise<void> {
  const newClient = () => newTestClient(files, { host: SERVER_ADDRESS, port: PORT })
  let client = newClient()
  let down: string | undefined
  for (;;) {
    client.on('down', error => {
      down = error.message
    })
    try {
      await client.connect()
      break
    } catch (error) {
      // The server is not there yet; a test's own time limit is the only one.
      const { message } = error as Error
      if (/reset|1280 bytes/.test(message)) {
        down = message
        break
      }
      if (!/nobody listens|no answer|no tunnel after/.test(message)) throw error
      client = newClient()
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
  while (!client.tunnel?.tunnel?.carrier.mtuSettled && down === undefined) {
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const { mtu } = client.tunnel?.info ?? { mtu: 0 }
  const pings: Record<number, string> = {}
  const named: number[] = []
  for (const length of packets.split(',').filter(Boolean).map(Number)) {
    // The proxy searches on its own for what its packets may have, and may still do so: until then, a large answer is lost there.
    for (let attempt = 1; ; attempt++) {
      pings[length] = await client.ping('10.89.0.1', { size: length - 28, timeoutMs: 2000 }).then(
        () => 'reply',
        (error: unknown) => {
          const icmp = error instanceof PingError ? error.icmp : undefined
          if (icmp?.mtu !== undefined) named.push(icmp.mtu)
          return (error as Error).message
        },
      )
      if (!pings[length].includes('no reply') || attempt === 10) break
    }
  }
  console.log(JSON.stringify({ mtu, pings, named, down: down ?? null }))
  await client.close()
}

await (role === 'server' ? runServer() : runClient())

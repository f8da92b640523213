/**
 * The smallest network: two hosts with a wire between them, which loses the first packet. No sockets, no tunnel.
 *
 *     npx tsx examples/two-hosts.ts
 */
import { UserspaceHost } from '../src/hosts/userspace/userspace-host.ts'
import { IpAddress } from '../src/ip/address.ts'

const a = new UserspaceHost({ addresses: [IpAddress.parse('192.0.2.1')] })
const b = new UserspaceHost({ addresses: [IpAddress.parse('192.0.2.2')] })

let packets = 0
a.send = packet => {
  if (++packets > 1) b.receive(packet)
}
b.send = packet => a.receive(packet)

for (let i = 1; i <= 3; i++) {
  const reply = await a.ping(b.addresses[0], { timeoutMs: 200 }).catch((error: Error) => error)
  console.log(reply instanceof Error ? reply.message : `${reply.from} answers, TTL ${reply.hopCount}`)
}
a.close()
b.close()

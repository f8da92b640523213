/**
 * Both ends of a tunnel in one program, without a network: the control plane is bytes that one end returns and the other takes, and the
 * data plane is a question for each packet. This is all that RFC 9484 adds to HTTP.
 *
 *     npx tsx examples/tunnel-in-memory.ts
 */

import { policyRoutes } from '../src/connect-ip/routes.ts'
import { ConnectIpSession } from '../src/connect-ip/session.ts'
import { IpAddress } from '../src/ip/address.ts'
import { icmpEchoRequest } from '../src/ip/icmp.ts'
import { IpPrefix } from '../src/ip/prefix.ts'

const now = () => performance.now()
const client = new ConnectIpSession({ role: 'client', now })
const proxy = new ConnectIpSession({ role: 'proxy', now })

// Capsules, each way. Events are what they mean.
const { bytes } = client.requestAddresses([{ version: 4 }])
for (const event of proxy.receiveCapsuleBytes(bytes)) {
  console.log('proxy: ', event.type)
  if (event.type !== 'addresses-requested') continue
  const answer = proxy.answerAddressRequests(event.requests, () => IpPrefix.parse('192.0.2.42/32'))
  const routes = proxy.advertiseRoutes(policyRoutes([{ prefix: IpPrefix.parse('198.51.100.0/24'), protocol: 0 }]))
  for (const capsule of [answer, routes])
    for (const { type } of client.receiveCapsuleBytes(capsule)) console.log('client:', type)
}

// Packets: what may leave, and what may come in.
const source = client.localAddresses[0].prefix.address
for (const destination of ['198.51.100.7', '203.0.113.1'].map(text => IpAddress.parse(text))) {
  const packet = icmpEchoRequest({ source, destination, id: 1, seq: 1 }, new Uint8Array(8))
  const drop = client.checkOutbound(packet, false) ?? proxy.checkInbound(packet)
  console.log(`to ${destination}: ${drop === undefined ? 'passes' : `dropped, ${drop.reason}`}`)
}

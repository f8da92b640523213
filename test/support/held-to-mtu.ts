import { expect } from 'chai'
import type { MasqueClient, TunnelInfo } from '../../src/client/client.ts'
import { PingError } from '../../src/hosts/userspace/pinger.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { addressOf, failure, ping, pingFailure, until } from './loopback.ts'

/** What is as large as the tunnel passes; what is larger is answered at either end by ICMP, which names the MTU. The client is the proxy's only one. */
export async function expectHeldToMtu(server: MasqueServer, client: MasqueClient, info: TunnelInfo): Promise<void> {
  // Each end searches for what its own way carries, and the replies are as large.
  await until(() => server.clients()[0].mtu >= info.mtu)
  for (const [target, headers] of [
    ['10.90.0.1', 28],
    ['fd00:90::1', 48],
  ] as const) {
    const error = await pingFailure(client, target, { size: info.mtu - headers + 1 })
    expect(error.icmp).to.include({ kind: 'packet-too-big', mtu: info.mtu })
    expect((await ping(client, target, { size: info.mtu - headers })).bytes).to.equal(info.mtu - headers)
  }
  const [{ mtu }] = server.clients()
  const back = server.host('echo')!.ping(addressOf(info, 6), { size: mtu, timeoutMs: 10_000 })
  expect((await failure(back, PingError)).icmp).to.include({ kind: 'packet-too-big', mtu })
}

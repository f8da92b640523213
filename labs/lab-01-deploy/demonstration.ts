/** The live demonstration of lab 1: the shortest way from nothing to a ping through a CONNECT-IP tunnel. */

import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import type { MasqueClient } from '../../src/client/client.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { median } from '../../src/stats/statistics.ts'
import { newTestClient, startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import type { DemonstrationContext, DemonstrationResult } from '../kit/lab/types.ts'
import type { Traffic } from './ui.tsx'

const LIBRARY = { 4: '10.90.1.7', 6: 'fd00:90:1::7' } as const
const PINGS = 5
const MORE_CLIENTS = 5 // the summary says five

export async function demonstrate(context: DemonstrationContext): Promise<DemonstrationResult> {
  context.begin('certificates')
  const certificates = await makeTestCertificates(await context.scratch(), { clientNames: [] })
  context.done('certificates', 'an authority and a server, ECDSA P-256')

  context.begin('server')
  const server = await startTestProxy(certificates, {
    pool: { ipv4: IpPrefix.parse('10.89.1.0/26'), ipv6: IpPrefix.parse('fd00:89:1::/64') },
    hosts: [{ name: 'library', ipv4: IpAddress.parse(LIBRARY[4]), ipv6: IpAddress.parse(LIBRARY[6]) }],
  })
  context.defer(() => server.close())
  const { host, port } = server.address
  context.done('server', `listens on ${host}, UDP port ${port}`)

  const newClient = (): MasqueClient => {
    const client = newTestClient(certificates, server.address)
    context.defer(() => client.close())
    return client
  }

  context.begin('handshake')
  const client = newClient()
  const tunnel = await client.connect()
  context.done('handshake', 'TLS 1.3 inside, the certificate verified', tunnel.handshakeMs)
  context.done('session', 'Extended CONNECT accepted, capsules exchanged', tunnel.sessionMs)
  context.done('addresses', tunnel.assigned.join('  '), null)

  for (const version of [4, 6] as const) {
    const phase = `ping${version}`
    context.begin(phase)
    const times: number[] = []
    for (let i = 0; i < PINGS; i++) {
      const { rttMs } = await client.ping(LIBRARY[version], { timeoutMs: 10_000 })
      times.push(rttMs)
      const { packets, bytes } = server.status()
      context.show('traffic', {
        fromClient: { packets: packets.fromClients, bytes: bytes.fromClients },
        toClient: { packets: packets.toClients, bytes: bytes.toClients },
      } satisfies Traffic)
    }
    context.done(phase, `${LIBRARY[version]}: ${PINGS} of ${PINGS} answered, median`, median(times))
  }

  // The first connection also pays for loading and compiling code. What a connection costs, the next ones show.
  const setUps: number[] = []
  for (let i = 0; i < MORE_CLIENTS; i++) {
    const another = newClient()
    const { handshakeMs, sessionMs } = await another.connect()
    setUps.push(handshakeMs + sessionMs)
    await another.close()
  }
  return {
    summary: [
      `The tunnel carries packets of up to ${tunnel.mtu} bytes. Five more clients had addresses after ${median(setUps).toFixed(1)} ms (median): the first one warms the code up.`,
      'In the tasks you build this yourself, and take it apart.',
    ],
  }
}

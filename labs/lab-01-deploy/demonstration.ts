/** The live demonstration of lab 1: the shortest way from nothing to a ping through a CONNECT-IP tunnel. */
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { MasqueClient } from '../../src/client/client.ts'
import { defaultClientConfig } from '../../src/client/config.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { defaultServerConfig } from '../../src/server/config.ts'
import { MasqueServer } from '../../src/server/server.ts'
import type { DemonstrationContext, DemonstrationResult } from '../kit/types.ts'

const LIBRARY = { 4: '10.90.1.7', 6: 'fd00:90:1::7' } as const
const PINGS = 5

export async function demonstrate(context: DemonstrationContext): Promise<DemonstrationResult> {
  context.begin('certificates')
  const certificates = await makeTestCertificates(await context.scratch(), { clientNames: [] })
  context.done('certificates', 'an authority and a server, ECDSA P-256')

  context.begin('server')
  const server = await MasqueServer.start(
    defaultServerConfig({
      tls: { certificate: certificates.server, key: certificates.serverKey },
      pool: { ipv4: IpPrefix.parse('10.89.1.0/26'), ipv6: IpPrefix.parse('fd00:89:1::/64') },
      hosts: [{ name: 'library', ipv4: IpAddress.parse(LIBRARY[4]), ipv6: IpAddress.parse(LIBRARY[6]) }],
      api: { enabled: false },
      log: { level: 'silent' },
    }),
  )
  context.defer(() => server.close())
  const { host, port } = server.address
  context.done('server', `listens on ${host}, UDP port ${port}`)

  context.begin('handshake')
  const client = new MasqueClient(
    defaultClientConfig({
      proxy: { address: { host, port } },
      tls: { ca: certificates.ca },
      reconnect: { enabled: false },
      log: { level: 'silent' },
    }),
  )
  context.defer(() => client.close())
  const { assigned, handshakeMs, sessionMs, mtu, routes } = await client.connect()
  context.done('handshake', 'TLS 1.3 inside, the certificate verified', handshakeMs)
  context.done('session', 'Extended CONNECT accepted, capsules exchanged', sessionMs)
  context.done('addresses', assigned.join('  '), Number.NaN)

  const medians: Record<number, number> = {}
  for (const version of [4, 6] as const) {
    const phase = `ping${version}`
    context.begin(phase)
    const times: number[] = []
    for (let i = 0; i < PINGS; i++) times.push((await client.ping(LIBRARY[version], { timeoutMs: 2000 })).rttMs)
    medians[version] = times.sort((a, b) => a - b)[Math.floor(PINGS / 2)]!
    context.done(
      phase,
      `${LIBRARY[version]} behind the proxy: ${PINGS} of ${PINGS} answered, median time`,
      medians[version],
    )
  }
  return {
    summary: [
      `The tunnel carries IP packets of up to ${mtu} bytes; the client was told ${routes.length} routes. From the first UDP packet to assigned addresses it took ${(handshakeMs + sessionMs).toFixed(1)} ms.`,
      'In the tasks you build the same yourself, with files and commands, and take it apart.',
    ],
  }
}

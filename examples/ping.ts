/**
 * A proxy, a client and a ping through the tunnel between them: QUIC over real UDP sockets on loopback.
 *
 *     npx tsx examples/ping.ts
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTestCertificates } from '../src/cert/make-certificates.ts'
import { newTestClient, startTestProxy } from '../src/testbed/proxy-and-client.ts'

const folder = await mkdtemp(join(tmpdir(), 'masque-example-'))
const certificates = await makeTestCertificates(folder)
const proxy = await startTestProxy(certificates)
const client = newTestClient(certificates, proxy.address)
try {
  const { assigned, mtu, sessionMs } = await client.connect()
  console.log(`assigned ${assigned.join(' and ')}, MTU ${mtu}, after ${sessionMs.toFixed(1)} ms`)
  for (const target of ['10.90.0.1', 'fd00:90::1']) {
    const { rttMs, hopCount } = await client.ping(target)
    console.log(`${target} answers after ${rttMs.toFixed(2)} ms, TTL ${hopCount}`)
  }
} finally {
  await client.close()
  await proxy.close()
  await rm(folder, { recursive: true })
}

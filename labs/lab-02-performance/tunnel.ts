/**
 * A proxy and clients in this process, on loopback, without a link in between. For what is a matter of bytes and not of time.
 * What needs a link that delays and loses uses the testbed.
 */
import { join } from 'node:path'
import { makeTestCertificates, type TestCertificates } from '../../src/cert/make-certificates.ts'
import type { MasqueClient } from '../../src/client/client.ts'
import type { ClientConfigOverrides } from '../../src/client/config.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import type { SocketAddress } from '../../src/quic/quic.ts'
import { newTestClient, startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import type { CheckContext } from '../kit/lab/types.ts'

type Scope = Pick<CheckContext, 'scratch' | 'defer'>

export interface LabServer {
  address: SocketAddress
  /** Of the REST API, when it was asked for. */
  apiUrl: string | undefined
  certificates: TestCertificates
  /** A host behind the proxy. */
  library: IpAddress
  /** A client with a tunnel, closed when the check ends. `by`: connect to this address instead, where a relay listens. */
  connect(overrides?: ClientConfigOverrides, by?: SocketAddress): Promise<MasqueClient>
}

let folders = 0

export async function startServer(scope: Scope, options: { api?: boolean; retry?: 'always' } = {}): Promise<LabServer> {
  const certificates = await makeTestCertificates(join(await scope.scratch(), `cert-${++folders}`), { clientNames: [] })
  const library = IpAddress.parse('10.90.1.7')
  const server = await startTestProxy(certificates, {
    pool: { ipv4: IpPrefix.parse('10.89.1.0/24') },
    hosts: [{ name: 'library', ipv4: library }],
    api: { enabled: options.api === true, host: '127.0.0.1', port: 0 },
    // On any engine as many round trips: what the student counts.
    limits: { retry: options.retry ?? 'never', earlySettings: false },
    // Payloads of this size are refused by nothing on loopback; each client says what it sends itself.
    quic: { maxUdpPayload: 1500 },
  })
  scope.defer(() => server.close())
  return {
    address: server.address,
    apiUrl: server.apiUrl,
    certificates,
    library,
    async connect(overrides = {}, by = server.address) {
      const tunnel = { requestAddresses: ['ipv4' as const], linkProbe: 'off' as const, ...overrides.tunnel }
      const client = newTestClient(certificates, by, { ...overrides, tunnel })
      scope.defer(() => client.close())
      await client.connect()
      return client
    },
  }
}

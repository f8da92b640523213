import { newTestClient, startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import type { BadPath } from '../harness/bad-path.ts'
import { ourCertificates } from '../harness/certificates.ts'
import { type EchoServer, echoServer, otherEngine, ourEngine } from '../harness/our-quic.ts'
import {
  judgePath,
  judgeServer,
  openPaths,
  QUIC_CASES,
  runOurClient,
  serverTlsFor,
  TIMEOUT_MS,
  whyNot,
} from '../harness/quic-cases.ts'
import { figure, leaveOut } from '../harness/remarks.ts'
import { ping } from '../harness/wait.ts'

// As each engine has its turn as ours, both directions are tried.
describe('our QUIC, a client of its other engine', () => {
  let paths: BadPath[] = []
  let server: EchoServer | undefined

  afterEach(async () => {
    for (const path of paths) path.close()
    await server?.close()
    paths = []
    server = undefined
  })

  for (const each of QUIC_CASES) {
    it(`QUIC ${each.name}: both ${each.does}`, async function () {
      const why = whyNot(each, ourEngine(), otherEngine())
      if (why !== undefined) return leaveOut(this, why)
      const other = await echoServer(otherEngine(), await serverTlsFor(each), {
        ...each.ours,
        retry: each.retry === true,
      })
      server = other
      paths = await openPaths(each, other.address)
      const goodputs = await Promise.all(paths.map(path => runOurClient(each, ourEngine(), other.address, path)))
      judgeServer(each, other)
      for (const path of paths) judgePath(each, path, otherEngine())
      if (each.measured) figure(this, goodputs.map(goodput => goodput.toFixed(1)).join(' + '))
    }).timeout(TIMEOUT_MS)
  }

  it('QUIC http3: both carry a tunnel over HTTP/3', async () => {
    const certificates = await ourCertificates()
    const proxy = await startTestProxy(certificates, { quic: { engine: otherEngine() } })
    const client = newTestClient(certificates, proxy.address, { quic: { engine: ourEngine() } })
    try {
      await client.connect()
      await ping(client, '10.90.0.1', 1000)
    } finally {
      await client.close()
      await proxy.close()
    }
  }).timeout(TIMEOUT_MS)
})

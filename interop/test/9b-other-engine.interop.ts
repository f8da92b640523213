import { newTestClient, startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import { ourCertificates } from '../harness/certificates.ts'
import { otherEngine, ourEngine } from '../harness/our-quic.ts'
import { judgeServer, openOurServer, openPaths, runOurClient, TIMEOUT_MS } from '../harness/quic-cases.ts'
import { quicCases } from '../harness/quic-suite.ts'
import { ping } from '../harness/wait.ts'

// As each engine has its turn as ours, both directions are tried.
describe('our QUIC, a client of its other engine', () => {
  quicCases(ourEngine, otherEngine, async (each, atEnd) => {
    const other = await openOurServer(each, otherEngine(), atEnd)
    const paths = await openPaths(each, other.address, atEnd)
    const goodputs = await Promise.all(paths.map(path => runOurClient(each, ourEngine(), other.address, path)))
    judgeServer(each, other)
    return { paths, goodputs }
  })

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

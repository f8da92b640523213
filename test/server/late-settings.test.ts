import { expect } from 'chai'
import { ENCAPSULATION_HEADER } from '../../src/carriers/carrier.ts'
import { buildRequestHeaders } from '../../src/connect-ip/request.ts'
import { headerValue } from '../../src/http/header.ts'
import { H3Connection, type H3Event } from '../../src/http3/connection.ts'
import { QuicEndpoint } from '../../src/quic/endpoint.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../src/quic/quic.ts'
import { startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import { clientTls, testCertificates } from '../support/certificates.ts'
import { Recorder } from '../support/quic-peer.ts'

describe('a client whose request overtakes its SETTINGS', () => {
  it('CIP-07 gets its answer, and its packets as datagrams, when the SETTINGS are there', async () => {
    const server = await startTestProxy(await testCertificates())
    try {
      const recorder = new Recorder()
      const quic = await QuicEndpoint.connect({
        remote: server.address,
        serverName: 'localhost',
        tls: await clientTls(),
        settings: DEFAULT_QUIC_SETTINGS,
      })
      const h3 = new H3Connection({ role: 'client', peerMaxDatagramFrameSize: 65_535 })
      const events: H3Event[] = []
      recorder.onData = (streamId, data, fin) => events.push(...h3.receiveStream(streamId, data, fin))
      quic.handler = recorder
      const send = (output: ReturnType<typeof h3.takeOutput>) => {
        for (const item of output) if (item.type === 'stream') quic.streamSend(item.streamId, item.data, item.fin)
      }
      const response = (streamId: number) =>
        events.find(event => event.type === 'response' && event.streamId === streamId) as
          | Extract<H3Event, { type: 'response' }>
          | undefined

      h3.start()
      const settings = h3.takeOutput()
      await recorder.until(() => recorder.established && h3.peerSettings !== undefined)
      const authority = 'localhost'
      const path = '/.well-known/masque/ip/*/*/'
      const tunnel = h3.request(buildRequestHeaders({ scheme: 'https', authority, path }))
      const page = h3.request(
        [
          [':method', 'GET'],
          [':scheme', 'https'],
          [':authority', authority],
          [':path', '/'],
        ],
        true,
      )
      send(h3.takeOutput())
      // A plain request needs no SETTINGS: once it is answered, the server has seen the first one too.
      await recorder.until(() => response(page))
      expect(response(tunnel)).to.equal(undefined)

      send(settings)
      await recorder.until(() => response(tunnel))
      const headers = response(tunnel)?.headers ?? []
      expect(headerValue(headers, ':status')).to.equal('200')
      expect(headerValue(headers, ENCAPSULATION_HEADER)).to.equal('datagram')
      expect(server.clients()[0]).to.include({ encapsulation: 'datagram' })
      quic.close(0x100, '')
      await recorder.until(() => recorder.closed)
    } finally {
      await server.close()
    }
  })
})

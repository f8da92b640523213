import { expect } from 'chai'
import { buildRequestHeaders } from '../../src/connect-ip/request.ts'
import { headerValue } from '../../src/http/header.ts'
import { H3Connection, type H3Event } from '../../src/http3/connection.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { decodeIcmp, IcmpType, icmpEchoRequest } from '../../src/ip/icmp.ts'
import { QuicEndpoint } from '../../src/quic/endpoint.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../src/quic/quic.ts'
import { startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import { clientTls, testCertificates } from '../support/certificates.ts'
import { Recorder } from '../support/quic-peer.ts'

describe('a client that sends packets before the response', () => {
  it('CIP-25 loses them at most: the tunnel comes up, and later packets are answered', async () => {
    let answerName!: (addresses: IpAddress[]) => void
    const resolved = new Promise<IpAddress[]>(resolve => {
      answerName = resolve
    })
    const server = await startTestProxy(await testCertificates(), {}, { resolveName: () => resolved })
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
      const flush = () => {
        for (const item of h3.takeOutput()) {
          if (item.type === 'stream') quic.streamSend(item.streamId, item.data, item.fin)
        }
      }
      const statusOf = (streamId: number) => {
        const response = events.find(event => event.type === 'response' && event.streamId === streamId)
        return response?.type === 'response' ? headerValue(response.headers, ':status') : undefined
      }

      h3.start()
      flush()
      await recorder.until(() => recorder.established && h3.peerSettings !== undefined)
      const authority = 'localhost'
      // The name keeps the response back until the test lets it go.
      const path = '/.well-known/masque/ip/host.example/*/'
      const tunnel = h3.request(buildRequestHeaders({ scheme: 'https', authority, path }))
      const source = IpAddress.parse('10.89.0.2')
      const destination = IpAddress.parse('10.90.0.1')
      const sendPing = (id: number) => {
        const packet = icmpEchoRequest({ source, destination, id, seq: 1 }, new Uint8Array(32))
        quic.sendDatagram(Buffer.concat([h3.encodeDatagramPrefix(tunnel), Uint8Array.of(0), packet]))
      }
      // In front of the request, in whatever order they arrive, and behind it.
      sendPing(1)
      flush()
      sendPing(2)
      const pageIsAnswered = async () => {
        const page = h3.request(
          [
            [':method', 'GET'],
            [':scheme', 'https'],
            [':authority', authority],
            [':path', '/'],
          ],
          true,
        )
        flush()
        await recorder.until(() => statusOf(page) ?? recorder.closed)
        expect(recorder.closed).to.equal(undefined)
      }
      await pageIsAnswered()
      // And when the request is known, and not answered yet.
      sendPing(4)
      await pageIsAnswered()
      expect(statusOf(tunnel)).to.equal(undefined)

      answerName([destination])
      await recorder.until(() => statusOf(tunnel))
      expect(statusOf(tunnel)).to.equal('200')
      sendPing(3)
      const isReplyTo = (id: number) => (datagram: Uint8Array) => {
        const packet = datagram.subarray(2)
        if (packet[0] >> 4 !== 4) return false
        const message = decodeIcmp(packet)
        return message.type === IcmpType.ECHO_REPLY && message.id === id
      }
      await recorder.until(() => recorder.datagrams.some(isReplyTo(3)))
      expect(recorder.closed).to.equal(undefined)
      quic.close(0x100, '')
      await recorder.until(() => recorder.closed)
    } finally {
      await server.close()
    }
  })
})

import { expect } from 'chai'
import { H1_INTERIM_RESPONSES } from '../../../src/carriers/h1/client-connection.ts'
import type { ClientConfigOverrides } from '../../../src/client/config.ts'
import { ClientError } from '../../../src/client/errors.ts'
import { encodeAddressAssign } from '../../../src/connect-ip/address-assign.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { hex } from '../../http3/conversation.ts'
import { type H1Peer, head, startH1Proxy, TUNNEL_PATH } from '../../support/h1-peer.ts'
import { closeLoopback, failure, newClient } from '../../support/loopback.ts'
import { closeTlsPeers } from '../../support/tls-peer.ts'

const OVER_HTTP1: ClientConfigOverrides = { tunnel: { carrier: 'h1' } }
const YES = head(['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: connect-ip'])
const yes = (...lines: string[]): string => head(['HTTP/1.1 101 Switching Protocols', ...lines])

/** A client that meets a proxy which does this once the request is there. */
async function meets(onRequest: (peer: H1Peer, request: string) => void, options?: { alpn: string[] }) {
  const proxy = await startH1Proxy(peer => {
    void peer.request().then(request => onRequest(peer, request))
  }, options)
  return newClient(proxy, OVER_HTTP1, { timeouts: { connectMs: 1500, graceMs: 100 } })
}

describe('CIP-08 CIP-10 CIP-15 CIP-17 a client with a hostile proxy over HTTP/1.1', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeTlsPeers()
  })

  const cases: [title: string, answer: string | Uint8Array, kind: ClientError['kind'], message: RegExp][] = [
    ['that does not answer', '', 'timeout', /has not answered the request/],
    ['that answers 200', head(['HTTP/1.1 200 OK', 'Capsule-Protocol: ?1']), 'tunnel', /status 200; "yes" is 101/],
    [
      'that answers 200 and closes',
      head(['HTTP/1.1 200 OK', 'Content-Length: 0']),
      'tunnel',
      /status 200; "yes" is 101/,
    ],
    [
      'that answers 302',
      head(['HTTP/1.1 302 Found', 'Location: https://x/', 'Content-Length: 0']),
      'http',
      /status 302/,
    ],
    [
      'that answers 404 with content',
      `${head(['HTTP/1.1 404 Not Found', 'Transfer-Encoding: chunked'])}3\r\nabc\r\n0\r\n\r\n`,
      'http',
      /status 404/,
    ],
    ['that answers 426', head(['HTTP/1.1 426 Upgrade Required', 'Upgrade: h2c', 'Content-Length: 0']), 'http', /426/],
    ['that switches to something else', yes('Connection: Upgrade', 'Upgrade: websocket'), 'tunnel', /101 without/],
    ['that switches to two things', yes('Connection: Upgrade', 'Upgrade: connect-ip, foo'), 'tunnel', /101 without/],
    ['that does not say what it switches to', yes('Connection: Upgrade'), 'tunnel', /101 without/],
    ['that switches without Connection: Upgrade', yes('Upgrade: connect-ip'), 'tunnel', /101 without/],
    [
      'that switches with content',
      yes('Connection: Upgrade', 'Upgrade: connect-ip', 'Content-Length: 5'),
      'tunnel',
      /content-length is not allowed/,
    ],
    [
      'that switches with a coding',
      yes('Connection: Upgrade', 'Upgrade: connect-ip', 'Transfer-Encoding: chunked'),
      'tunnel',
      /transfer-encoding is not allowed/,
    ],
    [
      'that sends interim answers without end',
      head(['HTTP/1.1 100 Continue']).repeat(H1_INTERIM_RESPONSES + 1),
      'tunnel',
      /interim responses without end/,
    ],
    ['that speaks something else', 'SSH-2.0-OpenSSH_9.6\r\n', 'tunnel', /Parse Error/],
    ['whose head has 64 KiB', head(['HTTP/1.1 200 OK', `X: ${'a'.repeat(65_536)}`]), 'tunnel', /Header overflow/],
    ['whose head is cut', 'HTTP/1.1 101 Swit', 'timeout', /has not answered the request/],
    [
      'whose capsules are malformed',
      Buffer.concat([Buffer.from(YES), hex('01 01 00')]),
      'protocol',
      /we reset the request stream: end of the TCP connection/,
    ],
  ]
  for (const [title, answer, kind, message] of cases) {
    it(`${title} says so`, async () => {
      const error = await failure((await meets(peer => peer.send(answer))).connect(), ClientError)
      expect([error.kind, error.message]).to.satisfy(
        ([found, text]: string[]) => found === kind && message.test(text),
        `${error.kind}: ${error.message}`,
      )
    })
  }

  const ends: [title: string, before: string | Uint8Array, kind: ClientError['kind'], message: RegExp][] = [
    ['before the answer', '', 'tunnel', /closed by the peer: the TCP connection ended/],
    ['inside of its head', 'HTTP/1.1 101 Swit', 'tunnel', /Parse Error|the TCP connection ended/],
    ['behind its head', YES, 'tunnel', /the proxy closed the tunnel/],
    ['inside of a capsule', Buffer.concat([Buffer.from(YES), hex('01 05 00')]), 'protocol', /inside a capsule/],
  ]
  for (const [title, before, kind, message] of ends) {
    it(`that ends the connection ${title} says so`, async () => {
      const client = await meets(peer => {
        peer.send(before)
        peer.socket.end()
      })
      const error = await failure(client.connect(), ClientError)
      expect([error.kind, error.message]).to.satisfy(
        ([found, text]: string[]) => found === kind && message.test(text),
        `${error.kind}: ${error.message}`,
      )
    })
  }

  it('that sends one interim answer, and capsules right behind its 101, has a tunnel', async () => {
    const assigned = encodeAddressAssign([{ requestId: 0n, prefix: IpPrefix.parse('10.0.0.7/32') }])
    const requests: string[] = []
    const client = await meets((peer, request) => {
      requests.push(request)
      // Nothing comes behind the request before the answer: who does not know Upgrade would take it for the next one.
      requests.push(peer.rest.toString('hex'))
      peer.send(head(['HTTP/1.1 100 Continue']), YES, assigned)
    })
    const { assigned: addresses, carrier } = await client.connect()
    expect([carrier, ...addresses.map(String)]).to.deep.equal(['h1', '10.0.0.7/32'])
    expect(requests[0].split('\r\n')[0]).to.equal(`GET ${TUNNEL_PATH.replaceAll('*', '%2A')} HTTP/1.1`)
    expect(requests[0].split('\r\n').slice(1).sort()).to.deep.equal([
      'capsule-protocol: ?1',
      'connection: Upgrade',
      `host: localhost:${client.tunnel?.info.remote.split(':')[1]}`,
      'masque-lab-encapsulation: single-stream',
      'upgrade: connect-ip',
    ])
    expect(requests[1]).to.equal('')
  })

  it('whose TLS knows nothing of ALPN is taken to speak HTTP/1.1', async () => {
    const client = await meets(peer => peer.send(YES, encodeAddressAssign([])), { alpn: [] })
    const error = await failure(client.connect(), ClientError)
    expect(error.message).to.match(/has no address for us|has left 2 requests/)
  })

  it('Q-02 whose TLS knows HTTP/2 only says that it is no proxy', async () => {
    const client = await meets(() => {}, { alpn: ['h2'] })
    const error = await failure(client.connect(), ClientError)
    expect(error.message).to.match(/does not speak HTTP\/1\.1 \(ALPN "http\/1\.1"\): it is no CONNECT-IP proxy/)
  })
})

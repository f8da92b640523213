import { IncomingMessage } from 'node:http'
import { expect } from 'chai'
import { H1_FIELDS } from '../../../src/carriers/h1/messages.ts'
import { MAX_CAPSULES_WAITING } from '../../../src/carriers/tunnel.ts'
import { decodeAddressAssign } from '../../../src/connect-ip/address-assign.ts'
import { encodeAddressRequest } from '../../../src/connect-ip/address-request.ts'
import { type Capsule, CapsuleParser, CapsuleType } from '../../../src/connect-ip/capsule.ts'
import { decodeRouteAdvertisement, describeRoute } from '../../../src/connect-ip/route-advertisement.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { GATEWAY, type MasqueServer } from '../../../src/server/server.ts'
import { ping as echoRequest } from '../../connect-ip/packets.ts'
import { hex } from '../../http3/conversation.ts'
import { keepBystander } from '../../support/bystander.ts'
import { connectH1Peer, type H1Peer, head, TUNNEL_PATH, UPGRADE } from '../../support/h1-peer.ts'
import { closeLoopback, connectClient, startServer, until } from '../../support/loopback.ts'
import { closeTlsPeers } from '../../support/tls-peer.ts'

/** The request for a tunnel with some of its lines changed, by what they begin with; '' takes one away. */
const upgrade = (changes: Record<string, string> = {}, ...extra: string[]): string => {
  const lines = UPGRADE.map(line => {
    const key = Object.keys(changes).find(start => line.startsWith(start))
    return key === undefined ? line : changes[key]
  })
  return head([...lines, ...extra].filter(line => line !== ''))
}
const get = (path: string, ...extra: string[]): string => head([`GET ${path} HTTP/1.1`, 'Host: localhost', ...extra])

const ANY_IPV4 = IpPrefix.parse('0.0.0.0/32')
const ADDRESS_REQUEST = encodeAddressRequest([{ requestId: 7n, prefix: ANY_IPV4 }])
/** An entry of ADDRESS_ASSIGN with Request ID 7 and an IPv4 address. */
const ASSIGNED = Buffer.of(7, 4, 10, 89)

describe('a proxy with a hostile client over HTTP/1.1', () => {
  let server: MasqueServer

  const { stillPings } = keepBystander(async () => {
    server = await startServer()
    return { server, client: (await connectClient(server, { tunnel: { carrier: 'h1' } })).client }
  }, closeTlsPeers)

  const connect = () => connectH1Peer(server)

  async function send(...parts: (string | Uint8Array)[]): Promise<H1Peer> {
    const peer = await connect()
    peer.send(...parts)
    return peer
  }

  /** There was one answer, this one, and the connection is over. */
  async function refused(peer: H1Peer, ...either: number[]): Promise<void> {
    await until(() => peer.closed)
    expect(peer.statuses, peer.text).to.have.length(1)
    expect(peer.statuses[0], peer.text).to.be.oneOf(either)
    expect(peer.head.toLowerCase()).to.include('\r\nconnection: close')
    expect(peer.head).to.match(/\r\ndate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n/i)
    expect(server.status().tunnels).to.equal(1)
  }

  describe('CIP-04 CIP-09 CIP-10 whose request for a tunnel is malformed hears 400', () => {
    const cases: [title: string, request: string][] = [
      ['with another method', upgrade({ GET: `POST ${TUNNEL_PATH} HTTP/1.1` })],
      ['with CONNECT', upgrade({ GET: 'CONNECT localhost:443 HTTP/1.1' })],
      ['without Host', upgrade({ Host: '' })],
      ['with two Host fields', upgrade({}, 'Host: localhost')],
      ['without Connection', upgrade({ Connection: '' })],
      ['with a Connection that does not say Upgrade', upgrade({ Connection: 'Connection: keep-alive' })],
      ['without Upgrade', upgrade({ Upgrade: '' })],
      ['with nothing of both', get(TUNNEL_PATH)],
      ['with another upgrade token', upgrade({ Upgrade: 'Upgrade: connect-udp' })],
      ['with a version of the token', upgrade({ Upgrade: 'Upgrade: connect-ip/1' })],
      ['in HTTP/1.0', upgrade({ GET: `GET ${TUNNEL_PATH} HTTP/1.0` })],
      ['with Content-Length', upgrade({}, 'Content-Length: 0')],
      ['with content', `${upgrade({}, 'Content-Length: 4')}abcd`],
      ['with Content-Type', upgrade({}, 'Content-Type: text/plain')],
      ['with Transfer-Encoding', `${upgrade({}, 'Transfer-Encoding: chunked')}0\r\n\r\n`],
      ['to an absolute URI of http', upgrade({ GET: `GET http://localhost${TUNNEL_PATH} HTTP/1.1` })],
      ['to an authority', upgrade({ GET: 'GET localhost:443 HTTP/1.1' })],
      ['to *', upgrade({ GET: 'GET * HTTP/1.1' })],
      ['with a target that has host bits', upgrade({ GET: 'GET /.well-known/masque/ip/10.0.0.1%2F8/*/ HTTP/1.1' })],
      ['with an ipproto beyond 255', upgrade({ GET: 'GET /.well-known/masque/ip/*/256/ HTTP/1.1' })],
    ]
    for (const [title, request] of cases) {
      it(title, async () => {
        await refused(await send(request, ADDRESS_REQUEST), 400)
      })
    }
  })

  describe('CIP-10 whose request is unusual and right gets a tunnel', () => {
    const cases: [title: string, request: string][] = [
      ['in other letters', upgrade({ Connection: 'CONNECTION: uPGRADE', Upgrade: 'upgrade: CONNECT-IP' })],
      ['with lists', upgrade({ Connection: 'Connection: keep-alive , Upgrade', Upgrade: 'Upgrade: , h2c,connect-ip' })],
      ['with lists on several lines', upgrade({ Upgrade: 'Upgrade: foo/2' }, 'Connection: TE', 'Upgrade: connect-ip')],
      ['without Capsule-Protocol', upgrade({ Capsule: '' })],
      [
        'to an absolute URI, whatever Host says',
        upgrade({ GET: `GET https://localhost${TUNNEL_PATH} HTTP/1.1`, Host: 'Host: other.example' }),
      ],
    ]
    for (const [title, request] of cases) {
      it(title, async () => {
        const peer = await send(request, ADDRESS_REQUEST)
        await until(() => peer.rest.includes(ASSIGNED))
        expect(peer.head.split('\r\n').sort()).to.deep.equal([
          'HTTP/1.1 101 Switching Protocols',
          'capsule-protocol: ?1',
          'connection: Upgrade',
          'masque-lab-encapsulation: single-stream',
          'upgrade: connect-ip',
        ])
      })
    }

    it('without ALPN, as those do that know of nothing newer', async () => {
      const peer = await connectH1Peer(server, { alpn: [] })
      peer.send(upgrade())
      expect(await peer.status()).to.equal(101)
    })

    it('CIP-16 CIP-23 CIP-36 when its head and its capsules come in single bytes', async () => {
      const peer = await connect()
      for (const byte of [...Buffer.from(upgrade()), ...hex('40 77 03 01 02 03'), ...ADDRESS_REQUEST]) {
        peer.send(Uint8Array.of(byte))
      }
      await until(() => peer.rest.includes(ASSIGNED))
    })
  })

  describe('CIP-10 that expects 100-continue beside Upgrade reads 100 before 101 (RFC 9110 §7.8)', () => {
    const cases: [title: string, ...fields: string[]][] = [
      ['', 'Expect: 100-continue'],
      ['in other letters', 'eXPECT: 100-CONTINUE'],
      ['beside what nobody knows', 'Expect: foo', 'Expect: bar=1, 100-continue'],
    ]
    for (const [title, ...fields] of cases) {
      it(title || 'on a line of its own', async () => {
        const peer = await send(upgrade({}, ...fields), ADDRESS_REQUEST)
        await until(() => peer.rest.includes(ASSIGNED))
        expect(peer.text).to.match(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 101 Switching Protocols\r\n/)
        expect(peer.statuses).to.deep.equal([100, 101])
      })
    }

    it('and nothing but the answer when it is refused', async () => {
      const expectation = 'Expect: 100-continue'
      await refused(await send(upgrade({ Host: 'Host: other.example' }, expectation)), 421)
      await refused(await send(upgrade({ Connection: '' }, expectation)), 400)
      await refused(await send(upgrade({ GET: `GET ${TUNNEL_PATH} HTTP/1.0` }, expectation)), 400)
    })

    it('and no 100 where it expects something else', async () => {
      const peer = await send(upgrade({}, 'Expect: 100-continue-not'))
      expect(await peer.status()).to.equal(101)
    })
  })

  it('CIP-12 CIP-13 CIP-14 CIP-19 reads its addresses without asking, each answer with its Request ID, and routes in order', async () => {
    const peer = await send(upgrade())
    const capsules = (): Capsule[] => [...new CapsuleParser().push(peer.rest)]
    const assigned = (index: number): string[] => {
      const all = capsules().filter(({ type }) => type === CapsuleType.ADDRESS_ASSIGN)
      return decodeAddressAssign(all[index].value).map(({ requestId, prefix }) => `${requestId} ${prefix}`)
    }
    await until(() => capsules().length === 2)
    const [v4, v6] = assigned(0)
    expect([v4, v6].map(entry => entry.split(' ')[0])).to.deep.equal(['0', '0'])
    const routes = decodeRouteAdvertisement(capsules()[1].value)
    expect(routes.map(describeRoute)).to.deep.equal(server.status().routes)
    peer.send(ADDRESS_REQUEST)
    await until(() => capsules().length === 3)
    // The full list again; the address that was there answers the request.
    expect(assigned(1)).to.have.members([v4.replace(/^0/, '7'), v6])
  })

  it('CIP-10 H3-09 that asks for another name is sent away with 421, and for another path with 404', async () => {
    await refused(await send(upgrade({ Host: 'Host: other.example' })), 421)
    await refused(await send(upgrade({ GET: 'GET /elsewhere HTTP/1.1' })), 404)
    await refused(await send(upgrade({ GET: `GET https://other.example${TUNNEL_PATH} HTTP/1.1` })), 421)
  })

  describe('H3-08 that asks for no tunnel has an answer, and the end', () => {
    const cases: [request: string, status: number][] = [
      [get('/'), 200],
      [get('/', 'Upgrade: websocket', 'Connection: Upgrade'), 200],
      [get('/nothing'), 404],
      [head(['POST / HTTP/1.1', 'Host: localhost', 'Content-Length: 1000000', 'Expect: 100-continue']), 405],
      [head(['CONNECT localhost:443 HTTP/1.1', 'Host: localhost']), 501],
      [head(['GET / HTTP/2.0', 'Host: localhost']), 505],
      [head(['GET / HTTP/1.1']), 400],
      [get('/').replace('localhost', 'other.example'), 421],
    ]
    for (const [request, status] of cases) {
      it(`${JSON.stringify(request.split('\r\n').slice(0, -2).join(', '))}: ${status}`, async () => {
        const peer = await send(request)
        await refused(peer, status)
        const length = Number(/\r\ncontent-length: (\d+)/.exec(peer.head)?.[1])
        expect(peer.rest).to.have.length(length)
      })
    }

    it('to HEAD without the page', async () => {
      const peer = await send(head(['HEAD / HTTP/1.1', 'Host: localhost']))
      await refused(peer, 200)
      expect(peer.head).to.match(/\r\ncontent-length: [1-9]/)
      expect(peer.rest).to.have.length(0)
    })
  })

  describe('AT-31 that hides a request behind its request gets one answer at most', () => {
    const hidden = upgrade()
    const post = (...fields: string[]) => head(['POST / HTTP/1.1', 'Host: localhost', ...fields])
    const cases: [title: string, text: string, ...either: number[]][] = [
      ['Content-Length and Transfer-Encoding', post('Content-Length: 5', 'Transfer-Encoding: chunked'), 400],
      ['Transfer-Encoding and Content-Length', post('Transfer-Encoding: chunked', 'Content-Length: 5'), 400],
      ['two lengths', post('Content-Length: 5', 'Content-Length: 0'), 400],
      ['a list of lengths', post('Content-Length: 5, 5'), 400],
      ['a length with a sign', post('Content-Length: +5'), 400],
      ['a coding that is not there', post('Transfer-Encoding: xchunked'), 400, 405],
      ['chunked twice', post('Transfer-Encoding: chunked, chunked'), 400, 405],
      ['a space before the colon', post('Transfer-Encoding : chunked'), 400],
      ['a vertical tab', post('Transfer-Encoding:\x0bchunked'), 400],
      ['a folded line', post('Transfer-Encoding:', ' chunked'), 400],
      ['NUL in a value', post('X: a\0b'), 400],
      ['a line that ends with LF only', post('X: y\nTransfer-Encoding: chunked'), 400],
      ['a line that ends with CR only', post('X: y\rTransfer-Encoding: chunked'), 400],
      ['a field without a colon', post('nothing'), 400],
      ['a second request that was not waited with', get('/'), 200],
      ['a chunk behind a request without content', `${get('/')}0\r\n\r\n`, 200],
      ['an upgrade that is refused', upgrade({ Host: 'Host: other.example' }), 421],
      ['an upgrade that is malformed', upgrade({ Connection: '' }), 400],
      [
        'an upgrade to something else',
        get('/', 'Connection: Upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'),
        200,
      ],
      ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ]
    for (const [title, text, ...either] of cases) {
      it(title, async () => {
        await refused(await send(text, hidden, get('/')), ...either)
      })
    }

    it('and is in the log once', async () => {
      const refusals = () => server.connectionLog().filter(({ event }) => event === 'rejected').length
      const before = refusals()
      await refused(await send(get('/').replace('localhost', 'other.example').repeat(3)), 421)
      expect(refusals()).to.equal(before + 1)
    })

    it('nor does anything in a tunnel look like a request', async () => {
      const peer = await send(upgrade(), hidden, get('/'))
      expect(await peer.status()).to.equal(101)
      await stillPings()
      expect(peer.statuses).to.deep.equal([101])
      expect(server.status().tunnels).to.be.at.most(2)
    })
  })

  describe('AT-25 whose head is larger than it may be hears 431', () => {
    it('with a field of 64 KiB', async () => {
      await refused(await send(upgrade({}, `X: ${'a'.repeat(64 * 1024)}`)), 431)
    })

    it('with a path of 64 KiB', async () => {
      await refused(await send(upgrade({ GET: `GET /${'a'.repeat(64 * 1024)} HTTP/1.1` })), 431)
    })

    it('with many fields, behind which no second Host is hidden', async () => {
      const many = Array.from({ length: H1_FIELDS }, () => 'a: b')
      await refused(await send(upgrade({}, ...many)), 431)
      await refused(await send(upgrade({}, ...Array.from({ length: 1500 }, () => 'a: b'), 'Host: x')), 431)
    })
  })

  describe('CIP-13 CIP-17 CIP-18 whose capsules are malformed loses its connection', () => {
    const cases: [title: string, capsule: Uint8Array, ends: boolean][] = [
      ['an ADDRESS_REQUEST without an entry', hex('02 00'), false],
      ['the end inside a capsule', hex('01 05 00'), true],
      ['a capsule that is too long', hex('02 80 02 00 00'), false],
    ]
    for (const [title, capsule, ends] of cases) {
      it(title, async () => {
        const peer = await send(upgrade(), capsule)
        if (ends) peer.socket.end()
        await until(() => peer.closed)
        const { detail } = server.connectionLog().find(({ event }) => event === 'tunnel-closed') ?? {}
        expect(detail).to.match(/^we reset the request stream: end of the TCP connection \(/)
      })
    }
  })

  it('AT-31 that sends 75 000 requests, one behind the other, is heard once, and the others are not even read', async () => {
    // `resume` is called once for each request that has been parsed.
    const { resume } = IncomingMessage.prototype
    let parsed = 0
    IncomingMessage.prototype.resume = function () {
      parsed++
      return resume.call(this)
    }
    try {
      const peer = await connect()
      const sent = peer.flood([Buffer.from(get('/').repeat(75_000))])
      await until(() => peer.closed)
      await sent
      expect(peer.statuses).to.deep.equal([200])
    } finally {
      Reflect.deleteProperty(IncomingMessage.prototype, 'resume')
    }
    // What came in the same piece.
    expect(parsed).to.be.within(1, 5000)
    await stillPings()
  })

  it('AT-29 that asks for addresses again and again, and reads no answer, loses its tunnel', async () => {
    const peer = await thatReadsNothing()
    let most = 0
    await peer.flood(
      (function* () {
        for (let i = 1; i <= 5000 && server.status().tunnels === 2; i++) {
          most = Math.max(most, server.clients()[1]?.backlog?.bytes ?? 0)
          yield encodeAddressRequest([{ requestId: BigInt(i), prefix: ANY_IPV4 }])
        }
      })(),
    )
    await until(() => server.status().tunnels === 1)
    // Which of the two bounds is reached first depends on how much the system takes.
    const { detail } = server.connectionLog().find(({ event }) => event === 'tunnel-closed') ?? {}
    expect(detail).to.match(/it does not read what it has asked for|requested more than 4096 addresses/)
    expect(most).to.be.at.most(MAX_CAPSULES_WAITING + 64 * 1024)
  })

  /** With so many packets for it that the system's own buffers are full, and then ours. */
  async function thatReadsNothing(): Promise<H1Peer> {
    const peer = await send(upgrade())
    await peer.status()
    peer.socket.pause()
    await until(() => server.clients().length === 2)
    const [, { addresses }] = server.clients()
    const echo = echoRequest(String(server.gateway.v4), addresses[0], 1000)
    const fill = () => {
      for (let i = 0; i < 1000; i++) server.host(GATEWAY)?.send(Uint8Array.from(echo))
    }
    await until(async () => {
      fill()
      await new Promise(resolve => setTimeout(resolve, 20))
      return (server.clients()[1].backlog?.bytes ?? 0) > 128 * 1024
    })
    fill()
    return peer
  }

  it('that reads nothing makes the proxy keep no more than a bound, and drop the rest', async () => {
    const peer = await thatReadsNothing()
    const { backlog, packets } = server.clients()[1]
    expect(backlog?.bytes).to.be.within(256 * 1024, 258 * 1024)
    expect(backlog?.dropped).to.equal(packets.dropped)
    // Room again, and it goes on.
    peer.socket.resume()
    await until(() => server.clients()[1].backlog?.bytes === 0)
    expect(server.clients()[1].backlog?.blockedMs).to.be.greaterThan(0)
  })

  it('CIP-11 that vanishes without a word leaves nothing behind', async () => {
    const peer = await send(upgrade())
    await until(() => server.status().tunnels === 2)
    peer.socket.destroy()
    await until(() => server.status().tunnels === 1)
  })

  it('CIP-11 that ends its half has ended its tunnel', async () => {
    const peer = await send(upgrade())
    await peer.status()
    peer.socket.end()
    await until(() => peer.closed)
    const { detail } = server.connectionLog().find(({ event }) => event === 'tunnel-closed') ?? {}
    expect(detail).to.equal('the peer closed the tunnel')
  })
})

describe('a proxy with clients on HTTP/1.1 that never come to the point', () => {
  afterEach(async () => {
    await closeTlsPeers()
    await closeLoopback()
  })

  it('AT-10 closes a connection whose head never ends after limits.tunnel_timeout_ms', async () => {
    const server = await startServer({ limits: { tunnelTimeoutMs: 300 } })
    const peer = await connectH1Peer(server)
    peer.send(upgrade().slice(0, -2))
    const bytes = setInterval(() => peer.send('X'), 20)
    await until(() => peer.closed && server.status().connections === 0)
    clearInterval(bytes)
    expect(server.connectionLog()[0].detail).to.include('there was no tunnel for 0.3 s')
  })

  it('AT-10 closes one that says nothing after TLS', async () => {
    const server = await startServer({ limits: { tunnelTimeoutMs: 300 } })
    const peer = await connectH1Peer(server)
    await until(() => peer.closed && server.status().connections === 0)
  })

  it('closes one that was refused and does not end its half', async () => {
    const server = await startServer()
    const peer = await connectH1Peer(server)
    peer.socket.allowHalfOpen = true
    peer.send(head(['POST /nothing HTTP/1.1', 'Host: localhost', 'Content-Length: 1000000000']))
    expect(await peer.status()).to.equal(404)
    const more = setInterval(() => peer.send(new Uint8Array(1000)), 5)
    await until(() => peer.closed && server.status().connections === 0)
    clearInterval(more)
  })

  it('answers 503 to one that sends more than a bound of capsules before it has an answer', async () => {
    const server = await startServer({}, { resolveName: () => new Promise(() => {}) })
    const peer = await connectH1Peer(server)
    peer.send(upgrade({ GET: 'GET /.well-known/masque/ip/slow.example/*/ HTTP/1.1' }), new Uint8Array(70 * 1024))
    expect(await peer.status()).to.equal(503)
    await until(() => peer.closed && server.status().connections === 0)
  })

  it('closes one with a tunnel that has gone silent', async () => {
    const server = await startServer({ quic: { idleTimeoutMs: 300 } })
    const peer = await connectH1Peer(server)
    peer.send(upgrade())
    await until(() => server.status().tunnels === 1)
    await until(() => server.status().connections === 0)
    expect(server.connectionLog()[0].detail).to.equal('timeout: nothing was heard from the peer for 0.3 s')
    expect(server.status().tunnels).to.equal(0)
  })
})

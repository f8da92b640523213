import { expect } from 'chai'
import type { ClientConfigOverrides } from '../../../src/client/config.ts'
import { ClientError } from '../../../src/client/errors.ts'
import { hex } from '../../http3/conversation.ts'
import { FLAG, FRAME, fieldBlock, type H2Peer, h2Frame, setting, startH2Proxy, uint32 } from '../../support/h2-peer.ts'
import { closeLoopback, failure, newClient } from '../../support/loopback.ts'
import { closeTlsPeers } from '../../support/tls-peer.ts'

const OVER_HTTP2: ClientConfigOverrides = { tunnel: { carrier: 'h2' } }
const ENABLE_CONNECT_PROTOCOL = setting(8, 1)
const MAX_HEADER_LIST_SIZE = 6
const settings = (...entries: number[][]) => h2Frame(FRAME.SETTINGS, 0, 0, entries.flat())
const goAway = (code: number, text: string) =>
  h2Frame(FRAME.GOAWAY, 0, 0, [...uint32(0), ...uint32(code), ...new TextEncoder().encode(text)])
const answer = (status: string, flags = 0) =>
  h2Frame(FRAME.HEADERS, FLAG.END_HEADERS | flags, 1, fieldBlock([[':status', status]]))
const reset = (code: number) => h2Frame(FRAME.RST_STREAM, 0, 1, uint32(code))

/** What a client's attempt fails with that meets such a proxy. `onRequest`: once the request is there. */
async function attempt(
  start: (peer: H2Peer) => void,
  onRequest?: (peer: H2Peer) => void,
  options?: Parameters<typeof startH2Proxy>[1],
): Promise<ClientError> {
  const proxy = await startH2Proxy(peer => {
    start(peer)
    if (onRequest !== undefined) void peer.frame(FRAME.HEADERS).then(() => onRequest(peer))
  }, options)
  const client = await newClient(proxy, OVER_HTTP2, { timeouts: { connectMs: 1500, graceMs: 100 } })
  return failure(client.connect(), ClientError)
}

const willing = (peer: H2Peer): void => peer.send(settings(ENABLE_CONNECT_PROTOCOL))

describe('CIP-07 CIP-08 CIP-15 H3-10 a client with a hostile proxy over HTTP/2', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeTlsPeers()
  })

  const cases: [
    title: string,
    start: (peer: H2Peer) => void,
    onRequest: ((peer: H2Peer) => void) | undefined,
    kind: ClientError['kind'],
    message: RegExp,
  ][] = [
    [
      'that does not take Extended CONNECT',
      peer => peer.send(settings()),
      undefined,
      'protocol',
      /the server does not support Extended CONNECT: it is no CONNECT-IP proxy/,
    ],
    ['that says nothing after TLS', () => {}, undefined, 'timeout', /has sent no SETTINGS/],
    ['that does not answer', willing, () => {}, 'timeout', /has not answered the request/],
    [
      'that ends the connection without a word',
      peer => peer.socket.end(),
      undefined,
      'refused',
      /closed by the peer: the TCP connection ended/,
    ],
    [
      'that speaks something else',
      peer => peer.send(new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n')),
      undefined,
      'refused',
      /closed by us: Protocol error/,
    ],
    [
      'that is busy, and says so',
      peer => peer.send(settings(ENABLE_CONNECT_PROTOCOL), goAway(11, 'go\x1b[2J away')),
      undefined,
      'tunnel',
      /closed by the peer: ENHANCE_YOUR_CALM \(go\?\[2J away\)/,
    ],
    [
      'that is shutting down',
      willing,
      peer => peer.send(goAway(0, 'bye'), reset(7)),
      'tunnel',
      /the peer reset the request stream: REFUSED_STREAM/,
    ],
    ['that answers 302', willing, peer => peer.send(answer('302', FLAG.END_STREAM)), 'http', /status 302/],
    ['that answers 101', willing, peer => peer.send(answer('101')), 'tunnel', /status 101|PROTOCOL_ERROR/],
    [
      'that answers without a status',
      willing,
      peer => peer.send(h2Frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, fieldBlock([['a', 'b']]))),
      'tunnel',
      /PROTOCOL_ERROR/,
    ],
    [
      'whose capsules are malformed',
      willing,
      peer => peer.send(answer('200'), h2Frame(FRAME.DATA, 0, 1, hex('01 01 00'))),
      'protocol',
      /we reset the request stream: PROTOCOL_ERROR/,
    ],
    [
      'that takes no heads of our size',
      peer => peer.send(settings(ENABLE_CONNECT_PROTOCOL, setting(MAX_HEADER_LIST_SIZE, 50))),
      undefined,
      'protocol',
      /the peer takes at most 50 \(SETTINGS_MAX_HEADER_LIST_SIZE\)/,
    ],
  ]
  for (const [title, start, onRequest, kind, message] of cases) {
    it(`${title} says so`, async () => {
      const error = await attempt(start, onRequest)
      expect([error.kind, error.message]).to.satisfy(
        ([found, text]: string[]) => found === kind && message.test(text),
        `${error.kind}: ${error.message}`,
      )
    })
  }

  it('Q-02 whose TLS knows HTTP/1.1 only says that it is no proxy', async () => {
    for (const alpn of [['http/1.1'], []]) {
      const error = await attempt(() => {}, undefined, { alpn })
      expect(error.message).to.match(/does not speak HTTP\/2 \(ALPN "h2"\): it is no CONNECT-IP proxy/)
    }
  })
})

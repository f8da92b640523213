import { expect } from 'chai'
import fc from 'fast-check'
import { encodeQuarterStreamId, HeldDatagrams } from '../../src/http3/datagram.ts'
import { H3ErrorCode } from '../../src/http3/error-codes.ts'
import {
  bytes,
  CONNECT_IP,
  commands,
  connection,
  errors,
  frame,
  GET,
  headersFrame,
  hex,
  NOTHING,
  OK,
  readyClient,
  toHex,
  varint,
} from './conversation.ts'

/** A QUIC datagram for a request stream. */
const datagram = (streamId: number, ...payload: number[]) => bytes(varint(streamId / 4), payload)

/** A server with the CONNECT-IP request on stream 0. */
function proxy(options = {}) {
  const server = connection('server', options)
  server.receiveStream(0, headersFrame(CONNECT_IP), false)
  return server
}

describe('HTTP Datagrams (RFC 9297 §2.1)', () => {
  it('CIP-21 begin with the stream id divided by four', () => {
    expect(toHex(encodeQuarterStreamId(0))).to.equal('00')
    expect(toHex(encodeQuarterStreamId(44))).to.equal('0b')
    expect(toHex(proxy().encodeDatagramPrefix(256))).to.equal('4040')
    expect(() => encodeQuarterStreamId(2)).to.throw(RangeError, 'not a request stream')
  })

  it('CIP-21 of a tunnel are delivered as a view, with their stream', () => {
    const server = proxy()
    const input = datagram(0, 0, 0x45, 0x60)
    const payload = server.parseDatagram(input)!
    expect([...payload]).to.deep.equal([0, 0x45, 0x60])
    expect(payload.buffer).to.equal(input.buffer)
    expect(server.datagramStreamId).to.equal(0)
    expect(server.receiveDatagram(hex('4000 aa'))).to.deep.equal({ streamId: 0, payload: hex('aa') })
    expect(server.receiveDatagram(hex('00'))).to.deep.equal({ streamId: 0, payload: NOTHING })
  })

  it('CIP-21 of several tunnels are each delivered to their own', () => {
    const server = proxy()
    for (const streamId of [4, 16]) server.receiveStream(streamId, headersFrame(CONNECT_IP), false)
    for (const streamId of [16, 4, 0, 16]) {
      expect(server.receiveDatagram(datagram(streamId, 7))).to.deep.equal({ streamId, payload: hex('07') })
    }
  })

  it('CIP-21 reach a client that has no response yet, and one that has', () => {
    const client = readyClient()
    expect(client.datagramsEnabled).to.equal(true)
    client.request(CONNECT_IP)
    expect(client.receiveDatagram(datagram(0, 1))?.payload).to.deep.equal(hex('01'))
    client.receiveStream(0, headersFrame(OK), false)
    expect(client.receiveDatagram(datagram(0, 2))?.payload).to.deep.equal(hex('02'))
  })

  it('CIP-24 that overtake their request are held, copied, and follow it in order', () => {
    const server = connection('server')
    const first = datagram(4, 1)
    expect(server.parseDatagram(first)).to.equal(undefined)
    first.fill(0xff)
    server.parseDatagram(datagram(8, 3))
    const head = headersFrame(CONNECT_IP)
    expect(server.receiveStream(4, head.subarray(0, 3), false)).to.deep.equal([])
    server.parseDatagram(datagram(4, 2))
    expect(server.counters.datagramsHeld).to.equal(3)
    const events = server.receiveStream(4, bytes(head.subarray(3), frame(0, [7])), false)
    expect(events.map(event => event.type)).to.deep.equal(['request', 'datagram', 'datagram', 'data'])
    const payloads = events.flatMap(event => (event.type === 'datagram' ? [...event.payload] : []))
    expect(payloads).to.deep.equal([1, 2])
    expect(server.counters.datagramsDropped).to.equal(0)
  })

  it('CIP-24 are held in bounded number and size, the oldest goes first', () => {
    const server = connection('server', { limits: { maxHeldDatagrams: 3, maxHeldDatagramBytes: 2000 } })
    for (let i = 0; i < 5; i++) server.parseDatagram(datagram(0, i))
    expect(server.counters).to.include({ datagramsHeld: 5, datagramsDropped: 2 })
    const events = server.receiveStream(0, headersFrame(CONNECT_IP), false)
    expect(events.flatMap(event => (event.type === 'datagram' ? [...event.payload] : []))).to.deep.equal([2, 3, 4])
  })

  it('CIP-24 held never exceed their limits, whatever comes', () => {
    const operation = fc.record({ streamId: fc.nat(5), size: fc.nat(300), release: fc.boolean() })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), operations => {
        const held = new HeldDatagrams(4, 500)
        let taken = 0
        for (const { streamId, size, release } of operations) {
          if (release) taken += held.release(streamId).length
          else held.hold(streamId, new Uint8Array(size))
          expect(held.count).to.be.at.most(4)
          expect(held.bytes).to.be.within(0, 500)
        }
        expect(taken + held.count + held.dropped).to.equal(operations.filter(({ release }) => !release).length)
      }),
    )
  })

  it('CIP-24 are no error for a stream that may still be opened', () => {
    const server = connection('server', { limits: { maxRequestStreams: 10 } })
    server.receiveStream(4, headersFrame(CONNECT_IP), false)
    // Stream 0 was skipped and may come; 36 is the tenth.
    server.parseDatagram(datagram(0, 1))
    server.parseDatagram(datagram(36, 1))
    expect(server.takeEvents()).to.deep.equal([])
    expect(server.counters.datagramsHeld).to.equal(2)
  })

  it('CIP-24 for a stream beyond the stream limit are H3_ID_ERROR', () => {
    const server = connection('server', { limits: { maxRequestStreams: 10 } })
    server.receiveStream(0, headersFrame(CONNECT_IP), false)
    expect(server.parseDatagram(datagram(40, 1))).to.equal(undefined)
    expect(errors(server.takeEvents())).to.deep.equal(['connection H3_ID_ERROR'])
    expect(commands(server.takeOutput())).to.deep.equal(['close H3_ID_ERROR'])
    expect(server.parseDatagram(datagram(0, 1))).to.equal(undefined)
  })

  it('CIP-24 the stream limit grows by one with each stream that has ended, answered, reset or rejected', () => {
    const server = connection('server', { limits: { maxRequestStreams: 10 } })
    const isError = (streamId: number) => {
      server.parseDatagram(datagram(streamId, 1))
      return errors(server.takeEvents()).length > 0
    }
    server.receiveStream(0, headersFrame(GET), true)
    server.respond(0, [[':status', '404']], true)
    expect(isError(40)).to.equal(false)
    server.receiveStream(4, headersFrame(CONNECT_IP), false)
    server.resetStream(4, 0x10c)
    expect(isError(44)).to.equal(false)
    server.receiveReset(8, 0x10c)
    expect(isError(48)).to.equal(false)
    server.receiveStream(12, headersFrame(CONNECT_IP), false)
    expect(isError(52)).to.equal(true)
  })

  it('CIP-24 for a request that the client has not made are dropped, and H3_ID_ERROR beyond the server’s stream limit', () => {
    let left = 2
    const client = readyClient({ requestStreamsLeft: () => left })
    client.request(CONNECT_IP)
    for (const streamId of [4, 8]) client.parseDatagram(datagram(streamId, 1))
    expect(client.takeEvents()).to.deep.equal([])
    expect(client.counters).to.include({ datagramsDropped: 2, datagramsHeld: 0 })
    left = 1
    client.parseDatagram(datagram(8, 1))
    expect(errors(client.takeEvents())).to.deep.equal(['connection H3_ID_ERROR'])
    const unlimited = readyClient()
    unlimited.parseDatagram(datagram(4000, 1))
    expect(unlimited.takeEvents()).to.deep.equal([])
  })

  it('CIP-24 too short for a quarter stream id are H3_DATAGRAM_ERROR', () => {
    for (const input of ['', '40', 'c0000000000000']) {
      const server = proxy()
      server.parseDatagram(hex(input))
      expect(errors(server.takeEvents()), input).to.deep.equal(['connection H3_DATAGRAM_ERROR'])
    }
  })

  it('CIP-24 with a quarter stream id above 2^60-1 are H3_DATAGRAM_ERROR', () => {
    for (const [input, error] of [
      ['d000000000000000', 'connection H3_DATAGRAM_ERROR'],
      ['ffffffffffffffff', 'connection H3_DATAGRAM_ERROR'],
      ['c010000000000000', 'connection H3_ID_ERROR'],
      ['cfffffffffffffff', 'connection H3_ID_ERROR'],
    ]) {
      const server = proxy()
      server.parseDatagram(hex(input))
      expect(errors(server.takeEvents()), input).to.deep.equal([error])
    }
  })

  it('CIP-24 for a stream whose receiving side is closed are dropped silently', () => {
    const server = proxy()
    server.receiveStream(0, NOTHING, true)
    server.parseDatagram(datagram(0, 1))
    server.respond(0, OK, true)
    expect(server.openRequests).to.equal(0)
    server.parseDatagram(datagram(0, 1))
    expect(server.takeEvents()).to.deep.equal([])
    expect(server.counters.datagramsDropped).to.equal(2)
    const client = readyClient()
    client.request(CONNECT_IP)
    client.resetStream(0, H3ErrorCode.H3_REQUEST_CANCELLED)
    client.parseDatagram(datagram(0, 1))
    expect(client.takeEvents()).to.deep.equal([])
    expect(client.closed).to.equal(false)
  })

  it('CIP-24 for a request without datagrams end that request with H3_DATAGRAM_ERROR', () => {
    const server = proxy()
    server.receiveStream(4, headersFrame([[':method', 'POST'], ...GET.slice(1)]), false)
    server.parseDatagram(datagram(4, 1))
    expect(errors(server.takeEvents())).to.deep.equal(['stream 4 H3_DATAGRAM_ERROR'])
    expect(commands(server.takeOutput())).to.deep.equal([
      'reset 4 H3_DATAGRAM_ERROR',
      'stop-sending 4 H3_DATAGRAM_ERROR',
    ])
    expect(server.receiveDatagram(datagram(0, 1))?.streamId).to.equal(0)
  })
})

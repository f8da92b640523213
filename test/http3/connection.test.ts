import { expect } from 'chai'
import fc from 'fast-check'
import { Reader } from '../../src/bytes/reader.ts'
import type { Header } from '../../src/http/header.ts'
import { H3Connection, type H3Event, type H3Output } from '../../src/http3/connection.ts'
import { H3ErrorCode } from '../../src/http3/error-codes.ts'
import { FrameType } from '../../src/http3/frames.ts'
import { isReservedId } from '../../src/http3/grease.ts'
import {
  bytes,
  CONNECT_IP,
  Conversation,
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

const types = (events: readonly H3Event[]) => events.map(event => event.type)
/** A private stream type. */
const PACKETS = 0x4d51

describe('Two HTTP/3 connections in conversation', () => {
  it('H3-01 exchange settings, and tolerate grease', () => {
    const talk = new Conversation({ client: { grease: () => 0.3 }, server: { grease: () => 0.99999 } })
    // Each has been asked to stop its reserved stream (6 or 7), as it may be.
    expect(types(talk.heardByClient)).to.deep.equal(['settings', 'stop-sending'])
    expect(types(talk.heardByServer)).to.deep.equal(['settings', 'stop-sending'])
    expect(talk.client.peerSettings).to.include({
      enableConnectProtocol: true,
      h3Datagram: true,
      maxFieldSectionSize: 16384,
    })
    expect(talk.server.peerSettings).to.include({ enableConnectProtocol: false, h3Datagram: true })
    for (const { counters, peerSettings } of [talk.client, talk.server]) {
      expect(counters).to.include({ framesSkipped: 1, streamsRefused: 1 })
      expect(peerSettings?.extensions).to.deep.equal(new Map())
    }
  })

  it('H3-02 send a reserved setting, frame and stream, of any number', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), number => {
        const client = new H3Connection({ role: 'client', peerMaxDatagramFrameSize: 1200, grease: () => number })
        client.start()
        const output = client.takeOutput() as Extract<H3Output, { type: 'stream' }>[]
        expect(output.map(({ streamId, fin }) => `${streamId} ${fin}`)).to.deep.equal([
          '2 false',
          '2 false',
          '2 false',
          '6 false',
          '6 true',
        ])
        const [, settings, unknownFrame, unknownStream] = output
        const reader = new Reader(settings.data, 2)
        const ids: bigint[] = []
        for (; reader.remaining > 0; reader.varint()) ids.push(reader.varint())
        expect(ids.filter(isReservedId)).to.have.length(1)
        expect(isReservedId(new Reader(unknownFrame.data).varint())).to.equal(true)
        expect(isReservedId(new Reader(unknownStream.data).varint())).to.equal(true)
        const server = connection('server')
        for (const { streamId, data, fin } of output) server.receiveStream(streamId, data, fin)
        expect([server.closed, server.peerSettings?.h3Datagram]).to.deep.equal([false, true])
      }),
      { numRuns: 100 },
    )
  })

  it('CIP-06 open a tunnel, carry capsules both ways, and forget it when both have ended', () => {
    const talk = new Conversation()
    const streamId = talk.client.request(CONNECT_IP)
    talk.deliver()
    expect(talk.heardByServer.at(-1)).to.deep.equal({ type: 'request', streamId, headers: CONNECT_IP, fin: false })
    expect(talk.server.respond(streamId, OK)).to.equal(true)
    expect(talk.server.sendData(streamId, hex('0100'))).to.equal(true)
    talk.client.sendData(streamId, hex('0203'), true)
    talk.deliver()
    expect(talk.heardByServer.at(-1)).to.deep.equal({ type: 'data', streamId, data: hex('0203'), fin: true })
    expect(talk.heardByClient.slice(-2)).to.deep.equal([
      { type: 'response', streamId, headers: OK, fin: false },
      { type: 'data', streamId, data: hex('0100'), fin: false },
    ])
    talk.server.sendData(streamId, NOTHING, true)
    talk.deliver()
    expect(talk.heardByClient.at(-1)).to.deep.equal({ type: 'finished', streamId })
    expect([talk.client.openRequests, talk.server.openRequests]).to.deep.equal([0, 0])
  })

  it('H3-08 answer a plain GET, and need nothing more of its stream', () => {
    const talk = new Conversation()
    const streamId = talk.client.request(GET, true)
    talk.deliver()
    expect(talk.heardByServer.at(-1)).to.include({ type: 'request', fin: true })
    const headers: Header[] = [
      [':status', '404'],
      ['content-length', '4'],
    ]
    talk.server.respond(streamId, headers)
    talk.server.sendData(streamId, hex('6e6f6e65'), true)
    talk.deliver()
    expect(talk.heardByClient.slice(1)).to.deep.equal([
      { type: 'response', streamId, headers, fin: false },
      { type: 'data', streamId, data: hex('6e6f6e65'), fin: true },
    ])
    expect([talk.client.openRequests, talk.server.openRequests]).to.deep.equal([0, 0])
  })

  it('H3-08 end a request that is answered before it is complete, without losing the answer', () => {
    const talk = new Conversation()
    const refused = talk.client.request(CONNECT_IP)
    talk.deliver()
    talk.server.respond(refused, [[':status', '403']], true)
    const output = talk.server.takeOutput()
    expect(commands(output)).to.deep.equal([`stop-sending ${refused} H3_NO_ERROR`])
    expect(talk.server.openRequests).to.equal(0)
    // QUIC may deliver STOP_SENDING before the answer.
    expect(talk.client.receiveStopSending(refused, H3ErrorCode.H3_NO_ERROR)).to.deep.equal([])
    const [answer] = output
    if (answer.type !== 'stream') throw new Error('no answer')
    const events = talk.client.receiveStream(refused, answer.data, answer.fin)
    expect(events).to.deep.equal([{ type: 'response', streamId: refused, headers: [[':status', '403']], fin: true }])
    expect(talk.client.openRequests).to.equal(0)
  })

  it('H3-03 pass over interim responses', () => {
    const talk = new Conversation()
    const streamId = talk.client.request(GET, true)
    talk.deliver()
    talk.server.respond(streamId, [
      [':status', '103'],
      ['link', '</a>'],
    ])
    talk.server.respond(streamId, [[':status', '200']], true)
    talk.deliver()
    expect(talk.heardByClient.slice(1)).to.deep.equal([
      { type: 'response', streamId, headers: [[':status', '200']], fin: true },
    ])
  })

  it('H3-03 send long content in one frame without copying it', () => {
    const talk = new Conversation()
    const streamId = talk.client.request(CONNECT_IP)
    const long = new Uint8Array(100_000).fill(7)
    talk.client.takeOutput()
    talk.client.sendData(streamId, long)
    const output = talk.client.takeOutput()
    expect(output).to.have.length(2)
    expect(output[1]).to.have.property('data', long)
    expect(output[0])
      .to.have.property('data')
      .that.deep.equals(bytes([0], varint(100_000)))
    talk.client.sendData(streamId, NOTHING)
    expect(talk.client.takeOutput()).to.deep.equal([])
  })

  it('H3-02 carry private unidirectional streams for those who know the type', () => {
    const talk = new Conversation()
    talk.server.acceptStreamType(PACKETS)
    const first = talk.client.openExtensionStream(PACKETS)
    talk.client.sendRaw(first, hex('000045'), true)
    const second = talk.client.openExtensionStream(PACKETS)
    talk.client.sendRaw(second, hex('01'), false)
    talk.deliver()
    expect([first, second]).to.deep.equal([6, 10])
    expect(talk.heardByServer.slice(1)).to.deep.equal([
      { type: 'extension-stream', streamType: PACKETS, streamId: 6, data: hex('000045'), fin: true },
      { type: 'extension-stream', streamType: PACKETS, streamId: 10, data: hex('01'), fin: false },
    ])
    talk.client.resetStream(second, H3ErrorCode.H3_NO_ERROR)
    talk.deliver()
    expect(talk.heardByServer.at(-1)).to.deep.equal({ type: 'reset', streamId: 10, code: 0x100 })
    const unknown = talk.server.openExtensionStream(PACKETS)
    talk.deliver()
    expect(talk.client.counters.streamsRefused).to.equal(1)
    expect(talk.heardByServer.at(-1)).to.include({ type: 'stop-sending', streamId: unknown })
    // Each side's control stream is all that is left.
    expect([talk.client.openUniStreams, talk.server.openUniStreams]).to.deep.equal([1, 1])
  })

  it('H3-02 ignore a private type until both have agreed on it, also streams that came before', () => {
    const server = connection('server')
    expect(server.receiveStream(2, bytes(varint(PACKETS), [0]), false)).to.deep.equal([])
    expect(commands(server.takeOutput())).to.deep.equal(['stop-sending 2 H3_STREAM_CREATION_ERROR'])
    server.acceptStreamType(PACKETS)
    expect(server.receiveStream(2, hex('00 45'), true)).to.deep.equal([])
    expect(types(server.receiveStream(6, bytes(varint(PACKETS), [0]), true))).to.deep.equal(['extension-stream'])
  })

  it('H3-02 read the type of a private stream also in pieces, and with the end', () => {
    const server = connection('server')
    server.acceptStreamType(PACKETS)
    expect(server.receiveStream(2, hex('80'), false)).to.deep.equal([])
    expect(server.receiveStream(2, hex('004d51 aa'), true)).to.deep.equal([
      { type: 'extension-stream', streamType: PACKETS, streamId: 2, data: hex('aa'), fin: true },
    ])
    expect(types(server.receiveStream(6, hex('80004d51'), true))).to.deep.equal(['extension-stream'])
    server.receiveStream(10, hex('80004d51'), false)
    server.resetStream(10, H3ErrorCode.H3_EXCESSIVE_LOAD)
    expect(commands(server.takeOutput())).to.deep.equal(['stop-sending 10 H3_EXCESSIVE_LOAD'])
    expect(server.openUniStreams).to.equal(0)
  })
})

describe('Shutting down (RFC 9114 §5.2)', () => {
  it('H3-06 a server finishes what it has and rejects later requests', () => {
    const talk = new Conversation()
    const before = talk.client.request(CONNECT_IP)
    talk.deliver()
    talk.server.goaway()
    // Two requests that were on their way when GOAWAY was sent.
    const late = talk.server.receiveStream(4, headersFrame(CONNECT_IP), false)
    expect(late).to.deep.equal([])
    const output = talk.server.takeOutput()
    expect(output[0]).to.include({ type: 'stream', streamId: 3 })
    expect(toHex((output[0] as { data: Uint8Array }).data)).to.equal('070104')
    expect(commands(output)).to.deep.equal(['reset 4 H3_REQUEST_REJECTED', 'stop-sending 4 H3_REQUEST_REJECTED'])
    expect(talk.server.parseDatagram(hex('01 00'))).to.equal(undefined)
    expect(talk.server.counters).to.include({ requestsRejected: 1, datagramsDropped: 1, datagramsHeld: 0 })
    expect(talk.server.draining).to.equal(true)
    expect(talk.server.respond(before, OK)).to.equal(true)
    talk.server.goaway()
    expect(talk.server.takeOutput()).to.have.length(1)
  })

  it('H3-06 a client sends no request after GOAWAY, and learns which ones were not looked at', () => {
    const client = readyClient()
    client.request(CONNECT_IP)
    client.request(CONNECT_IP)
    client.takeOutput()
    const events = client.receiveStream(3, frame(FrameType.GOAWAY, [4]), false)
    expect(events).to.deep.equal([
      { type: 'goaway', id: 4 },
      { type: 'reset', streamId: 4, code: H3ErrorCode.H3_REQUEST_REJECTED },
    ])
    expect(commands(client.takeOutput())).to.deep.equal([
      'reset 4 H3_REQUEST_CANCELLED',
      'stop-sending 4 H3_REQUEST_CANCELLED',
    ])
    expect(() => client.request(CONNECT_IP)).to.throw(Error, 'shutting down')
    expect(types(client.receiveStream(0, headersFrame(OK), false))).to.deep.equal(['response'])
  })

  it('H3-06 a client refuses a GOAWAY that does not name a request stream: H3_ID_ERROR', () => {
    for (const id of [1, 2, 3, 6]) {
      const events = readyClient().receiveStream(3, frame(FrameType.GOAWAY, [id]), false)
      expect(errors(events), `${id}`).to.deep.equal(['connection H3_ID_ERROR'])
    }
    const server = connection('server')
    const push = bytes([0], frame(FrameType.SETTINGS), frame(FrameType.GOAWAY, [3]))
    expect(types(server.receiveStream(2, push, false))).to.deep.equal(['settings', 'goaway'])
  })

  it('H3-06 the largest id, 2^62-4, means: finish everything', () => {
    const client = readyClient()
    client.request(CONNECT_IP)
    const events = client.receiveStream(3, frame(FrameType.GOAWAY, varint((1n << 62n) - 4n)), false)
    expect(types(events)).to.deep.equal(['goaway'])
    expect(client.openRequests).to.equal(1)
  })

  it('H3-06 a client says GOAWAY too', () => {
    const talk = new Conversation()
    talk.client.goaway()
    talk.deliver()
    expect(talk.heardByServer.at(-1)).to.deep.equal({ type: 'goaway', id: 0 })
    expect(() => talk.client.request(GET)).to.throw(Error, 'shutting down')
  })

  it('H3-06 a closed connection does nothing more', () => {
    const client = readyClient()
    client.request(CONNECT_IP)
    client.takeOutput()
    client.closeConnection(H3ErrorCode.H3_NO_ERROR, 'done')
    client.closeConnection(H3ErrorCode.H3_INTERNAL_ERROR, 'again')
    expect(client.takeOutput()).to.deep.equal([{ type: 'close', code: 0x100, reason: 'done' }])
    expect(client.receiveStream(0, headersFrame(OK), true)).to.deep.equal([])
    expect(client.receiveReset(0, 0)).to.deep.equal([])
    expect(client.receiveStopSending(0, 0)).to.deep.equal([])
    expect(client.parseDatagram(hex(''))).to.equal(undefined)
    expect(client.sendData(0, hex('01'))).to.equal(false)
    client.goaway()
    client.resetStream(0, 0)
    client.sendRaw(2, hex('00'), false)
    expect(client.takeOutput()).to.deep.equal([])
    expect(client.openRequests).to.equal(0)
  })
})

describe('Limits of an HTTP/3 connection', () => {
  it('H3-06 requests above the limit are rejected, and accepted again when others have ended', () => {
    const server = connection('server', { limits: { maxRequestStreams: 2 } })
    for (const id of [0, 4]) server.receiveStream(id, headersFrame(CONNECT_IP), false)
    expect(server.receiveStream(8, headersFrame(CONNECT_IP), false)).to.deep.equal([])
    expect(commands(server.takeOutput())).to.deep.equal([
      'reset 8 H3_REQUEST_REJECTED',
      'stop-sending 8 H3_REQUEST_REJECTED',
    ])
    server.resetStream(0, H3ErrorCode.H3_NO_ERROR)
    expect(types(server.receiveStream(12, headersFrame(CONNECT_IP), false))).to.deep.equal(['request'])
  })

  it('H3-03 streams skipped beyond the limit are H3_EXCESSIVE_LOAD', () => {
    const server = connection('server', { limits: { maxRequestStreams: 4, maxUniStreams: 4 } })
    const events = server.receiveStream(2 ** 40, headersFrame(GET), true)
    expect(errors(events)).to.deep.equal(['connection H3_EXCESSIVE_LOAD'])
    const other = connection('server', { limits: { maxUniStreams: 4 } })
    expect(errors(other.receiveStream(2 + 4 * 5, hex('00'), false))).to.deep.equal(['connection H3_EXCESSIVE_LOAD'])
  })

  it('H3-03 unidirectional streams above the limit are H3_EXCESSIVE_LOAD', () => {
    const server = connection('server', { limits: { maxUniStreams: 3 } })
    const heard = [2, 6, 10, 14].map(id => errors(server.receiveStream(id, NOTHING, false)))
    expect(heard).to.deep.equal([[], [], [], ['connection H3_EXCESSIVE_LOAD']])
  })

  it('H3-03 thousands of streams that ended leave nothing behind', () => {
    const server = connection('server', { limits: { maxUniStreams: 8 } })
    server.acceptStreamType(PACKETS)
    for (let i = 0; i < 5000; i++) {
      server.receiveStream(2 + 4 * i, hex('80004d51 00'), true)
      server.receiveStream(4 * i, headersFrame(GET), true)
      server.respond(4 * i, [[':status', '404']], true)
      server.takeOutput()
    }
    expect([server.openRequests, server.openUniStreams, server.closed]).to.deep.equal([0, 0, false])
  })

  it('H3-04 a dynamic table cannot be switched on, nor the size limit off', () => {
    expect(() => connection('server', { settings: { qpackMaxTableCapacity: 4096 } })).to.throw(
      RangeError,
      'dynamic table',
    )
    expect(() => connection('server', { maxFieldSectionSize: Number.POSITIVE_INFINITY })).to.throw(RangeError, 'limit')
  })
})

import { expect } from 'chai'
import type { Header } from '../../src/http/header.ts'
import { H3ErrorCode } from '../../src/http3/error-codes.ts'
import { FrameType } from '../../src/http3/frames.ts'
import { encodeFieldSection, fieldSectionSize } from '../../src/http3/qpack/encoder.ts'
import { huffmanEncode } from '../../src/http3/qpack/huffman.ts'
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
} from './conversation.ts'

const DATA = frame(FrameType.DATA, [1, 2, 3])
const TRAILERS = headersFrame([['x-checksum', '1']])
const POST: Header[] = [[':method', 'POST'], ...GET.slice(1)]

/** The errors of a server that hears these bytes on stream 0. */
function serverHears(stream: Uint8Array, fin = false): string[] {
  return errors(connection('server').receiveStream(0, stream, fin))
}

/** The errors of a client that sent this request and hears these bytes in answer. */
function clientHears(request: Header[], stream: Uint8Array, fin = false): string[] {
  const client = readyClient()
  client.request(request, request !== CONNECT_IP)
  return errors(client.receiveStream(0, stream, fin))
}

describe('Request streams (RFC 9114 §4.1)', () => {
  it('H3-03 a request may have content and trailers, with unknown frames anywhere', () => {
    const server = connection('server')
    const grease = frame(0x21, [9, 9])
    const stream = bytes(grease, headersFrame(POST), grease, DATA, grease, DATA, TRAILERS, grease)
    const events = server.receiveStream(0, stream, true)
    expect(events.map(event => event.type)).to.deep.equal(['request', 'data', 'data'])
    expect(events.at(-1)).to.include({ fin: true })
    expect(server.counters.framesSkipped).to.equal(4)
  })

  it('H3-03 the same bytes give the same events however they are split', () => {
    const stream = bytes(headersFrame(POST), frame(0x21, [1]), DATA, frame(FrameType.DATA), DATA, TRAILERS)
    const play = (pieces: Uint8Array[]) => {
      const server = connection('server')
      const content: number[] = []
      const story: string[] = []
      pieces.forEach((piece, index) => {
        for (const event of server.receiveStream(0, piece, index === pieces.length - 1)) {
          if (event.type === 'data') content.push(...event.data)
          else if (event.type === 'request') story.push(JSON.stringify(event.headers))
          else if (event.type !== 'finished') story.push(event.type)
          if (event.type === 'finished' || ('fin' in event && event.fin)) story.push('end')
        }
      })
      return { content, story }
    }
    const whole = play([stream])
    expect(whole).to.deep.equal({ content: [1, 2, 3, 1, 2, 3], story: [JSON.stringify(POST), 'end'] })
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(play([stream.subarray(0, cut), stream.subarray(cut)]), `cut at ${cut}`).to.deep.equal(whole)
    }
    expect(play([...stream].map(byte => Uint8Array.of(byte)))).to.deep.equal(whole)
  })

  it('H3-03 DATA before HEADERS is H3_FRAME_UNEXPECTED', () => {
    expect(serverHears(DATA)).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
    expect(clientHears(GET, DATA)).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
    const interim = bytes(headersFrame([[':status', '103']]), DATA)
    expect(clientHears(GET, interim)).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
  })

  it('H3-03 DATA or HEADERS after the trailers is H3_FRAME_UNEXPECTED', () => {
    const message = bytes(headersFrame(POST), DATA, TRAILERS)
    expect(serverHears(bytes(message, DATA))).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
    expect(serverHears(bytes(message, TRAILERS))).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
    expect(serverHears(bytes(message, frame(0x21)), true)).to.deep.equal([])
  })

  it('CIP-09 H3-03 a tunnel carries DATA frames only: HEADERS is H3_FRAME_UNEXPECTED', () => {
    const request = bytes(headersFrame(CONNECT_IP), DATA)
    expect(serverHears(bytes(request, TRAILERS))).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
    const response = bytes(headersFrame(OK), TRAILERS)
    expect(clientHears(CONNECT_IP, response)).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
    const refusal = bytes(headersFrame([[':status', '403']]), DATA, TRAILERS)
    expect(clientHears(CONNECT_IP, refusal, true)).to.deep.equal([])
  })

  it('H3-03 frames of the control stream are H3_FRAME_UNEXPECTED', () => {
    for (const type of [FrameType.CANCEL_PUSH, FrameType.SETTINGS, FrameType.GOAWAY, FrameType.MAX_PUSH_ID]) {
      expect(serverHears(frame(type, [0])), `${type}`).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
      expect(clientHears(GET, frame(type, [0])), `${type}`).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
    }
  })

  it('H3-02 frames of HTTP/2 are H3_FRAME_UNEXPECTED', () => {
    for (const type of [0x02, 0x06, 0x08, 0x09]) {
      expect(serverHears(frame(type)), `${type}`).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
    }
  })

  it('H3-03 a stream that ends inside a frame is H3_FRAME_ERROR, wherever it is cut', () => {
    const stream = bytes(headersFrame(POST), DATA)
    const headersEnd = headersFrame(POST).length
    for (let end = 1; end < stream.length; end++) {
      const expected = end === headersEnd ? [] : ['connection H3_FRAME_ERROR']
      expect(serverHears(stream.subarray(0, end), true), `cut at ${end}`).to.deep.equal(expected)
    }
  })

  it('H3-03 a stream that ends before its request is H3_REQUEST_INCOMPLETE', () => {
    const server = connection('server')
    expect(errors(server.receiveStream(0, NOTHING, true))).to.deep.equal(['stream 0 H3_REQUEST_INCOMPLETE'])
    expect(errors(server.receiveStream(4, frame(0x21), true))).to.deep.equal(['stream 4 H3_REQUEST_INCOMPLETE'])
    expect(server.openRequests).to.equal(0)
    expect(server.closed).to.equal(false)
  })

  it('H3-05 a response that never comes is malformed', () => {
    expect(clientHears(GET, NOTHING, true)).to.deep.equal(['stream 0 H3_MESSAGE_ERROR'])
    expect(clientHears(GET, headersFrame([[':status', '100']]), true)).to.deep.equal(['stream 0 H3_MESSAGE_ERROR'])
  })

  it('H3-05 a malformed message ends its stream in both directions and nothing else', () => {
    const server = connection('server')
    const events = server.receiveStream(0, bytes(headersFrame([...GET, ['Upper', 'x']]), DATA), false)
    expect(errors(events)).to.deep.equal(['stream 0 H3_MESSAGE_ERROR'])
    expect(commands(server.takeOutput())).to.deep.equal(['reset 0 H3_MESSAGE_ERROR', 'stop-sending 0 H3_MESSAGE_ERROR'])
    // What the peer had sent already is ignored; the next request is served.
    expect(server.receiveStream(0, DATA, true)).to.deep.equal([])
    expect(server.receiveStream(4, headersFrame(GET), true).map(event => event.type)).to.deep.equal(['request'])
  })

  it('H3-05 malformed trailers are H3_MESSAGE_ERROR', () => {
    const stream = bytes(headersFrame(POST), headersFrame([[':path', '/']]))
    expect(serverHears(stream)).to.deep.equal(['stream 0 H3_MESSAGE_ERROR'])
  })

  it('CIP-06 :protocol is H3_MESSAGE_ERROR unless the server announced Extended CONNECT', () => {
    const server = connection('server', { settings: { enableConnectProtocol: false } })
    expect(errors(server.receiveStream(0, headersFrame(CONNECT_IP), false))).to.deep.equal([
      'stream 0 H3_MESSAGE_ERROR',
    ])
    expect(serverHears(headersFrame(CONNECT_IP))).to.deep.equal([])
  })

  it('CIP-09 content that does not match content-length is H3_MESSAGE_ERROR', () => {
    const headers = headersFrame([...POST, ['content-length', '4']])
    expect(serverHears(bytes(headers, DATA), true)).to.deep.equal(['stream 0 H3_MESSAGE_ERROR'])
    expect(serverHears(bytes(headers, DATA, DATA))).to.deep.equal(['stream 0 H3_MESSAGE_ERROR'])
    expect(serverHears(bytes(headers, DATA, frame(FrameType.DATA, [4])), true)).to.deep.equal([])
    expect(serverHears(headersFrame([...CONNECT_IP, ['content-length', '4']]))).to.deep.equal([
      'stream 0 H3_MESSAGE_ERROR',
    ])
    const head: Header[] = [[':method', 'HEAD'], ...GET.slice(1)]
    const answer = headersFrame([
      [':status', '200'],
      ['content-length', '4'],
    ])
    expect(clientHears(GET, answer, true)).to.deep.equal(['stream 0 H3_MESSAGE_ERROR'])
    expect(clientHears(head, answer, true)).to.deep.equal([])
  })

  it('H3-04 a field section that cannot be decoded ends the connection', () => {
    expect(serverHears(frame(FrameType.HEADERS, hex('0381 1011')))).to.deep.equal([
      'connection QPACK_DECOMPRESSION_FAILED',
    ])
    expect(serverHears(frame(FrameType.HEADERS))).to.deep.equal(['connection QPACK_DECOMPRESSION_FAILED'])
  })

  it('H3-04 a header section above the limit ends the stream as soon as its length is known', () => {
    const server = connection('server', { maxFieldSectionSize: 200 })
    expect(server.settings.maxFieldSectionSize).to.equal(200)
    // 762 bytes: one more than 200 can be in any code.
    const events = server.receiveStream(0, hex('01 42fa'), false)
    expect(errors(events)).to.deep.equal(['stream 0 H3_EXCESSIVE_LOAD'])
    const bomb = frame(FrameType.HEADERS, new Uint8Array(102).fill(0xd1, 2))
    expect(errors(server.receiveStream(4, bomb, false))).to.deep.equal(['stream 4 H3_EXCESSIVE_LOAD'])
    expect(server.receiveStream(8, headersFrame(GET), true).map(event => event.type)).to.deep.equal(['request'])
  })

  it('H3-04 a header section within the limit is taken, although its code is longer than the limit', () => {
    const size = fieldSectionSize(GET) + 32 + 1 + 100
    const server = connection('server', { maxFieldSectionSize: size })
    // "x" and a hundred characters of obs-text, each of 28 bits in Huffman's code.
    const code = huffmanEncode(new Uint8Array(100).fill(0xf9))
    const line = bytes([0x21, 0x78, 0xff, 0x80 | ((code.length - 127) & 0x7f), (code.length - 127) >> 7], code)
    const section = bytes(encodeFieldSection(GET), line)
    expect(section.length).to.be.greaterThan(size)
    const [event] = server.receiveStream(0, frame(FrameType.HEADERS, section), true)
    expect(event).to.deep.include({ type: 'request', headers: [...GET, ['x', '\u00f9'.repeat(100)]] })
    const smaller = connection('server', { maxFieldSectionSize: size - 1 })
    const events = smaller.receiveStream(0, frame(FrameType.HEADERS, section), true)
    expect(errors(events)).to.deep.equal(['stream 0 H3_EXCESSIVE_LOAD'])
  })

  it('H3-04 headers above the limit of the peer are not sent', () => {
    const client = connection('client')
    client.receiveStream(3, bytes([0], frame(FrameType.SETTINGS, hex('06 4064'))), false)
    expect(() => client.request([...GET, ['x', 'y'.repeat(100)]])).to.throw(Error, 'the peer takes at most 100')
    expect(client.takeOutput()).to.deep.equal([])
  })

  it('H3-03 a reset by the client is reported once the request was', () => {
    const server = connection('server')
    server.receiveStream(0, headersFrame(CONNECT_IP), false)
    const code = H3ErrorCode.H3_REQUEST_CANCELLED
    expect(server.receiveReset(0, code)).to.deep.equal([{ type: 'reset', streamId: 0, code }])
    expect(server.receiveReset(0, code)).to.deep.equal([])
    server.resetStream(0, code)
    expect(commands(server.takeOutput())).to.deep.equal(['reset 0 H3_REQUEST_CANCELLED'])
    expect(server.openRequests).to.equal(0)
  })

  it('H3-03 a reset before the request was complete, or known at all, leaves nothing behind', () => {
    const server = connection('server')
    server.receiveStream(0, headersFrame(GET).subarray(0, 5), false)
    expect(server.receiveReset(0, 0x10c)).to.deep.equal([])
    expect(server.receiveReset(4, 0x10c)).to.deep.equal([])
    expect(server.receiveStopSending(8, 0x10c)).to.deep.equal([])
    expect(commands(server.takeOutput())).to.include.members([
      'reset 0 H3_REQUEST_REJECTED',
      'reset 4 H3_REQUEST_REJECTED',
    ])
    expect(server.openRequests).to.equal(0)
    expect(server.receiveStream(4, headersFrame(GET), true)).to.deep.equal([])
  })

  it('H3-03 STOP_SENDING is answered with a reset and reported', () => {
    const server = connection('server')
    server.receiveStream(0, headersFrame(CONNECT_IP), false)
    server.respond(0, OK)
    server.takeOutput()
    const code = H3ErrorCode.H3_REQUEST_CANCELLED
    expect(server.receiveStopSending(0, code)).to.deep.equal([{ type: 'stop-sending', streamId: 0, code }])
    expect(commands(server.takeOutput())).to.deep.equal(['reset 0 H3_REQUEST_CANCELLED'])
    expect(server.sendData(0, DATA)).to.equal(false)
    expect(server.takeOutput()).to.deep.equal([])
  })

  it('H3-03 wrong use by the owner is an Error, a stream that is gone is not', () => {
    const server = connection('server')
    expect(server.respond(0, OK)).to.equal(false)
    expect(server.sendData(0, DATA)).to.equal(false)
    server.receiveStream(0, headersFrame(CONNECT_IP), false)
    expect(() => server.sendData(0, DATA)).to.throw(Error, 'headers before')
    expect(() =>
      server.respond(0, [
        [':status', '200'],
        ['content-length', '1'],
      ]),
    ).to.throw(Error, 'content-length')
    expect(() => server.respond(0, [[':status', '103']], true)).to.throw(Error, 'interim')
    server.respond(0, [[':status', '103']])
    server.respond(0, OK)
    expect(() => server.respond(0, OK)).to.throw(Error, 'final response already')
    expect(() => server.request(GET)).to.throw(Error, 'only a client')
    expect(() => readyClient().request([...GET, ['Upper', 'x']])).to.throw(Error, 'field name')
  })
})

import { expect } from 'chai'
import { applicationErrorCode, encodeSessionStreamHeader, WEBTRANSPORT_SETTING } from '../../src/http3/webtransport.ts'
import { bytes, CONNECT_IP, connection, controlStream, errors, frame, headersFrame, toHex } from './conversation.ts'

const SESSION = CONNECT_IP.filter(([name]) => name !== 'capsule-protocol').map(
  ([name, value]) => [name, name === ':protocol' ? 'webtransport' : value] as const,
)

/** A server whose client has opened a session on stream 0. */
function withSession(webTransport = true) {
  const server = connection('server', { webTransport })
  server.receiveStream(2, controlStream([0x33, 1]), false)
  server.receiveStream(0, headersFrame(SESSION), false)
  server.respond(0, [[':status', '200']])
  server.takeOutput()
  return server
}

describe('WebTransport in HTTP/3', () => {
  it('is announced when it is asked for, and not otherwise', () => {
    expect(connection('server', { webTransport: true }).settings.extensions.get(WEBTRANSPORT_SETTING)).to.equal(1n)
    expect(connection('server').settings.extensions.size).to.equal(0)
  })

  it('reports a stream of a session, and its bytes as they are, wherever they are cut', () => {
    const sent = bytes(encodeSessionStreamHeader(0), [1, 2, 3, 0x41, 0])
    for (let cut = 0; cut <= sent.length; cut++) {
      const server = withSession()
      const events = [
        ...server.receiveStream(4, sent.slice(0, cut), false),
        ...server.receiveStream(4, sent.slice(cut), false),
        ...server.receiveStream(4, new Uint8Array(0), true),
      ]
      expect(events[0]).to.deep.equal({ type: 'session-stream', streamId: 4, sessionId: 0 })
      const data = events.flatMap(event => (event.type === 'data' ? [...event.data] : []))
      expect(data).to.deep.equal([1, 2, 3, 0x41, 0])
      expect(events.at(-1)).to.deep.equal({ type: 'finished', streamId: 4 })
    }
  })

  it('sends on such a stream without frames, and lets each direction end for itself', () => {
    const server = withSession()
    server.receiveStream(4, encodeSessionStreamHeader(0), false)
    server.sendData(4, bytes([7, 8]))
    server.sendData(4, bytes([]), true)
    const output = server.takeOutput()
    expect(output.map(each => (each.type === 'stream' ? [toHex(each.data), each.fin] : each.type))).to.deep.equal([
      ['0708', false],
      ['', true],
    ])
    expect(server.receiveStream(4, bytes([9]), false)).to.deep.include({
      type: 'data',
      streamId: 4,
      data: bytes([9]),
      fin: false,
    })
  })

  it('opens one as a client, and reads it without frames', () => {
    const client = connection('client')
    client.receiveStream(3, controlStream([0x08, 1], [0x33, 1]), false)
    client.start()
    const sessionId = client.request([...SESSION])
    client.takeOutput()
    const streamId = client.openSessionStream(sessionId)
    expect(client.takeOutput()).to.deep.equal([
      { type: 'stream', streamId: 4, data: encodeSessionStreamHeader(0), fin: false },
    ])
    expect(client.receiveStream(streamId, bytes([0x01, 0x04]), false)).to.deep.equal([
      { type: 'data', streamId: 4, data: bytes([0x01, 0x04]), fin: false },
    ])
  })

  it('takes the signal with the first bytes of a stream, and not behind a frame, not even one of an unknown type', () => {
    const server = withSession()
    const late = bytes(frame(0x21, [1]), encodeSessionStreamHeader(0))
    expect(errors(server.receiveStream(4, late, false))).to.deep.equal(['connection H3_FRAME_ERROR'])
  })

  it('skips the signal as a frame of an unknown type where WebTransport was not announced', () => {
    const server = withSession(false)
    expect(server.receiveStream(4, bytes(frame(0x41, [1, 2]), headersFrame(SESSION)), false)).to.have.length(1)
    expect(errors(server.receiveStream(4, encodeSessionStreamHeader(0), false))).to.deep.equal([])
  })

  it('keeps the error codes of applications clear of the reserved ones', () => {
    expect([0, 1, 0x1d, 0x1e, 0xffffffff].map(code => applicationErrorCode(code).toString(16))).to.deep.equal([
      '52e4a40fa8db',
      '52e4a40fa8dc',
      '52e4a40fa8f8',
      '52e4a40fa8fa',
      '52e5ac983162',
    ])
    for (let code = 0; code < 100; code++) expect((applicationErrorCode(code) - 0x21) % 0x1f).not.to.equal(0)
  })
})

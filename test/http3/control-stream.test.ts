import { expect } from 'chai'
import { H3Connection } from '../../src/http3/connection.ts'
import { H3ErrorCode } from '../../src/http3/error-codes.ts'
import { FrameType } from '../../src/http3/frames.ts'
import {
  bytes,
  CONNECT_IP,
  commands,
  connection,
  controlStream,
  errors,
  frame,
  hex,
  NOTHING,
  toHex,
  varint,
} from './conversation.ts'

/** What a server says to these bytes on the client's control stream (stream 2), and a client on stream 3. */
function heard(role: 'client' | 'server', ...pieces: Uint8Array[]): string[] {
  const h3 = connection(role)
  const streamId = role === 'server' ? 2 : 3
  const result = pieces.flatMap(piece => errors(h3.receiveStream(streamId, piece, false)))
  const closes = commands(h3.takeOutput())
  expect(closes).to.deep.equal(result.map(error => error.replace('connection', 'close')))
  expect(h3.closed).to.equal(result.length > 0)
  return result
}

describe('Control streams (RFC 9114 §6.2.1)', () => {
  for (const role of ['client', 'server'] as const) {
    const own = role === 'client' ? 2 : 3
    const peers = role === 'client' ? 3 : 2

    it(`H3-01 a ${role} opens one first, with SETTINGS first, exactly once`, () => {
      const h3 = new H3Connection({ role, peerMaxDatagramFrameSize: 1200 })
      h3.start()
      const sent = h3
        .takeOutput()
        .map(output => (output.type === 'stream' ? [output.streamId, toHex(output.data)] : []))
      const enableConnect = role === 'server' ? '0801' : ''
      const settings = `0100 0680004000 ${enableConnect} 3301`.replaceAll(' ', '')
      expect(sent).to.deep.equal([
        [own, '00'],
        [own, `04${toHex(varint(settings.length / 2))}${settings}`],
      ])
      h3.start()
      expect(h3.takeOutput()).to.deep.equal([])
    })

    it(`H3-01 a ${role} takes SETTINGS in any number of pieces`, () => {
      const h3 = connection(role)
      const stream = controlStream([0x06, 4096], [0x33, 1], [0x21, 7])
      const events = [...stream].flatMap(byte => h3.receiveStream(peers, Uint8Array.of(byte), false))
      expect(events).to.have.length(1)
      expect(h3.peerSettings).to.include({ maxFieldSectionSize: 4096, h3Datagram: true, enableConnectProtocol: false })
    })

    it(`H3-01 a ${role} that hears another frame first answers H3_MISSING_SETTINGS`, () => {
      for (const type of [FrameType.GOAWAY, FrameType.DATA, 0x21]) {
        expect(heard(role, bytes([0x00], frame(type, [0])))).to.deep.equal(['connection H3_MISSING_SETTINGS'])
      }
    })

    it(`H3-01 a ${role} that hears SETTINGS twice answers H3_FRAME_UNEXPECTED`, () => {
      expect(heard(role, controlStream(), frame(FrameType.SETTINGS))).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
    })

    it(`H3-01 a ${role} that sees a second control or QPACK stream answers H3_STREAM_CREATION_ERROR`, () => {
      for (const type of [0x00, 0x02, 0x03]) {
        const h3 = connection(role)
        expect(h3.receiveStream(peers, Uint8Array.of(type), false)).to.deep.equal([])
        const events = h3.receiveStream(peers + 4, Uint8Array.of(type), false)
        expect(errors(events)).to.deep.equal(['connection H3_STREAM_CREATION_ERROR'])
      }
    })

    it(`H3-01 a ${role} whose peer ends or resets a critical stream answers H3_CLOSED_CRITICAL_STREAM`, () => {
      for (const type of [0x00, 0x02, 0x03]) {
        for (const end of ['with its type', 'later', 'by reset'] as const) {
          const h3 = connection(role)
          const events = h3.receiveStream(peers, Uint8Array.of(type), end === 'with its type')
          if (end === 'later') events.push(...h3.receiveStream(peers, NOTHING, true))
          if (end === 'by reset') events.push(...h3.receiveReset(peers, H3ErrorCode.H3_NO_ERROR))
          expect(errors(events), `${type} ${end}`).to.deep.equal(['connection H3_CLOSED_CRITICAL_STREAM'])
        }
      }
    })

    it(`H3-01 a ${role} whose control stream is refused answers H3_CLOSED_CRITICAL_STREAM`, () => {
      const h3 = connection(role)
      expect(errors(h3.receiveStopSending(own, 0x100))).to.deep.equal(['connection H3_CLOSED_CRITICAL_STREAM'])
    })

    it(`H3-02 a ${role} ignores unknown and reserved frames, and counts them`, () => {
      const h3 = connection(role)
      h3.receiveStream(peers, bytes(controlStream(), frame(0x21, [1, 2]), frame(0xf0700, new Uint8Array(5000))), false)
      expect(h3.closed).to.equal(false)
      expect(h3.counters.framesSkipped).to.equal(2)
    })

    it(`H3-02 a ${role} that hears a frame of HTTP/2 answers H3_FRAME_UNEXPECTED`, () => {
      for (const type of [0x02, 0x06, 0x08, 0x09]) {
        expect(heard(role, controlStream(), frame(type))).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
      }
    })

    it(`H3-02 a ${role} that hears a setting of HTTP/2, or one twice, answers H3_SETTINGS_ERROR`, () => {
      expect(heard(role, controlStream([0x03, 100]))).to.deep.equal(['connection H3_SETTINGS_ERROR'])
      expect(heard(role, controlStream([0x06, 1], [0x06, 1]))).to.deep.equal(['connection H3_SETTINGS_ERROR'])
    })

    it(`H3-03 a ${role} allows no request frames on a control stream`, () => {
      for (const type of [FrameType.DATA, FrameType.HEADERS, FrameType.PUSH_PROMISE]) {
        expect(heard(role, controlStream(), frame(type))).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
      }
    })

    it(`H3-03 a ${role} checks the size of each frame with an id`, () => {
      for (const payload of [[], [0x40], [0, 0], new Uint8Array(9)]) {
        expect(heard(role, controlStream(), frame(FrameType.GOAWAY, payload))).to.deep.equal([
          'connection H3_FRAME_ERROR',
        ])
        const cancel = heard(role, controlStream(), frame(FrameType.CANCEL_PUSH, payload))
        expect(cancel).to.deep.equal(['connection H3_FRAME_ERROR'])
      }
    })

    it(`H3-01 a ${role} takes no more than 4096 bytes of SETTINGS`, () => {
      const announced = bytes([0x00, 0x04], varint(4097))
      expect(heard(role, announced)).to.deep.equal(['connection H3_EXCESSIVE_LOAD'])
    })

    it(`H3-07 a ${role} that hears H3_DATAGRAM = 1 without max_datagram_frame_size answers H3_SETTINGS_ERROR`, () => {
      const without = connection(role, { peerMaxDatagramFrameSize: 0 })
      const events = without.receiveStream(peers, controlStream([0x33, 1]), false)
      expect(errors(events)).to.deep.equal(['connection H3_SETTINGS_ERROR'])
      const zero = connection(role, { peerMaxDatagramFrameSize: 0 })
      expect(errors(zero.receiveStream(peers, controlStream([0x33, 0]), false))).to.deep.equal([])
      expect(zero.datagramsEnabled).to.equal(false)
    })

    it(`H3-06 a ${role} that hears GOAWAY with a higher id than before answers H3_ID_ERROR`, () => {
      const goaway = (id: number) => frame(FrameType.GOAWAY, varint(id))
      expect(heard(role, controlStream(), goaway(8), goaway(8), goaway(4))).to.deep.equal([])
      expect(heard(role, controlStream(), goaway(4), goaway(8))).to.deep.equal(['connection H3_ID_ERROR'])
    })

    it(`H3-02 a ${role} refuses streams of unknown types without an error, and ignores what still comes`, () => {
      const h3 = connection(role)
      expect(h3.receiveStream(peers, hex('4021'), false)).to.deep.equal([])
      expect(commands(h3.takeOutput())).to.deep.equal([`stop-sending ${peers} H3_STREAM_CREATION_ERROR`])
      // 0x00 would be a control stream if the stream were taken for a new one.
      expect(h3.receiveStream(peers, hex('00 07 00'), false)).to.deep.equal([])
      expect(h3.receiveReset(peers, 0x100)).to.deep.equal([])
      expect(h3.openUniStreams).to.equal(0)
      expect(h3.counters.streamsRefused).to.equal(1)
    })

    it(`H3-02 a ${role} tolerates streams that end or are reset before their type`, () => {
      const h3 = connection(role)
      h3.receiveStream(peers, NOTHING, true)
      h3.receiveStream(peers + 4, hex('40'), true)
      h3.receiveStream(peers + 8, hex('40'), false)
      h3.receiveReset(peers + 8, 0x100)
      h3.receiveReset(peers + 12, 0x100)
      expect(h3.closed).to.equal(false)
      expect(h3.openUniStreams).to.equal(0)
    })
  }

  it('CIP-07 the server announces Extended CONNECT and datagrams, the client datagrams', () => {
    const settingsOf = (role: 'client' | 'server') => {
      const { settings } = connection(role)
      return [settings.enableConnectProtocol, settings.h3Datagram, settings.qpackMaxTableCapacity]
    }
    expect(settingsOf('server')).to.deep.equal([true, true, 0])
    expect(settingsOf('client')).to.deep.equal([false, true, 0])
  })

  it('CIP-07 the client waits for the settings of the server before Extended CONNECT', () => {
    const client = connection('client')
    expect(() => client.request(CONNECT_IP)).to.throw(Error, 'SETTINGS')
    client.receiveStream(3, controlStream([0x33, 1]), false)
    expect(() => client.request(CONNECT_IP)).to.throw(Error, 'ENABLE_CONNECT_PROTOCOL')
    expect(client.takeOutput()).to.deep.equal([])
    const enabled = connection('client')
    enabled.receiveStream(3, controlStream([0x08, 1], [0x33, 1]), false)
    expect(enabled.request(CONNECT_IP)).to.equal(0)
  })
})

describe('Server push, which is never allowed here (RFC 9114 §4.6)', () => {
  it('H3-03 PUSH_PROMISE is H3_ID_ERROR for a client and H3_FRAME_UNEXPECTED for a server', () => {
    const client = connection('client')
    client.request([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':authority', 'a'],
      [':path', '/'],
    ])
    const promise = frame(FrameType.PUSH_PROMISE, hex('00 0000d1'))
    expect(errors(client.receiveStream(0, promise, false))).to.deep.equal(['connection H3_ID_ERROR'])
    const server = connection('server')
    expect(errors(server.receiveStream(0, promise, false))).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
  })

  it('H3-01 a push stream is H3_ID_ERROR for a client and H3_STREAM_CREATION_ERROR for a server', () => {
    expect(errors(connection('client').receiveStream(3, hex('01 00'), false))).to.deep.equal(['connection H3_ID_ERROR'])
    const server = connection('server')
    expect(errors(server.receiveStream(2, hex('01 00'), false))).to.deep.equal(['connection H3_STREAM_CREATION_ERROR'])
  })

  it('H3-03 CANCEL_PUSH names a push that cannot exist: H3_ID_ERROR', () => {
    for (const role of ['client', 'server'] as const) {
      expect(heard(role, controlStream(), frame(FrameType.CANCEL_PUSH, [0]))).to.deep.equal(['connection H3_ID_ERROR'])
    }
  })

  it('H3-03 MAX_PUSH_ID may come from a client, not from a server, and may not go down', () => {
    const maxPushId = (id: number) => frame(FrameType.MAX_PUSH_ID, [id])
    expect(heard('server', controlStream(), maxPushId(3), maxPushId(3), maxPushId(7))).to.deep.equal([])
    expect(heard('server', controlStream(), maxPushId(3), maxPushId(2))).to.deep.equal(['connection H3_ID_ERROR'])
    expect(heard('client', controlStream(), maxPushId(3))).to.deep.equal(['connection H3_FRAME_UNEXPECTED'])
  })
})

describe('Streams that may not exist (RFC 9114 §6.1)', () => {
  it('H3-01 a bidirectional stream from the server is H3_STREAM_CREATION_ERROR', () => {
    const client = connection('client')
    expect(errors(client.receiveStream(1, hex('00'), false))).to.deep.equal(['connection H3_STREAM_CREATION_ERROR'])
  })

  it('H3-01 a response on a stream that the client did not open is H3_STREAM_CREATION_ERROR', () => {
    const client = connection('client')
    expect(errors(client.receiveStream(4, hex('00'), false))).to.deep.equal(['connection H3_STREAM_CREATION_ERROR'])
  })

  it('H3-04 instructions for a dynamic table that does not exist are QPACK errors of the connection', () => {
    const encoder = connection('server')
    const events = encoder.receiveStream(6, hex('02 3fbd01'), false)
    expect(errors(events)).to.deep.equal(['connection QPACK_ENCODER_STREAM_ERROR'])
    const decoder = connection('server')
    expect(errors(decoder.receiveStream(10, hex('03 80'), false))).to.deep.equal([
      'connection QPACK_DECODER_STREAM_ERROR',
    ])
    const silent = connection('server')
    silent.receiveStream(6, hex('02 20'), false)
    silent.receiveStream(10, hex('03 40'), false)
    expect(silent.closed).to.equal(false)
  })
})

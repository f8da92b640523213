import { expect } from 'chai'
import type { CarrierHandler, Encapsulation } from '../../../src/carriers/carrier.ts'
import type { H3Carrier } from '../../../src/carriers/h3/carrier.ts'
import { PACKET_STREAM_TYPE } from '../../../src/carriers/h3/packet-streams.ts'
import { H3ServerConnection } from '../../../src/carriers/h3/server-connection.ts'
import type { IncomingRequest } from '../../../src/carriers/http-connection.ts'
import { REQUESTS } from '../../../src/carriers/request-rate.ts'
import { type AbortReason, PeerFieldSectionLimit } from '../../../src/http/errors.ts'
import { H3ErrorCode } from '../../../src/http3/error-codes.ts'
import {
  bytes,
  CONNECT_IP,
  controlStream,
  frame,
  headersFrame,
  NOTHING,
  OK,
  toHex,
  varint,
} from '../../http3/conversation.ts'
import { FakeQuic } from '../../support/fake-quic.ts'

/** The server's end of an HTTP/3 connection with one request on stream 4, and its carrier. */
function openCarrier(encapsulation: Encapsulation = 'datagram', now?: () => number) {
  const quic = new FakeQuic('server')
  const heard: string[] = []
  const requests: IncomingRequest[] = []
  const transport = new H3ServerConnection(quic, now && { now })
  transport.handler = {
    onReady: () => heard.push('ready'),
    onCapabilities: () => heard.push('settings'),
    onRequest: request => requests.push(request),
    onStreamError: (streamId, code) => heard.push(`stream error ${streamId} ${code}`),
    onRequestFailed: (streamId, error) => heard.push(`failed ${streamId}: ${(error as Error).message}`),
    onClosed: ({ text }) => heard.push(`closed ${text}`),
  }
  const handler: CarrierHandler = {
    onCapsuleBytes: data => heard.push(`capsules ${toHex(data)}`),
    onDatagram: payload => heard.push(`datagram ${toHex(payload)}`),
    onEnd: () => heard.push('end'),
    onMtu: () => heard.push('mtu'),
    onAborted: ({ reason }) => heard.push(`aborted: ${reason}`),
  }
  transport.onEstablished()
  transport.onStreamData(2, controlStream([0x33, 1]), false)
  transport.onStreamData(4, headersFrame(CONNECT_IP), false)
  transport.h3.respond(4, OK)
  const carrier: H3Carrier = transport.openCarrier(4, [encapsulation], handler)
  transport.flush()
  quic.sent.length = 0
  heard.length = 0
  return { quic, heard, requests, transport, carrier }
}

describe('the carrier on HTTP/3', () => {
  it('has tunnels that keep packets back take turns, as soon as few wait in QUIC', () => {
    const { quic, transport } = openCarrier()
    const turns: number[] = []
    const carriers = [8, 12].map(id => {
      transport.onStreamData(id, headersFrame(CONNECT_IP), false)
      const nothing = { onCapsuleBytes() {}, onDatagram() {}, onEnd() {}, onMtu() {}, onAborted() {} }
      const carrier: H3Carrier = transport.openCarrier(id, ['datagram'], {
        ...nothing,
        onRoom: () => {
          turns.push(id)
          quic.datagramsWaiting = 4
          carrier.egress?.awaitRoom()
        },
      })
      return carrier
    })
    for (const carrier of carriers) carrier.egress?.awaitRoom()
    quic.datagramsWaiting = 4
    transport.onDatagramsSent()
    expect(turns).to.deep.equal([])
    for (let i = 0; i < 4; i++) {
      quic.datagramsWaiting = 0
      transport.onDatagramsSent()
    }
    expect(turns).to.deep.equal([8, 12, 8, 12])
    carriers[0].abort('cancelled')
    quic.datagramsWaiting = 0
    transport.onDatagramsSent()
    expect(turns.slice(4)).to.deep.equal([12])
  })

  it('CIP-21 puts quarter stream id and context id 0 before each packet', () => {
    const { quic, carrier } = openCarrier()
    expect(carrier.sendPacket(Uint8Array.of(0x45, 1, 2))).to.equal('sent')
    expect(quic.datagrams.map(toHex)).to.deep.equal(['0100450102'])
  })

  it('puts the quarter stream id before a payload of any context, and sends none that does not fit', () => {
    const { quic, carrier } = openCarrier()
    expect(carrier.sendDatagram(Uint8Array.of(2, 9, 9))).to.equal('sent')
    expect(quic.datagrams.map(toHex)).to.deep.equal(['01020909'])
    expect(carrier.sendDatagram(new Uint8Array(1349))).to.equal('sent')
    expect(carrier.sendDatagram(new Uint8Array(1350))).to.equal('too-large')
  })

  it('CIP-32 says what fits, and sends no more', () => {
    const { quic, carrier } = openCarrier()
    expect(carrier.mtu).to.equal(1348)
    expect(carrier.sendPacket(new Uint8Array(1348))).to.equal('sent')
    expect(carrier.sendPacket(new Uint8Array(1349))).to.equal('too-large')
    quic.maxDatagramLength = 0
    expect(carrier.mtu).to.equal(0)
  })

  it('is not writable, and drops, while the queue is full', () => {
    const { quic, carrier } = openCarrier()
    expect(carrier.writable).to.equal(true)
    quic.datagramQueueRoom = 0
    expect(carrier.writable).to.equal(false)
    expect(carrier.sendPacket(new Uint8Array(20))).to.equal('dropped')
  })

  it('CIP-23 makes DATAGRAM capsules on the request stream, up to a backlog', () => {
    const { quic, carrier } = openCarrier('single-stream')
    expect(carrier.mtu).to.equal(1500)
    expect(carrier.sendPacket(Uint8Array.of(0x45, 1, 2))).to.equal('sent')
    // DATA frame of 6 bytes; capsule type 0, length 4, context id 0.
    expect(quic.sent.map(({ streamId, data }) => `${streamId} ${toHex(data)}`)).to.deep.equal(['4 0006000400450102'])
    expect(carrier.sendPacket(new Uint8Array(1501))).to.equal('too-large')
    quic.buffered = 1 << 20
    expect(carrier.writable).to.equal(false)
    expect(carrier.sendPacket(Uint8Array.of(0x45))).to.equal('dropped')
  })

  it('opens a stream for each packet, as many as the peer allows', () => {
    const { quic, carrier } = openCarrier('stream-per-packet')
    expect(carrier.sendPacket(Uint8Array.of(0x45, 1))).to.equal('sent')
    const stream = bytes(...quic.sent.map(({ data }) => data))
    expect(toHex(stream)).to.equal(`${toHex(varint(PACKET_STREAM_TYPE))}01004501`)
    expect(quic.sent.at(-1)?.fin).to.equal(true)
    quic.uniStreamsLeft = 0
    expect(carrier.sendPacket(Uint8Array.of(0x45, 1))).to.equal('dropped')
  })

  it('hands out capsule bytes, datagrams and packet streams of its stream', () => {
    const { heard, transport } = openCarrier('stream-per-packet')
    transport.onStreamData(4, frame(0, [9, 8]), false)
    transport.onDatagram(Uint8Array.of(1, 0, 0x45))
    transport.onStreamData(6, bytes(varint(PACKET_STREAM_TYPE), [1, 0]), false)
    transport.onStreamData(6, Uint8Array.of(0x46), true)
    expect(heard).to.deep.equal(['capsules 0908', 'datagram 0045', 'datagram 0046'])
  })

  it('H3-02 takes no packet streams where none were agreed on, and stops them as those of any unknown type', () => {
    const { quic, heard, transport } = openCarrier('datagram')
    transport.onStreamData(6, bytes(varint(PACKET_STREAM_TYPE), [1, 0, 0x45]), false)
    transport.onStreamData(6, Uint8Array.of(0x46), true)
    expect(quic.commands).to.deep.equal(['stop-sending 6 259'])
    expect(heard).to.deep.equal([])
  })

  it('H3-02 drops what is wrong with a packet stream, or is not for a tunnel that takes them: no error of the connection', () => {
    const { quic, heard, transport } = openCarrier('stream-per-packet')
    transport.onStreamData(8, headersFrame(CONNECT_IP), false)
    transport.h3.respond(8, OK)
    transport.openCarrier(8, ['datagram'], {
      onCapsuleBytes: () => heard.push('other'),
      onDatagram: () => heard.push('other'),
      onMtu: () => heard.push('other'),
      onEnd: () => heard.push('other'),
      onAborted: () => heard.push('other'),
    })
    const contents = [[], [0x40], [2, 0, 0x45], [0x43, 0xff, 0], varint((1n << 61n) - 1n), varint((1n << 62n) - 1n)]
    for (const [at, content] of contents.entries()) {
      transport.onStreamData(6 + 4 * at, bytes(varint(PACKET_STREAM_TYPE), content), true)
    }
    expect([quic.commands, heard, transport.h3.closed]).to.deep.equal([[], [], false])
    transport.onStreamData(50, bytes(varint(PACKET_STREAM_TYPE), [1, 0, 0x45]), true)
    expect(heard).to.deep.equal(['datagram 0045'])
  })

  it('resets the tunnel of a packet whose handler throws, when it came on a stream of its own', () => {
    const { quic, transport, carrier } = openCarrier('stream-per-packet')
    carrier.handler.onDatagram = () => {
      throw new Error('a bug')
    }
    transport.onStreamData(6, bytes(varint(PACKET_STREAM_TYPE), [1, 0, 0x45]), true)
    expect(quic.commands).to.include('reset 4 258')
  })

  it('stops packet streams that are longer than any packet, and keeps nothing of them', () => {
    const { quic, heard, transport } = openCarrier('stream-per-packet')
    for (let id = 6; id < 6 + 4 * 2000; id += 4) {
      transport.onStreamData(id, bytes(varint(PACKET_STREAM_TYPE), new Uint8Array(2000)), false)
    }
    expect(quic.commands.length).to.equal(2000)
    expect(quic.commands[0]).to.equal('stop-sending 6 263')
    expect(transport.h3.openUniStreams).to.equal(1)
    expect(heard).to.deep.equal([])
  })

  for (const [how, what] of [
    ['end', 'ends'],
    ['abort', 'is aborted'],
  ] as const) {
    it(`AT-13 gives up the packet streams of a tunnel that ${what}, as far as they still wait`, () => {
      const { quic, carrier, transport } = openCarrier('stream-per-packet')
      quic.buffered = 1000
      for (let i = 0; i < 4; i++) expect(carrier.sendPacket(Uint8Array.of(0x45, i))).to.equal('sent')
      const [drained, stopped, ...waiting] = new Set(quic.sent.map(({ streamId }) => streamId))
      transport.onStreamDrained(drained)
      transport.onStopSending(stopped, 268)
      quic.commands.length = 0
      carrier[how]('cancelled')
      const resets = quic.commands.filter(command => command.startsWith('reset') && command !== 'reset 4 268')
      expect(resets).to.deep.equal(waiting.map(id => `reset ${id} 268`))
    })
  }

  it('CIP-11 ends in good order in both directions', () => {
    const { quic, heard, carrier, transport } = openCarrier()
    carrier.end()
    carrier.end()
    expect(quic.sent).to.deep.equal([{ streamId: 4, data: NOTHING, fin: true }])
    expect(carrier.sendPacket(new Uint8Array(20))).to.equal('dropped')
    carrier.sendCapsules(Uint8Array.of(1))
    transport.onStreamData(4, NOTHING, true)
    expect(heard).to.deep.equal(['end'])
    expect(transport.h3.openRequests).to.equal(0)
  })

  it('CIP-37 throws away the datagrams that wait before it ends or aborts its half', () => {
    const one = openCarrier()
    one.quic.onCommand = () => expect(one.quic.sent).to.deep.equal([])
    one.carrier.end()
    // What the path takes goes ahead; 01 is the quarter stream id of stream 4.
    expect(one.quic.commands).to.deep.equal(['transmit', 'purge 01'])
    expect(one.quic.sent).to.deep.equal([{ streamId: 4, data: NOTHING, fin: true }])
    for (const end of [
      ({ carrier }) => void carrier.abort('malformed'),
      ({ transport }) => transport.onStreamReset(4, 0x10c),
      ({ transport }) => transport.onStopSending(4, 0x10c),
      ({ transport }) => transport.failStream(4, new Error('a bug')),
    ] as ((two: ReturnType<typeof openCarrier>) => void)[]) {
      const two = openCarrier()
      end(two)
      const [first, second] = two.quic.commands
      expect(first).to.equal('purge 01')
      expect(second).to.match(/^reset 4/)
      expect(two.carrier.sendPacket(new Uint8Array(20))).to.equal('dropped')
      expect(two.carrier.sendDatagram(new Uint8Array(20))).to.equal('dropped')
    }
  })

  it('CIP-15 aborts both halves with the code of the reason it is given', () => {
    const { quic, carrier, transport } = openCarrier()
    expect(carrier.abort('malformed')).to.equal('H3_MESSAGE_ERROR')
    expect(quic.commands).to.deep.equal(['purge 01', 'reset 4 270', 'stop-sending 4 270'])
    transport.onDatagram(Uint8Array.of(1, 0, 0x45))
    expect(transport.h3.openRequests).to.equal(0)
  })

  it('CIP-11 is aborted when the peer resets the stream, or reads no more of it', () => {
    const one = openCarrier()
    one.transport.onStreamReset(4, 0x10c)
    expect(one.heard).to.deep.equal(['aborted: the peer reset the request stream: H3_REQUEST_CANCELLED'])
    expect(one.quic.commands).to.deep.equal(['purge 01', 'reset 4 268'])
    const two = openCarrier()
    two.transport.onStopSending(4, 0x10c)
    expect(two.heard).to.deep.equal(['aborted: the peer stopped reading the request stream: H3_REQUEST_CANCELLED'])
    expect(two.transport.h3.openRequests).to.equal(0)
  })

  it('CIP-11 is aborted when the connection ends', () => {
    const { heard, transport } = openCarrier()
    transport.onClosed({ source: 'timeout', application: false, code: 0, reason: 'silence' })
    expect(heard).to.deep.equal(['aborted: the connection timed out: silence', 'closed timeout: silence'])
  })

  for (const [when, receive] of [
    ['capsules', transport => transport.onStreamData(4, frame(0, [9]), false)],
    ['a datagram', transport => transport.onDatagram(Uint8Array.of(1, 0, 0x45))],
    ['the end', transport => transport.onStreamData(4, NOTHING, true)],
  ] as [string, (transport: H3ServerConnection) => void][]) {
    it(`resets its stream, and no other, when its handler throws at ${when}`, () => {
      const { quic, heard, transport, carrier } = openCarrier()
      for (const call of ['onCapsuleBytes', 'onDatagram', 'onEnd'] as const) {
        carrier.handler[call] = () => {
          throw new Error('a bug')
        }
      }
      receive(transport)
      expect(quic.commands).to.include('reset 4 258')
      expect(heard).to.deep.equal([
        'aborted: we reset the request stream: H3_INTERNAL_ERROR (internal error)',
        'failed 4: a bug',
      ])
      expect([transport.h3.closed, transport.h3.openRequests]).to.deep.equal([false, 0])
    })
  }

  it('H3-10 resets a request that its owner cannot answer, with H3_REQUEST_CANCELLED when the peer takes no more', () => {
    const { quic, heard, transport } = openCarrier()
    const tooLarge = new PeerFieldSectionLimit(100, 50)
    transport.onStreamData(8, headersFrame(CONNECT_IP), false)
    transport.failStream(8, tooLarge)
    transport.failStream(8, tooLarge)
    expect(quic.commands).to.deep.equal(['reset 8 268', 'stop-sending 8 268'])
    expect(heard).to.deep.equal([`failed 8: ${tooLarge.message}`, `failed 8: ${tooLarge.message}`])
    // The tunnel beside it.
    transport.onDatagram(Uint8Array.of(1, 0, 0x45))
    expect(heard.at(-1)).to.equal('datagram 0045')
  })

  it('hands out requests, and tells them what comes before they have a carrier', () => {
    const { quic, heard, requests, transport } = openCarrier()
    transport.onStreamData(8, headersFrame(CONNECT_IP), false)
    const request = requests.at(-1)!
    expect([request.id, request.headers, request.awaitsResponse]).to.deep.equal([8, CONNECT_IP, true])
    request.handler = {
      onCapsuleBytes: data => heard.push(`early ${toHex(data)}`),
      onEnd: () => heard.push('early end'),
      onGone: () => heard.push('gone'),
    }
    transport.onStreamData(8, frame(0, [9]), true)
    transport.onStopSending(8, 0x10c)
    expect(heard).to.deep.equal(['early 09', 'early end', 'gone'])
    expect(quic.commands).to.deep.equal(['reset 8 268'])
  })

  it('CIP-15 has a code of its own for each reason', () => {
    const codes: Record<AbortReason, number> = {
      malformed: H3ErrorCode.H3_MESSAGE_ERROR,
      'excessive-load': H3ErrorCode.H3_EXCESSIVE_LOAD,
      cancelled: H3ErrorCode.H3_REQUEST_CANCELLED,
      internal: H3ErrorCode.H3_INTERNAL_ERROR,
    }
    for (const [reason, code] of Object.entries(codes)) {
      const { quic, requests, transport } = openCarrier()
      transport.onStreamData(8, headersFrame(CONNECT_IP), false)
      requests.at(-1)?.abort(reason as AbortReason)
      expect(quic.commands).to.deep.equal([`reset 8 ${code}`, `stop-sending 8 ${code}`])
    }
  })

  describe('AT-24 a client that asks again and again over HTTP/3', () => {
    const cases: [how: string, ask: (transport: H3ServerConnection, id: number) => void][] = [
      [
        'and takes it back each time',
        (transport, id) => {
          transport.onStreamData(id, headersFrame(CONNECT_IP), false)
          transport.onStreamReset(id, H3ErrorCode.H3_REQUEST_CANCELLED)
        },
      ],
      [
        'for what has to be reset',
        (transport, id) => transport.onStreamData(id, headersFrame([[':method', 'CONNECT']]), false),
      ],
    ]
    for (const [how, ask] of cases) {
      it(`${how} is sent away, H3_EXCESSIVE_LOAD`, () => {
        const { quic, requests, heard, transport } = openCarrier('datagram', () => 0)
        const told = requests.length
        let asked = 0
        while (!transport.h3.closed && asked < 2 * REQUESTS.burst) ask(transport, 8 + 4 * asked++)
        // The tunnel was the first, and the last one is too many.
        expect(asked).to.equal(REQUESTS.burst)
        expect(quic.commands.at(-1)).to.equal(`close ${H3ErrorCode.H3_EXCESSIVE_LOAD}`)
        const errors = heard.filter(each => each.startsWith('stream error')).length
        expect(requests.length - told + errors).to.equal(REQUESTS.burst - 1)
      })

      it(`${how}, no faster than is allowed in the long run, is served`, () => {
        let now = 0
        const { quic, transport } = openCarrier('datagram', () => now)
        for (let i = 1; i <= 2 * REQUESTS.burst; i++) {
          now += 1000 / REQUESTS.perSecond
          ask(transport, 4 + 4 * i)
        }
        expect(transport.h3.closed).to.equal(false)
        expect(quic.commands.filter(command => command.startsWith('close'))).to.deep.equal([])
      })
    }
  })
})

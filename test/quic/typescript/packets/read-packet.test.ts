import { expect } from 'chai'
import fc from 'fast-check'
import {
  appendLongHeader,
  finishLongHeader,
  longHeaderLength,
} from '../../../../src/quic/typescript/packets/long-header.ts'
import type { Packet } from '../../../../src/quic/typescript/packets/packet.ts'
import { readPacket } from '../../../../src/quic/typescript/packets/read-packet.ts'
import { encodeRetry, isAuthenticRetry } from '../../../../src/quic/typescript/packets/retry-packet.ts'
import { appendShortHeader, shortHeaderLength } from '../../../../src/quic/typescript/packets/short-header.ts'
import { encodeVersionNegotiation } from '../../../../src/quic/typescript/packets/version-negotiation-packet.ts'
import { WireWriter } from '../../../../src/quic/typescript/wire-writer.ts'
import { bytes, CLIENT_DCID, CLIENT_INITIAL, hex, RETRY, SERVER_INITIAL } from '../protection/rfc9001-vectors.ts'

const id = fc.uint8Array({ maxLength: 20 })
const NO_TOKEN = new Uint8Array(0)

function longPacket(
  type: 'initial' | 'handshake',
  dcid: Uint8Array,
  scid: Uint8Array,
  token: Uint8Array,
  payloadLength: number,
): Uint8Array {
  const header = longHeaderLength(type, dcid.length, scid.length, token.length, 2)
  const to = new WireWriter(new Uint8Array(header + payloadLength))
  const lengthOffset = appendLongHeader(to, type, dcid, scid, token, 0x1234, 2)
  expect(to.offset).to.equal(header)
  finishLongHeader(to.bytes, lengthOffset, 2 + payloadLength)
  return to.bytes
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

describe('packets', () => {
  it('with a long header come back, one behind the other (RFC 9000 §12.2)', () => {
    const part = fc.record({
      type: fc.constantFrom('initial' as const, 'handshake' as const),
      dcid: id,
      scid: id,
      token: fc.uint8Array({ maxLength: 100 }),
      payloadLength: fc.integer({ min: 20, max: 300 }),
    })
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), parts => {
        const datagram = concat(...parts.map(p => longPacket(p.type, p.dcid, p.scid, p.token, p.payloadLength)))
        let start = 0
        for (const { type, dcid, scid, token, payloadLength } of parts) {
          const packet = readPacket(datagram, start, 8)
          const length = longHeaderLength(type, dcid.length, scid.length, token.length, 2) + payloadLength
          expect(packet).to.deep.equal({
            type,
            version: 1,
            dcid,
            scid,
            token: type === 'initial' ? token : NO_TOKEN,
            start,
            packetNumberOffset: start + length - payloadLength - 2,
            end: start + length,
          })
          start = packet!.end
        }
        expect(start).to.equal(datagram.length)
        expect(readPacket(datagram, start, 8)).to.equal(undefined)
      }),
    )
  })

  it('with a short header come back, as the last of a datagram', () => {
    fc.assert(
      fc.property(id, fc.constantFrom(0 as const, 1 as const), fc.integer({ min: 1, max: 4 }), (dcid, bit, length) => {
        const to = new WireWriter(new Uint8Array(60))
        appendShortHeader(to, dcid, bit, bit, 0x12345678, length)
        expect(to.offset).to.equal(shortHeaderLength(dcid.length, length))
        expect(to.bytes[0]).to.equal(0x40 | (bit ? 0x24 : 0) | (length - 1))
        const number = to.bytes.subarray(1 + dcid.length, to.offset)
        expect(hex(number)).to.equal('12345678'.slice(-2 * length))
        expect(readPacket(to.bytes, 0, dcid.length)).to.deep.equal({
          type: '1-rtt',
          dcid,
          start: 0,
          packetNumberOffset: 1 + dcid.length,
          end: 60,
        })
      }),
    )
  })

  it('of RFC 9001 appendix A are what they are', () => {
    const initial = readPacket(bytes(CLIENT_INITIAL.packet), 0, 8) as Packet & { type: 'initial' }
    expect([initial.type, initial.packetNumberOffset, initial.end]).to.deep.equal(['initial', 18, 1200])
    expect(initial.dcid).to.deep.equal(CLIENT_DCID)
    const answer = readPacket(bytes(SERVER_INITIAL.packet), 0, 8) as Packet & { type: 'initial' }
    expect([answer.type, answer.packetNumberOffset, answer.end]).to.deep.equal(['initial', 18, 135])
    expect(hex(answer.scid)).to.equal('f067a5502a4262b5')
    const to = new WireWriter(new Uint8Array(22))
    finishLongHeader(to.bytes, appendLongHeader(to, 'initial', CLIENT_DCID, NO_TOKEN, NO_TOKEN, 2, 4), 1182)
    expect(hex(to.bytes)).to.equal(CLIENT_INITIAL.header)
  })

  it('of any bytes are read, or passed over', () => {
    const long = fc
      .tuple(fc.integer({ min: 0x80, max: 0xff }), fc.constantFrom(0, 1, 2), fc.uint8Array({ maxLength: 80 }))
      .map(([first, version, rest]) => Uint8Array.of(first, 0, 0, 0, version, ...rest))
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 100 }), long),
        fc.nat(20),
        fc.nat(20),
        (datagram, start, length) => {
          const packet = readPacket(datagram, start, length)
          if (packet === undefined) return
          expect(packet.start).to.equal(start)
          expect(packet.end).to.be.greaterThan(start)
          expect(packet.end).to.be.at.most(datagram.length)
          if ('packetNumberOffset' in packet) expect(packet.packetNumberOffset).to.be.at.most(packet.end)
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('that are cut short are none', () => {
    const whole = longPacket('initial', new Uint8Array(8), new Uint8Array(8), new Uint8Array(5), 50)
    for (let length = 0; length < whole.length; length++) {
      expect(readPacket(whole.subarray(0, length), 0, 8), `${length} bytes`).to.equal(undefined)
    }
  })

  it('whose lengths are 2^62-1 are none', () => {
    const huge = new Uint8Array(8).fill(0xff)
    const head = bytes('c0 00000001 00 00')
    expect(readPacket(concat(head, huge, new Uint8Array(50)), 0, 8), 'the token').to.equal(undefined)
    expect(readPacket(concat(head, Uint8Array.of(0), huge, new Uint8Array(50)), 0, 8), 'the packet').to.equal(undefined)
  })

  it('without the fixed bit are none (RFC 9000 §17.2, §17.3)', () => {
    const long = longPacket('handshake', new Uint8Array(8), new Uint8Array(8), NO_TOKEN, 50)
    long[0] &= ~0x40
    expect(readPacket(long, 0, 8)).to.equal(undefined)
    expect(readPacket(new Uint8Array(50), 0, 8)).to.equal(undefined)
    expect(readPacket(new Uint8Array(50).fill(0x40), 0, 8)?.type).to.equal('1-rtt')
  })

  it('have connection ids of 20 bytes at most in version 1, and longer ones in others', () => {
    const head = (version: string) =>
      concat(bytes(`c0 ${version} 15`), new Uint8Array(21), bytes('00 00 14'), new Uint8Array(20))
    expect(readPacket(head('00000001'), 0, 8)).to.equal(undefined)
    const packet = readPacket(head('0a1a2a3a'), 0, 8) as Packet & { type: 'unknown-version' }
    expect([packet.type, packet.version, packet.dcid.length, packet.scid.length]).to.deep.equal([
      'unknown-version',
      0x0a1a2a3a,
      21,
      0,
    ])
  })

  it('of 0-RTT are told from the others, so that what follows them is read', () => {
    const packet = longPacket('handshake', CLIENT_DCID, CLIENT_DCID, NO_TOKEN, 50)
    packet[0] = 0xd0
    expect(readPacket(packet, 0, 8)?.type).to.equal('0-rtt')
  })
})

describe('Version Negotiation', () => {
  it('comes back, whatever its ids and versions', () => {
    const long = fc.uint8Array({ maxLength: 255 })
    const versions = fc.array(fc.nat(0xffffffff), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(long, long, versions, fc.nat(63), (dcid, scid, versions, unused) => {
        const datagram = encodeVersionNegotiation(dcid, scid, versions, unused)
        expect(readPacket(datagram, 0, 8)).to.deep.equal({
          type: 'version-negotiation',
          dcid,
          scid,
          versions,
          start: 0,
          end: datagram.length,
        })
      }),
    )
  })

  it('without versions, or with part of one, is none', () => {
    const whole = encodeVersionNegotiation(CLIENT_DCID, CLIENT_DCID, [1])
    for (let length = 0; length < whole.length; length++) {
      expect(readPacket(whole.subarray(0, length), 0, 8)).to.equal(undefined)
    }
  })
})

describe('Retry', () => {
  it('is that of RFC 9001 appendix A.4', () => {
    const token = Uint8Array.from(Buffer.from('token'))
    const scid = bytes('f067a5502a4262b5')
    const retry = encodeRetry(NO_TOKEN, scid, token, CLIENT_DCID, 0x0f)
    expect(retry).to.deep.equal(bytes(RETRY))
    expect(readPacket(retry, 0, 8)).to.deep.equal({
      type: 'retry',
      version: 1,
      dcid: NO_TOKEN,
      scid,
      token,
      start: 0,
      end: retry.length,
    })
    expect(isAuthenticRetry(retry, 0, retry.length, CLIENT_DCID)).to.equal(true)
  })

  it('is not believed when a bit of it was turned, or it is for another first packet', () => {
    const retry = bytes(RETRY)
    for (let bit = 0; bit < retry.length * 8; bit++) {
      const forged = retry.slice()
      forged[bit >> 3] ^= 1 << (bit & 7)
      expect(isAuthenticRetry(forged, 0, forged.length, CLIENT_DCID)).to.equal(false)
    }
    expect(isAuthenticRetry(retry, 0, retry.length, CLIENT_DCID.subarray(1))).to.equal(false)
    expect(isAuthenticRetry(retry, 0, 10, CLIENT_DCID)).to.equal(false)
  })

  it('without a token is none (RFC 9000 §17.2.5.2)', () => {
    expect(readPacket(encodeRetry(NO_TOKEN, CLIENT_DCID, NO_TOKEN, CLIENT_DCID), 0, 8)).to.equal(undefined)
    expect(readPacket(encodeRetry(NO_TOKEN, CLIENT_DCID, Uint8Array.of(1), CLIENT_DCID), 0, 8)?.type).to.equal('retry')
  })
})

import { createCipheriv } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import { appendShortHeader } from '../../../../src/quic/typescript/packets/short-header.ts'
import type { CipherSuite } from '../../../../src/quic/typescript/protection/cipher-suites.ts'
import {
  deriveHeaderKey,
  deriveIv,
  deriveKey,
  deriveNextSecret,
} from '../../../../src/quic/typescript/protection/derive.ts'
import { initialKeys, initialSecrets } from '../../../../src/quic/typescript/protection/initial-keys.ts'
import { TAG_LENGTH } from '../../../../src/quic/typescript/protection/lengths.ts'
import { OpeningKeys, SealingKeys } from '../../../../src/quic/typescript/protection/packet-keys.ts'
import { ForgeryCount } from '../../../../src/quic/typescript/protection/usage-limits.ts'
import { AEAD_LIMIT_REACHED, PROTOCOL_VIOLATION } from '../../../../src/quic/typescript/transport-error.ts'
import { VERSION_1 } from '../../../../src/quic/typescript/version.ts'
import { WireWriter } from '../../../../src/quic/typescript/wire-writer.ts'
import { codeOf } from '../code-of.ts'
import { bytes, CHACHA20_PACKET, CLIENT_DCID, CLIENT_INITIAL, hex, SERVER_INITIAL } from './rfc9001-vectors.ts'

const SUITES: CipherSuite[] = [0x1301, 0x1302, 0x1303]
const SECRET = new Uint8Array(48).fill(7)

/** A packet with room for its tag. */
function packetOf(header: Uint8Array, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(header.length + payload.length + TAG_LENGTH)
  packet.set(header)
  packet.set(payload, header.length)
  return packet
}

function shortHeader(packetNumber: number, packetNumberLength: number, dcid = new Uint8Array(8)): Uint8Array {
  const to = new WireWriter(new Uint8Array(1 + dcid.length + packetNumberLength))
  appendShortHeader(to, dcid, 0, 0, packetNumber, packetNumberLength)
  return to.bytes
}

function sealed(suite: CipherSuite, payload: Uint8Array, packetNumber: number, packetNumberLength: number): Uint8Array {
  const header = shortHeader(packetNumber, packetNumberLength)
  const packet = packetOf(header, payload)
  const length = new SealingKeys(suite, SECRET).seal(
    packet,
    header.length,
    payload.length,
    packetNumber,
    packetNumberLength,
  )
  expect(length).to.equal(packet.length)
  return packet
}

describe('packet protection', () => {
  it('derives the keys of RFC 9001 appendix A.1', () => {
    const { client, server } = initialSecrets(CLIENT_DCID)
    expect(hex(client)).to.equal('c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea')
    expect(hex(deriveKey(0x1301, client))).to.equal('1f369613dd76d5467730efcbe3b1a22d')
    expect(hex(deriveIv(0x1301, client))).to.equal('fa044b2f42a3fd3b46fb255c')
    expect(hex(deriveHeaderKey(0x1301, client))).to.equal('9f50449e04a0e810283a1e9933adedd2')
    expect(hex(server)).to.equal('3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b')
    expect(hex(deriveKey(0x1301, server))).to.equal('cf3a5331653c364c88f0f379b6067e37')
    expect(hex(deriveIv(0x1301, server))).to.equal('0ac1493ca1905853b0bba03e')
    expect(hex(deriveHeaderKey(0x1301, server))).to.equal('c206b8d9b9f0f37644430b490eeaa314')
  })

  it("makes, and opens, the client's Initial of appendix A.2", () => {
    const header = bytes(CLIENT_INITIAL.header)
    const payload = new Uint8Array(1162)
    payload.set(bytes(CLIENT_INITIAL.crypto))
    const packet = packetOf(header, payload)
    initialKeys('client', CLIENT_DCID).sealing.seal(
      packet,
      header.length,
      payload.length,
      CLIENT_INITIAL.packetNumber,
      4,
    )
    expect(packet).to.deep.equal(bytes(CLIENT_INITIAL.packet))
    const opened = initialKeys('server', CLIENT_DCID).opening.open(packet, 0, header.length - 4, packet.length, -1)
    expect(opened?.packetNumber).to.equal(2)
    expect(new Uint8Array(opened!.payload)).to.deep.equal(payload)
    expect(hex(packet.subarray(0, header.length)), 'the header without its protection').to.equal(CLIENT_INITIAL.header)
  })

  it("makes, and opens, the server's Initial of appendix A.3", () => {
    const header = bytes(SERVER_INITIAL.header)
    const payload = bytes(SERVER_INITIAL.payload)
    const packet = packetOf(header, payload)
    initialKeys('server', CLIENT_DCID).sealing.seal(packet, header.length, payload.length, 1, 2)
    expect(packet).to.deep.equal(bytes(SERVER_INITIAL.packet))
    const opened = initialKeys('client', CLIENT_DCID).opening.open(packet, 0, header.length - 2, packet.length, 0)
    expect(opened?.packetNumber).to.equal(1)
    expect(new Uint8Array(opened!.payload)).to.deep.equal(payload)
  })

  it('makes, and opens, the ChaCha20-Poly1305 packet of appendix A.5', () => {
    const vector = CHACHA20_PACKET
    const secret = bytes(vector.secret)
    expect(deriveKey(0x1303, secret)).to.deep.equal(bytes(vector.key))
    expect(deriveIv(0x1303, secret)).to.deep.equal(bytes(vector.iv))
    expect(deriveHeaderKey(0x1303, secret)).to.deep.equal(bytes(vector.headerKey))
    expect(deriveNextSecret(0x1303, secret)).to.deep.equal(bytes(vector.nextSecret))
    const header = shortHeader(vector.packetNumber, 3, new Uint8Array(0))
    expect(hex(header)).to.equal(vector.header)
    const packet = packetOf(header, bytes(vector.payload))
    new SealingKeys(0x1303, secret).seal(packet, header.length, 1, vector.packetNumber, 3)
    expect(hex(packet)).to.equal(vector.packet)
    const opened = new OpeningKeys(0x1303, secret).open(packet, 0, 1, packet.length, vector.packetNumber - 1)
    expect(opened?.packetNumber).to.equal(vector.packetNumber)
    expect(hex(opened!.payload)).to.equal('01')
  })

  it('brings any payload back, with every suite and length of the packet number', () => {
    const property = fc.property(
      fc.constantFrom(...SUITES),
      fc.uint8Array({ minLength: 3, maxLength: 1300 }),
      fc.maxSafeNat(),
      fc.constantFrom(1, 2, 3, 4),
      fc.nat(20),
      (suite, payload, packetNumber, packetNumberLength, before) => {
        const packet = sealed(suite, payload, packetNumber, packetNumberLength)
        const datagram = new Uint8Array(before + packet.length + 5)
        datagram.set(packet, before)
        const end = before + packet.length
        const opened = new OpeningKeys(suite, SECRET).open(datagram, before, before + 9, end, packetNumber - 1)
        expect(opened?.packetNumber).to.equal(packetNumber)
        expect(opened?.keyPhase).to.equal(0)
        expect(new Uint8Array(opened!.payload)).to.deep.equal(payload)
      },
    )
    fc.assert(property, { numRuns: 60 })
  })

  it('takes all 62 bits of the packet number into the nonce (RFC 9001 §5.3)', () => {
    for (const packetNumber of [0x80, 0xa1b2c3d4, 0x0102030405, 0x1bcdef9876543, Number.MAX_SAFE_INTEGER]) {
      const payload = new Uint8Array(20).fill(3)
      const nonce = Buffer.alloc(12)
      nonce.writeBigUInt64BE(BigInt(packetNumber), 4)
      deriveIv(0x1301, SECRET).forEach((byte, i) => {
        nonce[i] ^= byte
      })
      const cipher = createCipheriv('aes-128-gcm', deriveKey(0x1301, SECRET), nonce)
      const packet = sealed(0x1301, payload, packetNumber, 4)
      expect(hex(packet.subarray(13, 33))).to.equal(hex(cipher.update(payload)))
    }
  })

  it('refuses a packet in which any bit was turned', () => {
    const packet = sealed(0x1301, new Uint8Array(20).fill(1), 5, 2)
    const keys = new OpeningKeys(0x1301, SECRET)
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const forged = packet.slice()
      forged[bit >> 3] ^= 1 << (bit & 7)
      expect(keys.open(forged, 0, 9, forged.length, 4), `bit ${bit}`).to.equal(undefined)
    }
    expect(keys.open(packet, 0, 9, packet.length, 4)?.packetNumber).to.equal(5)
  })

  it('refuses any bytes, and what is cut short anywhere, without an error', () => {
    const keys = new OpeningKeys(0x1301, SECRET)
    const property = fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(30), (packet, offset) => {
      expect(keys.open(packet, 0, Math.min(offset, packet.length), packet.length, -1)).to.equal(undefined)
    })
    fc.assert(property)
    const whole = sealed(0x1303, new Uint8Array(30), 5, 4)
    for (let end = 0; end < whole.length; end++) {
      expect(new OpeningKeys(0x1303, SECRET).open(whole.slice(0, end), 0, 9, end, 4)).to.equal(undefined)
    }
  })

  it('refuses reserved bits that are set, once the packet is known to be authentic (RFC 9000 §17.3.1)', () => {
    for (const bit of [0x08, 0x10]) {
      const header = shortHeader(5, 2)
      header[0] |= bit
      const packet = packetOf(header, new Uint8Array(20))
      new SealingKeys(0x1301, SECRET).seal(packet, header.length, 20, 5, 2)
      const forged = packet.slice()
      forged[40] ^= 1
      const keys = new OpeningKeys(0x1301, SECRET)
      expect(keys.open(forged, 0, 9, forged.length, 4)).to.equal(undefined)
      expect(codeOf(() => keys.open(packet, 0, 9, packet.length, 4))).to.equal(PROTOCOL_VIOLATION)
    }
  })

  it('refuses a packet number that would not be exact, and goes on', () => {
    const keys = new OpeningKeys(0x1301, SECRET)
    const largest = Number.MAX_SAFE_INTEGER
    const inexact = sealed(0x1301, new Uint8Array(20), largest + 1, 1)
    expect(keys.open(inexact, 0, 9, inexact.length, largest)).to.equal(undefined)
    const exact = sealed(0x1301, new Uint8Array(20), largest, 1)
    expect(keys.open(exact, 0, 9, exact.length, largest - 1)?.packetNumber).to.equal(largest)
  })

  it('stops sealing at the confidentiality limit, and opening at the integrity limit (RFC 9001 §6.6)', () => {
    const sealing = new SealingKeys(0x1301, SECRET, VERSION_1, 2)
    const seal = () => sealing.seal(packetOf(shortHeader(1, 2), new Uint8Array(20)), 11, 20, 1, 2)
    seal()
    seal()
    expect(codeOf(seal)).to.equal(AEAD_LIMIT_REACHED)

    const opening = new OpeningKeys(0x1301, SECRET, VERSION_1, new ForgeryCount(0x1301, 2))
    const open = () => opening.open(new Uint8Array(60).fill(0x41), 0, 9, 60, -1)
    expect(open()).to.equal(undefined)
    expect(open()).to.equal(undefined)
    expect(codeOf(open)).to.equal(AEAD_LIMIT_REACHED)
  })

  it('does not seal a packet that is too short for a sample', () => {
    const keys = new SealingKeys(0x1301, SECRET)
    expect(() => keys.seal(new Uint8Array(100), 10, 2, 1, 1)).to.throw(RangeError)
    expect(keys.seal(new Uint8Array(100), 10, 3, 1, 1)).to.equal(29)
  })
})

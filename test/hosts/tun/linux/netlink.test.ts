import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../../../src/bytes/errors.ts'
import {
  decodeAnswer,
  decodeAttributes,
  decodeMessages,
  encodeAttribute,
  encodeMessage,
  readUint32,
  uint32,
} from '../../../../src/hosts/tun/linux/netlink.ts'

const attributes = fc.array(fc.tuple(fc.integer({ min: 0, max: 0x3fff }), fc.uint8Array({ maxLength: 40 })), {
  maxLength: 6,
})

describe('netlink messages', () => {
  it('have the form of RFC 3549', () => {
    const message = encodeMessage(18, 5, 7, encodeAttribute(3, Uint8Array.of(0x6c, 0x6f, 0)))
    expect(Buffer.from(message).toString('hex')).to.equal(
      ['18000000', '1200', '0500', '07000000', '00000000', '0700', '0300', '6c6f0000'].join(''),
    )
  })

  it('are read as they were written, several in one answer', () => {
    fc.assert(
      fc.property(fc.array(attributes, { maxLength: 4 }), list => {
        const bytes = Buffer.concat(
          list.map((each, i) => encodeMessage(20, 0, i, ...each.map(([type, value]) => encodeAttribute(type, value)))),
        )
        const messages = decodeMessages(bytes)
        expect(messages.map(({ sequence }) => sequence)).to.deep.equal(list.map((_, i) => i))
        for (const [i, each] of list.entries()) {
          const decoded = decodeAttributes(messages[i].body, 0)
          expect([...decoded].map(([type, value]) => [type, Buffer.from(value).toString('hex')]).sort()).to.deep.equal(
            [...new Map(each)].map(([type, value]) => [type, Buffer.from(value).toString('hex')]).sort(),
          )
        }
      }),
    )
  })

  it('that are none throw DecodeError and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), bytes => {
        for (const decode of [
          () => decodeMessages(bytes),
          () => decodeAttributes(bytes, 0),
          () => decodeAnswer({ type: 2, flags: 0x300, sequence: 0, body: bytes }),
          () => readUint32(bytes),
        ]) {
          try {
            decode()
          } catch (error) {
            expect(error).to.be.instanceOf(DecodeError)
          }
        }
      }),
    )
  })

  it('that say to be shorter than their own header are refused: with a length of 0, reading would never end', () => {
    for (let length = 0; length < 16; length++) {
      const message = encodeMessage(18, 5, 7)
      new DataView(message.buffer).setUint32(0, length, true)
      expect(() => decodeMessages(message), `${length} bytes`).to.throw(DecodeError, `message of ${length} bytes`)
    }
    for (let length = 0; length < 4; length++) {
      const attribute = encodeAttribute(3, uint32(1))
      new DataView(attribute.buffer).setUint16(0, length, true)
      expect(() => decodeAttributes(attribute, 0), `${length} bytes`).to.throw(DecodeError, `attribute of ${length} `)
    }
  })

  it("give the kernel's error, and its words where it has some", () => {
    const request = encodeMessage(20, 5, 1, uint32(0))
    const words = encodeAttribute(1, new TextEncoder().encode('Invalid prefix\0'))
    const whole = Buffer.concat([uint32(-22 >>> 0), request, words])
    expect(decodeAnswer({ type: 2, flags: 0x200, sequence: 1, body: whole })).to.deep.equal({
      errno: 22,
      text: 'Invalid prefix',
    })
    const capped = Buffer.concat([uint32(-1 >>> 0), request.subarray(0, 16), words])
    expect(decodeAnswer({ type: 2, flags: 0x300, sequence: 1, body: capped })).to.deep.equal({
      errno: 1,
      text: 'Invalid prefix',
    })
    expect(decodeAnswer({ type: 2, flags: 0, sequence: 1, body: uint32(0) })).to.deep.equal({ errno: 0, text: '' })
  })
})

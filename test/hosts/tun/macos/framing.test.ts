import { expect } from 'chai'
import fc from 'fast-check'
import { FAMILY_HEADER, frame, unframe } from '../../../../src/hosts/tun/macos/framing.ts'

const packets = fc
  .tuple(fc.constantFrom(4, 6), fc.uint8Array({ minLength: 1, maxLength: 200 }))
  .map(([version, bytes]) => {
    bytes[0] = (version << 4) | (bytes[0] & 0xf)
    return bytes
  })

describe('the header in front of each packet of a utun device', () => {
  it('is AF_INET or AF_INET6 of macOS, in network byte order', () => {
    const into = Buffer.alloc(16)
    expect(frame(Uint8Array.of(0x45, 1), into)).to.equal(6)
    expect([...into.subarray(0, 6)]).to.deep.equal([0, 0, 0, 2, 0x45, 1])
    expect(frame(Uint8Array.of(0x60, 1), into)).to.equal(6)
    expect([...into.subarray(0, 6)]).to.deep.equal([0, 0, 0, 30, 0x60, 1])
  })

  it('comes off again as it was put on, whatever the packet', () => {
    fc.assert(
      fc.property(packets, packet => {
        const into = Buffer.alloc(packet.length + FAMILY_HEADER)
        expect(frame(packet, into)).to.equal(into.length)
        const back = unframe(into)
        expect(back).to.be.instanceOf(Uint8Array)
        expect([...(back as Uint8Array)]).to.deep.equal([...packet])
      }),
    )
  })

  it('is not put where there is no room, nor before what is no IP packet', () => {
    expect(frame(new Uint8Array(20).fill(0x45), Buffer.alloc(23))).to.equal(0)
    expect(frame(Uint8Array.of(0x55), Buffer.alloc(23))).to.equal(0)
    expect(frame(new Uint8Array(0), Buffer.alloc(23))).to.equal(0)
  })

  it('is a fault when it is cut off, unknown, or that of the other version; nothing throws', () => {
    expect(unframe(Buffer.from([0, 0, 0, 2]))).to.equal('truncated')
    expect(unframe(Buffer.from([0, 0, 0, 2, 0x60]))).to.equal('malformed')
    expect(unframe(Buffer.from([0, 0, 0, 30, 0x45]))).to.equal('malformed')
    // Linux's number of AF_INET6, and the bytes the other way round.
    expect(unframe(Buffer.from([0, 0, 0, 10, 0x60]))).to.equal('malformed')
    expect(unframe(Buffer.from([2, 0, 0, 0, 0x45]))).to.equal('malformed')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
        const packet = unframe(Buffer.from(bytes))
        if (typeof packet !== 'string') expect(packet.length).to.equal(bytes.length - FAMILY_HEADER)
      }),
    )
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import { readFrames } from '../../../../src/quic/typescript/frames/read-frames.ts'
import { INITIAL } from '../../../../src/quic/typescript/packet-number-space.ts'
import type { SentContent } from '../../../../src/quic/typescript/recovery/sent-packet.ts'
import { CryptoStream, MAX_CRYPTO_AHEAD } from '../../../../src/quic/typescript/streams/crypto-stream.ts'
import { CRYPTO_BUFFER_EXCEEDED } from '../../../../src/quic/typescript/transport-error.ts'
import { WireWriter } from '../../../../src/quic/typescript/wire-writer.ts'
import { bytes, codeOf, type Frame, FrameList } from './stream-ends.ts'

function send(crypto: CryptoStream, room: number): { frames: Frame[]; content: SentContent[] } {
  const out = new WireWriter(new Uint8Array(room))
  const content: SentContent[] = []
  const list = new FrameList()
  if (crypto.writeFrames(out, content)) readFrames(out.bytes.subarray(0, out.offset), INITIAL, 'client', list)
  return { frames: list.frames, content }
}

function readAll(crypto: CryptoStream): Buffer {
  const parts: Uint8Array[] = []
  for (let data = crypto.read(); data !== undefined; data = crypto.read()) parts.push(data.slice())
  return Buffer.concat(parts)
}

describe('CRYPTO stream', () => {
  it('brings what TLS says, whatever is lost and in whatever order it comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 6 }),
        fc.infiniteStream(fc.record({ room: fc.integer({ min: 30, max: 1200 }), fate: fc.nat({ max: 3 }) })),
        (messages, steps) => {
          const here = new CryptoStream()
          const there = new CryptoStream()
          for (const message of messages) here.write(message)
          const late: Frame[] = []
          const got: Buffer[] = []
          const arrive = ({ args }: Frame): void => {
            there.receive(args[0] as number, args[1] as Uint8Array)
            got.push(readAll(there))
          }
          for (const { room, fate } of steps) {
            if (!here.wantsToSend) break
            const { frames, content } = send(here, room)
            expect(frames).to.not.have.length(0)
            if (fate === 0) for (const each of content) each.onLost(0)
            else if (fate === 1) late.push(...frames)
            else frames.forEach(arrive)
          }
          late.reverse().forEach(arrive)
          expect(Buffer.concat(got).equals(Buffer.concat(messages))).to.equal(true)
          expect(there.hasGap).to.equal(false)
        },
      ),
    )
  })

  it('keeps nothing once the keys of its space are gone', () => {
    const crypto = new CryptoStream()
    crypto.receive(1, new Uint8Array(MAX_CRYPTO_AHEAD - 1))
    crypto.clear()
    expect(crypto.hasGap).to.equal(false)
  })

  it('keeps no more than its bound (RFC 9000 §7.5)', () => {
    const crypto = new CryptoStream()
    crypto.receive(1, new Uint8Array(MAX_CRYPTO_AHEAD - 1))
    expect(crypto.hasGap).to.equal(true)
    expect(codeOf(() => crypto.receive(MAX_CRYPTO_AHEAD, bytes('x')))).to.equal(CRYPTO_BUFFER_EXCEEDED)
    expect(codeOf(() => crypto.receive(2 ** 62 - 1024, bytes('x')))).to.equal(CRYPTO_BUFFER_EXCEEDED)
    // The bound moves with what is read.
    crypto.receive(0, bytes('x'))
    expect(readAll(crypto)).to.have.length(MAX_CRYPTO_AHEAD)
    crypto.receive(MAX_CRYPTO_AHEAD, bytes('x'))
    expect(readAll(crypto).toString()).to.equal('x')
  })
})

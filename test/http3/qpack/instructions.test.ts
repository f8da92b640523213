import { expect } from 'chai'
import fc from 'fast-check'
import { H3ErrorCode } from '../../../src/http3/error-codes.ts'
import { H3Error } from '../../../src/http3/errors.ts'
import { checkEncoderInstructions, DecoderInstructionReader } from '../../../src/http3/qpack/instructions.ts'
import { hex } from '../conversation.ts'

function codeOf(action: () => void): number | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    expect(error).to.be.instanceOf(H3Error)
    return (error as H3Error).code
  }
}

describe('The QPACK encoder and decoder streams of the peer (RFC 9204 §4.3, §4.4)', () => {
  it('H3-04 the encoder stream may set the capacity to 0, nothing else', () => {
    checkEncoderInstructions(hex('2020'))
    for (const bytes of ['21', '3fbd01', 'c00f', '4a', '00', '20 02']) {
      expect(
        codeOf(() => checkEncoderInstructions(hex(bytes))),
        bytes,
      ).to.equal(H3ErrorCode.QPACK_ENCODER_STREAM_ERROR)
    }
  })

  it('H3-04 the decoder stream may cancel streams, in any number of pieces', () => {
    const reader = new DecoderInstructionReader()
    for (const byte of hex('40 44 7f00 7fffffff0f 48')) reader.push(Uint8Array.of(byte))
  })

  it('H3-04 the decoder stream may neither acknowledge nor count what was never inserted', () => {
    for (const bytes of ['80', 'ff00', '01', '00', '3f00', '4081', '7fffffffffffffffffffff']) {
      const code = codeOf(() => new DecoderInstructionReader().push(hex(bytes)))
      expect(code, bytes).to.equal(H3ErrorCode.QPACK_DECODER_STREAM_ERROR)
    }
  })

  it('H3-04 arbitrary instructions are read or refused, whole or split', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), fc.nat(30), (bytes, cut) => {
        const whole = codeOf(() => new DecoderInstructionReader().push(bytes))
        const reader = new DecoderInstructionReader()
        const split = codeOf(() => {
          reader.push(bytes.subarray(0, cut))
          reader.push(bytes.subarray(cut))
        })
        expect(split).to.equal(whole)
      }),
    )
  })
})

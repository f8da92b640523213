import { expect } from 'chai'
import fc from 'fast-check'
import { H3ErrorCode } from '../../src/http3/error-codes.ts'
import { H3Error } from '../../src/http3/errors.ts'
import { isReservedId, reservedId } from '../../src/http3/grease.ts'
import { decodeSettings, encodeSettings, type H3Settings, INITIAL_SETTINGS } from '../../src/http3/settings.ts'
import { hex, toHex } from './conversation.ts'

const known = new Set([0x00n, 0x01n, 0x02n, 0x03n, 0x04n, 0x05n, 0x06n, 0x07n, 0x08n, 0x33n])

const anySettings: fc.Arbitrary<H3Settings> = fc.record({
  qpackMaxTableCapacity: fc.nat(),
  qpackBlockedStreams: fc.nat(),
  maxFieldSectionSize: fc.oneof(fc.nat(), fc.constant(Number.POSITIVE_INFINITY)),
  enableConnectProtocol: fc.boolean(),
  h3Datagram: fc.boolean(),
  extensions: fc
    .array(fc.tuple(fc.bigInt(0n, (1n << 62n) - 1n), fc.bigInt(0n, (1n << 62n) - 1n)), { maxLength: 5 })
    .map(entries => new Map(entries.filter(([id]) => !known.has(id) && !isReservedId(id)))),
})

const someGrease = fc
  .double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  .map(number => ({ id: reservedId(number), value: reservedId(number) }))

function codeOf(payload: Uint8Array): number {
  try {
    decodeSettings(payload)
  } catch (error) {
    if (error instanceof H3Error) return error.code
    throw error
  }
  return -1
}

describe('SETTINGS (RFC 9114 §7.2.4)', () => {
  it('H3-01 survive a round trip', () => {
    fc.assert(
      fc.property(anySettings, fc.option(someGrease, { nil: undefined }), (settings, grease) => {
        expect(decodeSettings(encodeSettings(settings, grease))).to.deep.equal(settings)
      }),
    )
  })

  it('H3-04 say aloud that there is no dynamic table', () => {
    expect(toHex(encodeSettings(INITIAL_SETTINGS))).to.equal('0100')
  })

  it('CIP-07 are 08 01 for Extended CONNECT and 33 01 for datagrams', () => {
    const settings = { ...INITIAL_SETTINGS, enableConnectProtocol: true, h3Datagram: true }
    expect(toHex(encodeSettings(settings))).to.equal('0100' + '0801' + '3301')
  })

  it('H3-02 of unknown and reserved types are no error; reserved ones are forgotten', () => {
    const settings = decodeSettings(hex('2105 4d5107 404001'))
    expect([...settings.extensions]).to.deep.equal([[0x0d51n, 7n]])
  })

  it('H3-02 of HTTP/2 are H3_SETTINGS_ERROR', () => {
    for (const id of ['00', '02', '03', '04', '05']) {
      expect(codeOf(hex(`${id}01`)), id).to.equal(H3ErrorCode.H3_SETTINGS_ERROR)
    }
  })

  it('H3-01 that occur twice are H3_SETTINGS_ERROR, known or not', () => {
    expect(codeOf(hex('06400006 4000'))).to.equal(H3ErrorCode.H3_SETTINGS_ERROR)
    expect(codeOf(hex('2100 2101'))).to.equal(H3ErrorCode.H3_SETTINGS_ERROR)
  })

  it('CIP-07 that must be 0 or 1 are H3_SETTINGS_ERROR otherwise', () => {
    expect(codeOf(hex('0802'))).to.equal(H3ErrorCode.H3_SETTINGS_ERROR)
    expect(codeOf(hex('3302'))).to.equal(H3ErrorCode.H3_SETTINGS_ERROR)
    expect(decodeSettings(hex('0800 3300'))).to.include({ enableConnectProtocol: false, h3Datagram: false })
  })

  it('H3-03 cut inside a setting are H3_FRAME_ERROR', () => {
    const payload = hex('06 4400 33 01')
    for (const end of [1, 2, 4]) expect(codeOf(payload.subarray(0, end))).to.equal(H3ErrorCode.H3_FRAME_ERROR)
  })

  it('H3-01 of arbitrary bytes give settings or a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), payload => {
        const code = codeOf(payload)
        expect(code).to.be.oneOf([-1, H3ErrorCode.H3_SETTINGS_ERROR, H3ErrorCode.H3_FRAME_ERROR])
      }),
      { numRuns: 500 },
    )
  })
})

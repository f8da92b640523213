import { expect } from 'chai'
import fc from 'fast-check'
import { endsAttempt, isReservedVersion, QUIC_V1, reservedVersion } from '../../../src/quic/typescript/version.ts'

describe('versions', () => {
  it('of the form 0x?a?a?a?a are reserved (RFC 9000 §15)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), random => {
        expect(isReservedVersion(reservedVersion(random))).to.equal(true)
        expect(reservedVersion(random).toString(16).padStart(8, '0')).to.match(/^(.a){4}$/)
      }),
    )
    expect(isReservedVersion(QUIC_V1)).to.equal(false)
    expect(isReservedVersion(0xfafafafa)).to.equal(true)
  })

  it('that a server offers end the attempt of a client that speaks none of them (§6.2)', () => {
    const dcid = Uint8Array.of(1, 2, 3)
    const scid = Uint8Array.of(4, 5)
    const answer = { dcid: scid.slice(), scid: dcid.slice() }
    expect(endsAttempt({ ...answer, versions: [0x0a0a0a0a, 2] }, QUIC_V1, dcid, scid)).to.equal(true)
    expect(endsAttempt({ ...answer, versions: [2, QUIC_V1] }, QUIC_V1, dcid, scid), 'ours is among them').to.equal(
      false,
    )
    expect(endsAttempt({ dcid, scid, versions: [2] }, QUIC_V1, dcid, scid), 'not an answer').to.equal(false)
    const other = { dcid: scid, scid: Uint8Array.of(1, 2, 4), versions: [2] }
    expect(endsAttempt(other, QUIC_V1, dcid, scid), 'an answer to another').to.equal(false)
  })
})

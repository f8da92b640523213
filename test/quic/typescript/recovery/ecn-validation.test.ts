import { expect } from 'chai'
import { APPLICATION, INITIAL } from '../../../../src/quic/typescript/packet-number-space.ts'
import { EcnValidation } from '../../../../src/quic/typescript/recovery/ecn-validation.ts'

function testing(): EcnValidation {
  const ecn = new EcnValidation()
  ecn.enable()
  return ecn
}

/** Ten packets were sent, all marked. */
function tested(): EcnValidation {
  const ecn = testing()
  for (let i = 0; i < 10; i++) {
    expect(ecn.marks).to.equal(true)
    ecn.onMarkedSent(APPLICATION)
  }
  return ecn
}

describe('ECN validation (RFC 9000 §13.4.2)', () => {
  it('marks no packet where nobody can mark it, and does not look at what is counted', () => {
    const ecn = new EcnValidation()
    expect(ecn.marks).to.equal(false)
    expect(ecn.onAck(APPLICATION, { ect0: 0, ect1: 5, ce: 5 }, 0)).to.equal(false)
    ecn.restart()
    expect(ecn.state).to.equal('off')
  })

  it('marks ten packets, and goes on when their marks have arrived', () => {
    const ecn = tested()
    expect([ecn.marks, ecn.state]).to.deep.equal([false, 'unknown'])
    expect(ecn.onAck(APPLICATION, { ect0: 10, ect1: 0, ce: 0 }, 10)).to.equal(false)
    expect([ecn.marks, ecn.state]).to.deep.equal([true, 'capable'])
  })

  it('hears of congestion once for each ACK that has more of it', () => {
    const ecn = tested()
    expect(ecn.onAck(APPLICATION, { ect0: 3, ect1: 0, ce: 1 }, 4)).to.equal(true)
    expect(ecn.onAck(APPLICATION, { ect0: 5, ect1: 0, ce: 1 }, 2)).to.equal(false)
    expect(ecn.onAck(APPLICATION, { ect0: 5, ect1: 0, ce: 3 }, 2)).to.equal(true)
    expect(ecn.state).to.equal('capable')
  })

  const refuses = (title: string, act: (ecn: EcnValidation) => void) =>
    it(`marks no more ${title}`, () => {
      const ecn = tested()
      ecn.onAck(APPLICATION, { ect0: 2, ect1: 0, ce: 1 }, 2)
      act(ecn)
      expect([ecn.marks, ecn.state]).to.deep.equal([false, 'failed'])
      expect(ecn.onAck(APPLICATION, { ect0: 9, ect1: 0, ce: 9 }, 0)).to.equal(false)
    })

  refuses('when marks are not counted', ecn => ecn.onAck(APPLICATION, undefined, 1))
  refuses('when fewer marks arrived than packets', ecn => ecn.onAck(APPLICATION, { ect0: 3, ect1: 0, ce: 1 }, 2))
  refuses('when another mark arrived', ecn => ecn.onAck(APPLICATION, { ect0: 4, ect1: 1, ce: 1 }, 2))
  refuses('when a count has become less', ecn => ecn.onAck(APPLICATION, { ect0: 5, ect1: 0, ce: 0 }, 2))
  refuses('when more marks arrived than were sent', ecn => ecn.onAck(APPLICATION, { ect0: 10, ect1: 0, ce: 1 }, 2))

  it('marks no more when all of the ten packets were lost', () => {
    const ecn = tested()
    for (let i = 0; i < 9; i++) ecn.onMarkedLost()
    expect(ecn.state).to.equal('unknown')
    ecn.onMarkedLost()
    expect(ecn.state).to.equal('failed')
    ecn.restart()
    expect(ecn.marks).to.equal(true)
  })

  it('marks no more when nobody has answered by the first PTO, and again when a mark has arrived after all', () => {
    const ecn = testing()
    ecn.onSilence()
    expect(ecn.marks).to.equal(true)
    ecn.onMarkedSent(INITIAL)
    ecn.onMarkedSent(INITIAL)
    ecn.onSilence()
    expect([ecn.marks, ecn.state]).to.deep.equal([false, 'unknown'])
    ecn.onMarkedLost()
    expect(ecn.state).to.equal('unknown')
    ecn.onAck(INITIAL, { ect0: 1, ect1: 0, ce: 0 }, 1)
    expect([ecn.marks, ecn.state]).to.deep.equal([true, 'capable'])
    ecn.onSilence()
    expect(ecn.state).to.equal('capable')
  })

  it('marks no more where a path that was good has become silent three times, and nothing marked has arrived between', () => {
    const ecn = tested()
    ecn.onAck(APPLICATION, { ect0: 1, ect1: 0, ce: 0 }, 1)
    ecn.onSilence()
    ecn.onSilence()
    ecn.onAck(APPLICATION, { ect0: 2, ect1: 0, ce: 0 }, 1)
    ecn.onSilence()
    ecn.onSilence()
    expect(ecn.state).to.equal('capable')
    ecn.onAck(APPLICATION, { ect0: 2, ect1: 0, ce: 0 }, 0)
    ecn.onSilence()
    expect([ecn.marks, ecn.state]).to.deep.equal([false, 'unknown'])
  })

  it('fails when the first PTO came after few marked packets, and all of those were lost', () => {
    const ecn = testing()
    ecn.onMarkedSent(INITIAL)
    ecn.onMarkedSent(INITIAL)
    ecn.onMarkedLost()
    ecn.onSilence()
    expect(ecn.state).to.equal('unknown')
    ecn.onMarkedLost()
    expect(ecn.state).to.equal('failed')
  })

  it('is not told that a path is capable by marks that arrived on the one before', () => {
    const ecn = tested()
    ecn.onAck(APPLICATION, { ect0: 4, ect1: 0, ce: 0 }, 4)
    ecn.restart()
    ecn.onAck(APPLICATION, { ect0: 8, ect1: 0, ce: 0 }, 4, 0)
    expect(ecn.state).to.equal('testing')
    ecn.onMarkedSent(APPLICATION)
    ecn.onAck(APPLICATION, { ect0: 11, ect1: 0, ce: 0 }, 3, 1)
    expect(ecn.state).to.equal('capable')
  })

  it('counts each packet number space by itself', () => {
    const ecn = testing()
    ecn.onMarkedSent(INITIAL)
    ecn.onMarkedSent(APPLICATION)
    ecn.onAck(INITIAL, { ect0: 1, ect1: 0, ce: 0 }, 1)
    ecn.onAck(APPLICATION, { ect0: 1, ect1: 0, ce: 0 }, 1)
    expect(ecn.state).to.equal('capable')
  })

  it('an ACK without counts of packets that were not marked says nothing', () => {
    const ecn = tested()
    ecn.onAck(APPLICATION, undefined, 0)
    expect(ecn.state).to.equal('unknown')
  })
})

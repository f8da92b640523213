import { expect } from 'chai'
import fc from 'fast-check'
import { AntiAmplification } from '../../../src/quic/typescript/anti-amplification.ts'

describe('AntiAmplification', () => {
  it('lets three times as much out as came in, until the address is validated (RFC 9000 §8.1)', () => {
    const path = new AntiAmplification(false)
    expect(path.allowance).to.equal(0)
    path.onReceived(1200)
    expect(path.allowance).to.equal(3600)
    path.onSent(1200)
    path.onSent(2000)
    expect(path.allowance).to.equal(400)
    path.validate()
    expect(path.validated).to.equal(true)
    expect(path.allowance).to.equal(Number.POSITIVE_INFINITY)
  })

  it('is never more than that, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(65_527))), steps => {
        const path = new AntiAmplification(false)
        let received = 0
        let sent = 0
        for (const [isReceived, bytes] of steps) {
          if (isReceived) {
            path.onReceived(bytes)
            received += bytes
          } else {
            const allowed = Math.min(bytes, path.allowance)
            path.onSent(allowed)
            sent += allowed
          }
          expect(sent).to.be.at.most(3 * received)
          expect(path.allowance).to.equal(3 * received - sent)
        }
      }),
    )
  })

  it('is not asked of an address that is known', () => {
    expect(new AntiAmplification(true).allowance).to.equal(Number.POSITIVE_INFINITY)
  })
})

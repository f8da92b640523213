import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { jain } from '../../../labs/lab-05-congestion/networks.ts'
import {
  CRITERIA,
  type Criterion,
  FALSE_ALARM,
  LEAST_SHARE,
  NETWORKS,
  REFUSED_AT,
  refused,
  type Trial,
} from '../../../labs/lab-05-congestion/verdict.ts'
import { binomialAtMost } from '../../../src/stats/distributions.ts'

const GOOD: Trial = {
  newReno: { goodput: 200, p95: 400 },
  alone: { goodput: 190, p95: 80 },
  duel: { own: 90, cubic: 110 },
}
const BAD: Record<Criterion, Trial> = {
  delay: { ...GOOD, alone: { goodput: 200, p95: 390 } },
  goodput: { ...GOOD, alone: { goodput: 100, p95: 50 } },
  fairness: { ...GOOD, duel: { own: 20, cubic: 180 } },
}
const some = (bad: Trial, count: number) => Array.from({ length: NETWORKS }, (_, i) => (i < count ? bad : GOOD))

describe('labs/lab-05-congestion: the verdict on a controller', () => {
  it('refuses a right one as rarely as is said, and could not refuse one network more', () => {
    const criteria = Object.keys(CRITERIA).length
    expect(binomialAtMost(REFUSED_AT, NETWORKS, LEAST_SHARE) * criteria).to.be.at.most(FALSE_ALARM)
    expect(binomialAtMost(REFUSED_AT + 1, NETWORKS, LEAST_SHARE) * criteria).to.be.above(FALSE_ALARM)
  })

  it('is what the handout says', () => {
    const handout = readFileSync(join(ROOT, 'labs/lab-05-congestion/README.md'), 'utf8')
    expect(handout).to.include(`met in ${REFUSED_AT} networks or fewer: in 1 of 20 000 cases`)
    expect(binomialAtMost(REFUSED_AT, NETWORKS, LEAST_SHARE)).to.be.closeTo(1 / 20_000, 1e-6)
    expect(handout).to.include(`The check draws ${NETWORKS},`)
    for (const [share, power] of [
      [0.1, '9995 of 10 000 cases'],
      [0.2, '98 %'],
      [0.3, '88 %'],
      [0.5, '39 %'],
    ] as const) {
      const found = binomialAtMost(REFUSED_AT, NETWORKS, share)
      expect(handout).to.include(power)
      expect(found).to.be.closeTo(power.includes('of') ? 0.9995 : Number.parseInt(power, 10) / 100, 0.005)
    }
  })

  for (const criterion of Object.keys(CRITERIA) as Criterion[]) {
    it(`refuses for ${criterion} when so few networks are left, and not with one more`, () => {
      expect(refused(some(BAD[criterion], NETWORKS - REFUSED_AT))).to.equal(criterion)
      expect(refused(some(BAD[criterion], NETWORKS - REFUSED_AT - 1))).to.equal(undefined)
    })
  }

  it('refuses who sends nothing', () => {
    const silent = { ...GOOD, alone: { goodput: 0, p95: Number.POSITIVE_INFINITY }, duel: { own: 0, cubic: 200 } }
    expect(refused(some(silent, NETWORKS))).to.equal('delay')
  })

  it('measures fairness by Jain', () => {
    expect(jain([1, 1])).to.equal(1)
    expect(jain([1, 0])).to.equal(0.5)
    expect(jain([1, 3])).to.equal(0.8)
    expect(jain([2, 2, 2, 0])).to.equal(0.75)
    expect(jain([0, 0])).to.equal(1)
  })
})

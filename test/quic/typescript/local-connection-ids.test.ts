import { expect } from 'chai'
import fc from 'fast-check'
import { LocalConnectionIds } from '../../../src/quic/typescript/local-connection-ids.ts'
import { PROTOCOL_VIOLATION, TransportError } from '../../../src/quic/typescript/transport-error.ts'
import { codeOf } from './code-of.ts'
import { idOf, tokenOf } from './numbered-ids.ts'

describe('the connection ids by which we are called', () => {
  let made = 1

  /** With as many ids as the peer takes, all announced. */
  function announced(peerLimit: number, limit = 4): LocalConnectionIds {
    made = 1
    const ids = new LocalConnectionIds(idOf(0), id => tokenOf(id[2]), limit)
    ids.setPeerLimit(peerLimit)
    supply(ids)
    return ids
  }

  /** What a connection does again and again. Returns what is announced. */
  function supply(ids: LocalConnectionIds): number[] {
    for (let wanted = ids.wanted; wanted > 0; wanted--) ids.add(idOf(made++))
    const sequences: number[] = []
    for (let next = ids.nextAnnouncement(); next !== undefined; next = ids.nextAnnouncement()) {
      expect(next.id).to.deep.equal(idOf(next.sequence))
      expect(next.resetToken).to.deep.equal(tokenOf(next.sequence))
      sequences.push(next.sequence)
    }
    return sequences
  }

  it('are as many as the peer takes, and as we hold', () => {
    expect(announced(2).ids.length).to.equal(2)
    expect(announced(2 ** 62).ids.length).to.equal(4)
    expect(announced(2 ** 62, 7).ids.length).to.equal(7)
    const early = new LocalConnectionIds(idOf(0), tokenOf.bind(undefined, 0), 4)
    expect(early.wanted, 'before its transport parameters').to.equal(1)
  })

  it('are known by us until the peer retires them, and replaced then', () => {
    const ids = announced(3)
    expect([0, 1, 2, 3].map(number => ids.has(idOf(number)))).to.deep.equal([true, true, true, false])
    expect(ids.onRetire(0, idOf(1))).to.deep.equal(idOf(0))
    expect(ids.has(idOf(0))).to.equal(false)
    expect(supply(ids)).to.deep.equal([3])
    expect(ids.has(idOf(3))).to.equal(true)
    expect(ids.onRetire(0, idOf(1)), 'once more').to.equal(undefined)
    expect(ids.wanted).to.equal(0)
  })

  it('cannot be retired before they were given (RFC 9000 §19.16)', () => {
    const ids = announced(3)
    expect(codeOf(() => ids.onRetire(3, idOf(1)))).to.equal(PROTOCOL_VIOLATION)
    expect(codeOf(() => ids.onRetire(2 ** 62, idOf(1)))).to.equal(PROTOCOL_VIOLATION)
    ids.onRetire(0, idOf(1))
    ids.add(idOf(3))
    expect(
      codeOf(() => ids.onRetire(3, idOf(1))),
      'made, and not yet sent',
    ).to.equal(PROTOCOL_VIOLATION)
  })

  it('cannot be retired by a packet that is sent to them (§19.16)', () => {
    const ids = announced(3)
    expect(codeOf(() => ids.onRetire(1, idOf(1)))).to.equal(PROTOCOL_VIOLATION)
  })

  it('are announced again when that was lost, unless they are retired', () => {
    const ids = announced(3)
    ids.onAnnouncementLost(1)
    ids.onAnnouncementLost(1)
    expect(ids.announcementsWaiting).to.equal(1)
    expect(supply(ids)).to.deep.equal([1])
    ids.onAnnouncementLost(2)
    ids.onRetire(2, idOf(0))
    expect(ids.announcementsWaiting).to.equal(0)
    ids.onAnnouncementLost(2)
    expect(supply(ids)).to.deep.equal([3])
  })

  it('are no more than the limit however the peer retires them', () => {
    const step = fc.tuple(fc.nat(40), fc.nat(40))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const ids = announced(8, 5)
        for (const [sequence, to] of steps) {
          const active = ids.ids
          try {
            ids.onRetire(sequence, active[to % active.length])
          } catch (error) {
            expect(error).to.be.instanceOf(TransportError)
          }
          supply(ids)
          expect(ids.ids.length).to.equal(5)
          expect(ids.announcementsWaiting).to.equal(0)
        }
      }),
    )
  })
})

import { expect } from 'chai'
import { Paths } from '../../../src/quic/typescript/paths.ts'
import { PeerConnectionIds } from '../../../src/quic/typescript/peer-connection-ids.ts'
import { CLIENT_ADDRESS, SERVER_ADDRESS } from './virtual-network.ts'

const HERE = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }
const ELSEWHERE = { local: { host: '203.0.113.9', port: 5005 }, remote: SERVER_ADDRESS }

describe('a path whose first test was of less than 1200 bytes (RFC 9000 §8.2.3)', () => {
  it('is left again when none of that size is answered, for the last that was as good', () => {
    let next = 0
    const ids = new PeerConnectionIds(new Uint8Array(8), 8)
    const paths = new Paths('server', HERE, ids, true, length => new Uint8Array(length).fill(next++))
    const here = paths.active
    const there = paths.discover(ELSEWHERE, 50, 0, 100)
    paths.use(there, 0, 100)
    const [small, old] = [there.validation!.challenge(0, false), here.validation!.challenge(0, true)]
    expect(paths.onResponse(old, 10, 100)).to.equal(here)
    expect(paths.onResponse(small, 10, 100)).to.equal(there)
    expect(there.amplification.validated, 'its address').to.equal(true)
    expect(there.wantsToSend(10)).to.equal(true)
    there.validation!.challenge(10, true)
    expect(paths.onDeadline(10_000, 100)).to.equal('moved-back')
    expect(paths.active).to.equal(here)
  })

  it('is as good as any when one of that size was answered', () => {
    let next = 0
    const ids = new PeerConnectionIds(new Uint8Array(8), 8)
    const paths = new Paths('server', HERE, ids, true, length => new Uint8Array(length).fill(next++))
    const there = paths.discover(ELSEWHERE, 50, 0, 100)
    paths.use(there, 0, 100)
    paths.onResponse(there.validation!.challenge(0, false), 10, 100)
    paths.onResponse(there.validation!.challenge(10, true), 20, 100)
    expect(there.wantsToSend(20)).to.equal(false)
    expect(paths.onDeadline(10_000, 100)).to.equal('none')
    expect(paths.active).to.equal(there)
  })
})

describe('the connection ids of a peer that wants to be called otherwise (RFC 9000 §5.1.2)', () => {
  const idOf = (sequence: number): Uint8Array => new Uint8Array(8).fill(sequence)

  /** A client that is on one path with id 0, and probes another one with id 1. */
  function onTwoPaths() {
    const ids = new PeerConnectionIds(idOf(0), 8)
    const give = (sequence: number, retirePriorTo: number): void =>
      ids.onNewConnectionId(sequence, retirePriorTo, idOf(sequence), new Uint8Array(16).fill(sequence))
    const paths = new Paths('client', HERE, ids, true, length => new Uint8Array(length))
    give(1, 0)
    const probed = paths.probe(ELSEWHERE, 0, 100)!
    expect(paths.wanting(0)).to.equal(probed)
    return { give, paths, probed }
  }

  it('go to the active path first, and never one to two paths (§9.5)', () => {
    const { give, paths, probed } = onTwoPaths()
    give(2, 2)
    expect(paths.activePeerId()).to.deep.equal(idOf(2))
    expect(paths.wanting(0), 'waits for an id').to.equal(undefined)
    give(3, 2)
    expect(paths.wanting(0)).to.equal(probed)
    expect(probed.peerId.id).to.deep.equal(idOf(3))
    expect(paths.activePeerId()).to.deep.equal(idOf(2))
  })

  it('go from another path to the active one when there are no more, rather than that it keeps the old one', () => {
    const { give, paths, probed } = onTwoPaths()
    give(1, 1)
    expect(paths.activePeerId()).to.deep.equal(idOf(1))
    expect(paths.all).to.not.include(probed)
  })
})

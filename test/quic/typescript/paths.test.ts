import { expect } from 'chai'
import { Paths } from '../../../src/quic/typescript/paths.ts'
import { PeerConnectionIds } from '../../../src/quic/typescript/peer-connection-ids.ts'
import { CLIENT_ADDRESS, SERVER_ADDRESS } from './virtual-network.ts'

const HERE = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }
const ELSEWHERE = { local: { host: '203.0.113.9', port: 5005 }, remote: SERVER_ADDRESS }

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

import { expect } from 'chai'
import fc from 'fast-check'
import { PeerConnectionIds } from '../../../src/quic/typescript/peer-connection-ids.ts'
import {
  CONNECTION_ID_LIMIT_ERROR,
  PROTOCOL_VIOLATION,
  TransportError,
} from '../../../src/quic/typescript/transport-error.ts'
import { codeOf } from './code-of.ts'
import { idOf, tokenOf } from './numbered-ids.ts'

describe('the connection ids by which we call the peer', () => {
  function holding(...sequences: number[]): PeerConnectionIds {
    const ids = new PeerConnectionIds(idOf(0), 4)
    for (const sequence of sequences) ids.onNewConnectionId(sequence, 0, idOf(sequence), tokenOf(sequence))
    return ids
  }

  function retirements(ids: PeerConnectionIds): number[] {
    const sequences: number[] = []
    for (let next = ids.nextRetirement(); next !== undefined; next = ids.nextRetirement()) sequences.push(next)
    return sequences
  }

  it('begin with that of the handshake, which the server may replace', () => {
    const ids = new PeerConnectionIds(idOf(9), 4)
    ids.replaceFirst(idOf(0))
    expect(ids.first.id).to.deep.equal(idOf(0))
    expect(ids.take()).to.equal(undefined)
  })

  it('are each for one path, in their order', () => {
    const ids = holding(2, 1)
    expect(ids.take()?.sequence).to.equal(1)
    expect(ids.take()?.id).to.deep.equal(idOf(2))
    expect(ids.take()).to.equal(undefined)
  })

  it('may come again, as NEW_CONNECTION_ID is sent again when it seems lost', () => {
    const ids = holding(1, 2, 3, 1, 2, 3)
    expect(retirements(ids)).to.deep.equal([])
  })

  it('are refused when an id or a sequence number comes with another (RFC 9000 §19.15)', () => {
    const refused: [string, number, Uint8Array, Uint8Array][] = [
      ['another id', 1, idOf(7), tokenOf(1)],
      ['another sequence number', 7, idOf(1), tokenOf(1)],
      ['another token', 1, idOf(1), tokenOf(7)],
      ['the id of the handshake', 7, idOf(0), tokenOf(7)],
    ]
    for (const [what, sequence, id, token] of refused) {
      expect(
        codeOf(() => holding(1).onNewConnectionId(sequence, 0, id, token)),
        what,
      ).to.equal(PROTOCOL_VIOLATION)
    }
  })

  it('are refused from a peer that is called by no id at all (§19.15)', () => {
    const ids = new PeerConnectionIds(new Uint8Array(0), 4)
    expect(codeOf(() => ids.onNewConnectionId(1, 0, idOf(1), tokenOf(1)))).to.equal(PROTOCOL_VIOLATION)
  })

  it('are no more than our limit (§5.1.1)', () => {
    expect(codeOf(() => holding(1, 2, 3, 4))).to.equal(CONNECTION_ID_LIMIT_ERROR)
    const ids = holding(1, 2, 3)
    ids.onNewConnectionId(4, 1, idOf(4), tokenOf(4))
    expect(retirements(ids), 'room was made first').to.deep.equal([0])
  })

  it('are retired when the peer asks for it, also those of paths (§5.1.2)', () => {
    const ids = holding(1, 2)
    const used = ids.take()!
    ids.onNewConnectionId(3, 2, idOf(3), tokenOf(3))
    expect([ids.first.retired, used.retired]).to.deep.equal([true, true])
    expect(retirements(ids)).to.deep.equal([0, 1])
    expect(ids.take()?.sequence).to.equal(2)
  })

  it('are retired with them when one came in the preferred address, where it has number 1 (§5.1.1)', () => {
    const [ipv4, ipv6] = [new Uint8Array(4), new Uint8Array(16)]
    const ids = holding()
    ids.onPreferredAddress({ ipv4, ipv4Port: 0, ipv6, ipv6Port: 0, connectionId: idOf(1), resetToken: tokenOf(1) })
    ids.onNewConnectionId(2, 2, idOf(2), tokenOf(2))
    expect(retirements(ids)).to.deep.equal([0, 1])
  })

  it('are retired at once when what retires them has overtaken them (§19.15)', () => {
    const ids = holding()
    ids.onNewConnectionId(5, 3, idOf(5), tokenOf(5))
    expect(retirements(ids)).to.deep.equal([0])
    ids.onNewConnectionId(2, 0, idOf(2), tokenOf(2))
    ids.onNewConnectionId(2, 0, idOf(2), tokenOf(2))
    expect(retirements(ids)).to.deep.equal([2])
    ids.onNewConnectionId(2, 0, idOf(2), tokenOf(2))
    expect(retirements(ids), 'asked for already').to.deep.equal([])
    expect(ids.take()?.sequence).to.equal(5)
  })

  it('are not taken back once a path has left them', () => {
    const ids = holding(1, 2)
    const left = ids.take()!
    ids.retire(left)
    ids.retire(left)
    expect(left.retired).to.equal(true)
    expect(retirements(ids)).to.deep.equal([1])
    ids.onRetirementAcknowledged(1)
    ids.onNewConnectionId(1, 0, idOf(1), tokenOf(1))
    expect(retirements(ids)).to.deep.equal([])
    expect(ids.take()?.sequence).to.equal(2)
  })

  it('are retired again when that was lost, until it is acknowledged', () => {
    const ids = holding(1)
    ids.retire(ids.first)
    expect(retirements(ids)).to.deep.equal([0])
    ids.onRetirementLost(0)
    ids.onRetirementLost(0)
    expect(ids.retirementsWaiting).to.equal(1)
    expect(retirements(ids)).to.deep.equal([0])
    ids.onRetirementAcknowledged(0)
    ids.onRetirementLost(0)
    expect(ids.retirementsWaiting).to.equal(0)
  })

  it('end the connection of a peer that floods us with them, and acknowledges no retirement (§5.1.2)', () => {
    const flood = (acknowledges: boolean) => () => {
      const ids = holding()
      for (let sequence = 1; sequence < 1000; sequence++) {
        ids.onNewConnectionId(sequence, sequence, idOf(sequence), tokenOf(sequence & 0xff))
        for (const retired of retirements(ids)) if (acknowledges) ids.onRetirementAcknowledged(retired)
      }
    }
    expect(codeOf(flood(false))).to.equal(CONNECTION_ID_LIMIT_ERROR)
    expect(codeOf(flood(true))).to.equal(-1)
  })

  it('wait in small number to be retired, whatever comes', () => {
    const frame = fc.tuple(
      fc.oneof(fc.nat(12), fc.constant(2 ** 62)),
      fc.nat(12),
      fc.constantFrom('new', 'take', 'retire'),
    )
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 100 }), frames => {
        const ids = holding()
        let taken = ids.first
        try {
          for (const [sequence, prior, what] of frames) {
            if (what === 'new')
              ids.onNewConnectionId(sequence, Math.min(prior, sequence), idOf(sequence % 997), tokenOf(1))
            else if (what === 'take') taken = ids.take() ?? taken
            else if (taken !== ids.first) ids.retire(taken)
            expect(ids.retirementsWaiting).to.be.at.most(16)
          }
        } catch (error) {
          expect(error).to.be.instanceOf(TransportError)
          expect([CONNECTION_ID_LIMIT_ERROR, PROTOCOL_VIOLATION]).to.include((error as TransportError).code)
        }
      }),
    )
  })

  it('keep none of the bytes they come in', () => {
    const ids = new PeerConnectionIds(idOf(0), 4)
    const packet = idOf(1)
    ids.onNewConnectionId(1, 0, packet, tokenOf(1))
    packet.fill(0)
    expect(ids.take()?.id).to.deep.equal(idOf(1))
  })

  describe('and the stateless reset tokens that came with them', () => {
    function datagram(token: Uint8Array, length = 40): Uint8Array {
      const bytes = new Uint8Array(length).fill(0x55)
      bytes.set(token, length - 16)
      return bytes
    }

    it('end a connection with that of an id that is in use (RFC 9000 §10.3.1)', () => {
      const ids = holding(1)
      expect(ids.isStatelessReset(datagram(tokenOf(9))), 'not yet known').to.equal(false)
      ids.setFirstResetToken(tokenOf(9))
      expect(ids.isStatelessReset(datagram(tokenOf(9)))).to.equal(true)
      expect(ids.isStatelessReset(datagram(tokenOf(9), 21)), 'the shortest').to.equal(true)
      expect(ids.isStatelessReset(datagram(tokenOf(8)))).to.equal(false)
      expect(ids.isStatelessReset(datagram(tokenOf(1))), 'of an id that no path uses').to.equal(false)
      ids.take()
      expect(ids.isStatelessReset(datagram(tokenOf(1)))).to.equal(true)
      ids.retire(ids.first)
      expect(ids.isStatelessReset(datagram(tokenOf(9))), 'of an id that is retired').to.equal(false)
    })

    it('do not in a datagram that is shorter than any', () => {
      const ids = holding()
      ids.setFirstResetToken(tokenOf(9))
      expect(ids.isStatelessReset(datagram(tokenOf(9), 20))).to.equal(false)
      expect(ids.isStatelessReset(new Uint8Array(0))).to.equal(false)
    })
  })
})

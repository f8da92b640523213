import { expect } from 'chai'
import {
  encodeStatelessReset,
  possibleResetToken,
  StatelessResetTokens,
} from '../../../src/quic/typescript/stateless-reset.ts'

const randomBytes = (length: number) => new Uint8Array(length).fill(0xff)

describe('stateless reset', () => {
  it('has a token for each connection id, from a key that others do not have (RFC 9000 §10.3.2)', () => {
    const tokens = new StatelessResetTokens(new Uint8Array(32).fill(1))
    const id = Uint8Array.of(1, 2, 3)
    expect(tokens.of(id).length).to.equal(16)
    expect(tokens.of(id)).to.deep.equal(new StatelessResetTokens(new Uint8Array(32).fill(1)).of(id))
    expect(tokens.of(id)).to.not.deep.equal(tokens.of(Uint8Array.of(1, 2, 4)))
    expect(tokens.of(id)).to.not.deep.equal(new StatelessResetTokens(new Uint8Array(32).fill(2)).of(id))
  })

  it('looks like a packet with a short header, and ends with the token', () => {
    const token = new Uint8Array(16).fill(7)
    const reset = encodeStatelessReset(token, 1200, randomBytes)!
    expect(reset[0] & 0xc0).to.equal(0x40)
    expect(possibleResetToken(reset)).to.deep.equal(token)
  })

  it('is shorter than what it answers, so that two do not answer one another for ever (§10.3.3)', () => {
    for (let length = 0; length < 1500; length++) {
      const reset = encodeStatelessReset(new Uint8Array(16), length, randomBytes)
      if (length < 22) expect(reset).to.equal(undefined)
      else expect(reset!.length).to.be.within(21, length - 1)
    }
  })
})

import { expect } from 'chai'
import { RetryTokens } from '../../src/quic/retry-token.ts'

const CLIENT = { host: '192.0.2.7', port: 4000 }
const FIRST = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const NEXT = Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1)

describe('the token of a Retry (RFC 9000 §8.1.2)', () => {
  const tokens = new RetryTokens(new Uint8Array(32).fill(7))
  const token = tokens.issue(CLIENT, FIRST, NEXT, 1000)

  it('gives back the connection id of the first Initial, for ten seconds', () => {
    for (const now of [1000, 11_000])
      expect([...(tokens.verify(token, CLIENT, NEXT, now) ?? [])]).to.deep.equal([...FIRST])
    expect(tokens.verify(token, CLIENT, NEXT, 11_001)).to.equal('expired')
  })

  it('is for the address, the port and the connection id that it was given to', () => {
    expect(tokens.verify(token, { ...CLIENT, host: '192.0.2.8' }, NEXT, 1000)).to.equal(undefined)
    expect(tokens.verify(token, { ...CLIENT, port: 4001 }, NEXT, 1000)).to.equal(undefined)
    expect(tokens.verify(token, CLIENT, FIRST, 1000)).to.equal(undefined)
  })

  it('is nothing with one bit changed, cut short, or from another process', () => {
    for (let i = 0; i < token.length; i++) {
      expect(tokens.verify(token.with(i, token[i] ^ 1), CLIENT, NEXT, 1000), `byte ${i}`).to.equal(undefined)
      expect(tokens.verify(token.subarray(0, i), CLIENT, NEXT, 1000), `${i} bytes`).to.equal(undefined)
    }
    expect(new RetryTokens(new Uint8Array(32)).verify(token, CLIENT, NEXT, 1000)).to.equal(undefined)
  })
})

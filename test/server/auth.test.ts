import { expect } from 'chai'
import fc from 'fast-check'
import { hashToken, parseBearer, verifyToken } from '../../src/server/auth.ts'

const tokens = ['alpha', 'beta', 'gamma'].map(token => ({ identity: `id of ${token}`, sha256: hashToken(token) }))

describe('bearer tokens', () => {
  it('are known by their SHA-256', () => {
    // The first test vector of FIPS 180.
    expect(hashToken('abc')).to.equal('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })

  it('stand for their identity, wherever they are in the list', () => {
    for (const token of ['alpha', 'beta', 'gamma']) expect(verifyToken(token, tokens)).to.equal(`id of ${token}`)
  })

  it('are refused when they are not known', () => {
    expect(verifyToken('alph', tokens)).to.equal(undefined)
    expect(verifyToken('', tokens)).to.equal(undefined)
    expect(verifyToken('alpha', [])).to.equal(undefined)
    expect(verifyToken(tokens[0].sha256, tokens)).to.equal(undefined)
  })

  it('are compared with every entry, also after one has matched', () => {
    let compared = 0
    const counting = tokens.map(({ identity, sha256 }) => ({
      identity,
      get sha256() {
        compared++
        return sha256
      },
    }))
    verifyToken('alpha', counting)
    expect(compared).to.equal(3)
  })

  it('do not match an entry with a broken digest', () => {
    expect(
      verifyToken('alpha', [
        { identity: 'x', sha256: '' },
        { identity: 'y', sha256: 'zz' },
      ]),
    ).to.equal(undefined)
  })
})

describe('the Authorization header', () => {
  it('holds a bearer token, the scheme in any case', () => {
    expect(parseBearer('Bearer abc-._~+/9==')).to.equal('abc-._~+/9==')
    expect(parseBearer('bEARER  abc')).to.equal('abc')
  })

  it('has no token in any other form', () => {
    for (const value of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearerabc',
      'Basic abc',
      'Bearer a b',
      'Bearer a,b',
      'Bearer =a',
      ' Bearer a',
    ]) {
      expect(parseBearer(value), String(value)).to.equal(undefined)
    }
    expect(parseBearer(`Bearer ${'a'.repeat(5000)}`)).to.equal(undefined)
  })

  it('is read without a throw or a hang, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string(), value => {
        const token = parseBearer(`Bearer ${value}`)
        expect(token === undefined || /^\S+$/.test(token)).to.equal(true)
      }),
      { numRuns: 300 },
    )
    expect(parseBearer(`Bearer ${' '.repeat(4000)}!`)).to.equal(undefined)
  })
})

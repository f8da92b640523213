import { createECDH } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import { TlsAlert } from '../../src/tls/alert.ts'
import { NAMED_GROUPS, NamedGroup, newKeyPair } from '../../src/tls/key-exchange.ts'
import { hex, SIMPLE } from './rfc8448.ts'

describe('the key exchange', () => {
  it('agrees on the secret of RFC 8448 §3 with X25519', () => {
    const client = newKeyPair(NamedGroup.x25519, () => SIMPLE.clientPrivateKey)
    const server = newKeyPair(NamedGroup.x25519, () => SIMPLE.serverPrivateKey)
    expect(Uint8Array.from(client.publicKey)).to.deep.equal(SIMPLE.clientPublicKey)
    expect(Uint8Array.from(server.publicKey)).to.deep.equal(SIMPLE.serverPublicKey)
    expect(Uint8Array.from(client.agree(server.publicKey))).to.deep.equal(SIMPLE.shared)
    expect(Uint8Array.from(server.agree(client.publicKey))).to.deep.equal(SIMPLE.shared)
  })

  for (const group of NAMED_GROUPS) {
    it(`agrees on one secret at both ends, another one each time: group ${group}`, () => {
      const [a, b, c] = [newKeyPair(group), newKeyPair(group), newKeyPair(group)]
      expect(a.agree(b.publicKey)).to.deep.equal(b.agree(a.publicKey))
      expect(a.agree(b.publicKey)).to.not.deep.equal(a.agree(c.publicKey))
    })

    it(`refuses what is no public key with illegal_parameter, and nothing else happens: group ${group}`, () => {
      const pair = newKeyPair(group)
      const length = pair.publicKey.length
      const anything = fc.oneof(
        fc.uint8Array({ maxLength: 100 }),
        fc.uint8Array({ minLength: length, maxLength: length }),
        fc.uint8Array({ minLength: length - 1, maxLength: length - 1 }).map(rest => Uint8Array.of(4, ...rest)),
      )
      fc.assert(
        fc.property(anything, key => {
          try {
            expect(pair.agree(key)).to.have.length(32)
            expect(key).to.have.length(length)
          } catch (error) {
            if (!(error instanceof TlsAlert)) throw error
            expect(error.alert).to.equal(47)
          }
        }),
      )
    })
  }

  it('refuses points that give the same secret to everybody', () => {
    const x25519 = newKeyPair(NamedGroup.x25519)
    for (const point of ['00'.repeat(32), `01${'00'.repeat(31)}`]) {
      expect(() => x25519.agree(hex(point))).to.throw(TlsAlert)
    }
  })

  it('refuses compressed and hybrid points of P-256', () => {
    const other = createECDH('prime256v1')
    other.generateKeys()
    const pair = newKeyPair(NamedGroup.secp256r1)
    expect(pair.agree(other.getPublicKey())).to.have.length(32)
    for (const format of ['compressed', 'hybrid'] as const) {
      expect(() => pair.agree(other.getPublicKey(null, format)), format).to.throw(TlsAlert)
    }
  })
})

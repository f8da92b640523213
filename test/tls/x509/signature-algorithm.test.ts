import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../../src/bytes/errors.ts'
import { der, objectIdentifier, sequence } from '../../../src/cert/der.ts'
import { DerReader } from '../../../src/tls/x509/der.ts'
import { RSASSA_PSS, readSignatureAlgorithm } from '../../../src/tls/x509/signature-algorithm.ts'
import { HASHES, pssAlgorithm } from '../certificates.ts'

const read = (bytes: Uint8Array) => readSignatureAlgorithm(new DerReader(bytes).sequence())

const SALTS: Record<string, number> = { sha256: 32, sha384: 48, sha512: 64 }

describe('the signature algorithm of a certificate', () => {
  it('is strong with SHA-2 or Ed25519, whatever its parameters, and no other is', () => {
    for (const id of ['1.2.840.113549.1.1.11', '1.2.840.10045.4.3.3', '1.3.101.112']) {
      expect(read(sequence(objectIdentifier(id)))).to.deep.equal({ id, isStrong: true })
      expect(read(sequence(objectIdentifier(id), der(0x05))).isStrong).to.equal(true)
    }
    for (const id of ['1.2.840.113549.1.1.5', '1.2.840.113549.1.1.4', '1.2.3']) {
      expect(read(sequence(objectIdentifier(id), der(0x05)))).to.deep.equal({ id, isStrong: false })
    }
  })

  it('is strong as RSASSA-PSS with one hash of SHA-2 for both, and a salt as long as that', () => {
    const hash = fc.option(fc.constantFrom(...Object.keys(HASHES)), { nil: undefined })
    const salt = fc.option(fc.constantFrom(0, 20, 32, 48, 64), { nil: undefined })
    const trailer = fc.option(fc.constantFrom(1, 2), { nil: undefined })
    const left = (fields: Record<string, unknown>) =>
      Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
    const property = fc.property(hash, hash, salt, trailer, (hash, maskHash, salt, trailer) => {
      const isStrong = salt !== undefined && salt === SALTS[hash ?? ''] && maskHash === hash && trailer !== 2
      expect(read(pssAlgorithm(left({ hash, maskHash, salt, trailer })))).to.deep.equal({ id: RSASSA_PSS, isStrong })
    })
    fc.assert(property, { numRuns: 500 })
  })

  it('is not strong as RSASSA-PSS without a word of how, which would mean SHA-1', () => {
    expect(read(sequence(objectIdentifier(RSASSA_PSS))).isStrong).to.equal(false)
    expect(read(sequence(objectIdentifier(RSASSA_PSS), sequence())).isStrong).to.equal(false)
  })

  it('is read, or refused, from whatever comes', () => {
    const good = pssAlgorithm({ hash: 'sha256', maskHash: 'sha256', salt: 32, trailer: 1 })
    const property = fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, byte, length) => {
      const bytes = good.slice(0, length === 0 ? good.length : length)
      if (at < bytes.length) bytes[at] = byte
      try {
        expect(read(bytes).isStrong).to.be.a('boolean')
      } catch (error) {
        expect(error).to.be.instanceOf(DecodeError)
      }
    })
    fc.assert(property, { numRuns: 2000 })
  })
})

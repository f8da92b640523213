import { expect } from 'chai'
import fc from 'fast-check'
import { Reader } from '../../../src/bytes/reader.ts'
import { TlsAlert } from '../../../src/tls/alert.ts'
import { decodeAlpn, encodeAlpn } from '../../../src/tls/extensions/alpn.ts'
import { encodeExtensions, takeExtensions } from '../../../src/tls/extensions/extensions.ts'
import {
  decodeKeyShare,
  decodeKeyShares,
  decodeSelectedGroup,
  encodeKeyShare,
  encodeKeyShares,
  encodeSelectedGroup,
} from '../../../src/tls/extensions/key-share.ts'
import {
  decodeOfferedPsks,
  decodeSelectedIdentity,
  encodeOfferedPsk,
  encodeSelectedIdentity,
} from '../../../src/tls/extensions/pre-shared-key.ts'
import { decodeServerName, encodeServerName } from '../../../src/tls/extensions/server-name.ts'
import { bringsBack, bytes, plain, refusesTheRest, u16, u32 } from '../decoders.ts'

const share = fc.record({ group: u16, publicKey: bytes(1, 100) })

describe('the extensions of messages', () => {
  it('come back as they were, each of a type once', () => {
    const list = fc.uniqueArray(fc.tuple(u16, bytes(0, 30)), { maxLength: 10, selector: ([type]) => type })
    const decode = (encoded: Uint8Array): unknown => takeExtensions(new Reader(encoded))
    bringsBack(
      list.map(entries => new Map(entries)),
      encodeExtensions,
      decode,
    )
    refusesTheRest(decode, encodeExtensions(new Map([[1, Uint8Array.of(2)]])), true)
    expect(() => decode(Uint8Array.of(0, 8, 0, 1, 0, 0, 0, 1, 0, 0))).to.throw(TlsAlert, 'twice')
  })

  it('come back as they were: application protocols, each of 1 to 255 bytes', () => {
    const protocol = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 255 })
    bringsBack(fc.array(protocol, { minLength: 1, maxLength: 5 }), encodeAlpn, decodeAlpn)
    refusesTheRest(decodeAlpn, encodeAlpn(['h3', 'x']))
  })

  it('come back as they were: the name of a server, without a dot at its end', () => {
    bringsBack(fc.domain(), name => encodeServerName(name)!, decodeServerName)
    expect(decodeServerName(encodeServerName('proxy.example.')!)).to.equal('proxy.example')
    for (const none of ['192.0.2.1', '::1', '', '.', 'bücher.example'])
      expect(encodeServerName(none)).to.equal(undefined)
    refusesTheRest(decodeServerName, encodeServerName('proxy.example')!)
    // A name of another type is passed over, two of one type are not.
    expect(decodeServerName(Uint8Array.of(0, 8, 1, 0, 1, 99, 0, 0, 1, 97))).to.equal('a')
    expect(() => decodeServerName(Uint8Array.of(0, 8, 0, 0, 1, 97, 0, 0, 1, 97))).to.throw('two names')
  })

  it('come back as they were: key shares', () => {
    bringsBack(share, encodeKeyShare, decodeKeyShare)
    const shares = fc.uniqueArray(share, { maxLength: 5, selector: ({ group }) => group })
    bringsBack(shares, encodeKeyShares, decodeKeyShares)
    bringsBack(u16, encodeSelectedGroup, decodeSelectedGroup)
    const good = { group: 29, publicKey: new Uint8Array(32) }
    refusesTheRest(decodeKeyShare, encodeKeyShare(good))
    refusesTheRest(decodeKeyShares, encodeKeyShares([good, { ...good, group: 23 }]))
    refusesTheRest(decodeSelectedGroup, encodeSelectedGroup(29))
  })

  it('come back as they were: tickets that are offered, and the one that is taken', () => {
    fc.assert(
      fc.property(bytes(1, 300), u32, fc.constantFrom(32, 48), (identity, obfuscatedAge, binderLength) => {
        const decoded = decodeOfferedPsks(encodeOfferedPsk({ identity, obfuscatedAge }, binderLength))
        expect(plain(decoded)).to.deep.equal({
          identities: [{ identity, obfuscatedAge }],
          binders: [new Uint8Array(binderLength)],
          bindersLength: 2 + 1 + binderLength,
        })
      }),
    )
    bringsBack(u16, encodeSelectedIdentity, decodeSelectedIdentity)
    refusesTheRest(decodeOfferedPsks, encodeOfferedPsk({ identity: new Uint8Array(20), obfuscatedAge: 1 }, 32))
    refusesTheRest(decodeSelectedIdentity, encodeSelectedIdentity(0))
  })
})

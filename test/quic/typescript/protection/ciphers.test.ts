import { expect } from 'chai'
import fc from 'fast-check'
import { loadLibrary } from '../../../../src/net/libc.ts'
import { ChoiceError } from '../../../../src/quic/choice-error.ts'
import { type CipherSuite, SUITES } from '../../../../src/quic/typescript/protection/cipher-suites.ts'
import { chooseCiphers, type PacketCiphers } from '../../../../src/quic/typescript/protection/ciphers.ts'
import { TAG_LENGTH } from '../../../../src/quic/typescript/protection/lengths.ts'
import { NODE_CIPHERS } from '../../../../src/quic/typescript/protection/node-ciphers.ts'
import { loadOpensslCiphers } from '../../../../src/quic/typescript/protection/openssl-ciphers.ts'

const ALL = Object.keys(SUITES).map(Number) as CipherSuite[]

/** A packet before it is sealed, and what it is sealed with. Of the room behind its tag nothing may be touched. */
const packets = fc.constantFrom(...ALL).chain(suite =>
  fc.record({
    suite: fc.constant(suite),
    key: fc.uint8Array({ minLength: SUITES[suite].keyLength, maxLength: SUITES[suite].keyLength }),
    nonce: fc.uint8Array({ minLength: 12, maxLength: 12 }),
    header: fc.uint8Array({ minLength: 1, maxLength: 60 }),
    payload: fc.uint8Array({ maxLength: 300 }),
    behind: fc.uint8Array({ maxLength: 20 }),
  }),
)

type Packet = typeof packets extends fc.Arbitrary<infer T> ? T : never

function seal(ciphers: PacketCiphers, { suite, key, nonce, header, payload, behind }: Packet): Uint8Array {
  const packet = Uint8Array.from([...header, ...payload, ...new Uint8Array(TAG_LENGTH), ...behind])
  ciphers.packetCipher(suite, key).seal(nonce, packet, header.length, header.length + payload.length)
  return packet
}

/** The packet begins `before` bytes behind the beginning of its buffer. */
function open(ciphers: PacketCiphers, sealed: Uint8Array, of: Packet, before = 0): Uint8Array | undefined {
  const { suite, key, nonce, header, payload } = of
  const buffer = Uint8Array.from([...new Uint8Array(before), ...sealed])
  const cipher = ciphers.packetCipher(suite, key)
  const opened = cipher.open(nonce, buffer.subarray(before), header.length, header.length + payload.length)
  return opened && Uint8Array.from(opened)
}

describe('packet protection by the functions of OpenSSL', () => {
  let openssl: PacketCiphers

  before(function () {
    const loaded = loadOpensslCiphers()
    if (typeof loaded !== 'string') {
      openssl = loaded
      return
    }
    console.log(`      skipped: ${loaded}`)
    this.skip()
  })

  it('makes the same packets as node:crypto', () => {
    const property = fc.property(packets, packet => {
      expect(seal(openssl, packet)).to.deep.equal(seal(NODE_CIPHERS, packet))
    })
    fc.assert(property)
  })

  it('makes the same masks for headers', () => {
    const property = fc.property(packets, fc.nat(40), ({ suite, key, payload }, at) => {
      const packet = Uint8Array.from([...payload, ...new Uint8Array(60)])
      const [theirs, ours] = [NODE_CIPHERS, openssl].map(ciphers =>
        Uint8Array.from(ciphers.headerCipher(suite, key).mask(packet, at).subarray(0, 5)),
      )
      expect(ours).to.deep.equal(theirs)
    })
    fc.assert(property)
  })

  it('opens what node:crypto has sealed, wherever it is in a datagram, and the other way round', () => {
    const property = fc.property(packets, fc.nat(50), (packet, before) => {
      expect(open(openssl, seal(NODE_CIPHERS, packet), packet, before)).to.deep.equal(packet.payload)
      expect(open(NODE_CIPHERS, seal(openssl, packet), packet, before)).to.deep.equal(packet.payload)
    })
    fc.assert(property)
  })

  it('opens no packet of which a bit was changed, and the next ones all the same', () => {
    const property = fc.property(packets, fc.nat(), fc.nat(7), (packet, where, bit) => {
      const sealed = seal(openssl, packet)
      const forged = Uint8Array.from(sealed)
      forged[where % (sealed.length - packet.behind.length)] ^= 1 << bit
      expect(open(openssl, forged, packet)).to.equal(undefined)
      expect(open(openssl, sealed, packet)).to.deep.equal(packet.payload)
    })
    fc.assert(property)
  })

  it('keeps the keys of many connections apart, whichever has the next packet', () => {
    const property = fc.property(fc.array(packets, { minLength: 2, maxLength: 6 }), some => {
      const ciphers = some.map(({ suite, key }) => openssl.packetCipher(suite, key))
      const masks = some.map(({ suite, key }) => openssl.headerCipher(suite, key))
      for (const step of [0, 1]) {
        some.forEach(({ suite, key, nonce, header, payload }, i) => {
          const packet = Uint8Array.from([...header, ...payload, ...new Uint8Array(TAG_LENGTH + step)])
          ciphers[i].seal(nonce, packet, header.length, header.length + payload.length)
          const alone = seal(NODE_CIPHERS, { ...some[i], behind: new Uint8Array(step) })
          expect(packet).to.deep.equal(alone)
          const sample = new Uint8Array(16).fill(i + step)
          const expected = NODE_CIPHERS.headerCipher(suite, key).mask(sample, 0).subarray(0, 5)
          expect(Uint8Array.from(masks[i].mask(sample, 0).subarray(0, 5))).to.deep.equal(Uint8Array.from(expected))
        })
      }
    })
    fc.assert(property, { numRuns: 30 })
  })

  it('leaves no error behind that another user of OpenSSL would take for its own', () => {
    const library = loadLibrary(null)
    if (typeof library === 'string') throw new Error(library)
    const peek = library.func('unsigned long ERR_peek_error()')
    for (const suite of ALL) {
      const cipher = openssl.packetCipher(suite, new Uint8Array(SUITES[suite].keyLength))
      expect(cipher.open(new Uint8Array(12), new Uint8Array(100), 10, 84)).to.equal(undefined)
      expect(Number(peek())).to.equal(0)
    }
  })

  it('lets OpenSSL read and write nothing that is not in the packet, the key or the nonce', () => {
    const packet = new Uint8Array(100)
    const nonce = new Uint8Array(12)
    for (const suite of ALL) {
      const { keyLength } = SUITES[suite]
      const cipher = openssl.packetCipher(suite, new Uint8Array(keyLength))
      expect(() => cipher.seal(nonce, packet, 10, 85), 'no room for the tag').to.throw(RangeError)
      expect(() => cipher.seal(nonce, packet, 20, 10), 'ends before it begins').to.throw(RangeError)
      expect(() => cipher.seal(nonce, packet, -1, 10)).to.throw(RangeError)
      expect(() => cipher.seal(nonce.subarray(1), packet, 10, 84)).to.throw(RangeError)
      expect(() => cipher.open(nonce, packet, 10, 85)).to.throw(RangeError)
      expect(() => cipher.open(nonce, packet, 11, 10)).to.throw(RangeError)
      expect(() => cipher.open(nonce, packet, -1, 84)).to.throw(RangeError)
      expect(() => openssl.headerCipher(suite, new Uint8Array(keyLength)).mask(packet, 85)).to.throw(RangeError)
      expect(() => openssl.packetCipher(suite, new Uint8Array(keyLength - 1))).to.throw(RangeError)
      expect(() => openssl.headerCipher(suite, new Uint8Array(keyLength + 1))).to.throw(RangeError)
    }
    expect(packet.every(byte => byte === 0)).to.equal(true)
  })
})

describe('the ciphers of packet protection', () => {
  const openssl: PacketCiphers = { ...NODE_CIPHERS }
  const choose = (choice: string | undefined, loaded: PacketCiphers | string) => chooseCiphers(choice, () => loaded)

  it("are OpenSSL's functions where they can be called, and else node:crypto, which says why", () => {
    for (const choice of [undefined, '', 'auto']) {
      expect(choose(choice, openssl).ciphers).to.equal(openssl)
      const { ciphers, why } = choose(choice, 'koffi does not work here')
      expect(ciphers).to.equal(NODE_CIPHERS)
      expect(why).to.equal('packets by node:crypto: koffi does not work here')
    }
  })

  it('are what MASQUE_CRYPTO says, or an error says what is wrong with it', () => {
    expect(choose('node', openssl).ciphers).to.equal(NODE_CIPHERS)
    expect(choose('openssl', openssl).ciphers).to.equal(openssl)
    expect(() => choose('openssl', 'koffi does not work here')).to.throw(
      ChoiceError,
      'MASQUE_CRYPTO is "openssl", which cannot be had here: koffi does not work here; use auto',
    )
    expect(() => choose('Node', openssl)).to.throw(
      ChoiceError,
      'MASQUE_CRYPTO is "Node"; expected auto, openssl or node',
    )
  })
})

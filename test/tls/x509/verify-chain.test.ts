import { createPrivateKey, X509Certificate } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import { contextTag, octetString, sequence } from '../../../src/cert/der.ts'
import { TlsAlert } from '../../../src/tls/alert.ts'
import { parseCertificate } from '../../../src/tls/x509/certificate.ts'
import { TrustStore, trustStoreOf } from '../../../src/tls/x509/trust-store.ts'
import { verifyChain } from '../../../src/tls/x509/verify-chain.ts'
import {
  CLIENT_AUTH,
  type Issued,
  issue,
  issueRoot,
  issueServer,
  keyPemOf,
  newKey,
  rsaPublicKey,
  SERVER_AUTH,
  type Wanted,
} from '../certificates.ts'
import { expectAlert } from '../expect-alert.ts'

interface Question {
  purpose?: 'server' | 'client'
  serverName?: string
  unixMs?: number
}

function verify(root: Issued, chain: readonly Issued[], question: Question = {}): void {
  const trust = new TrustStore([parseCertificate(root.der)])
  const serverName = question.purpose === 'client' ? {} : { serverName: question.serverName ?? 'proxy.example' }
  verifyChain({
    chain: chain.map(({ der }) => der),
    trust,
    purpose: question.purpose ?? 'server',
    unixMs: question.unixMs ?? Date.now(),
    ...serverName,
  })
}

const issueAuthority = (issuer: Issued, wanted: Wanted = {}): Issued =>
  issue({ issuer, ca: true, keyUsage: 0x04, ...wanted })

const DAY_MS = 86_400_000
const NAME_CONSTRAINTS = '2.5.29.30'

describe('the verification of a certificate chain', () => {
  const root = issueRoot()

  it('believes a certificate of a trusted authority, and one of an authority below it', () => {
    verify(root, [issueServer(root)])
    const middle = issueAuthority(root, { pathLength: 0 })
    verify(root, [issueServer(middle), middle])
  })

  it('believes it whichever order the others have, with the root and with strangers among them', () => {
    const first = issueAuthority(root)
    const second = issueAuthority(first)
    const leaf = issueServer(second)
    const stranger = issueRoot({ name: 'stranger' })
    fc.assert(
      fc.property(fc.shuffledSubarray([first, second, root, stranger], { minLength: 4 }), others => {
        verify(root, [leaf, ...others])
      }),
      { numRuns: 24 },
    )
  })

  for (const key of ['P-256', 'P-384', 'Ed25519', 'RSA-2048'] as const) {
    it(`believes certificates of ${key} keys`, () => {
      const own = issueRoot({ key })
      verify(own, [issueServer(own, { key })])
    })
  }

  it('believes the trusted certificate itself', () => {
    const own = issue({ names: ['proxy.example'] })
    verify(own, [own])
  })

  it('does not believe a chain that does not lead to a trusted authority: unknown_ca', () => {
    const other = issueRoot({ name: 'other' })
    expectAlert('unknown_ca', () => verify(root, [issueServer(other)]))
    expectAlert('unknown_ca', () => verify(root, [issueServer(other), other]))
    const middle = issueAuthority(root)
    expectAlert('unknown_ca', () => verify(root, [issueServer(middle)]))
  })

  it('does not believe what only has the name of a trusted authority: bad_certificate', () => {
    expectAlert('bad_certificate', () => verify(root, [issueServer(issueRoot())]))
    expectAlert('bad_certificate', () => verify(root, [issueServer(root, { forged: true })]))
  })

  it('finds the authority among several of one name', () => {
    const [a, b] = [issueRoot(), issueRoot()]
    const trust = new TrustStore([a, b].map(({ der }) => parseCertificate(der)))
    for (const own of [a, b]) {
      verifyChain({ chain: [issueServer(own).der], trust, purpose: 'server', unixMs: Date.now() })
    }
  })

  it('looks at the validity of all of them: certificate_expired', () => {
    const early = { notAfter: new Date(Date.now() - 60_000) }
    const late = { notBefore: new Date(Date.now() + 60_000) }
    for (const times of [early, late]) {
      expectAlert('certificate_expired', () => verify(root, [issueServer(root, times)]))
      const middle = issueAuthority(root, times)
      expectAlert('certificate_expired', () => verify(root, [issueServer(middle), middle]))
      const own = issueRoot(times)
      expectAlert('certificate_expired', () => verify(own, [issueServer(own)]))
    }
    verify(root, [issueServer(root)], { unixMs: Date.now() + DAY_MS / 2 })
    expectAlert('certificate_expired', () => verify(root, [issueServer(root)], { unixMs: Date.now() + 2 * DAY_MS }))
  })

  it('lets nobody issue certificates who is not an authority: unknown_ca', () => {
    for (const wanted of [{ ca: false }, {}, { ca: true, keyUsage: 0x80 }] as Wanted[]) {
      const middle = issue({ issuer: root, ...wanted })
      expectAlert('unknown_ca', () => verify(root, [issueServer(middle), middle]))
    }
    const server = issueServer(root)
    expectAlert('unknown_ca', () => verify(root, [issueServer(server), server]))
  })

  it('lets no more authorities follow than one allows: unknown_ca', () => {
    const own = issueRoot({ pathLength: 1 })
    const first = issueAuthority(own)
    const second = issueAuthority(first)
    verify(own, [issueServer(first), first])
    expectAlert('unknown_ca', () => verify(own, [issueServer(second), second, first]))
  })

  it('takes six authorities in a row, and no seventh', () => {
    const authorities = [root]
    for (let i = 0; i < 6; i++) authorities.unshift(issueAuthority(authorities[0]))
    verify(root, [issueServer(authorities[1]), ...authorities.slice(1)])
    expectAlert('unknown_ca', () => verify(root, [issueServer(authorities[0]), ...authorities]))
  })

  it('does not count an authority that has issued itself anew towards the path length (RFC 5280 §6.1.4)', () => {
    const own = issueRoot({ pathLength: 0 })
    const renewed = issueAuthority(own, { name: own.name, pathLength: 0 })
    verify(own, [issueServer(renewed), renewed])
  })

  it('looks at what certificates are for: unsupported_certificate', () => {
    const forClients = issueServer(root, { extendedKeyUsage: [CLIENT_AUTH] })
    expectAlert('unsupported_certificate', () => verify(root, [forClients]))
    verify(root, [forClients], { purpose: 'client' })
    expectAlert('unsupported_certificate', () => verify(root, [issueServer(root)], { purpose: 'client' }))
    verify(root, [issueServer(root, { extendedKeyUsage: [CLIENT_AUTH, SERVER_AUTH] })])
    verify(root, [issueServer(root, { extendedKeyUsage: ['2.5.29.37.0'] })])
    const middle = issueAuthority(root, { extendedKeyUsage: [CLIENT_AUTH] })
    expectAlert('unsupported_certificate', () => verify(root, [issueServer(middle), middle]))
    // Only for certificates, and only for key agreement.
    for (const keyUsage of [0x04, 0x08]) {
      expectAlert('unsupported_certificate', () => verify(root, [issueServer(root, { keyUsage })]))
    }
  })

  it('refuses critical extensions that it does not know: unsupported_certificate', () => {
    const unknown = { id: '1.2.3.4', value: octetString(Uint8Array.of(1)) }
    verify(root, [issueServer(root, { extra: [{ ...unknown, critical: false }] })])
    const twice = [unknown, unknown].map(extension => ({ ...extension, critical: false }))
    expectAlert('bad_certificate', () => verify(root, [issueServer(root, { extra: twice })]))
    const critical = issueServer(root, { extra: [{ ...unknown, critical: true }] })
    expectAlert('unsupported_certificate', () => verify(root, [critical]))
  })

  it('refuses signatures over SHA-1, and small RSA keys: bad_certificate', () => {
    expectAlert('bad_certificate', () => verify(root, [issueServer(root, { hash: 'sha1' })]))
    expectAlert('bad_certificate', () => verify(root, [issueServer(root, { key: 'RSA-1024' })]))
  })

  it('takes RSASSA-PSS as rsa_pss_rsae promises it, and in no other form: bad_certificate (RFC 8446 §4.2.3)', () => {
    const rsa = issueRoot({ key: 'RSA-2048' })
    const lengths = { sha256: 32, sha384: 48, sha512: 64 }
    for (const [hash, salt] of Object.entries(lengths)) {
      verify(rsa, [issueServer(rsa, { hash, pss: { salt } })])
      // The signature is as it is said to be, and would verify.
      expectAlert('bad_certificate', () => verify(rsa, [issueServer(rsa, { hash, pss: { salt: salt - 12 } })]))
    }
    expectAlert('bad_certificate', () => verify(rsa, [issueServer(rsa, { hash: 'sha1', pss: { salt: 20 } })]))
    // That would be rsa_pss_pss, which is not offered.
    const pss = issueRoot({ key: 'RSA-PSS', pss: { salt: 32 } })
    expectAlert('bad_certificate', () => verify(pss, [issueServer(pss, { pss: { salt: 32 } })]))
  })

  it('goes by subjectAltName alone, in which * is one whole label: bad_certificate', () => {
    const cases: [string[], string, boolean][] = [
      [['proxy.example'], 'proxy.example', true],
      [['proxy.example'], 'PROXY.example', true],
      [['proxy.example'], 'proxy.example.', true],
      [['proxy.example'], 'a.proxy.example', false],
      [['*.proxy.example'], 'a.proxy.example', true],
      [['*.proxy.example'], 'a.b.proxy.example', false],
      [['*.proxy.example'], 'proxy.example', false],
      [['a*.proxy.example'], 'ab.proxy.example', false],
      [['192.0.2.1', '::1'], '192.0.2.1', true],
      [['192.0.2.1', '::1'], '0:0:0:0:0:0:0:1', true],
      [['::1'], '::1%lo', true],
      [['192.0.2.1'], '192.0.2.2', false],
      [['proxy.example'], '192.0.2.1', false],
      [['other.example'], 'proxy.example', false],
    ]
    for (const [names, serverName, good] of cases) {
      const attempt = (): void => verify(root, [issueServer(root, { names })], { serverName })
      if (good) attempt()
      else expectAlert('bad_certificate', attempt)
    }
    // The common name says it, and does not count.
    const byCommonName = issue({ issuer: root, name: 'proxy.example' })
    expectAlert('bad_certificate', () => verify(root, [byCommonName]))
    expectAlert('bad_certificate', () => verify(root, [issueServer(root)], { serverName: '' }))
  })

  it('leaves nothing behind of names without a good form, which another call would stumble over', () => {
    const extra = [{ id: '2.5.29.17', critical: false, value: Uint8Array.of(0x30, 0x50, 1) }]
    const bad = issue({ issuer: root, extra })
    const pem = Buffer.from(keyPemOf(root.key))
    for (const serverName of ['proxy.example', '192.0.2.1']) {
      expectAlert('bad_certificate', () => verify(root, [bad], { serverName }))
      createPrivateKey(pem)
    }
  })

  it('takes a trusted authority that has signed itself with SHA-1: its own signature is of no importance', () => {
    const old = issueRoot({ key: 'RSA-2048', hash: 'sha1' })
    verify(old, [issueServer(old)])
  })

  it('does not compute with RSA keys that make it slow: bad_certificate', () => {
    const modulus = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(0xff)
    const usual = Uint8Array.of(1, 0, 1)
    const attempt = (publicKey: Uint8Array): void => verify(root, [issueServer(root, { publicKey })])
    attempt(rsaPublicKey(modulus(1024), usual))
    expectAlert('bad_certificate', () => attempt(rsaPublicKey(modulus(1025), usual)))
    expectAlert('bad_certificate', () => attempt(rsaPublicKey(modulus(256), modulus(5))))
  })

  describe('of an authority with name constraints', () => {
    const dns = (name: string): Uint8Array => sequence(contextTag(2, false, new TextEncoder().encode(name)))
    const network = (...bytes: number[]): Uint8Array => sequence(contextTag(7, false, Uint8Array.from(bytes)))
    const directory = sequence(contextTag(4, true, sequence()))
    const constrained = (permitted: Uint8Array[], excluded: Uint8Array[]): Issued => {
      const trees = [permitted, excluded].flatMap((list, tag) =>
        list.length === 0 ? [] : [contextTag(tag, true, Uint8Array.from(list.flatMap(tree => [...tree])))],
      )
      return issueAuthority(root, { extra: [{ id: NAME_CONSTRAINTS, critical: true, value: sequence(...trees) }] })
    }
    const attempt = (authority: Issued, names: string[]): void =>
      verify(root, [issueServer(authority, { names, name: '' }), authority], { serverName: names[0].replace('*', 'a') })

    it('takes names within what is permitted, and no others', () => {
      const authority = constrained([dns('example'), network(10, 0, 0, 0, 255, 0, 0, 0)], [])
      attempt(authority, ['proxy.example'])
      attempt(authority, ['example'])
      attempt(authority, ['10.1.2.3', 'a.example'])
      for (const names of [['proxy.test'], ['notexample'], ['11.1.2.3'], ['a.example', 'b.test'], ['::1']]) {
        expectAlert('bad_certificate', () => attempt(authority, names))
      }
    })

    it('takes no names within what is excluded', () => {
      const authority = constrained([], [dns('secret.example'), network(10, 0, 0, 0, 255, 0, 0, 0)])
      attempt(authority, ['proxy.example'])
      attempt(authority, ['192.0.2.1'])
      for (const names of [['secret.example'], ['a.secret.example'], ['*.example'], ['10.0.0.1']]) {
        expectAlert('bad_certificate', () => attempt(authority, names))
      }
    })

    it('does not compare many names with many constraints, which would take minutes: bad_certificate', () => {
      const many = (count: number): Uint8Array[] => Array.from({ length: count }, () => dns('b'))
      const names = Array.from({ length: 300 }, () => 'proxy.example')
      attempt(constrained([], many(100)), names)
      expectAlert('bad_certificate', () => attempt(constrained([], many(300)), names))
    })

    it('takes no names of a kind that it cannot compare', () => {
      const authority = constrained([directory], [])
      attempt(authority, ['proxy.example'])
      const named = issueServer(authority, { name: 'somebody' })
      expectAlert('bad_certificate', () => verify(root, [named, authority]))
    })
  })

  it('looks at a limited number of signatures, in however many orders authorities have issued each other', () => {
    const key = newKey('P-256')
    const twins = Array.from({ length: 9 }, () => issueAuthority({ ...root, name: 'twin', key }, { name: 'twin', key }))
    const verifySignature = X509Certificate.prototype.verify
    let signatures = 0
    X509Certificate.prototype.verify = function (publicKey) {
      signatures++
      return verifySignature.call(this, publicKey)
    }
    try {
      expectAlert('bad_certificate', () => verify(root, [issueServer(twins[0]), ...twins]))
    } finally {
      X509Certificate.prototype.verify = verifySignature
    }
    expect(signatures).to.equal(24)
  })

  it('refuses what is no certificate with bad_certificate, and nothing else happens', () => {
    const good = issueServer(root).der
    const changed = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
      const bytes = Uint8Array.from(good)
      bytes[at] ^= by
      return bytes
    })
    const cut = fc.nat(good.length - 1).map(length => good.subarray(0, length))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), changed, cut), bytes => {
        expect(() => verify(root, [{ ...root, der: bytes }])).to.throw(TlsAlert)
      }),
      { numRuns: 500 },
    )
  })

  it('knows the roots that come with Node', () => {
    const trust = trustStoreOf(undefined)
    expect(trustStoreOf(undefined)).to.equal(trust)
    expectAlert('unknown_ca', () => {
      verifyChain({ chain: [issueServer(root).der], trust, purpose: 'server', unixMs: Date.now() })
    })
  })
})

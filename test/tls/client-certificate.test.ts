import { expect } from 'chai'
import { CLIENT_AUTH, identityOf, issueRoot, issueServer, pemOf } from './certificates.ts'
import { expectAlert } from './expect-alert.ts'
import { deliver, type Material, newMaterial, newPair, run, withOtherSignature } from './in-memory.ts'

describe('the certificate of a client', () => {
  let material: Material
  let foreign: Material['client']
  before(async () => {
    material = await newMaterial()
    foreign = (await newMaterial()).client
  })

  for (const clientCertificate of ['optional', 'required', 'any'] as const) {
    it(`is known to a server with '${clientCertificate}', which has checked it`, () => {
      const { client, server } = newPair(material, material.client, { clientCertificate })
      run({ client, server })
      expect(server.tls.complete).to.equal(true)
      const pem = Buffer.from(server.tls.peerCertificate!).toString('base64')
      expect(Buffer.from(material.client.certificateChain).toString().replaceAll('\n', '')).to.include(pem)
      expect(client.sink.secrets.get('read 2')).to.deep.equal(server.sink.secrets.get('write 2'))
    })

    it(`has to be signed with its key, with '${clientCertificate}' too`, () => {
      const { client, server } = newPair(material, material.client, { clientCertificate })
      client.tls.start()
      deliver(client, server)
      deliver(server, client)
      expectAlert('decrypt_error', () => deliver(client, server, withOtherSignature))
      expect(server.tls.peerCertificate).to.equal(undefined)
    })
  }

  for (const key of ['P-384', 'Ed25519', 'RSA-2048'] as const) {
    it(`may have a ${key} key`, () => {
      const root = issueRoot()
      const own = identityOf(issueServer(root, { key, extendedKeyUsage: [CLIENT_AUTH] }))
      const { client, server } = newPair(material, own, { clientCertificate: 'required', ca: pemOf(root.der) })
      run({ client, server })
      expect(server.tls.complete).to.equal(true)
    })
  }

  it('is not asked for with `none`', () => {
    const { client, server } = newPair(material, material.client, { clientCertificate: 'none' })
    run({ client, server })
    expect(server.tls.peerCertificate).to.equal(undefined)
    expect(client.sink.story).to.not.include('message 11 on 1')
  })

  it('may be missing with `optional` and `any`, not with `required`: certificate_required', () => {
    for (const clientCertificate of ['optional', 'any'] as const) {
      const pair = newPair(material, {}, { clientCertificate })
      run(pair)
      expect(pair.server.tls.complete).to.equal(true)
      expect(pair.server.tls.peerCertificate).to.equal(undefined)
    }
    expectAlert('certificate_required', () => run(newPair(material, {}, { clientCertificate: 'required' })))
  })

  it('is refused when it is of another authority, with `optional` too: unknown_ca', () => {
    const stranger = identityOf(issueServer(issueRoot({ name: 'stranger' }), { extendedKeyUsage: [CLIENT_AUTH] }))
    for (const clientCertificate of ['optional', 'required'] as const) {
      expectAlert('unknown_ca', () => run(newPair(material, foreign, { clientCertificate })))
      expectAlert('unknown_ca', () => run(newPair(material, stranger, { clientCertificate })))
    }
    const pair = newPair(material, foreign, { clientCertificate: 'any' })
    run(pair)
    expect(pair.server.tls.peerCertificate).to.not.equal(undefined)
  })

  it("is refused when it is a server's: unsupported_certificate", () => {
    expectAlert('unsupported_certificate', () =>
      run(newPair(material, material.server, { clientCertificate: 'required' })),
    )
  })

  it('is refused when it has expired: certificate_expired', () => {
    const later = { clientCertificate: 'required', unixMs: () => Date.UTC(2100, 0) } as const
    expectAlert('certificate_expired', () => run(newPair(material, material.client, later)))
  })
})

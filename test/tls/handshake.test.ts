import { expect } from 'chai'
import { CLIENT_PARAMETERS, type Material, newMaterial, newPair, run, SERVER_PARAMETERS } from './in-memory.ts'

describe('the TLS 1.3 handshake', () => {
  let material: Material
  before(async () => {
    material = await newMaterial()
  })

  it('gives both ends the same secrets, protocol and transport parameters', () => {
    const { client, server } = newPair(material, { alpn: ['other', 'h3'] })
    run({ client, server })
    expect(client.tls.complete && server.tls.complete).to.equal(true)
    expect([client.tls.alpn, server.tls.alpn]).to.deep.equal(['h3', 'h3'])
    expect(client.sink.peerTransportParameters).to.deep.equal(SERVER_PARAMETERS)
    expect(server.sink.peerTransportParameters).to.deep.equal(CLIENT_PARAMETERS)
    for (const level of [1, 2]) {
      expect(client.sink.secrets.get(`read ${level}`)).to.deep.equal(server.sink.secrets.get(`write ${level}`))
      expect(client.sink.secrets.get(`write ${level}`)).to.deep.equal(server.sink.secrets.get(`read ${level}`))
    }
    expect(
      new Set([...client.sink.secrets.values()].map(({ secret }) => Buffer.from(secret).toString('hex'))).size,
    ).to.equal(4)
  })
})

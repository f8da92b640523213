import { expect } from 'chai'
import { typescriptEngines } from './engines.ts'
import { VirtualNetwork } from './virtual-network.ts'

describe('a connection of the engine in TypeScript', () => {
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  it('is established in one round trip, and both ends know who the other is', () => {
    const network = new VirtualNetwork(engines(1))
    expect(network.run(() => network.client.established)).to.equal(true)
    expect(network.now).to.equal(1020)
    expect(network.client.connection.alpn).to.equal('h3')
    expect(network.client.connection.peerCertificate).to.be.instanceOf(Uint8Array)
    expect(network.run(() => network.server?.established === true)).to.equal(true)
  })
})

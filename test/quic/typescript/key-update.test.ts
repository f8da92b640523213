import { expect } from 'chai'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import type { TypescriptConnection } from '../../../src/quic/typescript/connection.ts'
import { TypescriptEngine } from '../../../src/quic/typescript/engine.ts'
import { AEAD_LIMIT_REACHED } from '../../../src/quic/typescript/transport-error.ts'
import { clientTls, serverTls } from '../../support/certificates.ts'
import { type Conditions, seeded, seededBytes, VirtualNetwork } from './virtual-network.ts'

describe('the keys of a connection', () => {
  /** Both ends seal so many packets with one key at most, and update it after so many. */
  async function networkOf(updateAfter: number, mostSealed: number, conditions: Partial<Conditions> = {}) {
    const settings = DEFAULT_QUIC_SETTINGS
    const limits = { updateAfter, mostSealed }
    const client = new TypescriptEngine(
      { role: 'client', settings, tls: await clientTls(), peerCertificate: 'required' },
      seededBytes(seeded(1)),
      limits,
    )
    const server = new TypescriptEngine(
      { role: 'server', settings, tls: await serverTls(), peerCertificate: 'none' },
      seededBytes(seeded(2)),
      limits,
    )
    return new VirtualNetwork({ client, server, conditions })
  }

  async function established(...args: Parameters<typeof networkOf>): Promise<VirtualNetwork> {
    const network = await networkOf(...args)
    expect(network.run(() => network.client.established && network.server?.established === true)).to.equal(true)
    return network
  }

  async function transfer(network: VirtualNetwork, portions: number): Promise<void> {
    const data = Uint8Array.from({ length: 12_000 }, (_, i) => i * 7)
    for (let i = 0; i < portions; i++) {
      network.client.write(4 * i, data)
      network.turn('client')
      network.server?.write(4 * i + 1, data)
      network.turn('server')
      const isThere = () => network.server?.hasEnded(4 * i) === true && network.client.hasEnded(4 * i + 1)
      if (!network.run(isThere)) return
      expect(Buffer.compare(network.client.bytesOf(4 * i + 1), data)).to.equal(0)
      expect(Buffer.compare(network.server?.bytesOf(4 * i) as Uint8Array, data)).to.equal(0)
      network.run(() => false, 500)
    }
  }

  it('are updated again and again, by either end, while streams flow', async () => {
    const network = await established(20, 200)
    await transfer(network, 30)
    expect(network.client.closed).to.equal(undefined)
    const updates = [network.client, network.server!].map(end => (end.connection as TypescriptConnection).keyUpdates)
    expect(updates[0]).to.be.at.least(10)
    expect(Math.abs(updates[0] - updates[1])).to.be.at.most(1)
  })

  it('are updated over a network that loses, delays and repeats packets', async () => {
    const network = await established(20, 400, { loss: 0.1, jitterMs: 40, duplicate: 0.1, corrupt: 0.02 })
    await transfer(network, 20)
    expect([network.client.closed, network.server?.closed]).to.deep.equal([undefined, undefined])
    expect((network.client.connection as TypescriptConnection).keyUpdates).to.be.at.least(3)
  })

  it('end the connection before they seal more than they may (RFC 9001 §6.6)', async () => {
    const network = await established(1000, 40)
    await transfer(network, 30)
    const reasons = [network.client.closed, network.server?.closed]
    expect(reasons.some(reason => reason?.code === AEAD_LIMIT_REACHED)).to.equal(true)
  })

  it('end it so, too, when what there is to send is a probe of the path MTU', async () => {
    let ended = 0
    for (let mostSealed = 1; mostSealed < 6; mostSealed++) {
      const network = await networkOf(1000, mostSealed)
      network.run(() => false, 10_000)
      const codes = [network.client.closed, network.server?.closed].map(reason => reason?.code)
      if (codes.includes(AEAD_LIMIT_REACHED)) ended++
    }
    expect(ended).to.be.at.least(1)
  })
})

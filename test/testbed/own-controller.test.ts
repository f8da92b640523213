import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { Cleanup } from '../../labs/kit/check/cleanup.ts'
import { chooseEngine } from '../../src/quic/choose-engine.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../src/quic/quic.ts'
import { NewReno } from '../../src/quic/typescript/recovery/congestion/new-reno.ts'
import { Rtt } from '../../src/quic/typescript/recovery/rtt.ts'
import { TestbedError } from '../../src/testbed/orders.ts'
import { loadControl } from '../../src/testbed/own-controller.ts'
import { Testbed } from '../../src/testbed/testbed.ts'
import { skipWithoutQuiche } from '../support/quiche.ts'

const OPTIONS = { datagramSize: 1200, rtt: new Rtt(), random: Math.random }

/** A window that stays as it is, of a size that no other has. */
const FIXED = `export default class {
  name = 'fixed'
  window = 23_456
  slowStartThreshold = 1
  onSent() {}
  onAcked() {}
  onCongestion() {}
  onPersistentCongestion() {}
  onDatagramSize() {}
}`

describe("a congestion control of one's own", function () {
  this.timeout(60_000)
  const cleanup = new Cleanup()
  afterEach(() => cleanup.run())

  const file = (content: string): `${string}.ts` => {
    const folder = join(cleanup.scratch(), `${Math.random()}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'own.ts'), content)
    return `${folder}/own.ts`
  }

  it('is the class that a file exports; the names of others stay names', async () => {
    expect(await loadControl('bbr')).to.equal('bbr')
    const make = await loadControl('src/quic/typescript/recovery/congestion/new-reno.ts').catch(error => error)
    // It has no default export: what is asked for is said.
    expect(make).to.be.instanceOf(TestbedError)
    expect(make.message).to.match(/new-reno\.ts: expected a class as its default export, found none/)
    const shipped = await loadControl('experiments/controllers/gentle.ts')
    if (typeof shipped !== 'function') return expect.fail('it is a name')
    const controller = shipped(OPTIONS)
    expect(controller).to.deep.include({ name: 'gentle', window: new NewReno(OPTIONS).window })
    controller.onCongestion(10, 1200, 20)
    controller.onCongestion(15, 1200, 30)
    expect(controller.window).to.equal(10_800)
  })

  it('is refused with the reason when its file cannot be used', async () => {
    for (const [name, why] of [
      [file('export default 7'), /found number/],
      [file('export default class {'), /cannot be loaded/],
      ['nowhere/at-all.ts', /cannot be loaded/],
    ] as const) {
      const error = await loadControl(name).catch(error => error)
      expect(error).to.be.instanceOf(TestbedError)
      expect(error.message).to.match(why)
    }
  })

  it('is that of both ends of a tunnel, on the engine in TypeScript, and of one client in turn', async () => {
    const bed = await Testbed.start({
      profile: 'clean',
      seed: '1',
      clients: 2,
      connect: false,
      congestionControl: [file(FIXED), 'cubic'],
      server: { api: { enabled: true } },
    })
    try {
      for (const client of bed.clients) await client.connect()
      const windows = bed.clients.map(({ tunnel }) => tunnel?.quic?.paths().find(({ active }) => active)?.cwnd)
      expect(windows[0]).to.equal(23_456)
      expect(windows[1]).to.not.equal(23_456)
      for (const { tunnel } of bed.clients) expect(tunnel?.quic?.engineName).to.equal('typescript')
      const clients = (await (await fetch(`${bed.apiUrl}/api/v1/clients`)).json()) as { quic: { cwnd: number } }[]
      const ofProxy = clients.map(({ quic }) => quic.cwnd)
      expect(ofProxy.filter(cwnd => cwnd === 23_456)).to.have.length(1)
    } finally {
      await bed.close()
    }
  })

  it('is refused by quiche', async function () {
    skipWithoutQuiche.call(this)
    const { make } = await chooseEngine('quiche')
    const settings = { ...DEFAULT_QUIC_SETTINGS, congestionControl: () => new NewReno(OPTIONS) }
    expect(() => make({ role: 'client', settings, tls: {}, peerCertificate: 'any' })).to.throw(/of one's own/)
  })
})

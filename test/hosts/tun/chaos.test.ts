import { expect } from 'chai'
import { MasqueClient } from '../../../src/client/client.ts'
import { defaultClientConfig } from '../../../src/client/config.ts'
import { MacosTunDevice } from '../../../src/hosts/tun/macos/tun-device.ts'
import { OwnSettings } from '../../../src/hosts/tun/own-settings.ts'
import { TunHost } from '../../../src/hosts/tun/tun-host.ts'
import type { IpAddress } from '../../../src/ip/address.ts'
import { describePacket } from '../../../src/ip/packet.ts'
import type { MasqueServer } from '../../../src/server/server.ts'
import { ping } from '../../connect-ip/packets.ts'
import { testCertificates } from '../../support/certificates.ts'
import { listenForEscapes } from '../../support/chaos.ts'
import { addressOf, closeLoopback, connectClient, keepPinging, startServer, until } from '../../support/loopback.ts'
import { FakeMacos } from './macos/fake-macos.ts'

/** Only the victim uses these: the bystander's host is one in userspace. */
const CLASSES = { TunHost, MacosTunDevice, OwnSettings, FakeMacos }
/** What the fake itself is asked by this test. */
const OF_THE_TEST = new Set(['FakeMacos.utun', 'FakeMacos.wake', 'FakeMacos.takeCommands'])
const IPV4 = [0, 0, 0, 2]

/** Makes each method of the classes a place that can fail: `target` throws, and `called` has them all. */
function install() {
  const state = { target: undefined as string | undefined, called: new Set<string>(), thrown: 0 }
  const originals: [object, string, PropertyDescriptor][] = []
  for (const [className, { prototype }] of Object.entries(CLASSES)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      const key = `${className}.${name}`
      if (name === 'constructor' || OF_THE_TEST.has(key)) continue
      const guarded = <F extends (...values: never[]) => unknown>(original: F): F =>
        function (this: object, ...values: never[]) {
          state.called.add(key)
          if (state.target === key) {
            state.thrown++
            throw new Error(`chaos: ${key}`)
          }
          return original.apply(this, values)
        } as unknown as F
      const { value, get } = property
      if (typeof value !== 'function' && get === undefined) continue
      originals.push([prototype, name, property])
      const changed = get === undefined ? { ...property, value: guarded(value) } : { ...property, get: guarded(get) }
      Object.defineProperty(prototype, name, changed)
    }
  }
  return {
    state,
    uninstall(): void {
      for (const [prototype, name, property] of originals) Object.defineProperty(prototype, name, property)
    },
  }
}

describe('a fault anywhere in a TUN device, or in what the system does for it', () => {
  afterEach(closeLoopback)

  it('costs that client its tunnel at most, and neither the process nor anybody else’s', async function () {
    this.timeout(180_000)
    const escapes = listenForEscapes()
    const server = await startServer()
    const { client: bystander } = await connectClient(server)
    const others = keepPinging(bystander, '10.90.0.1')
    const { state, uninstall } = install()
    try {
      expect(await lifeOf(server)).to.equal('answered')
      const targets = [...state.called]
      expect(targets.length).to.be.above(20)
      for (const target of targets) {
        Object.assign(state, { target, thrown: 0 })
        await lifeOf(server)
        expect(state.thrown, target).to.be.above(0)
        state.target = undefined
        await until(() => server.status().tunnels === 1)
      }
      expect(escapes.errors).to.deep.equal([])
      // Nothing that failed is in the way of the next one.
      state.thrown = 0
      expect(await lifeOf(server)).to.equal('answered')
      expect(await others.stop()).to.be.above(20)
    } finally {
      uninstall()
      escapes.stop()
    }

    /** A client from its device to its end; a ping of the system in between. */
    async function lifeOf({ address }: MasqueServer): Promise<'answered' | 'failed'> {
      const macos = new FakeMacos()
      let host: TunHost | undefined
      let client: MasqueClient<TunHost> | undefined
      try {
        host = new TunHost(MacosTunDevice.open({ name: 'utun7' }, macos))
        client = new MasqueClient(await configOf(address), { host })
        const info = await client.connect()
        return await pingOfTheSystem(macos, addressOf(info, 4))
      } catch {
        return 'failed'
      } finally {
        for (const end of [() => client?.close(), () => host?.closed()])
          await Promise.resolve()
            .then(end)
            .catch(() => {})
        // What a fault has led to comes in the next turns of the event loop.
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    }

    async function pingOfTheSystem(macos: FakeMacos, own: IpAddress): Promise<'answered' | 'failed'> {
      const { watcher, toRead, written } = macos.utun('utun7')
      toRead.push(Buffer.from([...IPV4, ...ping(String(own), '10.90.0.1')]))
      try {
        watcher?.onReadable()
      } catch (error) {
        // As whoever watches a descriptor does.
        watcher?.onError(error)
      }
      const isAnswered = (): boolean => written.some(bytes => describePacket(bytes.subarray(4)).includes('echo reply'))
      await until(() => isAnswered() || state.thrown > 0)
      return isAnswered() ? 'answered' : 'failed'
    }
  })
})

async function configOf(address: MasqueServer['address']) {
  const { ca } = await testCertificates()
  return defaultClientConfig({
    proxy: { address, template: `https://localhost:${address.port}/.well-known/masque/ip/{target}/{ipproto}/` },
    tls: { ca },
    reconnect: { enabled: false },
    // Full with one packet, so that the device is paused, too.
    quic: { datagramQueue: 1 },
    log: { level: 'silent' },
  })
}

import { expect } from 'chai'
import type { InterfaceSettings } from '../../../../src/hosts/tun/device.ts'
import { TunError } from '../../../../src/hosts/tun/errors.ts'
import { WindowsTunDevice } from '../../../../src/hosts/tun/windows/tun-device.ts'
import { IpAddress } from '../../../../src/ip/address.ts'
import { IpPrefix } from '../../../../src/ip/prefix.ts'
import { until } from '../../../support/loopback.ts'
import { ACCESS_DENIED, FakeWindows } from './fake-windows.ts'

const address = (text: string) => ({ address: IpAddress.parse(text), length: text.includes(':') ? 128 : 32 })
const settings = (mtu: number, addresses: string[], routes: string[]): InterfaceSettings => ({
  mtu,
  addresses: addresses.map(address),
  routes: routes.map(text => IpPrefix.parse(text)),
})
const packet = (byte: number): Uint8Array => Uint8Array.of(0x45, byte & 0xff)

describe('a TUN device of Windows, on a fake of its system library', () => {
  let windows: FakeWindows
  const devices: WindowsTunDevice[] = []
  beforeEach(() => {
    windows = new FakeWindows()
  })
  afterEach(async () => {
    await Promise.all(devices.splice(0).map(device => device.close()))
    // On every way out: no handle, no adapter, no memory of a packet.
    expect([windows.adapters.size, windows.sessions.size, windows.events.size, windows.waits.length]).to.deep.equal([
      0, 0, 0, 0,
    ])
    expect(windows.memory.size).to.equal(0)
  })
  function open(name = 'masque%d'): WindowsTunDevice {
    const device = WindowsTunDevice.open({ name }, windows)
    devices.push(device)
    return device
  }
  function refused(name?: string): TunError {
    try {
      open(name)
    } catch (error) {
      if (error instanceof TunError) return error
      throw error
    }
    throw new Error(`${name} was opened`)
  }
  function started(name = 'masque0') {
    const device = open(name)
    const seen: number[][] = []
    const gone: string[] = []
    device.start({
      onPacket: bytes => seen.push([...bytes]),
      onFault() {},
      onRefused() {},
      onGone: why => gone.push(why),
    })
    return { device, seen, gone }
  }
  /** Prefixes of the routes that are set, and addresses, as Windows would show them. */
  const routes = (): string[] =>
    [...windows.routes.values()].map(row => {
      const v4 = row.readUInt16LE(12) === 2
      const bytes = Uint8Array.from(v4 ? row.subarray(16, 20) : row.subarray(20, 36))
      return `${IpAddress.from(v4 ? 4 : 6, bytes)}/${row[40]}`
    })
  const addresses = (): string[] =>
    [...windows.addresses.values()].map(row => {
      const v4 = row.readUInt16LE(0) === 2
      const bytes = Uint8Array.from(v4 ? row.subarray(4, 8) : row.subarray(8, 24))
      return `${IpAddress.from(v4 ? 4 : 6, bytes)}/${row[60]}`
    })

  it('has the name that was asked for, or the first free one, and is gone when it is closed', async () => {
    const named = open('Lab tunnel')
    expect(named).to.include({ name: 'Lab tunnel', index: 23 })
    expect(open().name).to.equal('masque0')
    expect(open().name).to.equal('masque1')
    await named.close()
    await named.close()
    expect(named.write(packet(1))).to.equal('closed')
    expect(named.configure(settings(1400, ['10.7.0.2'], []))).to.deep.equal([])
    expect(open('Lab tunnel').name).to.equal('Lab tunnel')
  })

  it('gets MTU, addresses and routes, of which only what differs is changed', () => {
    const device = open()
    const wanted = settings(1400, ['10.7.0.2', 'fd07::2'], ['10.8.0.0/16', 'fd08::/64'])
    expect(device.configure(wanted)).to.deep.equal([])
    expect([...windows.mtus.values()]).to.deep.equal([1400, 1400])
    expect(addresses()).to.deep.equal(['10.7.0.2/32', 'fd07::2/128'])
    expect(routes()).to.deep.equal(['10.8.0.0/16', 'fd08::/64'])
    // A row that was left alone is the same object.
    const before = [...windows.routes.values()][1]
    device.configure(settings(1400, ['10.7.0.2', 'fd07::2'], ['10.9.0.0/16', 'fd08::/64']))
    expect(routes()).to.have.members(['10.9.0.0/16', 'fd08::/64'])
    expect([...windows.routes.values()]).to.include(before)
    expect(device.configure({ addresses: [], routes: [], mtu: undefined })).to.deep.equal([])
    expect([routes(), addresses()]).to.deep.equal([[], []])
  })

  it('needs no IPv6, and leaves it out while the MTU is below 1280 bytes', () => {
    const device = open()
    expect(device.configure(settings(1200, ['10.7.0.2', 'fd07::2'], ['fd08::/64']))).to.deep.equal([])
    expect([windows.mtus.get(2), addresses(), routes()]).to.deep.equal([1200, ['10.7.0.2/32'], []])
    windows.mtus.delete(23)
    expect(device.configure(settings(1400, ['10.7.0.2'], []))).to.deep.equal([])
  })

  it('says in a sentence what was refused, goes on with the rest, and tries it again', () => {
    const device = open()
    windows.errors.set('createAddress', ACCESS_DENIED)
    windows.errors.set('createRoute', 5010)
    const wanted = settings(1400, ['10.7.0.2'], ['10.8.0.0/16'])
    expect(device.configure(wanted)).to.deep.equal([
      'masque0: 10.7.0.2/32 was refused (ERROR_ACCESS_DENIED): start the terminal as administrator',
      'masque0: route 10.8.0.0/16 exists already (ERROR_OBJECT_ALREADY_EXISTS): remove it, or use another',
    ])
    windows.errors.set('createRoute', 4711)
    windows.errors.delete('createAddress')
    expect(device.configure(wanted)).to.deep.equal(['masque0: route 10.8.0.0/16 was refused (error 4711 of Windows)'])
    expect(addresses()).to.deep.equal(['10.7.0.2/32'])
  })

  it('does not take an address that another interface has, and does not miss a route that is gone', () => {
    windows.local.push({ ...address('10.7.0.2'), on: 'Ethernet' })
    const device = open()
    expect(device.configure(settings(1400, ['10.7.0.2'], ['10.8.0.0/16']))).to.deep.equal([
      'masque0: 10.7.0.2 is an address of Ethernet already: remove it there, or have the proxy assign another',
    ])
    windows.routes.clear()
    expect(device.configure(settings(1400, [], []))).to.deep.equal([])
  })

  it('takes an address that it has itself, as the system lists it', () => {
    windows.local.push({ ...address('10.7.0.2'), on: 'masque0' })
    expect(open('masque0').configure(settings(1400, ['10.7.0.2'], []))).to.deep.equal([])
    expect(addresses()).to.deep.equal(['10.7.0.2/32'])
  })

  it('knows over which of its routes the system reaches an address', () => {
    const device = open()
    expect(device.routeTo(IpAddress.parse('192.0.2.1'))).to.equal(undefined)
    device.configure(settings(1400, ['10.7.0.2'], ['10.8.0.0/16']))
    windows.best = [...windows.routes.values()][0]
    const route = device.routeTo(IpAddress.parse('10.8.0.1'))
    expect([String(route?.prefix), route?.isOurs]).to.deep.equal(['10.8.0.0/16', true])
    windows.best.writeBigUInt64LE(1n, 0)
    expect(device.routeTo(IpAddress.parse('10.8.0.1'))?.isOurs).to.equal(false)
  })

  it('reads all packets of one wake-up, in order, and gives the ring its places back', async () => {
    const { seen } = started()
    windows.arrive('masque0', ...[1, 2, 3].map(packet))
    await until(() => seen.length === 3)
    windows.arrive('masque0', packet(4))
    await until(() => seen.length === 4)
    expect(seen).to.deep.equal([1, 2, 3, 4].map(byte => [...packet(byte)]))
    expect(windows.session('masque0').held.size).to.equal(0)
    // And waits again.
    await until(() => windows.waits.length === 1)
  })

  it('reads a bounded number of packets in one turn, and the rest in the next', async () => {
    const { seen } = started()
    windows.arrive('masque0', ...Array.from({ length: 300 }, (_, i) => packet(i)))
    const turns: number[] = []
    while (seen.length < 300) {
      turns.push(seen.length)
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(turns).to.include.members([128, 256])
  })

  it('writes packets, and says why one was not taken', () => {
    const { device } = started()
    windows.room = 1
    expect(device.write(packet(7))).to.equal(undefined)
    expect([...windows.session('masque0').written[0]]).to.deep.equal([...packet(7)])
    expect(device.write(packet(8))).to.equal('full')
    expect(device.write(new Uint8Array(65_536))).to.equal('too-large')
    windows.session('masque0').fault = 31
    expect(device.write(packet(9))).to.equal('refused')
  })

  it('says once that somebody has taken the adapter away, and that its ring is broken', async () => {
    const { device, gone } = started()
    windows.terminate('masque0')
    await until(() => gone.length > 0)
    expect(gone).to.deep.equal(['the TUN device masque0 is gone: somebody has removed it'])
    expect(device.write(packet(1))).to.equal('gone')
    const broken = started('other')
    windows.session('other').fault = 13
    windows.arrive('other')
    await until(() => broken.gone.length > 0)
    expect(broken.gone).to.deep.equal(['the TUN device other is gone: it cannot be read (ERROR_INVALID_DATA)'])
  })

  it('is gone for its reader when that throws, and the process goes on', async () => {
    const device = open()
    const gone: string[] = []
    device.start({
      onPacket() {
        throw new Error('a bug')
      },
      onFault() {},
      onRefused() {},
      onGone: why => gone.push(why),
    })
    windows.arrive('masque0', packet(1))
    await until(() => gone.length > 0)
    expect(gone).to.deep.equal(['masque0 cannot be read: a bug'])
  })

  it('is not read any more when it is closed while packets come', async () => {
    const device = open()
    const gone: string[] = []
    let packets = 0
    device.start({
      onPacket() {
        packets++
        void device.close()
      },
      onFault() {},
      onRefused() {},
      onGone: why => gone.push(why),
    })
    windows.arrive('masque0', ...Array.from({ length: 300 }, (_, i) => packet(i)))
    await until(() => packets > 0)
    await device.close()
    // Time for a read that was planned before.
    await new Promise(resolve => setImmediate(resolve))
    await new Promise(resolve => setImmediate(resolve))
    expect(packets).to.equal(1)
    expect(gone).to.deep.equal([])
  })

  it('is not called gone by the wait that ends when it is closed', async () => {
    const { device, gone } = started()
    expect(windows.waits).to.have.length(1)
    await device.close()
    expect(windows.waits).to.have.length(0)
    expect(gone).to.deep.equal([])
  })

  it('does not keep the process at its end', () => {
    started()
    expect(process.listeners('exit').length).to.be.greaterThan(0)
    process.listeners('exit').at(-1)?.(0)
    expect([...windows.events.values()]).to.include(true)
  })

  it('says in a sentence why there is none, and leaves nothing open', () => {
    expect(refused('a/b').message).to.include("'a/b' cannot be the name of an adapter: expected 1 to 127 letters")
    expect(refused('x'.repeat(128)).kind).to.equal('name')
    open('mine')
    expect(refused('mine').message).to.equal(
      'an adapter mine exists already: end the program that has made it, or choose another name',
    )
    windows.errors.set('createAdapter', ACCESS_DENIED)
    expect(refused('other').message).to.equal(
      'this user may not make the TUN device other (ERROR_ACCESS_DENIED): start the terminal as administrator',
    )
    windows.errors.delete('createAdapter')
    for (const step of ['startSession', 'createEvent']) {
      windows.errors.set(step, 4711)
      expect(refused('other').message).to.include('could not be made (error 4711 of Windows)')
      windows.errors.delete(step)
    }
    expect(open('other').name).to.equal('other')
  })
})

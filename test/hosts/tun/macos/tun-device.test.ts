import { expect } from 'chai'
import type { InterfaceSettings } from '../../../../src/hosts/tun/device.ts'
import { TunError } from '../../../../src/hosts/tun/errors.ts'
import { MacosTunDevice } from '../../../../src/hosts/tun/macos/tun-device.ts'
import { TunHost } from '../../../../src/hosts/tun/tun-host.ts'
import { IpAddress } from '../../../../src/ip/address.ts'
import { icmpEchoRequest } from '../../../../src/ip/icmp.ts'
import { IpPrefix } from '../../../../src/ip/prefix.ts'
import { FakeMacos } from './fake-macos.ts'

const address = (text: string) => ({ address: IpAddress.parse(text), length: text.includes(':') ? 128 : 32 })
const settings = (mtu: number, addresses: string[], routes: string[]): InterfaceSettings => ({
  mtu,
  addresses: addresses.map(address),
  routes: routes.map(text => IpPrefix.parse(text)),
})
const V4 = [0, 0, 0, 2]
// <errno.h> of macOS
const EINTR = 4
const ENOBUFS = 55
const packet = (byte: number): Uint8Array => Uint8Array.of(0x45, byte)
const framed = (byte: number): Buffer => Buffer.from([...V4, ...packet(byte)])

describe('a TUN device of macOS, on a fake of its system library', () => {
  let macos: FakeMacos
  beforeEach(() => {
    macos = new FakeMacos()
  })
  const open = (name = 'utun%d'): MacosTunDevice => MacosTunDevice.open({ name }, macos)
  const refused = (name?: string): TunError => {
    const before = macos.sockets.size
    try {
      open(name)
    } catch (error) {
      expect(macos.sockets.size, 'sockets that stay open').to.equal(before)
      if (error instanceof TunError) return error
      throw error
    }
    throw new Error(`${name} was opened`)
  }
  /** A device that is read, and what it has told. */
  function started(name?: string) {
    const device = open(name)
    const seen: number[][] = []
    const faults: string[] = []
    const gone: string[] = []
    device.start({
      onPacket: bytes => seen.push([...bytes]),
      onFault: reason => faults.push(reason),
      onRefused() {},
      onGone: why => gone.push(why),
    })
    return { device, seen, faults, gone }
  }

  it('has the name that was asked for, or the first free one, and is up', () => {
    expect(open('utun4')).to.include({ name: 'utun4', index: 17 })
    expect(open().name).to.equal('utun0')
    expect(open('masque%d').name).to.equal('utun1')
    expect(macos.takeCommands()).to.deep.equal(['ifconfig utun4 up', 'ifconfig utun0 up', 'ifconfig utun1 up'])
  })

  it('is gone when it is closed, and closed when nobody watches it any more', async () => {
    const { device } = started('utun4')
    await device.close()
    await device.close()
    expect(macos.sockets.size).to.equal(0)
    expect(device.write(packet(1))).to.equal('closed')
    expect(device.configure(settings(1400, ['10.7.0.2'], []))).to.deep.equal([])
    expect(open('utun4').name).to.equal('utun4')
  })

  it('gets MTU, addresses and routes, of which only what differs is changed', () => {
    const device = open('utun4')
    macos.takeCommands()
    const first = settings(1400, ['10.7.0.2', 'fd07::2'], ['10.8.0.0/16', 'fd08::/64'])
    expect(device.configure(first)).to.deep.equal([])
    expect(macos.takeCommands()).to.deep.equal([
      'ifconfig utun4 mtu 1400',
      'ifconfig utun4 inet 10.7.0.2/32 10.7.0.2 alias',
      'ifconfig utun4 inet6 fd07::2/128 alias',
      'route -n add -inet 10.8.0.0/16 -interface utun4',
      'route -n add -inet6 fd08::/64 -interface utun4',
    ])
    expect(device.configure(first)).to.deep.equal([])
    expect(macos.takeCommands()).to.deep.equal([])
    device.configure(settings(1400, ['10.7.0.2', 'fd07::2'], ['10.9.0.0/16', 'fd08::/64']))
    expect(macos.takeCommands()).to.deep.equal([
      'route -n delete -inet 10.8.0.0/16 -interface utun4',
      'route -n add -inet 10.9.0.0/16 -interface utun4',
    ])
    device.configure({ addresses: [], routes: [], mtu: undefined })
    expect(macos.takeCommands()).to.deep.equal([
      'route -n delete -inet6 fd08::/64 -interface utun4',
      'route -n delete -inet 10.9.0.0/16 -interface utun4',
      'ifconfig utun4 inet 10.7.0.2 -alias',
      'ifconfig utun4 inet6 fd07::2 -alias',
    ])
  })

  it('makes routes anew when the address changes that they hang on', () => {
    const device = open('utun4')
    device.configure(settings(1400, ['10.7.0.2', 'fd07::2'], ['10.8.0.0/16', 'fd08::/64']))
    macos.takeCommands()
    device.configure(settings(1400, ['10.7.0.3', 'fd07::2'], ['10.8.0.0/16', 'fd08::/64']))
    expect(macos.takeCommands()).to.deep.equal([
      'route -n delete -inet 10.8.0.0/16 -interface utun4',
      'ifconfig utun4 inet 10.7.0.2 -alias',
      'ifconfig utun4 inet 10.7.0.3/32 10.7.0.3 alias',
      'route -n add -inet 10.8.0.0/16 -interface utun4',
    ])
  })

  it('leaves IPv6 out while the MTU is below 1280 bytes', () => {
    const device = open('utun4')
    const wide = settings(1280, ['10.7.0.2', 'fd07::2'], ['fd08::/64'])
    device.configure(wide)
    macos.takeCommands()
    device.configure({ ...wide, mtu: 1200 })
    expect(macos.takeCommands()).to.deep.equal([
      'route -n delete -inet6 fd08::/64 -interface utun4',
      'ifconfig utun4 inet6 fd07::2 -alias',
      'ifconfig utun4 mtu 1200',
    ])
    device.configure(wide)
    expect(macos.takeCommands().slice(1)).to.deep.equal([
      'ifconfig utun4 inet6 fd07::2/128 alias',
      'route -n add -inet6 fd08::/64 -interface utun4',
    ])
  })

  it('says in a sentence what was refused, goes on with the rest, and tries it again', () => {
    const device = open('utun4')
    macos.answers.set('route -n add -inet 10.8', 'add net 10.8.0.0: gateway utun4: File exists\n')
    macos.answers.set('ifconfig utun4 inet6', new TunError('system', 'ifconfig has refused: permission denied'))
    const wanted = settings(1400, ['10.7.0.2', 'fd07::2'], ['10.8.0.0/16', '10.9.0.0/16'])
    expect(device.configure(wanted)).to.deep.equal([
      'utun4: ifconfig has refused: permission denied',
      'utun4: route add 10.8.0.0/16 was refused: File exists',
    ])
    expect(macos.takeCommands()).to.include('route -n add -inet 10.9.0.0/16 -interface utun4')
    macos.answers.clear()
    expect(device.configure(wanted)).to.deep.equal([])
    expect(macos.takeCommands()).to.deep.equal([
      'ifconfig utun4 inet6 fd07::2/128 alias',
      'route -n add -inet 10.8.0.0/16 -interface utun4',
    ])
  })

  it('tries again, too, to take away what it could not', () => {
    const device = open('utun4')
    device.configure(settings(1400, ['10.7.0.2'], ['10.8.0.0/16']))
    const nothing = { addresses: [], routes: [], mtu: undefined }
    macos.answers.set('route -n delete', new TunError('system', 'route has refused: permission denied'))
    macos.answers.set('ifconfig utun4 inet 10.7.0.2 -alias', new TunError('system', 'ifconfig has refused: busy'))
    expect(device.configure(nothing)).to.have.length(2)
    macos.answers.clear()
    macos.takeCommands()
    expect(device.configure(nothing)).to.deep.equal([])
    expect(macos.takeCommands()).to.deep.equal([
      'route -n delete -inet 10.8.0.0/16 -interface utun4',
      'ifconfig utun4 inet 10.7.0.2 -alias',
    ])
  })

  it('does not take an address that another interface has', () => {
    macos.local.push({ ...address('10.7.0.2'), on: 'en0' }, { ...address('10.7.0.3'), on: 'utun4' })
    const device = open('utun4')
    expect(device.configure(settings(1400, ['10.7.0.2', '10.7.0.3'], []))).to.deep.equal([
      'utun4: 10.7.0.2 is an address of en0 already: remove it there, or have the proxy assign another',
    ])
  })

  it('knows the local network that an address is in, the smallest one, and not its own', () => {
    const on = (text: string, length: number, name: string) =>
      macos.local.push({ address: IpAddress.parse(text), length, on: name })
    on('192.0.2.7', 16, 'en1')
    on('192.0.2.7', 24, 'en0')
    on('198.51.100.7', 24, 'utun4')
    const device = open('utun4')
    const route = device.routeTo(IpAddress.parse('192.0.2.1'))
    expect([String(route?.prefix), route?.isOurs]).to.deep.equal(['192.0.2.0/24', false])
    expect(device.routeTo(IpAddress.parse('198.51.100.1'))).to.equal(undefined)
    expect(device.routeTo(IpAddress.parse('fd00::1'))).to.equal(undefined)
  })

  it('reads all packets of one wake-up, without their headers, and counts what is none', () => {
    const { seen, faults } = started('utun4')
    macos
      .utun('utun4')
      .toRead.push(framed(1), framed(2), Buffer.from([0, 0]), Buffer.from([0, 0, 0, 9, 0x45]), framed(3))
    macos.wake('utun4')
    expect(seen).to.deep.equal([1, 2, 3].map(byte => [...packet(byte)]))
    expect(faults).to.deep.equal(['truncated', 'malformed'])
  })

  it('is there still when a read was interrupted, or the system had no memory for it', () => {
    const { seen, gone } = started('utun4')
    const utun = macos.utun('utun4')
    utun.failures.push(EINTR, ENOBUFS)
    utun.toRead.push(framed(1))
    for (let i = 0; i < 3; i++) macos.wake('utun4')
    expect([seen, gone]).to.deep.equal([[[...packet(1)]], []])
  })

  it('reads a bounded number of packets in one turn, and the rest in the next', () => {
    const { seen } = started('utun4')
    for (let i = 0; i < 300; i++) macos.utun('utun4').toRead.push(framed(i & 0xff))
    macos.wake('utun4')
    expect(seen).to.have.length(128)
    macos.wake('utun4')
    macos.wake('utun4')
    expect(seen).to.have.length(300)
  })

  it('stops to read when it is paused meanwhile, and goes on where it was', () => {
    const device = open('utun4')
    const seen: number[] = []
    device.start({
      onPacket(bytes) {
        seen.push(bytes.at(-1) as number)
        device.pause()
      },
      onFault() {},
      onRefused() {},
      onGone() {},
    })
    macos.utun('utun4').toRead.push(framed(1), framed(2))
    macos.wake('utun4')
    expect(seen).to.deep.equal([1])
    device.resume()
    macos.wake('utun4')
    expect(seen).to.deep.equal([1, 2])
  })

  it('stops to read when it is closed meanwhile', () => {
    const device = open('utun4')
    let packets = 0
    device.start({
      onPacket() {
        packets++
        void device.close()
      },
      onFault() {},
      onRefused() {},
      onGone() {},
    })
    macos.utun('utun4').toRead.push(framed(1), framed(2))
    macos.wake('utun4')
    expect(packets).to.equal(1)
  })

  it('writes packets with their headers, and says why one was not taken', () => {
    const { device } = started('utun4')
    macos.room = 1
    expect(device.write(packet(7))).to.equal(undefined)
    device.flush()
    expect(macos.utun('utun4').written).to.deep.equal([framed(7)])
    expect(device.write(packet(8))).to.equal('full')
    expect(device.write(Uint8Array.of(0x55))).to.equal('malformed')
    expect(device.write(new Uint8Array(65_536))).to.equal('too-large')
  })

  it('says once that the system has taken it away', () => {
    const { device, gone } = started('utun4')
    macos.utun('utun4').isRemoved = true
    macos.wake('utun4')
    macos.wake('utun4')
    expect(gone).to.deep.equal(['the TUN device utun4 is gone: the system has removed it'])
    expect(device.write(packet(1))).to.equal('gone')
  })

  it('says in a sentence why there is none, and leaves no socket open', () => {
    for (const name of ['masque0', 'utun', 'utun-1', 'utun01', '']) {
      expect(refused(name)).to.deep.include({ kind: 'name' })
      expect(refused(name).message).to.include('expected utun0, utun1 and so on')
    }
    open('utun4')
    expect(refused('utun4').message).to.equal(
      'the TUN device utun4 is in use by another process: choose another name, or utun%d',
    )
    macos.isRoot = false
    expect(refused('utun5').message).to.equal(
      'this user may not make the TUN device utun5 (EPERM): run as root, with sudo',
    )
    macos.hasUtun = false
    expect(refused('utun5').kind).to.equal('no-device')
    macos.hasUtun = true
    macos.isRoot = true
    macos.answers.set('ifconfig utun5 up', new TunError('system', 'ifconfig has refused: interface is busy'))
    expect(refused('utun5').message).to.equal('ifconfig has refused: interface is busy')
  })

  it('carries a ping between the system and a tunnel, as a host', () => {
    const device = open('utun4')
    const host = new TunHost(device)
    const sent: number[][] = []
    host.send = bytes => sent.push([...bytes])
    host.configure({ addresses: [IpAddress.parse('10.7.0.2')], routes: [], mtu: 1400 })
    const ends = { source: IpAddress.parse('10.7.0.2'), destination: IpAddress.parse('10.7.0.1'), id: 1, seq: 1 }
    const ping = icmpEchoRequest(ends, new Uint8Array(8))
    host.receive(ping)
    macos.utun('utun4').toRead.push(Buffer.from([...V4, ...ping]))
    macos.wake('utun4')
    expect(sent).to.deep.equal([[...ping]])
    expect(macos.utun('utun4').written).to.deep.equal([Buffer.from([...V4, ...ping])])
  })
})

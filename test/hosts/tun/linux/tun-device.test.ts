/** A device on a fake of Linux, whose calls fail; that of the real one is in device.tun.ts. */
import { expect } from 'chai'
import type { InterfaceSettings } from '../../../../src/hosts/tun/device.ts'
import { TunError } from '../../../../src/hosts/tun/errors.ts'
import { LinuxTunDevice } from '../../../../src/hosts/tun/linux/tun-device.ts'
import { OFFLOAD_HEADER } from '../../../../src/hosts/tun/offload.ts'
import { IpAddress } from '../../../../src/ip/address.ts'
import { IpPrefix } from '../../../../src/ip/prefix.ts'
import { encodeUdpPacket } from '../../../../src/ip/udp.ts'
import { E, FakeLinux } from './fake-linux.ts'

const address = (text: string) => ({ address: IpAddress.parse(text), length: text.includes(':') ? 128 : 32 })
const WANTED: InterfaceSettings = {
  mtu: 1400,
  addresses: ['10.7.0.2', 'fd07::2'].map(address),
  routes: ['10.8.0.0/16', 'fd08::/64'].map(text => IpPrefix.parse(text)),
}
const NOTHING_LEFT = { devices: 0, routeSockets: 0, linkWatches: 0 }
const packet = (byte: number): Buffer => Buffer.from([0x45, byte & 0xff])

describe('a TUN device of Linux, on a fake of its system calls', () => {
  let linux: FakeLinux
  beforeEach(() => {
    linux = new FakeLinux()
  })

  const open = (options: { name?: string; offload?: boolean } = {}): LinuxTunDevice =>
    LinuxTunDevice.open({ name: 'mine0', ...options }, linux)
  function refused(options: { name?: string; offload?: boolean } = {}): TunError {
    try {
      open(options)
    } catch (error) {
      if (error instanceof TunError) return error
      throw error
    }
    throw new Error('it was opened')
  }
  /** A device that is read, and what it has told. */
  function started(offload = false) {
    const device = open({ offload })
    const seen: number[][] = []
    const faults: string[] = []
    const refusals: [string, number][] = []
    const gone: string[] = []
    device.start({
      onPacket: bytes => seen.push([...bytes]),
      onFault: reason => faults.push(reason),
      onRefused: (reason, packets) => refusals.push([reason, packets]),
      onGone: why => gone.push(why),
    })
    return { device, seen, faults, refusals, gone }
  }

  describe('that cannot be made says why in one sentence, and leaves nothing:', () => {
    for (const [call, errno, kind, sentence] of [
      ['a routing socket', E.INVAL, 'system', /^a routing socket was refused \(EINVAL\)$/],
      ['interface mine0', E.NOMEM, 'system', /^interface mine0 was refused \(ENOMEM\)$/],
      ['open /dev/net/tun', E.PERM, 'no-rights', /^this user may not open \/dev\/net\/tun \(EPERM\): run as root/],
      ['open /dev/net/tun', E.IO, 'no-device', /^there are no TUN devices here, .* \(EIO\): load the module/],
      ['TUNSETIFF', E.PERM, 'no-rights', /^this user may not make the TUN device mine0 \(EPERM\): run as root/],
      ['TUNSETIFF', E.BUSY, 'busy', /^the TUN device mine0 is in use by another process: end that one/],
      ['TUNSETIFF', E.NOMEM, 'system', /^the TUN device mine0 was refused \(ENOMEM\): choose another name$/],
      ['no link-local address', E.NOBUFS, 'system', /^no link-local address was refused \(ENOBUFS\)$/],
      ['up true', E.PERM, 'no-rights', /^mine0 is down, and this user may not change that: have somebody run ip link/],
      ['up true', E.IO, 'system', /^up true was refused \(EIO\)$/],
    ] as const) {
      it(`${call} fails with error ${errno}`, () => {
        linux.fail(call, errno)
        const error = refused()
        expect(error).to.include({ kind })
        expect(error.message).to.match(sentence)
        expect(linux.left).to.deep.equal(NOTHING_LEFT)
        // And once the reason is gone, it can be had.
        expect(open().name).to.equal('mine0')
      })
    }

    it('it is gone again as soon as it was made', () => {
      linux.fail('TUNSETIFF', 0)
      const { ioctl } = linux
      linux.ioctl = (fd, request, argument) => {
        const result = ioctl.call(linux, fd, request, argument)
        linux.tun.name = 'renamed0'
        return result
      }
      expect(refused().message).to.equal('mine0 was made and is gone again: try once more')
      expect(linux.left).to.deep.equal(NOTHING_LEFT)
    })

    it('whichever call it is that fails, with offload and without', async () => {
      for (const offload of [false, true]) {
        linux = new FakeLinux()
        const whole = open({ offload })
        const calls = linux.calls.filter(call => !call.startsWith('settle')).length
        await whole.close()
        expect(calls).to.be.within(7, 12)
        for (let failing = 1; failing <= calls; failing++) {
          linux = new FakeLinux()
          linux.failing = failing
          const opened = ((): LinuxTunDevice | TunError => {
            try {
              return open({ offload })
            } catch (error) {
              if (error instanceof TunError) return error
              throw error
            }
          })()
          const what = linux.calls.at(-1)
          if (opened instanceof TunError) expect(opened.message, what).to.match(/^[^\n]{10,200}$/)
          else await opened.close()
          expect(linux.left, what).to.deep.equal(NOTHING_LEFT)
        }
      }
    })
  })

  it('sets what the kernel is to leave alone before the link is up, so that no router is looked for', () => {
    open()
    const steps = linux.calls.filter(call => /^(no link-local|settle|up)/.test(call))
    expect(steps).to.deep.equal(['no link-local address', 'settle mine0', 'up true'])
  })

  it('asks for less of an older kernel, and for nothing of one that knows no offload', async () => {
    const asked = () => linux.calls.filter(call => call.startsWith('TUNSETOFFLOAD'))
    linux.fail('TUNSETOFFLOAD 6f', E.INVAL)
    await open({ offload: true }).close()
    expect(asked()).to.deep.equal(['TUNSETOFFLOAD 6f', 'TUNSETOFFLOAD f'])
    linux.fail('TUNSETOFFLOAD 6f', E.INVAL)
    linux.fail('TUNSETOFFLOAD f', E.INVAL)
    expect(open({ offload: true }).name).to.equal('mine0')
  })

  describe('that cannot be set up says so, has the rest, and tries again with the next settings:', () => {
    for (const [call, told] of [
      ['mtu 1400', /^mine0: mtu 1400 was refused \(EBUSY\)$/],
      ['addresses', /^mine0: addresses was refused \(EBUSY\)$/],
      ['address 10.7.0.2', /^mine0: address 10\.7\.0\.2 was refused \(EBUSY\)$/],
      ['address fd07::2', /^mine0: address fd07::2 was refused \(EBUSY\)$/],
      ['routes', /^mine0: routes was refused \(EBUSY\)$/],
      ['route 10.8.0.0/16', /^mine0: route 10\.8\.0\.0\/16 was refused \(EBUSY\)$/],
    ] as const) {
      it(`${call} is refused`, async () => {
        const { device } = started()
        linux.fail(call, E.BUSY)
        const problems = device.configure(WANTED)
        expect(problems).to.have.length(1)
        expect(problems[0]).to.match(told)
        const { mtu, addresses, routes } = linux.tun
        const missing = [mtu !== 1400, addresses.length !== 2, routes.length !== 2].filter(Boolean)
        expect(missing).to.have.length(1)
        expect(device.configure(WANTED)).to.deep.equal([])
        expect(linux.tun.mtu).to.equal(1400)
        expect(linux.tun.addresses).to.have.deep.members(WANTED.addresses)
        expect(linux.tun.routes).to.have.deep.members(WANTED.routes)
        await device.close()
        expect(linux.left).to.deep.equal(NOTHING_LEFT)
      })
    }

    it('taking away is refused', () => {
      const { device } = started()
      device.configure(WANTED)
      const nothing = { addresses: [], routes: [], mtu: undefined }
      linux.fail('no address fd07::2', E.NOBUFS)
      linux.fail('no route 10.8.0.0/16', E.NOMEM)
      expect(device.configure(nothing)).to.deep.equal([
        'mine0: no address fd07::2 was refused (ENOBUFS)',
        'mine0: no route 10.8.0.0/16 was refused (ENOMEM)',
      ])
      expect(device.configure(nothing)).to.deep.equal([])
      expect(linux.tun).to.deep.include({ addresses: [], routes: [] })
    })

    it('the way to an address is not known: as if there were none', () => {
      const { device } = started()
      linux.fail('route to', E.NOMEM)
      expect(device.routeTo(IpAddress.parse('192.0.2.1'))).to.equal(undefined)
    })
  })

  describe('while it is read', () => {
    it('reads at most 128 packets in one turn, and the rest in the next', () => {
      const { seen } = started()
      for (let i = 0; i < 300; i++) linux.tun.toRead.push(packet(i))
      linux.wake()
      expect(seen).to.have.length(128)
      linux.wake()
      linux.wake()
      expect(seen).to.deep.equal(Array.from({ length: 300 }, (_, i) => [...packet(i)]))
    })

    it('is there still when there is nothing, a read was interrupted, or the system has no memory', () => {
      const { seen, gone } = started()
      linux.fail('read', E.AGAIN, E.INTR, E.NOBUFS, E.NOMEM)
      linux.tun.toRead.push(packet(1))
      for (let i = 0; i < 5; i++) linux.wake()
      expect([seen, gone]).to.deep.equal([[[...packet(1)]], []])
    })

    for (const [errno, why] of [
      [E.BADFD, 'somebody has removed it'],
      [E.NODEV, 'somebody has removed it'],
      [E.IO, 'it cannot be read (EIO)'],
    ] as const) {
      it(`is gone, once, and watched no longer, after error ${errno}`, async () => {
        const { device, seen, gone } = started()
        linux.fail('read', errno, errno)
        linux.tun.toRead.push(packet(1))
        linux.wake()
        expect(linux.tun.watcher).to.equal(undefined)
        linux.wake()
        expect([seen, gone]).to.deep.equal([[], [`the TUN device mine0 is gone: ${why}`]])
        await device.close()
        expect(linux.left).to.deep.equal(NOTHING_LEFT)
      })
    }

    it('is gone at the end of its file, whatever has failed before', () => {
      const { device, gone } = started()
      linux.fail('write', E.AGAIN)
      expect(device.write(packet(1))).to.equal('full')
      linux.read = () => 0
      linux.wake()
      expect(gone).to.deep.equal(['the TUN device mine0 is gone: somebody has removed it'])
    })

    it('is gone when it cannot be watched any more', () => {
      const { gone } = started()
      linux.tun.watcher?.onError(new Error('no poll'))
      expect(gone).to.deep.equal(['mine0 cannot be read: no poll'])
    })

    it('reads nothing more when it is closed, or paused, by what a packet has brought about', async () => {
      for (const end of ['close', 'pause'] as const) {
        linux = new FakeLinux()
        const device = open()
        let packets = 0
        device.start({
          onPacket() {
            packets++
            void device[end]()
          },
          onFault() {},
          onRefused() {},
          onGone() {},
        })
        linux.tun.toRead.push(packet(1), packet(2))
        linux.wake()
        expect(packets, end).to.equal(1)
        await device.close()
        expect(linux.left).to.deep.equal(NOTHING_LEFT)
      }
    })

    it('counts what is no packet with a header of offload, and reads on', () => {
      const { seen, faults, gone } = started(true)
      const whole = Buffer.concat([Buffer.alloc(OFFLOAD_HEADER), packet(7)])
      linux.tun.toRead.push(Buffer.alloc(3), Buffer.alloc(OFFLOAD_HEADER, 0xff), whole)
      linux.wake()
      expect([faults.length, seen, gone]).to.deep.equal([2, [[...packet(7)]], []])
    })
  })

  describe('when it is written to', () => {
    for (const [errno, reason] of [
      [E.AGAIN, 'full'],
      [E.NOBUFS, 'full'],
      [E.NOMEM, 'full'],
      [E.IO, 'down'],
      [E.INVAL, 'malformed'],
      [E.BADFD, 'gone'],
      [E.NODEV, 'gone'],
      [E.PERM, 'refused'],
    ] as const) {
      it(`says that the system did not take a packet: ${reason}, for error ${errno}`, () => {
        const { device } = started()
        linux.fail('write', errno)
        expect([device.write(packet(1)), device.write(packet(2))]).to.deep.equal([reason, undefined])
        expect(linux.tun.written).to.deep.equal([packet(2)])
      })
    }

    const [source, destination] = ['10.8.0.1', '10.7.0.2'].map(text => IpAddress.parse(text))
    const udp = (byte: number): Uint8Array =>
      encodeUdpPacket({ source, destination, sourcePort: 1000, destinationPort: 9 }, new Uint8Array(100).fill(byte))

    it('with offload tells of each packet of a batch that the system did not take', () => {
      const { device, refusals } = started(true)
      linux.fail('write', E.NOBUFS)
      for (let i = 0; i < 3; i++) expect(device.write(udp(i))).to.equal(undefined)
      device.flush()
      expect(refusals).to.deep.equal([['full', 3]])
      expect(linux.tun.written).to.deep.equal([])
    })

    it('with offload tries one by one what the system did not take together', () => {
      const { device, refusals } = started(true)
      // The batch, and then the second packet for itself.
      linux.fail('write', E.INVAL, 0, E.INVAL)
      for (let i = 0; i < 3; i++) device.write(udp(i))
      device.flush()
      expect(refusals).to.deep.equal([['malformed', 1]])
      expect(linux.tun.written.map(bytes => bytes.at(-1))).to.deep.equal([0, 2])
    })

    it('takes nothing when it is closed', async () => {
      const { device } = started(true)
      await device.close()
      device.flush()
      expect(device.write(packet(1))).to.equal('closed')
      expect(device.configure(WANTED)).to.deep.equal([])
      expect(device.routeTo(destination)).to.equal(undefined)
      await device.close()
      expect(linux.left).to.deep.equal(NOTHING_LEFT)
    })
  })
})

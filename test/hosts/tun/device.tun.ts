import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect } from 'chai'
import type { InterfaceSettings, TunDevice } from '../../../src/hosts/tun/device.ts'
import { TunError } from '../../../src/hosts/tun/errors.ts'
import { findLeftovers, undo } from '../../../src/hosts/tun/linux/host-changes.ts'
import { openTun } from '../../../src/hosts/tun/open-tun.ts'
import { Tun } from '../../../src/hosts/tun/tun.ts'
import { TunHost } from '../../../src/hosts/tun/tun-host.ts'
import { UserspaceHost } from '../../../src/hosts/userspace/userspace-host.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { internetChecksum, pseudoHeaderSum } from '../../../src/ip/checksum.ts'
import { icmpEchoReplyTo, icmpEchoRequest } from '../../../src/ip/icmp.ts'
import { encodeIpv6, IPV6_HEADER_LENGTH, IPV6_SOURCE_OFFSET } from '../../../src/ip/ipv6.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { IpProtocol } from '../../../src/ip/protocol.ts'
import { encodeUdpPacket } from '../../../src/ip/udp.ts'
import { until } from '../../support/loopback.ts'
import { endPrograms, ours, sh, start, startCommand, startScript, succeeds } from './network.ts'

const isRealRoot = process.getuid?.() === 0 && sh('cat /proc/self/uid_map').includes('4294967295')
const address = (text: string) => ({ address: IpAddress.parse(text), length: text.includes(':') ? 128 : 32 })
const settings = (mtu: number, addresses: string[], routes: string[]): InterfaceSettings => ({
  mtu,
  addresses: addresses.map(address),
  routes: routes.map(text => IpPrefix.parse(text)),
})

/** A router that offers itself for everything, and a prefix to take an address from (RFC 4861 §4.2). */
function routerAdvertisement(from: string, to: string): Uint8Array {
  const [source, destination] = [from, to].map(text => IpAddress.parse(text))
  const prefix = [3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...IpAddress.parse('2001:db8:bad::').bytes]
  const message = Uint8Array.of(134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, ...prefix)
  const bytes = encodeIpv6({ source, destination, nextHeader: IpProtocol.ICMPV6, hopLimit: 255 }, message)
  const sum = pseudoHeaderSum(bytes, IPV6_SOURCE_OFFSET, 32, IpProtocol.ICMPV6, message.length)
  const checksum = internetChecksum(bytes, IPV6_HEADER_LENGTH, message.length, sum)
  bytes.set([checksum >> 8, checksum & 0xff], IPV6_HEADER_LENGTH + 2)
  return bytes
}

describe('a TUN device of Linux', () => {
  const devices: TunDevice[] = []
  const open = (name?: string): TunDevice => {
    const device = openTun(name === undefined ? {} : { name })
    devices.push(device)
    return device
  }
  const refused = (name: string): TunError => {
    try {
      open(name)
    } catch (error) {
      if (error instanceof TunError) return error
      throw error
    }
    throw new Error(`${name} was opened`)
  }

  afterEach(async () => {
    await Promise.all(devices.splice(0).map(device => device.close()))
    await endPrograms()
  })

  it('has the name that was asked for, or the first free one, is up, and is gone when it is closed', async () => {
    const named = open('mine0')
    expect(open().name).to.equal('masque0')
    expect(open().name).to.equal('masque1')
    expect(sh('ip -o link show mine0')).to.include('UP')
    await named.close()
    await named.close()
    expect(succeeds('ip link show mine0')).to.equal(false)
    expect(open('mine0').name).to.equal('mine0')
  })

  it('gets addresses, routes and MTU, of which only what differs is changed', async () => {
    const device = open('mine0')
    expect(device.configure(settings(1400, ['10.7.0.2', 'fd07::2'], ['10.8.0.0/16', 'fd08::/64']))).to.deep.equal([])
    expect(sh('ip -o addr show mine0')).to.include('10.7.0.2/32').and.include('fd07::2/128')
    expect(sh('ip -o link show mine0')).to.include('mtu 1400')
    expect(sh('ip route get 10.8.1.1')).to.include('dev mine0').and.include('src 10.7.0.2')
    expect(sh('ip route get fd08::1')).to.include('dev mine0').and.include('src fd07::2')

    const monitor = start('ip', ['monitor', 'link', 'address', 'route'])
    // It is listening when it tells of a change.
    await until(() => {
      sh('ip link set lo mtu 65535')
      sh('ip link set lo mtu 65536')
      return monitor.output.includes('lo')
    })
    device.configure(settings(1400, ['10.7.0.2', 'fd07::2'], ['10.8.0.0/16', 'fd08::/64']))
    device.configure(settings(1400, ['10.7.0.2', 'fd07::2'], ['10.8.0.0/16', 'fd08::/64', '10.99.0.0/16']))
    await until(() => monitor.output.includes('10.99.0.0/16'))
    expect(monitor.output.split('\n').filter(line => line.includes('mine0'))).to.have.length(1)

    expect(device.configure(settings(1400, ['10.7.0.3'], []))).to.deep.equal([])
    expect(sh('ip -o addr show mine0')).to.include('10.7.0.3/32').and.not.include('10.7.0.2')
    expect(sh('ip route show dev mine0 proto 77')).to.equal('')
    expect(device.configure({ addresses: [], routes: [], mtu: undefined })).to.deep.equal([])
    expect(sh('ip -o -4 addr show mine0')).to.equal('')
  })

  it('leaves IPv6 out while the MTU is below 1280 bytes, and has it when it is no longer', () => {
    const device = open('mine0')
    expect(device.configure(settings(1200, ['10.7.0.2', 'fd07::2'], ['fd08::/64']))).to.deep.equal([])
    expect(sh('ip -o addr show mine0')).to.include('10.7.0.2').and.not.include('fd07')
    expect(device.configure(settings(1280, ['10.7.0.2', 'fd07::2'], ['fd08::/64']))).to.deep.equal([])
    expect(sh('ip -o addr show mine0')).to.include('fd07::2')
    expect(sh('ip -6 route show dev mine0')).to.include('fd08::/64')
  })

  it('is a stream in the shape of tuntap2, for whoever wants that', async () => {
    const tun = new Tun({ name: 'mine0' })
    const seen: Buffer[] = []
    tun.on('data', packet => seen.push(packet))
    tun.mtu = 1400
    tun.ipv4 = '10.7.0.2/24'
    tun.ipv6 = 'fd07::2/64'
    expect(tun).to.include({ name: 'mine0', mtu: 1400, ipv4: '10.7.0.2/24', ipv6: 'fd07::2/64', isUp: true })
    const answered = start('ping', ['-c1', '-W20', '10.7.0.9'])
    await until(() => seen.some(packet => packet[0] === 0x45 && packet[9] === 1))
    tun.write(icmpEchoReplyTo(seen.find(packet => packet[0] === 0x45 && packet[9] === 1) as Buffer))
    expect(await answered.ended).to.equal(0)
    expect(() => {
      tun.ipv4 = 'fd07::2'
    }).to.throw('is no IPv4 address')
    await tun.release()
    await tun.release()
    expect(tun.isUp).to.equal(false)
    expect(succeeds('ip link show mine0')).to.equal(false)
  })

  it('learns no routes and addresses from what comes out of the tunnel', async () => {
    const device = open('mine0')
    device.configure(settings(1400, ['10.7.0.2', 'fd07::2'], []))
    for (const to of ['fd07::2', 'ff02::1'])
      expect(device.write(routerAdvertisement('fe80::bad', to))).to.equal(undefined)
    device.flush()
    // It has come in and is counted; the kernel would have acted on it at once.
    expect(sh('ip -6 route show dev mine0')).not.to.match(/ ra |bad/)
    expect(sh('ip -6 addr show dev mine0')).not.to.include('bad')
    for (const key of ['accept_ra', 'accept_redirects', 'autoconf', 'router_solicitations']) {
      expect(sh(`cat /proc/sys/net/ipv6/conf/mine0/${key}`), key).to.equal('0\n')
    }
    for (const key of ['accept_redirects', 'secure_redirects', 'send_redirects']) {
      expect(sh(`cat /proc/sys/net/ipv4/conf/mine0/${key}`), key).to.equal('0\n')
    }
  })

  it('leaves alone what others have set on it', () => {
    const device = open('mine0')
    sh('ip route add 10.55.0.0/16 dev mine0')
    device.configure(settings(1400, ['10.7.0.2'], ['10.8.0.0/16']))
    device.configure(settings(1400, ['10.7.0.2'], []))
    expect(sh('ip route show dev mine0')).to.include('10.55.0.0/16')
  })

  it('leaves to the system a network to which it has a route of its own', async () => {
    sh('ip link add other0 type veth peer name other1')
    for (const end of ['other0', 'other1']) sh(`ip link set ${end} up`)
    sh('ip route add 10.8.0.0/16 dev other0')
    const device = open('mine0')
    expect(device.configure(settings(1400, ['10.7.0.2'], ['10.8.0.0/16']))).to.deep.equal([])
    expect(sh('ip route get 10.8.1.1')).to.include('dev other0')
    sh('ip link del other0')
    expect(sh('ip route get 10.8.1.1')).to.include('dev mine0')
  })

  it('brings pings of the system to a host in userspace and back, in both IP versions, for several devices at once', async () => {
    const pairs = [1, 2, 3].map(n => {
      const device = open(`mine${n}`)
      const system = new TunHost(device, { onProblem: sentence => expect.fail(sentence) })
      const far = new UserspaceHost({ addresses: [IpAddress.parse(`10.8.${n}.1`), IpAddress.parse(`fd08:${n}::1`)] })
      system.send = packet => far.receive(packet)
      far.send = packet => system.receive(packet)
      const addresses = [`10.7.${n}.2`, `fd07:${n}::2`].map(text => IpAddress.parse(text))
      const routes = [`10.8.${n}.0/24`, `fd08:${n}::/64`].map(text => IpPrefix.parse(text).toRange())
      system.configure({ addresses, routes, mtu: 1400 })
      return { system, far, n }
    })
    const pings = pairs.flatMap(({ n }) =>
      [`10.8.${n}.1`, `fd08:${n}::1`].map(to => start('ping', ['-c3', '-i0.05', '-W20', to])),
    )
    expect(await Promise.all(pings.map(({ ended }) => ended))).to.deep.equal([0, 0, 0, 0, 0, 0])
    for (const { system, far } of pairs) {
      expect(far.counters.echoRequestsAnswered).to.equal(6)
      expect(system.counters).to.deep.include({ sent: 6, received: 6 })
    }
  })

  it('reads many packets after one wake-up, none of them lost or changed', async () => {
    const device = open('mine0')
    const seen: number[] = []
    device.start({
      onPacket: packet => {
        if (packet.length === 28 + 4 && packet[0] === 0x45) seen.push(Buffer.from(packet).readUInt32BE(28))
      },
      onFault: reason => expect.fail(reason),
      onRefused: reason => expect.fail(reason),
      onGone: why => expect.fail(why),
    })
    device.configure(settings(1400, ['10.7.0.2'], ['10.8.0.0/16']))
    const socket = createSocket('udp4')
    const bytes = Buffer.alloc(4)
    for (let i = 0; i < 400; i++) {
      bytes.writeUInt32BE(i)
      socket.send(Buffer.from(bytes), 9, '10.8.0.1')
    }
    await until(() => seen.length === 400)
    expect(seen).to.deep.equal(Array.from({ length: 400 }, (_, i) => i))
    socket.close()
  })

  it('loses none of many small packets that are written at once, with offload', async () => {
    const device = openTun({ name: 'mine0', offload: true })
    devices.push(device)
    const fail = (reason: string): never => expect.fail(reason)
    device.start({ onPacket() {}, onFault: fail, onRefused: fail, onGone: fail })
    device.configure(settings(1400, ['10.7.0.2'], ['10.8.0.0/16']))
    const socket = createSocket('udp4')
    let arrived = 0
    socket.on('message', () => arrived++)
    socket.bind(2000, '10.7.0.2')
    await once(socket, 'listening')
    try {
      const [source, destination] = ['10.8.0.1', '10.7.0.2'].map(text => IpAddress.parse(text))
      const packet = encodeUdpPacket(
        { source, destination, sourcePort: 1000, destinationPort: 2000 },
        new Uint8Array(1),
      )
      // More than any kernel takes as one, and fewer than the socket has room for.
      for (let i = 0; i < 140; i++) device.write(packet)
      device.flush()
      await until(() => arrived === 140)
    } finally {
      socket.close()
    }
  })

  it('takes whatever bytes there are to write, and says why not', () => {
    const device = open('mine0')
    expect(device.write(new Uint8Array(0))).to.equal('malformed')
    expect(device.write(new Uint8Array(40))).to.equal('malformed')
    expect(device.write(new Uint8Array(70_000).fill(0x45))).to.equal('too-large')
    sh('ip link set mine0 down')
    expect(device.write(new Uint8Array(40).fill(0x45))).to.equal('down')
  })

  it('with offload says of how many packets the system has taken none', () => {
    const device = openTun({ name: 'mine0', offload: true })
    devices.push(device)
    const refused: [string, number][] = []
    device.start({
      onPacket() {},
      onFault() {},
      onRefused: (reason, packets) => refused.push([reason, packets]),
      onGone() {},
    })
    const [source, destination] = ['10.8.0.1', '10.7.0.2'].map(text => IpAddress.parse(text))
    const packet = encodeUdpPacket({ source, destination, sourcePort: 1000, destinationPort: 9 }, new Uint8Array(100))
    sh('ip link set mine0 down')
    for (let i = 0; i < 3; i++) expect(device.write(packet)).to.equal(undefined)
    device.flush()
    const all = refused.reduce((sum, [, packets]) => sum + packets, 0)
    expect([all, ...new Set(refused.map(([reason]) => reason))]).to.deep.equal([3, 'down'])
  })

  it('has its addresses and routes again when somebody has taken it down and up, however fast', async () => {
    const problems: string[] = []
    const host = new TunHost(open('mine0'), { onProblem: sentence => problems.push(sentence) })
    const addresses = ['10.7.0.2', 'fd07::2'].map(text => IpAddress.parse(text))
    const routes = ['10.8.0.0/16', 'fd08::/64'].map(text => IpPrefix.parse(text).toRange())
    host.configure({ addresses, routes, mtu: 1400 })
    const state = (): string =>
      sh('ip -o addr show mine0') + sh('ip route show dev mine0') + sh('ip -6 route show dev mine0')
    const before = state()
    for (let times = 1; times <= 2; times++) {
      sh('ip link set mine0 down')
      expect(state()).not.to.equal(before)
      // In between it hears of that, or it does not.
      if (times === 1) await until(() => problems.length > 0)
      sh('ip link set mine0 up')
      await until(() => state() === before)
    }
    expect(problems[0]).to.match(/^mine0 was taken down/)
    await host.closed()
  })

  it('tells that somebody has removed it, and the process goes on', async () => {
    const device = open('mine0')
    const problems: string[] = []
    const host = new TunHost(device, { onProblem: sentence => problems.push(sentence) })
    sh('ip link del mine0')
    await until(() => problems.length > 0)
    expect(problems[0]).to.match(/mine0 is gone: somebody has removed it/)
    const [source, destination] = ['10.8.0.1', '10.7.0.2'].map(text => IpAddress.parse(text))
    host.receive(icmpEchoRequest({ source, destination, id: 1, seq: 1 }, new Uint8Array(8)))
    expect(host.counters.refused).to.deep.equal({ gone: 1 })
    host.configure({ addresses: [IpAddress.parse('10.7.0.2')], routes: [], mtu: 1400 })
    await host.closed()
  })

  for (const [how, code, status] of [
    ['at its end', '', 0],
    ['by process.exit()', 'process.exit(3)', 3],
    ['by an error that nobody catches', "throw new Error('a bug')", 1],
    ['by SIGTERM', "process.kill(process.pid, 'SIGTERM')", null],
    ['by SIGKILL', "process.kill(process.pid, 'SIGKILL')", null],
  ] as const) {
    it(`is gone with addresses and routes when its process ends ${how}`, async () => {
      const program = startScript(`
        import { openTun } from '${ours('src/hosts/tun/open-tun.ts')}'
        import { TunHost } from '${ours('src/hosts/tun/tun-host.ts')}'
        import { IpAddress } from '${ours('src/ip/address.ts')}'
        import { IpPrefix } from '${ours('src/ip/prefix.ts')}'
        const host = new TunHost(openTun({ name: 'mine0' }))
        host.configure({ addresses: [IpAddress.parse('10.7.0.2')], routes: [IpPrefix.parse('10.8.0.0/16').toRange()], mtu: 1400 })
        process.once('SIGUSR2', () => { ${code === '' ? 'host.close()' : code} })
        console.log('ready')`)
      await until(() => program.output.includes('ready'))
      expect(sh('ip route')).to.include('10.8.0.0/16')
      program.process.kill('SIGUSR2')
      expect(await program.ended, program.output).to.equal(status)
      expect(succeeds('ip link show mine0')).to.equal(false)
      expect(sh('ip route')).not.to.include('10.8.0.0/16')
    })
  }

  describe('that cannot be had says why in one sentence, and what to do', () => {
    it('names that the kernel does not take', () => {
      for (const name of [
        '',
        'sixteen-letters-',
        'a b',
        'a/b',
        'a:b',
        '.',
        '..',
        'x%s',
        '%d%d',
        'ü'.repeat(8),
        'a"b',
        'e*',
        'e+',
        '-x',
        'ö',
        'a;b',
      ]) {
        const error = refused(name)
        expect(error.kind, name).to.equal('name')
        expect(error.message).to.include('expected 1 to 15 letters, digits')
      }
    })

    it('the name of another kind of interface', () => {
      expect(refused('lo').message).to.match(/interface lo exists and is no TUN device: choose another name/)
      sh('ip tuntap add tap7 mode tap')
      expect(refused('tap7').message).to.include('TAP device')
      sh('ip link del tap7')
    })

    it('a device that another process has', () => {
      open('mine0')
      expect(refused('mine0')).to.include({ kind: 'busy' })
      expect(refused('mine0').message).to.include('in use by another process')
    })

    it('an address that another interface has', () => {
      sh('ip addr add 10.7.0.2/32 dev lo')
      const problems = open('mine0').configure(settings(1400, ['10.7.0.2', '10.7.0.3'], []))
      sh('ip addr del 10.7.0.2/32 dev lo')
      expect(problems).to.have.length(1)
      expect(problems[0]).to.match(/^mine0: 10\.7\.0\.2 is an address of lo already/)
      expect(sh('ip -o addr show mine0')).to.include('10.7.0.3')
    })

    it('a route that another client of this machine has made', () => {
      open('mine0').configure(settings(1400, ['10.7.0.2'], ['10.8.0.0/16', 'fd08::/64']))
      const problems = open('mine1').configure(
        settings(1400, ['10.7.0.3'], ['10.8.0.0/16', 'fd08::/64', '10.9.0.0/16']),
      )
      expect(problems).to.deep.equal([
        'mine1: a route to 10.8.0.0/16 exists already (EEXIST): remove it, or use another (and so 1 more)',
      ])
      expect(sh('ip route get 10.8.1.1')).to.include('dev mine0')
      expect(sh('ip route get 10.9.1.1')).to.include('dev mine1')
    })

    it('no /dev/net/tun', async () => {
      const program = startScript(
        `import { openTun } from '${ours('src/hosts/tun/open-tun.ts')}'
         try { openTun() } catch (error) { console.log(error.name, error.kind, error.message) }`,
        ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs tmpfs /dev/net && exec "$@"', 'sh'],
      )
      await program.ended
      expect(program.output).to.match(/^TunError no-device .*modprobe tun/)
    })
  })

  describe('that is persistent', () => {
    const use = (end: string): string => `
      import { openTun } from '${ours('src/hosts/tun/open-tun.ts')}'
      import { TunHost } from '${ours('src/hosts/tun/tun-host.ts')}'
      import { IpAddress } from '${ours('src/ip/address.ts')}'
      import { IpPrefix } from '${ours('src/ip/prefix.ts')}'
      const host = new TunHost(openTun({ name: 'per0' }), { onProblem: console.log })
      host.configure({
        addresses: ['10.89.0.2', 'fd00:89::2'].map(text => IpAddress.parse(text)),
        routes: ['0.0.0.0/0', '::/0'].map(text => IpPrefix.parse(text).toRange()),
        mtu: 1400,
      })
      console.log('set')
      ${end}`
    const killed = "process.kill(process.pid, 'SIGKILL')"
    const state = (): string =>
      [
        'ip -o addr show per0',
        'ip -o link show per0',
        'ip route show table all dev per0',
        'ip -6 route show table all dev per0',
        'grep -r --exclude=stable_secret . /proc/sys/net/ipv4/conf/per0 /proc/sys/net/ipv6/conf/per0',
      ]
        // Whether somebody reads from it shows in a few words for a moment longer.
        .map(line =>
          sh(line)
            .replace(/ (state|qdisc|qlen) \w+|linkdown /g, '')
            .replace(/valid_lft.*/g, ''),
        )
        .join('\n')
    const program = async (end: string): Promise<void> => {
      const { ended, output } = startScript(use(end))
      const status = await ended
      expect(status, output).to.equal(end === killed ? null : 0)
    }

    for (const isUp of [true, false]) {
      describe(isUp ? 'and up' : 'and down', () => {
        let before: string
        beforeEach(() => {
          sh('ip tuntap add per0 mode tun')
          sh('ip link set per0 mtu 1450')
          sh('ip addr add 10.33.0.1/24 dev per0')
          if (isUp) sh('ip link set per0 up')
          if (isUp) sh('ip -6 addr add fd33::1/64 dev per0 nodad')
          before = state()
        })
        afterEach(() => sh('ip link del per0'))

        it('is given back as it was found', async () => {
          await program('await host.closed()')
          expect(state()).to.equal(before)
          expect(findLeftovers().found).to.deep.equal([])
        })

        it('is put back by doctor after its program was killed', async () => {
          await program(killed)
          expect(state()).not.to.equal(before)
          const doctor = startCommand(['doctor'])
          expect(await doctor.ended, doctor.output).to.equal(0)
          expect(doctor.output).to.include('the TUN device per0').and.include('undone')
          expect(state()).to.equal(before)
        })

        it('is given back as it was found by whoever uses it next, after one was killed', async () => {
          await program(killed)
          await program('await host.closed()')
          expect(state()).to.equal(before)
          expect(findLeftovers().found).to.deep.equal([])
        })
      })
    }

    it('is left alone by doctor while somebody uses it, and when another has its name', async () => {
      sh('ip tuntap add per0 mode tun')
      await program(killed)
      const [leftover] = findLeftovers().found
      const other = startScript(use('setInterval(() => {}, 1000)'))
      await until(() => other.output.includes('set'))
      expect(undo(leftover)).to.deep.equal([])
      expect(sh('ip -o addr show per0')).to.include('10.89.0.2')
      other.process.kill('SIGKILL')
      await other.ended
      sh('ip link del per0')
      sh('ip tuntap add per0 mode tun')
      sh('ip addr add 10.33.0.1/24 dev per0')
      for (const found of findLeftovers().found) expect(undo(found)).to.deep.equal([])
      expect(sh('ip -o addr show per0')).to.include('10.33.0.1')
      sh('ip link del per0')
    })
  })

  describe('made for a user', () => {
    const asNobody = [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      '--inh-caps=-all',
      '--bounding-set=-all',
      // Its cache is in a folder that is ours alone.
      'env',
      'TSX_DISABLE_CACHE=1',
    ]
    const asUser = (code: string) =>
      startScript(
        `import { openTun } from '${ours('src/hosts/tun/open-tun.ts')}'
         import { TunHost } from '${ours('src/hosts/tun/tun-host.ts')}'
         import { IpAddress } from '${ours('src/ip/address.ts')}'
         try { ${code} } catch (error) { console.log(error.name, error.kind, error.message) }`,
        asNobody,
      )

    before(function () {
      if (isRealRoot) return
      console.log('skipped: only root can become another user')
      this.skip()
    })
    afterEach(() => {
      if (succeeds('ip link show users0')) sh('ip link del users0')
    })

    it('is used by that user without rights, as it was set up, and stays', async () => {
      sh('ip tuntap add users0 mode tun user 65534')
      sh('ip addr add 10.7.0.2/32 dev users0')
      sh('ip link set users0 mtu 1400 up')
      const program = asUser(`
        const host = new TunHost(openTun({ name: 'users0' }), { onProblem: sentence => console.log('problem', sentence) })
        host.configure({ addresses: [IpAddress.parse('10.7.0.2')], routes: [], mtu: 1400 })
        host.configure({ addresses: [IpAddress.parse('10.7.0.9')], routes: [], mtu: 1400 })
        await host.closed()
        console.log('closed')`)
      expect(await program.ended, program.output).to.equal(0)
      const said = program.output.trim().split('\n')
      expect(said).to.have.length(2)
      expect(said[0]).to.match(/^problem users0: the address 10\.7\.0\.2\/32 was refused \(EPERM\): that needs root/)
      expect(said[1]).to.equal('closed')
      expect(sh('ip -o addr show users0')).to.include('10.7.0.2')
    })

    it('is refused to another one, and so is making one', async () => {
      sh('ip tuntap add users0 mode tun user 1234')
      sh('ip link set users0 up')
      const other = asUser(`openTun({ name: 'users0' })`)
      await other.ended
      expect(other.output).to.match(/^TunError no-rights .*for the user with id 1234, and this one has 65534/)
      const none = asUser(`openTun({ name: 'mine0' })`)
      await none.ended
      expect(none.output).to.match(/^TunError no-rights .*ip tuntap add mine0 mode tun user nobody/)
      const pattern = asUser('openTun()')
      await pattern.ended
      expect(pattern.output).to.match(/ip tuntap add masque0 mode tun user nobody .*say --tun masque0/)
    })

    it('is out of reach of a user to whom /dev/net/tun is closed', async () => {
      sh('ip tuntap add users0 mode tun user 65534')
      sh('chmod 600 /dev/net/tun')
      try {
        const program = asUser(`openTun({ name: 'users0' })`)
        await program.ended
        expect(program.output).to.match(
          /^TunError no-rights this user may not open \/dev\/net\/tun \(EACCES\): .*chmod 666/,
        )
      } finally {
        sh('chmod 666 /dev/net/tun')
      }
    })

    it('with several queues is used when nobody else has one of them', async () => {
      sh('ip tuntap add users0 mode tun multi_queue user 65534')
      sh('ip link set users0 up')
      const code = `
        const device = openTun({ name: 'users0' })
        console.log('open')
        device.start({ onPacket() {}, onFault() {}, onRefused() {}, onGone() {} })`
      const first = asUser(code)
      await until(() => first.output.includes('open'))
      const second = asUser(code)
      await second.ended
      expect(second.output).to.match(/^TunError busy .*in use by another process/)
      first.process.kill('SIGKILL')
      await once(first.process, 'close')
    })
  })
})

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeTestCertificates, type TestCertificates } from '../../src/cert/make-certificates.ts'
import type { MasqueClient } from '../../src/client/client.ts'
import type { ClientConfigOverrides } from '../../src/client/config.ts'
import { ClientError } from '../../src/client/errors.ts'
import { FlowSource } from '../../src/hosts/userspace/flow.ts'
import type { UserspaceHost } from '../../src/hosts/userspace/userspace-host.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { TcpBypass } from '../../src/link/emulator/tcp-bypass.ts'
import { EmulatorError } from '../../src/link/emulator/udp-socket.ts'
import type { SocketAddress } from '../../src/net/udp.ts'
import { hashToken } from '../../src/server/auth.ts'
import { TwoPaths } from '../../src/testbed/two-paths.ts'
import { UdpRelay } from '../../src/testbed/udp-relay.ts'
import { closeHostilePeers, type HostileProxy, startHostileProxy } from '../support/hostile-peer.ts'
import {
  addressOf,
  clientCertificate,
  closeLoopback,
  connectClient,
  failure,
  keepPinging,
  newClient,
  PATIENT,
  ping,
  startServer,
  until,
} from '../support/loopback.ts'
import { expectNamesOfTheirOwn, namesSaid } from '../support/said-names.ts'

const AUTO: ClientConfigOverrides = { tunnel: { carrier: 'auto' } }
const RECONNECT = { enabled: true, knockMs: 20, initialDelayMs: 20, maxDelayMs: 100 }
/** So soon it is looked again whether h3 works. */
const SOON = { carrierTiming: { firstPause: 20, longestPause: 20 } }
/** The same once. */
const ONCE_SOON = { carrierTiming: { firstPause: 20, longestPause: 60_000 } }
/** However busy this machine is: what works has the time to show it. */
const PATIENTLY = { carrierTiming: { ...SOON.carrierTiming, headStart: 2000 } }

type Server = Awaited<ReturnType<typeof startServer>>

describe('a client that finds its carrier by itself', () => {
  const cleanup: (() => unknown)[] = []
  afterEach(async () => {
    await closeLoopback()
    await closeHostilePeers()
    for (const undo of cleanup.splice(0).reverse()) await undo()
  })

  /** What carries UDP, and TCP on the same port to `to`. Where somebody else has that port of TCP, UDP gets another one. */
  const besideTcp = async <T extends { close(): unknown }>(
    openUdp: () => Promise<T>,
    addressOf: (udp: T) => SocketAddress,
    to: SocketAddress,
  ): Promise<T> => {
    for (let tries = 1; ; tries++) {
      const udp = await openUdp()
      cleanup.push(() => udp.close())
      try {
        const bypass = await TcpBypass.open(addressOf(udp), to)
        cleanup.push(() => bypass.close())
        return udp
      } catch (error) {
        if (!(error instanceof EmulatorError) || tries === 10) throw error
      }
    }
  }
  const relayBesideTcp = (to: SocketAddress, tcpTo: SocketAddress, passes?: UdpRelay['passes']) =>
    besideTcp(
      () => UdpRelay.open(to, passes),
      ({ address }) => address,
      tcpTo,
    )

  /** A network between client and proxy, with one address for UDP and TCP, that blocks UDP when it is told to. */
  const network = async (server: Pick<Server, 'address'>, { udp = true, tcp = true, rttMs = 2 } = {}) => {
    const open = () => TwoPaths.open(server.address, rttMs)
    const paths = tcp ? await besideTcp(open, ({ first }) => first, server.address) : await open()
    if (!tcp) cleanup.push(() => paths.close())
    if (!udp) paths.cut('first')
    return { at: { address: paths.first }, block: () => paths.cut('first'), free: () => paths.heal('first') }
  }

  const addresses = ({ info }: Pick<MasqueClient, 'info'>) => info.assigned.map(String)

  /** As if the proxy had said nothing of handovers. */
  const knowsNoHandover = ({ tunnel }: MasqueClient) => Object.defineProperty(tunnel, 'canHandOver', { value: false })

  it('uses h3 where that works, and leaves nothing of h2 behind', async () => {
    const server = await startServer()
    const { client, info } = await connectClient(server, AUTO, PATIENTLY)
    expect(info.carrier).to.equal('h3')
    expect(client.carriers).to.deep.equal({ current: 'h3', tries: 0, changes: 0 })
    expect(server.status()).to.include({ connections: 1, tunnels: 1, tunnelsTotal: 1 })
  })

  it('uses h2 where UDP is a black hole: one tunnel, one lease, and no connection that waits', async () => {
    const server = await startServer()
    const { at } = await network(server, { udp: false })
    const { client, info } = await connectClient(at, AUTO)
    expect(info).to.include({ carrier: 'h2', encapsulation: 'single-stream' })
    await ping(client, '10.90.0.1')
    expect(server.status()).to.include({ connections: 1, tunnels: 1, tunnelsTotal: 1 })
  })

  it('uses h2 at once where nobody listens at the UDP port', async () => {
    const server = await startServer()
    // Without the proxy's own UDP behind it, a port of TCP alone: the system answers with ICMP.
    const bypass = await TcpBypass.open({ host: '127.0.0.1', port: 0 }, server.address)
    cleanup.push(() => bypass.close())
    expect((await connectClient(bypass, AUTO)).info.carrier).to.equal('h2')
  })

  it('says of both why there is no tunnel', async () => {
    const server = await startServer()
    const { at } = await network(server, { udp: false, tcp: false })
    const client = await newClient(at, AUTO, { timeouts: { connectMs: 600, graceMs: 100 } })
    const error = await failure(client.connect(), ClientError)
    expect(error).to.include({ kind: 'timeout', retryable: true })
    // Which of them comes first depends on how busy the machine is.
    expect(
      error.message
        .split(/; (?=over h)/)
        .sort()
        .join('; '),
    ).to.match(/^over h2: nobody listens at .*; over h3: no tunnel after 0\.6 s: no answer from /)
  })

  it('does not ask again over h2 what a proxy has refused over h3', async () => {
    const proxy = await startHostileProxy({
      onRequest: (peer, streamId) => {
        peer.h3.respond(streamId, [[':status', '503']])
        peer.flush()
      },
    })
    const error = await failure((await newClient(proxy, AUTO, PATIENTLY)).connect(), ClientError)
    expect(error).to.include({ kind: 'http', status: 503 })
    expect(error.message).to.match(/^over h3: the proxy refused the tunnel with status 503$/)
    expect(proxy.peers.length).to.equal(1)
  })

  describe('that meets somebody with another certificate', () => {
    let directory: string
    let others: TestCertificates
    before(async () => {
      directory = mkdtempSync(join(tmpdir(), 'masque-test-auto-'))
      // Of a CA that the client does not know.
      others = await makeTestCertificates(directory)
    })
    after(() => rmSync(directory, { recursive: true, force: true }))

    const impostor = () => startServer({ tls: { certificate: others.server, key: others.serverKey } })

    it('AT-30 over h2, where h3 is blocked: does not trust it, says so, and gives up', async () => {
      const { at } = await network(await impostor(), { udp: false })
      const client = await newClient(at, AUTO)
      const error = await failure(client.connect(), ClientError)
      expect(error).to.include({ kind: 'tls', retryable: false })
      expect(error.tlsAlert?.name).to.equal('unknown_ca')
      expect(error.message).to.match(
        /^over h2: we do not trust the proxy: its certificate was not signed by a CA that we know.*; over h3: no answer so far$/,
      )
    })

    it('AT-30 over h3: does not look whether h2 has a better one', async () => {
      const proxy = await startServer()
      const other = await impostor()
      const relay = await relayBesideTcp(other.address, proxy.address)
      const error = await failure((await newClient(relay, AUTO, PATIENTLY)).connect(), ClientError)
      expect(error).to.include({ kind: 'tls' })
      expect(error.message).to.match(/^over h3: we do not trust the proxy/)
      expect(proxy.status()).to.include({ connections: 0, tunnelsTotal: 0 })
    })

    it('AT-30 over h3, while its tunnel is over h2: stays there', async () => {
      const proxy = await startServer()
      const other = await impostor()
      let isOpen = false
      const relay = await relayBesideTcp(other.address, proxy.address, () => isOpen)
      const { client } = await connectClient(relay, AUTO, SOON)
      isOpen = true
      const [why] = await once(client, 'carrierNotChanged')
      expect(why).to.match(/^we do not trust the proxy/)
      expect(client.carriers).to.include({ current: 'h2', changes: 0, lastFailure: why })
      await ping(client, '10.90.0.1')
    })

    it('AT-30 over h2, when UDP dies under its tunnel: does not go there, and says so', async () => {
      const proxy = await startServer()
      const other = await impostor()
      let passes = true
      const relay = await relayBesideTcp(proxy.address, other.address, () => passes)
      const quic = { idleTimeoutMs: 3_600_000, keepAliveMs: 1000 }
      const { client } = await connectClient(relay, { ...AUTO, quic }, PATIENTLY)
      const stayed = once(client, 'carrierNotChanged')
      passes = false
      const [why] = await stayed
      expect(why).to.match(/^we do not trust the proxy/)
      expect(client.carriers).to.include({ current: 'h3', changes: 0 })
      expect(other.status()).to.include({ tunnelsTotal: 0 })
    })
  })

  describe('whose UDP is blocked while the tunnel is over h3', () => {
    /** Nothing ends by itself in this test; but each second something is sent that has to be answered. */
    const IDLE = { idleTimeoutMs: 3_600_000, keepAliveMs: 1000 }
    const downsOf = (client: MasqueClient) => {
      const downs: unknown[] = []
      client.on('down', error => downs.push(error))
      return downs
    }

    it('goes on over h2 with the addresses that it had, and is back over h3 when UDP works again', async () => {
      const server = await startServer({ auth: { mode: 'mtls' } })
      const { at, block, free } = await network(server)
      const { client } = await connectClient(
        at,
        { ...AUTO, reconnect: RECONNECT, quic: IDLE, tls: await clientCertificate('client') },
        PATIENTLY,
      )
      const before = addresses(client)
      expect(client.info.carrier).to.equal('h3')
      const downs = downsOf(client)
      const left = once(client, 'carrierChanged')
      block()
      const [away] = await left
      expect(away).to.include({ from: 'h3', to: 'h2' })
      // Without anything that came, for so long.
      expect(away.ms).to.be.greaterThan(1000)
      expect(client.info.carrier).to.equal('h2')
      expect(addresses(client)).to.deep.equal(before)
      await ping(client, '10.90.0.1')

      const changed = once(client, 'carrierChanged')
      free()
      const [change] = await changed
      expect(change).to.include({ from: 'h2', to: 'h3', ms: 0 })
      expect(addresses(client)).to.deep.equal(before)
      expect(downs).to.deep.equal([])
      await ping(client, '10.90.0.1')
      await until(() => server.status().connections === 1)
      expect(server.status()).to.include({ tunnels: 1 })
    })

    it('has one tunnel at a time, and its addresses, when that happens again and again', async () => {
      const server = await startServer()
      const { at, block, free } = await network(server)
      const { client } = await connectClient(at, { ...AUTO, reconnect: RECONNECT, quic: IDLE }, PATIENTLY)
      const before = addresses(client)
      const downs = downsOf(client)
      for (let i = 0; i < 3; i++) {
        const left = once(client, 'carrierChanged')
        block()
        await left
        expect(client.info.carrier).to.equal('h2')
        const changed = once(client, 'carrierChanged')
        free()
        await changed
        expect(client.info.carrier).to.equal('h3')
        expect(addresses(client)).to.deep.equal(before)
      }
      await ping(client, '10.90.0.1')
      // None was granted in vain.
      await until(() => server.status().tunnels === 1)
      expect(client.carriers.changes).to.equal(6)
      expect(server.status().tunnelsTotal).to.equal(1 + 6)
      expect(downs).to.deep.equal([])
    })

    it('goes on over h2 with its addresses where the proxy knows no handover', async () => {
      const server = await startServer()
      const { at, block } = await network(server)
      const { client } = await connectClient(at, { ...AUTO, quic: IDLE }, PATIENTLY)
      knowsNoHandover(client)
      const before = addresses(client)
      const left = once(client, 'carrierChanged')
      block()
      const [away] = await left
      expect(away).to.include({ from: 'h3', to: 'h2' })
      expect(away.ms).to.be.greaterThan(1000)
      expect(addresses(client)).to.deep.equal(before)
      await ping(client, '10.90.0.1')
    })

    /** A network that lets UDP pass when it is told to, and holds each connection of TCP until it is told what to do with it. */
    const heldTcp = async (server: Server) => {
      let passes = true
      const listener = createServer({ pauseOnConnect: true })
      await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve))
      cleanup.push(() => listener.close())
      const { port } = listener.address() as AddressInfo
      const relay = await relayBesideTcp(server.address, { host: '127.0.0.1', port }, () => passes)
      const held = once(listener, 'connection') as Promise<[Socket]>
      const letPass = (socket: Socket) => {
        const onward = connect(server.address)
        socket.on('error', () => onward.destroy()).on('close', () => onward.destroy())
        onward.on('error', () => socket.destroy()).on('close', () => socket.destroy())
        socket.pipe(onward).pipe(socket)
      }
      return { relay, held, letPass, block: () => (passes = false), free: () => (passes = true) }
    }

    it('stays on h3 when that answers again while h2 is tried', async () => {
      const server = await startServer()
      const { relay, held, block, free } = await heldTcp(server)
      const { client } = await connectClient(relay, { ...AUTO, quic: IDLE }, PATIENTLY)
      const downs = downsOf(client)
      const stayed = once(client, 'carrierNotChanged')
      block()
      await held
      expect(client.info.carrier).to.equal('h3')
      free()
      const [why] = await stayed
      expect(why).to.equal('h3 answers again')
      expect(client.carriers).to.include({ current: 'h3', changes: 0 })
      await ping(client, '10.90.0.1')
      expect(downs).to.deep.equal([])
      expect(server.status()).to.include({ tunnels: 1, tunnelsTotal: 1 })
    })

    it('stays on h3 when that answers only as h2 could be asked for a tunnel', async () => {
      const server = await startServer()
      const { relay, held, letPass, block, free } = await heldTcp(server)
      const { client } = await connectClient(relay, { ...AUTO, quic: IDLE }, PATIENTLY)
      const stayed = once(client, 'carrierNotChanged')
      block()
      const [socket] = await held
      free()
      letPass(socket)
      const [why] = await stayed
      expect(why).to.equal('h3 answers again')
      expect(client.carriers).to.include({ current: 'h3', changes: 0 })
      expect(server.status()).to.include({ tunnels: 1, tunnelsTotal: 1 })
    })

    it('is lost at the idle timeout, and tries again, when nothing answers over h2 either', async () => {
      const server = await startServer()
      const { relay, held, block } = await heldTcp(server)
      const { client } = await connectClient(
        relay,
        { ...AUTO, reconnect: RECONNECT, quic: { idleTimeoutMs: 4000, keepAliveMs: 500 } },
        PATIENTLY,
      )
      const [down, reconnecting] = [once(client, 'down'), once(client, 'reconnecting')]
      block()
      await held
      const [error] = await down
      expect(error.message).to.match(/nothing was heard from the peer/)
      await reconnecting
    })
  })

  it('says the same name in each of its requests', async () => {
    const newOne = (proxy: HostileProxy) => newClient(proxy, AUTO, PATIENTLY)
    expectNamesOfTheirOwn(
      await namesSaid(async proxy => {
        const one = await newOne(proxy)
        return [one, one, await newOne(proxy)]
      }),
    )
  })

  it('stays on h2 while h3 gets no further than its handshake', async () => {
    const server = await startServer()
    const quiet = await startHostileProxy({ onConnection: () => {} })
    const relay = await relayBesideTcp(quiet.address, server.address)
    const { client, info } = await connectClient(relay, AUTO)
    expect(info.carrier).to.equal('h2')
    await ping(client, '10.90.0.1')
    await until(() => quiet.peers.every(peer => peer.recorder.closed))
  })

  describe('that goes over to another carrier, while the proxy knows how', () => {
    /** It is not looked for h3 but when the test says so. */
    const BY_HAND = { carrierTiming: { firstPause: 600_000, longestPause: 600_000, headStart: 2000 } }
    const HOST = IpAddress.parse('10.90.0.1')
    /** Packets of a flow that may be under way: however busy this machine is, no queue is full. */
    const MOST_UNDER_WAY = 150

    it('loses no packet of either direction, from h3 to h2 and back, again and again', async () => {
      const server = await startServer()
      const { at } = await network(server, { rttMs: 20 })
      const { client, info } = await connectClient(at, AUTO, BY_HAND)
      expect(info.carrier).to.equal('h3')
      const downs: unknown[] = []
      client.on('down', error => downs.push(error))
      const own = addressOf(info, 4)
      const host = server.host('echo') as UserspaceHost
      // The proxy may still search for the MTU of its direction: until it is known, packets of this size are refused, not lost.
      const whole = { size: 1172, timeoutMs: 100 }
      await until(() => host.ping(own, whole).catch(() => {}))
      const flow = (
        source: IpAddress,
        destination: IpAddress,
        from: (packet: Uint8Array) => void,
        to: UserspaceHost,
      ) => {
        const packets = new FlowSource({ source, destination, flowId: 1 })
        const received = () => to.flowSink(1)?.received ?? 0
        return {
          send: () => packets.sent - received() < MOST_UNDER_WAY && from(packets.next(0).slice()),
          arrived: () => received() === packets.sent,
          summary: () => to.flowSink(1)?.summary(packets.sent),
        }
      }
      const flows = [
        flow(own, HOST, packet => client.sendPacket(packet), host),
        flow(HOST, own, packet => host.send(packet), client.host),
      ]
      const sending = setInterval(() => {
        for (const each of flows) for (let i = 0; i < 10; i++) each.send()
      }, 1)
      cleanup.push(() => clearInterval(sending))
      const before = addresses(client)
      for (const carrier of ['h2', 'h3', 'h2', 'h3'] as const) {
        expect(await client.goOverTo(carrier)).to.equal(true)
        expect(client.carriers).to.deep.include({ current: carrier })
        expect(client.carriers.last).to.include({ to: carrier, ms: 0 })
        expect(addresses(client)).to.deep.equal(before)
        // The tunnel before is left, and with it all that was under way there.
        await until(() => server.status().tunnels === 1)
      }
      clearInterval(sending)
      await until(() => flows.every(each => each.arrived())).catch(() => {})
      for (const each of flows) {
        expect(each.summary()).to.include({ lost: 0, duplicates: 0 })
        expect(each.summary()?.received).to.be.greaterThan(100)
      }
      expect(downs).to.deep.equal([])
      expect(server.clients()[0]?.addresses).to.have.members(before.map(text => text.replace(/\/.*/, '')))
    })

    it('gets its packets where it is when nothing has been sent since', async () => {
      const server = await startServer({ tunnel: { linkProbe: 'off' } })
      const { at } = await network(server)
      const { client, info } = await connectClient(at, { tunnel: { carrier: 'auto', linkProbe: 'off' } }, BY_HAND)
      expect(await client.goOverTo('h2')).to.equal(true)
      await until(() => server.clients().some(({ carrier, addresses }) => carrier === 'h2' && addresses.length > 0))
      await server.host('echo')?.ping(addressOf(info, 4), PATIENT)
    })

    it('is where it was, and has lost nothing, when the other carrier leaves the request unanswered', async () => {
      const server = await startServer()
      const quiet = await startHostileProxy({})
      let isOpen = false
      const relay = await relayBesideTcp(quiet.address, server.address, () => isOpen)
      const { client } = await connectClient(relay, AUTO, { ...BY_HAND, timeouts: { connectMs: 60_000, graceMs: 100 } })
      isOpen = true
      const train = keepPinging(client, HOST)
      expect(await client.goOverTo('h3')).to.equal(false)
      expect(client.carriers.lastFailure).to.match(/^no answer to the request/)
      expect(await train.stop()).to.be.greaterThan(0)
      expect(client.info.carrier).to.equal('h2')
    })

    it('is where it was, and has lost nothing, when the other carrier refuses the tunnel', async () => {
      const server = await startServer()
      const refusing = await startHostileProxy({
        onRequest: (peer, streamId) => {
          peer.h3.respond(streamId, [[':status', '403']])
          peer.flush()
        },
      })
      let isOpen = false
      const relay = await relayBesideTcp(refusing.address, server.address, () => isOpen)
      const { client } = await connectClient(relay, AUTO, BY_HAND)
      isOpen = true
      const train = keepPinging(client, HOST)
      const [[why]] = await Promise.all([once(client, 'carrierNotChanged'), client.goOverTo('h3')])
      expect(why).to.match(/status 403/)
      expect(await train.stop()).to.be.greaterThan(0)
      expect(client.info.carrier).to.equal('h2')
    })

    it('has its addresses when the proxy has no room for two tunnels of it', async () => {
      const tokens = [{ identity: 'alice', sha256: hashToken('token-of-alice'), maxTunnels: 1 }]
      const server = await startServer({ auth: { mode: 'token', tokens } })
      const { at } = await network(server)
      const { client } = await connectClient(at, { ...AUTO, auth: { token: 'token-of-alice' } }, BY_HAND)
      const before = addresses(client)
      const downs: unknown[] = []
      client.on('down', error => downs.push(error))
      expect(await client.goOverTo('h2')).to.equal(true)
      expect(addresses(client)).to.deep.equal(before)
      await ping(client, HOST)
      expect(downs).to.deep.equal([])
      expect(server.status().tunnels).to.equal(1)
    })

    it('does not, by itself or told so, where its carrier was chosen', async () => {
      const { client } = await connectClient(await startServer())
      expect(await client.goOverTo('h2')).to.equal(false)
    })
  })

  it('goes back to h3 with its addresses where the proxy knows no handover', async () => {
    const server = await startServer()
    const { at, free } = await network(server, { udp: false })
    const { client } = await connectClient(at, AUTO, PATIENTLY)
    knowsNoHandover(client)
    const before = addresses(client)
    const changed = once(client, 'carrierChanged')
    free()
    const [change] = await changed
    expect(change.to).to.equal('h3')
    expect(change.ms).to.be.greaterThan(0)
    expect(addresses(client)).to.deep.equal(before)
    await ping(client, '10.90.0.1')
  })

  it('is over h2 again within seconds when h3 leaves the request unanswered for which the tunnel was given up', async () => {
    const server = await startServer()
    const quiet = await startHostileProxy({})
    let isOpen = false
    const relay = await relayBesideTcp(quiet.address, server.address, () => isOpen)
    const { client } = await connectClient(
      relay,
      { ...AUTO, reconnect: RECONNECT },
      { ...ONCE_SOON, timeouts: { connectMs: 60_000, graceMs: 100 } },
    )
    knowsNoHandover(client)
    const before = addresses(client)
    const [down, up] = [once(client, 'down'), once(client, 'up')]
    isOpen = true
    const [error] = await down
    expect(error.message).to.match(/^the tunnel was to go on over h3, and that has failed: no answer to the request/)
    await up
    expect(client.info.carrier).to.equal('h2')
    expect(addresses(client)).to.deep.equal(before)
  })

  it('is over h2 again when h3 refuses the tunnel that was to move there', async () => {
    const server = await startServer()
    let answers = 0
    const refusing = await startHostileProxy({
      onRequest: (peer, streamId) => {
        answers++
        peer.h3.respond(streamId, [[':status', '403']])
        peer.flush()
      },
    })
    let isOpen = false
    const relay = await relayBesideTcp(refusing.address, server.address, () => isOpen)
    // h2, which comes first after the refusal, is to be there before h3 is asked again.
    const carrierTiming = { ...ONCE_SOON.carrierTiming, headStart: 2000 }
    const { client } = await connectClient(relay, { ...AUTO, reconnect: RECONNECT }, { carrierTiming })
    knowsNoHandover(client)
    const before = addresses(client)
    const [down, up] = [once(client, 'down'), once(client, 'up')]
    isOpen = true
    const [error] = await down
    expect(error).to.include({ kind: 'tunnel' })
    expect(error.message).to.match(/^the tunnel was to go on over h3, and that has failed: .* status 403/)
    await up
    expect(client.info.carrier).to.equal('h2')
    expect(addresses(client)).to.deep.equal(before)
    expect(answers).to.equal(1)
  })

  it('closes all that is under way when it is closed, in whatever it is doing', async () => {
    const server = await startServer()
    const { at } = await network(server, { udp: false })
    const connecting = await newClient(at, AUTO)
    const outcome = failure(connecting.connect(), ClientError)
    await connecting.close()
    expect(await outcome).to.include({ kind: 'tunnel' })
    const { client } = await connectClient(at, AUTO, SOON)
    await until(() => client.carriers.tries > 0)
    await client.close()
    await until(() => server.status().connections === 0)
    expect(server.status()).to.include({ tunnels: 0 })
  })
})

import { expect } from 'chai'
import { CLIENT_NAME_HEADER, HANDOVER_HEADER } from '../../src/carriers/client-name.ts'
import { H3ServerConnection } from '../../src/carriers/h3/server-connection.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { ConnectIpSession } from '../../src/connect-ip/session.ts'
import type { Header } from '../../src/http/header.ts'
import { FrameType } from '../../src/http3/frames.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { type HandlerContext, MasqueHandler, type OpenTunnel } from '../../src/server/masque-handler.ts'
import { packet } from '../connect-ip/packets.ts'
import { CONNECT_IP, controlStream, frame, headersFrame } from '../http3/conversation.ts'
import { FakeQuic } from '../support/fake-quic.ts'
import { newHandlerContext } from '../support/handler-context.ts'
import { until } from '../support/loopback.ts'

const NAME = 'c2VjcmV0LW9mLWEtY2xpZQ'
const settle = () => new Promise(resolve => setImmediate(resolve))

describe('a client that comes back while the proxy still has its tunnel', () => {
  /** A proxy to which clients come by connections of their own. `who` is the identity of the next one. */
  const proxy = (changes: Partial<HandlerContext> = {}) => {
    const state = { who: undefined as string | undefined }
    let connections = 0
    const { context, pools, tunnels } = newHandlerContext({
      authorise: () => ({ allowed: true, identity: state.who, maxTunnels: 1 }),
      ...changes,
    })
    context.tunnelsOf = identity => [...tunnels.values()].filter(tunnel => tunnel.identity === identity).length
    /** A tunnel is asked for by a new connection, and this address for it. */
    const come = async (name: string | undefined, address = '0.0.0.0', target = '*', isHandover = false) => {
      const quic = Object.assign(new FakeQuic('server'), { id: String(++connections) })
      const transport = new H3ServerConnection(quic)
      new MasqueHandler(transport, context)
      transport.onEstablished()
      transport.onStreamData(2, controlStream([0x33, 1]), false)
      const asked = CONNECT_IP.map(
        ([key, value]): Header => [key, key === ':path' ? value.replace('*', target) : value],
      )
      const headers: Header[] = name === undefined ? asked : [...asked, [CLIENT_NAME_HEADER, name]]
      if (isHandover) headers.push([HANDOVER_HEADER, '?1'])
      transport.onStreamData(0, headersFrame(headers), false)
      await settle()
      const request = encodeAddressRequest([{ requestId: 1n, prefix: IpPrefix.parse(`${address}/32`) }])
      transport.onStreamData(0, frame(FrameType.DATA, [...request]), false)
      await settle()
      const routes = new ConnectIpSession({ role: 'client', now: () => 0 }).advertiseRoutes([])
      return Object.assign(quic, {
        send: (bytes: Uint8Array) => transport.onStreamData(0, frame(FrameType.DATA, [...bytes]), false),
        /** The client goes over to this tunnel. */
        goOver: () => transport.onStreamData(0, frame(FrameType.DATA, [...routes]), false),
        end: () => transport.onStreamData(0, new Uint8Array(0), true),
        mtu: () => transport.onMaxDatagramLength(),
        packet: (bytes: Uint8Array) => transport.onDatagram(Uint8Array.of(0, 0, ...bytes)),
      })
    }
    const addresses = () => [...tunnels.values()].flatMap(({ proxyTunnel }) => proxyTunnel.addresses.map(String))
    const handOver = (name: string | undefined = NAME, address?: string, target?: string) =>
      come(name, address, target, true)
    return { state, come, handOver, addresses, pools, tunnels, context }
  }
  const reset = ({ commands }: FakeQuic) => commands.some(command => command.startsWith('reset 0 '))

  for (const who of [undefined, 'alice']) {
    it(`gets its addresses, and the tunnel before ends, ${who === undefined ? 'without an identity' : 'even where it may have one tunnel only'}`, async () => {
      const { state, come, addresses, pools } = proxy()
      state.who = who
      const first = await come(NAME)
      const before = addresses()
      const second = await come(NAME, before[0])
      expect(addresses()).to.deep.equal(before)
      expect([reset(first), reset(second)]).to.deep.equal([true, false])
      expect(pools[4].used).to.equal(1)
    })
  }

  it('ends no tunnel of another identity, whose name it has got to know', async () => {
    const { state, come, addresses, tunnels } = proxy()
    state.who = 'alice'
    const first = await come(NAME)
    const [before] = addresses()
    state.who = 'mallory'
    await come(NAME, before)
    expect(reset(first)).to.equal(false)
    expect(addresses()[0]).to.equal(before)
    expect(tunnels.size).to.equal(2)
  })

  for (const [title, name] of [
    ['without a name', undefined],
    ['with another name', 'YW5vdGhlci1jbGllbnQtaQ'],
    ['with what is no name', 'x'],
    ['with a list of names', `${NAME}, ${NAME}`],
  ] as const) {
    it(`ends no tunnel ${title}`, async () => {
      const { come, addresses, tunnels } = proxy({
        authorise: () => ({ allowed: true, identity: undefined, maxTunnels: 9 }),
      })
      const first = await come(NAME)
      await come(name, addresses()[0])
      expect(reset(first)).to.equal(false)
      expect(tunnels.size).to.equal(2)
    })
  }

  it('has the addresses of the tunnel before at once, so that nobody else can ask for them first', async () => {
    const { come, addresses } = proxy({ authorise: () => ({ allowed: true, identity: undefined, maxTunnels: 9 }) })
    await come(undefined)
    await come(NAME)
    const [other, before] = [addresses().slice(0, 2), addresses().slice(2)]
    await come(NAME)
    expect(addresses()).to.deep.equal([...other, ...before])
  })

  it('ends no tunnel by a request that has waited since before that was asked for', async () => {
    let found = (_: IpAddress[]): void => {}
    const { come, tunnels } = proxy({
      authorise: () => ({ allowed: true, identity: undefined, maxTunnels: 9 }),
      resolve: () =>
        new Promise(resolve => {
          found = resolve
        }),
    })
    await come(NAME, '0.0.0.0', 'slow.example')
    const later = await come(NAME)
    found([IpAddress.parse('10.90.0.1')])
    await settle()
    await settle()
    expect(reset(later)).to.equal(false)
    expect(tunnels.size).to.equal(2)
  })

  it('ends no tunnel when its request is refused', async () => {
    let allowed = true
    const { come, addresses } = proxy({
      authorise: () =>
        allowed
          ? { allowed, identity: undefined, maxTunnels: 9 }
          : { allowed: false, status: 403, reason: 'this identity may not' },
    })
    const first = await come(NAME)
    allowed = false
    await come(NAME)
    expect(reset(first)).to.equal(false)
    expect(addresses().length).to.equal(1)
  })

  describe('and goes over to another one', () => {
    const ROOM = { authorise: () => ({ allowed: true as const, identity: undefined, maxTunnels: 9 }) }
    /** Who has the addresses, in the order in which the tunnels were asked for. */
    const holders = (tunnels: ReadonlyMap<string, OpenTunnel>) =>
      [...tunnels.values()].map(({ proxyTunnel }) => proxyTunnel.addresses.map(String).join())

    it('has them in the tunnel before until it does, and then in the new one', async () => {
      const { come, handOver, pools, tunnels } = proxy(ROOM)
      const first = await come(NAME)
      const [address] = holders(tunnels)
      const second = await handOver()
      expect(reset(first)).to.equal(false)
      expect(holders(tunnels)).to.deep.equal([address, ''])
      expect([...tunnels.values()].map(({ proxyTunnel }) => proxyTunnel.assigned.map(String))).to.deep.equal([
        [address],
        [address],
      ])
      second.goOver()
      expect(holders(tunnels)).to.deep.equal(['', address])
      first.end()
      expect(holders(tunnels)).to.deep.equal([address])
      expect(pools[4].used).to.equal(1)
    })

    it('has them in the tunnel before until the MTU of the new one is known: what fits there is not lost here', async () => {
      const { come, handOver, tunnels } = proxy(ROOM)
      await come(NAME)
      const [address] = holders(tunnels)
      const second = await handOver()
      second.pathMtuSettled = false
      second.goOver()
      second.packet(packet(address as string, '10.89.0.1'))
      expect(holders(tunnels)).to.deep.equal([address, ''])
      second.pathMtuSettled = true
      second.mtu()
      expect(holders(tunnels)).to.deep.equal(['', address])
    })

    it('has them in the new one after a second, if its MTU is searched for that long', async () => {
      const { come, handOver, tunnels } = proxy(ROOM)
      await come(NAME)
      const [address] = holders(tunnels)
      const second = await handOver()
      second.pathMtuSettled = false
      second.goOver()
      await until(() => holders(tunnels)[1] === address)
      expect(holders(tunnels)).to.deep.equal(['', address])
    })

    it('has them in the new one when the tunnel before ends, however that does', async () => {
      for (const end of ['end', 'lose'] as const) {
        const { come, handOver, tunnels } = proxy(ROOM)
        const first = await come(NAME)
        const [address] = holders(tunnels)
        await handOver()
        if (end === 'end') first.end()
        else [...tunnels.values()][0]?.proxyTunnel.tunnel.abort('cancelled', 'lost')
        expect(holders(tunnels), end).to.deep.equal([address])
      }
    })

    it('keeps them in the tunnel before when the new one ends first', async () => {
      const { come, handOver, pools, tunnels } = proxy(ROOM)
      await come(NAME)
      const [address] = holders(tunnels)
      const second = await handOver()
      second.end()
      expect(holders(tunnels)).to.deep.equal([address])
      expect(pools[4].used).to.equal(1)
      ;(await handOver()).goOver()
      expect(holders(tunnels)).to.deep.equal(['', address])
    })

    it('AT-36 has two tunnels at most, however often it asks', async () => {
      const { come, handOver, pools, tunnels } = proxy(ROOM)
      await come(NAME)
      const [address] = holders(tunnels)
      for (let i = 0; i < 20; i++) {
        const next = await handOver()
        expect(tunnels.size).to.equal(2)
        if (i % 3 === 0) next.goOver()
        expect(holders(tunnels).toSorted()).to.deep.equal(['', address])
      }
      expect(pools[4].used).to.equal(1)
    })

    it('AT-36 gets nothing of another identity, whose name it has got to know', async () => {
      const { state, come, handOver, tunnels } = proxy({
        authorise: () => ({ allowed: true, identity: state.who, maxTunnels: 9 }),
      })
      state.who = 'alice'
      await come(NAME)
      const [address] = holders(tunnels)
      state.who = 'mallory'
      const second = await handOver(NAME, address)
      second.goOver()
      expect(holders(tunnels)[0]).to.equal(address)
      expect(holders(tunnels)[1]).to.not.equal(address)
    })

    it('AT-36 is not served beyond the tunnels that its identity may have: the one before ends at once', async () => {
      const { state, come, handOver, addresses, tunnels } = proxy()
      state.who = 'alice'
      const first = await come(NAME)
      const before = addresses()
      await handOver(NAME, before[0])
      expect(reset(first)).to.equal(true)
      expect(tunnels.size).to.equal(1)
      expect(addresses()).to.deep.equal(before)
    })

    it('AT-36 sends nothing more by the tunnel before once its addresses may be somebody else’s', async () => {
      const { come, handOver, tunnels, context } = proxy(ROOM)
      const first = await come(NAME)
      const [address] = holders(tunnels)
      const second = await handOver()
      second.goOver()
      const came: string[] = []
      const fromTunnel = context.processor.fromTunnel.bind(context.processor)
      context.processor.fromTunnel = (bytes, tunnel) => {
        came.push([...tunnels.values()].find(({ proxyTunnel }) => proxyTunnel.tunnel === tunnel)?.id ?? 'nobody')
        fromTunnel(bytes, tunnel)
      }
      // Under way when the client went over: as good as by the new one, and held to what holds there.
      first.packet(packet(address as string, '10.89.0.1'))
      expect(came).to.deep.equal(['2/0'])
      second.end()
      expect(reset(first)).to.equal(true)
      first.packet(packet(address as string, '10.89.0.1'))
      expect(came.length).to.equal(1)
      expect(tunnels.size).to.equal(0)
    })

    it('AT-36 has not two tunnels for longer than it takes: without a word the new one ends, without leave the one before', async () => {
      const LONG_MS = 600_000
      const { come, handOver, tunnels, context } = proxy({ ...ROOM, handoverMs: { toTake: 30, toLeave: LONG_MS } })
      const first = await come(NAME)
      const [address] = holders(tunnels)
      const second = await handOver()
      await until(() => reset(second))
      expect(holders(tunnels)).to.deep.equal([address])
      // Each time one of the two is short: a machine that is busy may need longer than that for a word.
      Object.assign(context, { handoverMs: { toTake: LONG_MS, toLeave: 30 } })
      const third = await handOver()
      third.goOver()
      await until(() => reset(first))
      expect(holders(tunnels)).to.deep.equal([address])
      expect(reset(third)).to.equal(false)
    })

    it('is given others where the new tunnel is for something else', async () => {
      const { come, handOver, tunnels } = proxy(ROOM)
      const first = await come(NAME)
      const [address] = holders(tunnels)
      const second = await handOver(NAME, '0.0.0.0', '10.90.0.1')
      expect(reset(first)).to.equal(true)
      expect(reset(second)).to.equal(false)
      expect(holders(tunnels)).to.deep.equal([address])
    })
  })
})

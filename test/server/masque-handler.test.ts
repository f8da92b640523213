import { expect } from 'chai'
import fc from 'fast-check'
import { ENCAPSULATION_HEADER } from '../../src/carriers/carrier.ts'
import { H3ServerConnection } from '../../src/carriers/h3/server-connection.ts'
import { REQUESTS } from '../../src/carriers/request-rate.ts'
import { decodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { type Capsule, CapsuleParser, CapsuleType, encodeCapsule } from '../../src/connect-ip/capsule.ts'
import { RequestRejected } from '../../src/connect-ip/request.ts'
import { policyRoutes } from '../../src/connect-ip/routes.ts'
import type { Header } from '../../src/http/header.ts'
import { H3Connection, type H3Event } from '../../src/http3/connection.ts'
import { FrameType } from '../../src/http3/frames.ts'
import { IpAddress } from '../../src/ip/address.ts'
import type { AddressPool } from '../../src/ip/address-pool.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { newBudgets } from '../../src/server/budgets.ts'
import { type HandlerContext, MasqueHandler } from '../../src/server/masque-handler.ts'
import { SharedBudget } from '../../src/server/shared-budget.ts'
import { ping as echoRequest } from '../connect-ip/packets.ts'
import { CONNECT_IP, controlStream, frame, headersFrame } from '../http3/conversation.ts'
import { FakeQuic } from '../support/fake-quic.ts'
import { newHandlerContext } from '../support/handler-context.ts'
import { heldMemory } from '../support/held-memory.ts'

const TO_A_NAME: Header[] = CONNECT_IP.map(([name, value]) => [
  name,
  name === ':path' ? value.replace('*', 'a.example') : value,
])

/** A proxy's end of one connection, with a client that has sent its SETTINGS, and everything that could go wrong in reach. */
function proxy(changes: Partial<HandlerContext> = {}, settings = controlStream([0x33, 1])) {
  const quic = new FakeQuic('server')
  const { context, pools, tunnels, budgets, internalErrors, rejected } = newHandlerContext(changes)
  // As slow as a client may be that asks without end.
  let now = 0
  const transport = new H3ServerConnection(quic, { now: () => (now += 1000 / REQUESTS.perSecond) })
  new MasqueHandler(transport, context)
  transport.onEstablished()
  transport.onStreamData(2, settings, false)

  const events = (streamId: number): H3Event[] => {
    const client = new H3Connection({ role: 'client', peerMaxDatagramFrameSize: 65_535 })
    client.start()
    client.receiveStream(3, controlStream([0x08, 1], [0x33, 1]), false)
    while (client.request(CONNECT_IP) < streamId);
    return quic.sent
      .filter(sent => sent.streamId === streamId)
      .flatMap(({ data, fin }) => client.receiveStream(streamId, data, fin))
  }
  /** What the client hears on this stream: its status, or the code with which it was reset. */
  const heard = (streamId: number): (string | undefined)[] => {
    const statuses = events(streamId).flatMap(event => (event.type === 'response' ? [event.headers[0][1]] : []))
    const resets = quic.commands.filter(command => command.startsWith(`reset ${streamId} `))
    return [...statuses, ...resets.map(reset => `reset ${reset.split(' ')[2]}`)]
  }
  /** The capsules that the client gets on this stream. */
  const capsules = (streamId: number): Capsule[] => {
    const parser = new CapsuleParser()
    return events(streamId).flatMap(event => (event.type === 'data' ? [...parser.push(event.data)] : []))
  }
  return { quic, transport, pools, tunnels, budgets, internalErrors, rejected, heard, capsules }
}

const settle = () => new Promise(resolve => setImmediate(resolve))
const bug = (): never => {
  throw new Error('a bug')
}

describe('the proxy’s handler of one connection', () => {
  it('answers a request and keeps a tunnel', async () => {
    const { transport, tunnels, pools, heard } = proxy()
    transport.onStreamData(0, headersFrame(CONNECT_IP), false)
    await settle()
    expect(heard(0)).to.deep.equal(['200'])
    expect([tunnels.size, pools[4].used]).to.deep.equal([1, 1])
  })

  it('CIP-11 keeps nothing of a tunnel that could not be told of the end of its connection', async () => {
    const { transport, tunnels, pools, budgets } = proxy()
    transport.onStreamData(0, headersFrame(CONNECT_IP), false)
    await settle()
    const [{ proxyTunnel }] = tunnels.values()
    proxyTunnel.tunnel.onAborted = bug
    expect(() => transport.onClosed({ source: 'peer', application: true, code: 0x100, reason: '' })).to.throw('a bug')
    expect([tunnels.size, pools[4].used, budgets.tunnelsOfAddress.total]).to.deep.equal([0, 0, 0])
  })

  it('CIP-25 CIP-18 keeps capsules that come before the answer, up to 64 KiB, and answers them then', async () => {
    let answer: (addresses: []) => void = () => {}
    const waiting = () =>
      proxy({
        resolve: () =>
          new Promise(resolve => {
            answer = resolve
          }),
      })
    const request = encodeAddressRequest([{ requestId: 7n, prefix: IpPrefix.parse('0.0.0.0/32') }])
    const some = waiting()
    some.transport.onStreamData(0, headersFrame(TO_A_NAME), false)
    const early = frame(FrameType.DATA, [...encodeCapsule(0x29, new Uint8Array(60_000)), ...request])
    some.transport.onStreamData(0, early.subarray(0, 30_000), false)
    some.transport.onStreamData(0, early.subarray(30_000), false)
    answer([])
    await settle()
    expect(some.heard(0)).to.deep.equal(['200'])
    const assigned = some.capsules(0).filter(({ type }) => type === CapsuleType.ADDRESS_ASSIGN)
    expect(decodeAddressAssign(assigned.at(-1)!.value).map(({ requestId }) => requestId)).to.deep.equal([7n])

    const tooMany = waiting()
    tooMany.transport.onStreamData(0, headersFrame(TO_A_NAME), false)
    tooMany.transport.onStreamData(0, frame(FrameType.DATA, new Uint8Array(65_537).fill(0x40)), false)
    expect(tooMany.heard(0)).to.deep.equal(['reset 263'])
    answer([])
    await settle()
    expect([tooMany.tunnels.size, tooMany.internalErrors, tooMany.transport.h3.openRequests]).to.deep.equal([0, [], 0])
  })

  it('CIP-23 sends packets in DATAGRAM capsules to a client that takes no datagrams', async () => {
    const { quic, transport, tunnels, capsules } = proxy({}, controlStream())
    transport.onStreamData(0, headersFrame(CONNECT_IP), false)
    await settle()
    const [{ proxyTunnel }] = tunnels.values()
    const packet = echoRequest('10.90.0.1', String(proxyTunnel.addresses[0]))
    expect(proxyTunnel.tunnel.sendPacket(packet, false)).to.equal(undefined)
    expect(quic.datagrams).to.deep.equal([])
    const carried = capsules(0).filter(({ type }) => type === CapsuleType.DATAGRAM)
    expect(carried.map(({ value }) => value)).to.deep.equal([Uint8Array.of(0, ...packet)])
  })

  it('CIP-14 refuses a name whose addresses make more routes than one capsule holds, before it says yes', async () => {
    const protocols = Array.from({ length: 100 }, (_, i) => i + 1)
    const routes = policyRoutes(protocols.map(protocol => ({ prefix: IpPrefix.parse('10.0.0.0/8'), protocol })))
    const resolve = async () => Array.from({ length: 11 }, (_, i) => IpAddress.parse(`10.0.${i}.1`))
    const { transport, tunnels, rejected, internalErrors, heard } = proxy({ routes, resolve })
    transport.onStreamData(0, headersFrame(TO_A_NAME), false)
    await settle()
    expect(heard(0)).to.deep.equal(['503'])
    expect(rejected.join()).to.match(/11 addresses, which makes 1100 routes; at most 1024/)
    expect([tunnels.size, internalErrors.length]).to.deep.equal([0, 0])
  })

  describe('a client whose requests wait for an answer', () => {
    const never = () => new Promise<IpAddress[]>(() => {})
    const budgets = () => ({
      ...newBudgets(10),
      pendingRequests: new SharedBudget({ each: 2, inAll: 3 }),
      capsulesAhead: new SharedBudget({ each: 1000, inAll: 1500 }),
    })
    const ask = async ({ transport }: ReturnType<typeof proxy>, streamId: number) => {
      transport.onStreamData(streamId, headersFrame(TO_A_NAME), false)
      await settle()
    }

    it('CIP-18 has only so many of them, and so has everybody together', async () => {
      const shared = budgets()
      const one = proxy({ budgets: shared, resolve: never })
      const other = proxy({
        budgets: shared,
        resolve: never,
        authorise: () => ({ allowed: true, identity: 'other', maxTunnels: 10 }),
      })
      for (const streamId of [0, 4, 8]) await ask(one, streamId)
      expect([0, 4, 8].flatMap(one.heard)).to.deep.equal(['429'])
      for (const streamId of [0, 4]) await ask(other, streamId)
      expect([0, 4].flatMap(other.heard)).to.deep.equal(['429'])
      // A request that its client gives up makes room, and so does a connection that ends.
      one.transport.onStreamReset(0, 0x10c)
      await ask(other, 8)
      expect(other.heard(8)).to.deep.equal([])
      for (const { transport } of [one, other])
        transport.onClosed({ source: 'peer', application: true, code: 0x100, reason: '' })
      expect(shared.pendingRequests.total).to.equal(0)
    })

    it('CIP-18 has only so many bytes of capsules waiting, in all its requests', async () => {
      const shared = budgets()
      const peer = proxy({ budgets: shared, resolve: never })
      await ask(peer, 0)
      await ask(peer, 4)
      peer.transport.onStreamData(0, frame(0, new Uint8Array(600)), false)
      expect(shared.capsulesAhead.total).to.equal(600)
      peer.transport.onStreamData(4, frame(0, new Uint8Array(600)), false)
      expect([0, 4].flatMap(peer.heard)).to.deep.equal(['reset 263'])
      expect([shared.capsulesAhead.total, shared.pendingRequests.total]).to.deep.equal([600, 1])
    })

    it('CIP-18 has its waiting requests counted as tunnels of its identity', async () => {
      const authorise = () => ({ allowed: true, identity: 'a', maxTunnels: 1 }) as const
      const peer = proxy({ budgets: budgets(), resolve: never, authorise })
      await ask(peer, 0)
      await ask(peer, 4)
      expect([peer.heard(0), peer.heard(4)]).to.deep.equal([[], ['429']])
    })
  })

  describe('when something of ours throws while a tunnel is opened', () => {
    const cases: [what: string, heard: string[], changes: Partial<HandlerContext>, request?: Header[]][] = [
      ['the authorisation', ['500'], { authorise: bug }],
      [
        'the count of tunnels',
        ['500'],
        { authorise: () => ({ allowed: true, identity: 'a', maxTunnels: 1 }), tunnelsOf: bug },
      ],
      ['the resolver, at once', ['500'], { resolve: bug }, TO_A_NAME],
      ['the resolver, later', ['500'], { resolve: async () => bug() }, TO_A_NAME],
      [
        'the address pool, behind the 200',
        ['200', 'reset 258'],
        {
          pools: {
            get 4(): AddressPool {
              return bug()
            },
          },
        },
      ],
      ['whoever counts tunnels, behind the 200', ['200', 'reset 258'], { tunnelOpened: bug }],
    ]
    for (const [what, expected, changes, request = CONNECT_IP] of cases) {
      it(`${what}: the client hears ${expected.join(', then ')}, and nothing is left of it`, async () => {
        const { quic, transport, tunnels, pools, heard, internalErrors } = proxy(changes)
        transport.onStreamData(0, headersFrame(request), false)
        await settle()
        expect(heard(0)).to.deep.equal(expected)
        expect(internalErrors).to.not.deep.equal([])
        expect([tunnels.size, pools[4].used, transport.h3.openRequests]).to.deep.equal([0, 0, 0])
        // Only that stream: the connection goes on.
        expect(quic.commands.filter(command => command.startsWith('close'))).to.deep.equal([])
        transport.onStreamData(4, frame(0x21), false)
        expect(transport.h3.closed).to.equal(false)
      })
    }

    it('the connection is closed when not even the stream can be ended', async () => {
      const { quic, transport } = proxy({ authorise: bug, internalError: () => bug() })
      transport.h3.resetStream = bug
      const rejections: unknown[] = []
      const onRejection = (error: unknown) => rejections.push(error)
      process.on('unhandledRejection', onRejection)
      transport.onStreamData(0, headersFrame(CONNECT_IP), false)
      await settle()
      await settle()
      process.off('unhandledRejection', onRejection)
      expect(quic.commands).to.deep.equal(['close 258'])
      expect(rejections).to.deep.equal([])
    })
  })

  it('a request that is refused for its own fault counts as refused, not as a bug', async () => {
    const { transport, heard, internalErrors, rejected } = proxy({
      resolve: async () => {
        throw RequestRejected.because('dns_error', 'no such name')
      },
    })
    transport.onStreamData(0, headersFrame(TO_A_NAME), false)
    await settle()
    expect(heard(0)).to.deep.equal(['502'])
    expect([internalErrors, rejected]).to.deep.equal([[], ['no such name']])
  })

  it('a client that leaves while its request is looked at gets nothing, and nothing goes wrong', async () => {
    let answer: (addresses: []) => void = () => {}
    const { quic, transport, tunnels, internalErrors, rejected } = proxy({
      resolve: () =>
        new Promise(resolve => {
          answer = resolve
        }),
    })
    transport.onStreamData(0, headersFrame(TO_A_NAME), false)
    transport.onStreamReset(0, 0x10c)
    answer([])
    await settle()
    // One read that holds the request and what makes it malformed.
    transport.onStreamData(4, Uint8Array.from([...headersFrame(CONNECT_IP), ...frame(0x02)]), false)
    await settle()
    expect([tunnels.size, internalErrors, rejected]).to.deep.equal([0, [], []])
    expect(quic.commands.at(-1)).to.match(/^close/)
  })

  describe('what requests leave behind', () => {
    const REQUESTS = 300
    const KIB = 1024
    const large = headersFrame([...CONNECT_IP, ['x-large', 'x'.repeat(4000)]])

    it('nothing of those that were given up before the SETTINGS came', async () => {
      const { quic, transport, budgets } = proxy({}, Uint8Array.of(0))
      const held = await heldMemory(round => {
        for (let i = round * REQUESTS; i < (round + 1) * REQUESTS; i++) {
          transport.onStreamData(4 * i, large, false)
          transport.onStreamReset(4 * i, 0x10c)
          quic.commands.length = 0
        }
      })
      // Nor is a stream left of which only one half has ended.
      expect([budgets.pendingRequests.total, transport.h3.openRequests]).to.deep.equal([0, 0])
      expect(held).to.be.lessThan(REQUESTS * KIB)
    })

    it('nothing of tunnels whose clients ended them with the request', async () => {
      const { quic, transport, tunnels, heard } = proxy()
      transport.onStreamData(0, headersFrame(CONNECT_IP), true)
      await settle()
      expect([heard(0), tunnels.size]).to.deep.equal([['200'], 0])
      const held = await heldMemory(round => {
        for (let i = 1 + round * REQUESTS; i <= (round + 1) * REQUESTS; i++) {
          transport.onStreamData(4 * i, headersFrame(CONNECT_IP), true)
          quic.commands.length = 0
          quic.sent.length = 0
        }
      })
      expect([tunnels.size, transport.h3.openRequests]).to.deep.equal([0, 0])
      expect(held).to.be.lessThan(REQUESTS * KIB)
    })

    it('capsules that wait take as much memory as their budget counts, though they come byte by byte', async () => {
      const { transport, budgets } = proxy({}, Uint8Array.of(0))
      const [bytes, oneByte] = [20_000, frame(FrameType.DATA, [0x40])]
      transport.onStreamData(0, headersFrame(CONNECT_IP), false)
      const held = await heldMemory(() => {
        for (let i = 0; i < bytes; i++) transport.onStreamData(0, oneByte, false)
      })
      expect(budgets.capsulesAhead.total).to.equal(3 * bytes)
      expect(held).to.be.lessThan(170 * KIB)
    })
  })

  it('answers or resets every request, however odd its header section is, and no bug shows', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary-ascii', maxLength: 20 }),
      fc.uint8Array({ maxLength: 20 }).map(octets => Buffer.from(octets).toString('latin1')),
    )
    const value = fc.oneof(
      text,
      fc.constantFrom(
        '',
        '*',
        '?1',
        '?0',
        '?1;a=b',
        'connect-ip',
        'connect-udp',
        'CONNECT',
        'GET',
        'https',
        'localhost',
      ),
      fc.constantFrom(
        '[::1]:443',
        '%',
        '%zz',
        '%00',
        'datagram',
        'datagram, stream-per-packet',
        'Bearer x',
        '0'.repeat(300),
      ),
      fc
        .tuple(
          fc.constantFrom('*', '10.0.0.1', '%3A%3A', 'fd00%3A%3A%2F64', 'a.example', '%ff', '10.0.0.0%2F33', ''),
          text,
        )
        .map(([target, protocol]) => `/.well-known/masque/ip/${target}/${protocol}/`),
    )
    const names = [
      ...CONNECT_IP.map(([name]) => name),
      'host',
      'content-length',
      'te',
      ENCAPSULATION_HEADER,
      'X',
      'cookie',
    ]
    const change = fc.tuple(fc.constantFrom(...names), value, fc.constantFrom('replace', 'add', 'remove'))
    const request = fc.array(change, { maxLength: 3 }).map(changes => {
      let headers: Header[] = CONNECT_IP
      for (const [name, changed, how] of changes) {
        if (how !== 'add') headers = headers.filter(header => header[0] !== name)
        if (how !== 'remove') headers = [...headers, [name, changed]]
      }
      return headers
    })
    let peer = proxy()
    let streamId = 0
    await fc.assert(
      fc.asyncProperty(request, async headers => {
        peer.transport.onStreamData(streamId, headersFrame(headers), false)
        await settle()
        expect(peer.internalErrors).to.deep.equal([])
        const answers = peer.quic.sent.filter(sent => sent.streamId === streamId).length
        const resets = peer.quic.commands.filter(command => command.startsWith(`reset ${streamId} `)).length
        expect(answers + resets).to.be.greaterThan(0)
        peer.transport.onStreamReset(streamId, 0x10c)
        expect([peer.tunnels.size, peer.pools[4].used, peer.transport.h3.openRequests]).to.deep.equal([0, 0, 0])
        streamId += 4
        if (peer.transport.h3.closed) peer = proxy()
      }),
      { seed: 9484, numRuns: 300 },
    )
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import { decodeAddressAssign, encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeAddressEntries } from '../../src/connect-ip/address-entry.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { CapsuleType, encodeCapsule } from '../../src/connect-ip/capsule.ts'
import { encodeDatagramCapsule } from '../../src/connect-ip/datagram-capsule.ts'
import { ConnectIpError } from '../../src/connect-ip/errors.ts'
import { describeRoute } from '../../src/connect-ip/route-advertisement.ts'
import { ConnectIpSession, type SessionEvent, type SessionOptions } from '../../src/connect-ip/session.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { capsuleValue } from './capsule-value.ts'
import { packet } from './packets.ts'

function session(role: 'client' | 'proxy', options: Partial<SessionOptions> = {}): ConnectIpSession {
  return new ConnectIpSession({ role, now: () => 0, ...options })
}

/** All events of these bytes. */
function receive(session: ConnectIpSession, bytes: Uint8Array): SessionEvent[] {
  return [...session.receiveCapsuleBytes(bytes)]
}

function assigned(text: string, requestId = 0n) {
  return { requestId, prefix: IpPrefix.parse(text) }
}

function routesOf(...texts: string[]) {
  return texts.map(text => ({ range: IpPrefix.parse(text).toRange(), protocol: 0 }))
}

function texts(list: readonly { requestId: bigint; prefix: IpPrefix }[]): string[] {
  return list.map(({ requestId, prefix }) => `${requestId} ${prefix}`)
}

/** The event of this type among the events, of which there is one. */
function only<T extends SessionEvent['type']>(events: SessionEvent[], type: T): Extract<SessionEvent, { type: T }> {
  expect(events.map(event => event.type)).to.deep.equal([type])
  return events[0] as Extract<SessionEvent, { type: T }>
}

/** A request of `count` addresses, as the proxy receives it. */
function requestsAt(proxy: ConnectIpSession, bytes: Uint8Array) {
  return only(receive(proxy, bytes), 'addresses-requested').requests
}

describe('connect-ip/session', () => {
  describe('addresses', () => {
    it('CIP-13 goes from request to assignment as in RFC 9484 §8.1', () => {
      const client = session('client')
      const proxy = session('proxy')
      const { requestIds, bytes } = client.requestAddresses([{ version: 4 }])
      expect(requestIds).to.deep.equal([1n])
      const requests = requestsAt(proxy, bytes)
      expect(texts(requests)).to.deep.equal(['1 0.0.0.0/32'])
      const answer = proxy.answerAddressRequests(requests, () => IpPrefix.parse('192.0.2.11'))
      const event = only(receive(client, answer), 'addresses-assigned')
      expect(texts(event.addresses)).to.deep.equal(['1 192.0.2.11/32'])
      expect(event.refused).to.deep.equal([])
      expect(texts(client.localAddresses)).to.deep.equal(texts(proxy.peerAddresses))
      expect(client.openRequests).to.have.length(0)
      expect(proxy.unansweredRequests).to.have.length(0)
    })

    it('CIP-13 asks for a preferred address or prefix length', () => {
      const { bytes } = session('client').requestAddresses([
        { version: 4, address: IpAddress.parse('10.0.0.9') },
        { version: 6, prefixLength: 64 },
        { version: 6, address: IpAddress.parse('2001:db8::'), prefixLength: 48 },
      ])
      expect(texts(requestsAt(session('proxy'), bytes))).to.deep.equal(['1 10.0.0.9/32', '2 ::/64', '3 2001:db8::/48'])
    })

    it('CIP-13 never uses a Request ID a second time', () => {
      const client = session('client')
      const proxy = session('proxy')
      const ids = [1, 2, 3].flatMap(count => {
        const request = client.requestAddresses(Array.from({ length: count }, () => ({ version: 4 as const })))
        requestsAt(proxy, request.bytes)
        return request.requestIds
      })
      expect(ids).to.deep.equal([1n, 2n, 3n, 4n, 5n, 6n])
    })

    it('CIP-13 answers every request, in one list with what the peer already has', () => {
      const client = session('client')
      const proxy = session('proxy')
      receive(client, proxy.assignAddresses([assigned('10.0.0.2')]))
      const { bytes } = client.requestAddresses([{ version: 4 }, { version: 6 }, { version: 4 }])
      const answer = proxy.answerAddressRequests(requestsAt(proxy, bytes), ({ requestId }) =>
        requestId === 1n ? IpPrefix.parse('10.0.0.3') : undefined,
      )
      expect(texts(decodeAddressAssign(capsuleValue(answer)))).to.deep.equal([
        '0 10.0.0.2/32',
        '1 10.0.0.3/32',
        '2 ::/128',
        '3 0.0.0.0/32',
      ])
      const event = only(receive(client, answer), 'addresses-assigned')
      expect(texts(event.addresses)).to.deep.equal(['0 10.0.0.2/32', '1 10.0.0.3/32'])
      expect(event.refused).to.deep.equal([2n, 3n])
    })

    it('CIP-13 does not repeat refusals in later assignments', () => {
      const client = session('client')
      const proxy = session('proxy')
      const ask = () => requestsAt(proxy, client.requestAddresses([{ version: 4 }]).bytes)
      proxy.answerAddressRequests(ask(), () => undefined)
      const answer = proxy.answerAddressRequests(ask(), () => IpPrefix.parse('10.0.0.3'))
      expect(texts(decodeAddressAssign(capsuleValue(answer)))).to.deep.equal(['2 10.0.0.3/32'])
    })

    it('CIP-13 lets a request claim an address that was assigned unprompted', () => {
      const client = session('client')
      const proxy = session('proxy')
      proxy.assignAddresses([assigned('10.0.0.2')])
      const requests = requestsAt(proxy, client.requestAddresses([{ version: 4 }]).bytes)
      proxy.answerAddressRequests(requests, () => IpPrefix.parse('10.0.0.2'))
      expect(texts(proxy.peerAddresses)).to.deep.equal(['1 10.0.0.2/32'])
    })

    it('CIP-13 does not take a refusal for an assigned address', () => {
      const client = session('client')
      const bytes = encodeAddressAssign([assigned('0.0.0.0', 1n), assigned('::', 2n), assigned('::')])
      expect(only(receive(client, bytes), 'addresses-assigned').addresses).to.deep.equal([])
      expect(client.checkInbound(packet('192.0.2.7', '10.0.0.2'))?.reason).to.equal('source-policy')
    })

    it('CIP-13 aborts when the peer uses a Request ID again, at once or much later', () => {
      const proxy = session('proxy')
      const ask = (...ids: bigint[]) => encodeAddressRequest(ids.map(id => assigned('0.0.0.0', id)))
      receive(proxy, ask(5n, 1n))
      proxy.answerAddressRequests(proxy.unansweredRequests, () => undefined)
      receive(proxy, ask(2n))
      expect(() => receive(proxy, ask(5n)))
        .to.throw(ConnectIpError, 'used before')
        .with.property('abortReason', 'malformed')
    })

    it('CIP-13 aborts when the peer requests nothing or with id 0', () => {
      for (const entries of [[], [assigned('0.0.0.0', 0n)]]) {
        const capsule = encodeCapsule(CapsuleType.ADDRESS_REQUEST, encodeAddressEntries(entries))
        expect(() => receive(session('proxy'), capsule)).to.throw(ConnectIpError)
      }
    })

    it('CIP-13 keeps all 62 bits of a Request ID', () => {
      const proxy = session('proxy')
      const id = (1n << 62n) - 1n
      const requests = requestsAt(proxy, encodeAddressRequest([assigned('::', id)]))
      const answer = proxy.answerAddressRequests(requests, () => IpPrefix.parse('2001:db8::2'))
      expect(decodeAddressAssign(capsuleValue(answer))[0].requestId).to.equal(id)
    })

    it('CIP-12 does not send answers to requests that were not made, nor two answers to one', () => {
      const proxy = session('proxy')
      expect(() => proxy.assignAddresses([assigned('10.0.0.2', 1n)])).to.throw(RangeError, 'no request')
      requestsAt(proxy, encodeAddressRequest([assigned('0.0.0.0', 1n)]))
      expect(() => proxy.assignAddresses([assigned('10.0.0.2', 1n), assigned('10.0.0.3', 1n)])).to.throw(
        RangeError,
        'two',
      )
      expect(() => proxy.answerAddressRequests(proxy.unansweredRequests, () => IpPrefix.parse('::1'))).to.throw(
        RangeError,
      )
      expect(proxy.peerAddresses).to.have.length(0)
    })

    it('CIP-12 lets no packet pass, in either direction, from an address that was taken away', () => {
      const client = session('client')
      const proxy = session('proxy')
      receive(client, proxy.advertiseRoutes(routesOf('192.0.2.0/24')))
      const mayPass = () => [
        client.checkOutbound(packet('10.0.0.2', '192.0.2.7'), false)?.reason,
        proxy.checkInbound(packet('10.0.0.2', '192.0.2.7'))?.reason,
      ]
      receive(client, proxy.assignAddresses([assigned('10.0.0.2/32')]))
      expect(mayPass()).to.deep.equal([undefined, undefined])
      receive(client, proxy.assignAddresses([]))
      expect(mayPass()).to.deep.equal(['source-policy', 'source-policy'])
    })

    it('CIP-12 replaces the full list each time, and empties it', () => {
      const client = session('client')
      const proxy = session('proxy')
      proxy.advertiseRoutes(routesOf('192.0.2.0/24'))
      const tell = (...list: string[]) => {
        const bytes = proxy.assignAddresses(list.map(text => assigned(text)))
        return texts(only(receive(client, bytes), 'addresses-assigned').addresses)
      }
      expect(tell('10.0.0.2', '2001:db8::2')).to.deep.equal(['0 10.0.0.2/32', '0 2001:db8::2/128'])
      expect(tell('10.0.0.3')).to.deep.equal(['0 10.0.0.3/32'])
      expect(proxy.checkInbound(packet('10.0.0.2', '192.0.2.7'))?.reason).to.equal('source-policy')
      expect(proxy.checkInbound(packet('10.0.0.3', '192.0.2.7'))).to.equal(undefined)
      expect(tell()).to.deep.equal([])
      expect(proxy.checkInbound(packet('10.0.0.3', '192.0.2.7'))?.reason).to.equal('source-policy')
    })

    it('CIP-19 takes addresses that nobody asked for', () => {
      const client = session('client')
      receive(client, session('proxy').assignAddresses([assigned('10.0.0.2')]))
      expect(texts(client.localAddresses)).to.deep.equal(['0 10.0.0.2/32'])
    })

    it('CIP-19 sends nothing before an address and a route are there', () => {
      const client = session('client')
      const proxy = session('proxy')
      const send = () => client.checkOutbound(packet('10.0.0.2', '192.0.2.7'), false)?.reason
      const { bytes } = client.requestAddresses([{ version: 4 }])
      expect(send()).to.equal('source-policy')
      receive(
        client,
        proxy.answerAddressRequests(requestsAt(proxy, bytes), () => IpPrefix.parse('10.0.0.2')),
      )
      expect(send()).to.equal('no-route')
      receive(client, proxy.advertiseRoutes(routesOf('192.0.2.0/24')))
      expect(send()).to.equal(undefined)
    })

    it('CIP-18 bounds the requests of one tunnel', () => {
      const proxy = session('proxy', { limits: { maxRequests: 3 } })
      receive(proxy, encodeAddressRequest([1n, 2n, 3n].map(id => assigned('::', id))))
      expect(() => receive(proxy, encodeAddressRequest([assigned('::', 4n)])))
        .to.throw(ConnectIpError)
        .with.property('abortReason', 'excessive-load')
    })

    it('CIP-18 bounds the addresses and routes in force, in both directions', () => {
      const limits = { maxEntries: 2 }
      const three = ['10.0.0.2', '10.0.0.4', '10.0.0.6']
      const generous = session('proxy')
      const limited = session('client', { limits })
      expect(() => receive(limited, generous.assignAddresses(three.map(text => assigned(text))))).to.throw(
        ConnectIpError,
      )
      expect(() => receive(session('client', { limits }), generous.advertiseRoutes(routesOf(...three)))).to.throw(
        ConnectIpError,
      )
      expect(() => session('proxy', { limits }).assignAddresses(three.map(text => assigned(text)))).to.throw(RangeError)
      expect(() => session('proxy', { limits }).advertiseRoutes(routesOf(...three))).to.throw(RangeError)
    })

    it('CIP-13 refuses requests for which there is no room, without asking for an address', () => {
      const proxy = session('proxy', { limits: { maxEntries: 2 } })
      proxy.assignAddresses([assigned('10.0.0.2'), assigned('10.0.0.3')])
      const requests = requestsAt(proxy, encodeAddressRequest([assigned('0.0.0.0', 1n)]))
      const answer = proxy.answerAddressRequests(requests, () => expect.fail('no address may be taken from the pool'))
      expect(texts(decodeAddressAssign(capsuleValue(answer)))).to.include('1 0.0.0.0/32')
    })
  })

  describe('routes', () => {
    it('CIP-14 puts the routes in order before it sends them', () => {
      const client = session('client')
      const bytes = session('proxy').advertiseRoutes(routesOf('2001:db8::/127', '10.0.1.0/24', '10.0.0.0/24'))
      const event = only(receive(client, bytes), 'routes-advertised')
      expect(event.routes.map(describeRoute)).to.deep.equal(['10.0.0.0-10.0.1.255', '2001:db8::-2001:db8::1'])
    })

    it('CIP-14 supersedes the earlier list', () => {
      const client = session('client')
      const proxy = session('proxy')
      receive(client, proxy.assignAddresses([assigned('10.0.0.2')]))
      receive(client, proxy.advertiseRoutes(routesOf('192.0.2.0/24')))
      expect(client.checkOutbound(packet('10.0.0.2', '192.0.2.7'), false)).to.equal(undefined)
      receive(client, proxy.advertiseRoutes(routesOf('198.51.100.0/24')))
      expect(client.checkOutbound(packet('10.0.0.2', '192.0.2.7'), false)?.reason).to.equal('no-route')
      receive(client, proxy.advertiseRoutes([]))
      expect(client.peerRoutes).to.have.length(0)
    })

    it('CIP-20 lets a proxy ignore what a client assigns and advertises, unless it is told to accept it', () => {
      const proxy = session('proxy')
      const client = session('client')
      const assignment = only(receive(proxy, client.assignAddresses([assigned('192.168.7.200')])), 'addresses-assigned')
      const advertisement = only(receive(proxy, client.advertiseRoutes(routesOf('0.0.0.0/0'))), 'routes-advertised')
      expect(assignment.addresses).to.have.length(0)
      expect(advertisement.routes).to.have.length(1)
      expect(advertisement.accepted).to.have.length(0)
      expect(proxy.checkOutbound(packet('10.0.0.1', '8.8.8.8'), true)?.reason).to.equal('source-policy')
    })

    it('CIP-20 connects two sites as in RFC 9484 §8.2', () => {
      const proxy = session('proxy', { acceptPeerAddresses: list => list, acceptPeerRoutes: list => list })
      const client = session('client')
      receive(proxy, client.assignAddresses([assigned('192.0.2.200')]))
      receive(proxy, client.advertiseRoutes(routesOf('192.0.2.0/24')))
      receive(client, proxy.assignAddresses([assigned('203.0.113.100')]))
      receive(client, proxy.advertiseRoutes(routesOf('203.0.113.0/24')))
      for (const [from, to, sender, receiver] of [
        ['192.0.2.1', '203.0.113.9', client, proxy],
        ['203.0.113.9', '192.0.2.1', proxy, client],
        ['192.0.2.200', '192.0.2.3', proxy, client],
        ['203.0.113.100', '203.0.113.7', client, proxy],
      ] as const) {
        const bytes = packet(from, to)
        expect(sender.checkOutbound(bytes, true), `${from} to ${to}`).to.equal(undefined)
        expect(receiver.checkInbound(bytes), `${from} to ${to}`).to.equal(undefined)
      }
    })

    it('CIP-20 uses only the part of the routes that the policy accepts', () => {
      const accepted = routesOf('192.0.2.0/24')
      const proxy = session('proxy', { acceptPeerRoutes: () => accepted })
      const event = only(receive(proxy, session('client').advertiseRoutes(routesOf('0.0.0.0/0'))), 'routes-advertised')
      expect(event.accepted).to.deep.equal(accepted)
      expect(proxy.peerRoutes).to.deep.equal(accepted)
    })
  })

  describe('datagrams', () => {
    it('CIP-22 unwraps context id 0, in any encoding', () => {
      const client = session('client')
      const bytes = packet('10.0.0.1', '10.0.0.2')
      for (const context of [[0], [0x40, 0], [0x80, 0, 0, 0], [0xc0, 0, 0, 0, 0, 0, 0, 0]]) {
        expect(client.receiveDatagram(Uint8Array.of(...context, ...bytes))).to.deep.equal(bytes)
      }
      expect(client.receiveDatagram(Uint8Array.of(0))).to.deep.equal(new Uint8Array(0))
    })

    it('CIP-22 drops and counts unknown context ids, and payloads too short for one', () => {
      const client = session('client')
      for (const payload of [
        [1, 2, 3],
        [2],
        [0x40, 1, 0],
        [0xff, 255, 255, 255, 255, 255, 255, 255, 9],
        [],
        [0x40],
        [0xc0, 0, 0],
      ]) {
        expect(client.receiveDatagram(Uint8Array.from(payload))).to.equal(undefined)
      }
      expect(client.unknownContextDatagrams).to.equal(7)
    })

    it('CIP-23 hands out DATAGRAM capsules between the others', () => {
      const client = session('client')
      const bytes = packet('10.0.0.1', '10.0.0.2')
      const stream = [encodeDatagramCapsule(bytes), session('proxy').assignAddresses([]), encodeDatagramCapsule(bytes)]
      const events = receive(client, Uint8Array.from(stream.flatMap(part => [...part])))
      expect(events.map(event => event.type)).to.deep.equal(['datagram', 'addresses-assigned', 'datagram'])
      const [event] = events
      expect(event.type === 'datagram' && client.receiveDatagram(event.payload)).to.deep.equal(bytes)
    })

    it('CIP-34 keeps the tunnel open whatever packets arrive', () => {
      const proxy = session('proxy')
      proxy.assignAddresses([assigned('10.0.0.2')])
      proxy.advertiseRoutes(routesOf('192.0.2.0/24'))
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 80 }), payload => {
          const inside = proxy.receiveDatagram(payload)
          if (inside) proxy.checkInbound(inside)
          expect(receive(proxy, encodeCapsule(CapsuleType.DATAGRAM, payload))).to.have.length(1)
        }),
        { numRuns: 300 },
      )
      expect(proxy.checkInbound(packet('10.0.0.2', '192.0.2.7'))).to.equal(undefined)
    })
  })

  describe('a hostile peer', () => {
    it('CIP-17 fails when the stream ends inside a capsule', () => {
      const client = session('client')
      receive(client, Uint8Array.of(1, 7, 0, 4))
      expect(() => client.receiveEnd())
        .to.throw(ConnectIpError)
        .with.property('abortReason', 'malformed')
    })

    it('CIP-15 keeps failing after a malformed capsule, and changes nothing any more', () => {
      const client = session('client')
      receive(client, encodeAddressAssign([assigned('10.0.0.2')]))
      expect(() => receive(client, Uint8Array.of(1, 1, 0))).to.throw(ConnectIpError)
      expect(() => receive(client, encodeAddressAssign([]))).to.throw(ConnectIpError)
      expect(() => client.receiveEnd()).to.throw(ConnectIpError)
      expect(texts(client.localAddresses)).to.deep.equal(['0 10.0.0.2/32'])
    })

    it('CIP-16 CIP-18 answers any stream of capsules with events or a ConnectIpError', () => {
      const small = fc.uint8Array({ maxLength: 40 })
      const capsule = fc.oneof(
        fc.tuple(fc.bigInt({ min: 0n, max: 5n }), small).map(([type, value]) => encodeCapsule(type, value)),
        fc.constant(encodeAddressAssign([assigned('10.0.0.2')])),
        fc.bigInt({ min: 0n, max: 5n }).map(id => encodeCapsule(2, encodeAddressEntries([assigned('::', id)]))),
        small,
      )
      fc.assert(
        fc.property(
          fc.constantFrom('client' as const, 'proxy' as const),
          fc.array(capsule, { maxLength: 10 }),
          (role, capsules) => {
            const end = session(role, {
              limits: { maxControlLength: 30, maxDatagramLength: 30, maxEntries: 3, maxRequests: 4 },
            })
            try {
              for (const bytes of capsules) receive(end, bytes)
              end.receiveEnd()
            } catch (error) {
              expect(error).to.be.instanceOf(ConnectIpError)
              expect((error as ConnectIpError).abortReason).to.be.oneOf(['malformed', 'excessive-load'])
            }
            expect(end.localAddresses.length).to.be.at.most(3)
            expect(end.unansweredRequests.length).to.be.at.most(4)
          },
        ),
        { numRuns: 500 },
      )
    })

    it('CIP-16 does not grow by unknown capsules and refused floods', () => {
      const proxy = session('proxy')
      const grease = encodeCapsule(0x17, new Uint8Array(5000))
      for (let i = 0; i < 500; i++) expect(receive(proxy, grease)).to.deep.equal([])
    })
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import type { Carrier } from '../../src/carriers/carrier.ts'
import { MAX_CAPSULES_WAITING, Tunnel } from '../../src/carriers/tunnel.ts'
import { encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { encodeCapsule } from '../../src/connect-ip/capsule.ts'
import { encodeDatagramCapsule } from '../../src/connect-ip/datagram-capsule.ts'
import { describeRoute, encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { ConnectIpSession } from '../../src/connect-ip/session.ts'
import { describePacket } from '../../src/ip/packet.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { packet } from '../connect-ip/packets.ts'
import { bytes, hex } from '../http3/conversation.ts'

const assign = (...addresses: string[]) =>
  encodeAddressAssign(addresses.map(text => ({ requestId: 0n, prefix: IpPrefix.parse(text) })))
const advertise = (...prefixes: string[]) =>
  encodeRouteAdvertisement(prefixes.map(text => ({ range: IpPrefix.parse(text).toRange(), protocol: 0 })))
const request = (...ids: number[]) =>
  encodeAddressRequest(ids.map(id => ({ requestId: BigInt(id), prefix: IpPrefix.parse('0.0.0.0/32') })))
const carry = (from: string, to: string) => encodeDatagramCapsule(packet(from, to))

/** What happens at a client's tunnel when the capsule stream comes in these pieces, in order, in words. */
function story(
  pieces: readonly Uint8Array[],
  onAssigned: (tunnel: Tunnel) => void = () => {},
  capsulesWaiting = 0,
): string[] {
  const heard: string[] = []
  const carrier: Carrier = {
    encapsulation: 'single-stream',
    mtu: 1500,
    mtuSettled: true,
    handler: undefined as never,
    writable: true,
    capsulesWaiting,
    sendCapsules: () => heard.push('capsules sent'),
    sendPacket: sent => {
      heard.push(`sent ${describePacket(sent)}`)
      return 'sent'
    },
    end: () => heard.push('end'),
    abort: reason => {
      heard.push(`abort ${reason}`)
      return reason
    },
  }
  const tunnel = new Tunnel({
    session: new ConnectIpSession({ role: 'client', now: () => 0 }),
    openCarrier: () => carrier,
    owner: {
      onPacket: received => heard.push(`packet ${describePacket(received)}`),
      onAddressesAssigned: list => {
        heard.push(`assigned ${list.map(({ prefix }) => prefix).join()}`)
        onAssigned(tunnel)
      },
      onAddressesRequested: list => heard.push(`requested ${list.map(({ requestId }) => requestId).join()}`),
      onRoutesAdvertised: list => heard.push(`routes ${list.map(describeRoute).join()}`),
      onMtu: () => heard.push('mtu'),
      onClosed: ({ reason }) => heard.push(`closed ${reason}`),
    },
  })
  for (const piece of pieces) {
    const passing = Uint8Array.from(piece)
    tunnel.onCapsuleBytes(passing)
    // The buffer is used again for the next read.
    passing.fill(0xee)
  }
  return [...heard, `dropped ${JSON.stringify(tunnel.counters.dropped)}`]
}

/** The same bytes in pieces that end at these places, given as fractions. */
function cut(stream: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map(place => Math.floor(place * stream.length)).sort((a, b) => a - b), stream.length]
  return ends.map((end, i) => stream.subarray(i === 0 ? 0 : ends[i - 1], end))
}

describe('a tunnel whose peer asks and does not read the answers', () => {
  it('AT-29 ends when more of them wait than a bound', () => {
    const asked = 'requested 1'
    expect(story([request(1), request(2)], undefined, MAX_CAPSULES_WAITING + 1)).to.deep.equal([
      asked,
      'abort excessive-load',
      'closed we reset the request stream: excessive-load (it does not read what it has asked for: 524289 bytes wait)',
      'dropped {}',
    ])
    expect(story([request(1)], undefined, MAX_CAPSULES_WAITING)).to.deep.equal([asked, 'dropped {}'])
  })
})

describe('a tunnel and the order of its capsules', () => {
  it('CIP-36 judges a packet by the capsules before it, and by none behind it', () => {
    const stream = bytes(
      carry('192.0.2.1', '10.0.0.2'),
      assign('10.0.0.2'),
      carry('192.0.2.2', '10.0.0.2'),
      advertise('192.0.2.0/24'),
      carry('192.0.2.3', '10.0.0.2'),
      assign('10.0.0.9'),
      carry('192.0.2.4', '10.0.0.2'),
      carry('192.0.2.5', '10.0.0.9'),
      advertise(),
      carry('192.0.2.6', '10.0.0.9'),
    )
    const passed = (heard: string[]) =>
      heard.filter(text => text.startsWith('packet')).map(text => text.match(/192\.0\.2\.\d/)?.[0])
    expect(passed(story([stream]))).to.deep.equal(['192.0.2.3', '192.0.2.5'])
    expect(story([stream])).to.deep.equal(story([...stream].map(byte => Uint8Array.of(byte))))
  })

  it('CIP-36 delivers what came before a capsule that breaks a rule, and nothing behind it', () => {
    const stream = bytes(
      assign('10.0.0.2'),
      advertise('192.0.2.0/24'),
      carry('192.0.2.3', '10.0.0.2'),
      hex('02 00'),
      assign(),
    )
    const heard = story([stream])
    expect(heard.map(text => text.split(' ')[0]).slice(0, -1)).to.deep.equal([
      'assigned',
      'routes',
      'packet',
      'abort',
      'closed',
    ])
    expect(heard).to.deep.equal(story([...stream].map(byte => Uint8Array.of(byte))))
  })

  it('CIP-36 is over with the capsule for which the tunnel was ended, whatever came with it', () => {
    const stream = bytes(assign('10.0.0.2'), advertise('192.0.2.0/24'), request(1))
    const heard = story([stream], tunnel => tunnel.abort('cancelled', 'we do not like it'))
    expect(heard.map(text => text.split(' ')[0]).slice(0, -1)).to.deep.equal(['assigned', 'abort', 'closed'])
  })

  it('CIP-36 is the same however the bytes are cut into reads', () => {
    const address = fc.constantFrom('10.0.0.2', '10.0.0.3')
    const capsule = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.tuple(fc.constantFrom('192.0.2.7', '198.51.100.7'), address).map(([from, to]) => carry(from, to)),
      },
      { weight: 3, arbitrary: fc.subarray(['10.0.0.2', '10.0.0.3']).map(list => assign(...list)) },
      { weight: 3, arbitrary: fc.subarray(['192.0.2.0/24', '198.51.100.0/24']).map(list => advertise(...list)) },
      { weight: 1, arbitrary: fc.nat(5).map(id => request(id + 1)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }).map(value => encodeCapsule(0x29, value)) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          encodeCapsule(0, Uint8Array.of(5, 1, 2)),
          encodeCapsule(0, new Uint8Array(0)),
          hex('02 00'),
        ),
      },
    )
    fc.assert(
      fc.property(
        fc.array(capsule, { maxLength: 12 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 }),
        (capsules, places) => {
          const stream = bytes(...capsules)
          expect(story(cut(stream, places))).to.deep.equal(story([stream]))
        },
      ),
      { numRuns: 200 },
    )
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import { flowHash } from '../../src/queue/flow-hash.ts'
import { FQ_QUEUES } from '../../src/queue/fq-codel.ts'
import { mayBeFragmented, packet, TCP, UDP } from '../connect-ip/packets.ts'

const hash = (bytes: Uint8Array) => flowHash(bytes, 1)

describe('the hash of a flow', () => {
  for (const [from, to] of [
    ['10.89.0.2', '10.90.0.1'],
    ['fd00:89::2', 'fd00:90::1'],
  ]) {
    const header = from.includes(':') ? 40 : 20
    const withPorts = (protocol: number, source: number, destination: number, size = header + 20) => {
      const bytes = packet(from, to, { protocol, size })
      bytes.set([source >> 8, source & 255, destination >> 8, destination & 255], header)
      return bytes
    }

    it(`is of addresses, protocol and ports, and of nothing else: ${from}`, () => {
      const one = hash(withPorts(UDP, 1000, 2000))
      expect(hash(withPorts(UDP, 1000, 2000, header + 500))).to.equal(one)
      const others = [withPorts(UDP, 1001, 2000), withPorts(UDP, 1000, 2001), withPorts(TCP, 1000, 2000)]
      expect(others.map(hash)).not.to.include(one)
      expect(hash(packet(to, from, { protocol: UDP }))).not.to.equal(hash(packet(from, to, { protocol: UDP })))
    })
  }

  it('is the same for all fragments of a packet, whose ports only the first has', () => {
    const first = mayBeFragmented(packet('10.89.0.2', '10.90.0.1', { protocol: UDP, size: 60 }))
    const later = first.slice()
    first[6] = 0x20
    later[7] = 1
    later.fill(0xaa, 20)
    expect(hash(later)).to.equal(hash(first))
  })

  it('says nothing about who collides with whom to somebody who does not know the secret', () => {
    const flows = Array.from({ length: 4096 }, (_, i) => {
      const bytes = packet('10.89.0.2', '10.90.0.1', { protocol: UDP, size: 40 })
      bytes[20] = i >> 8
      bytes[21] = i
      return bytes
    })
    const sharedWithFirst = (secret: number) =>
      flows.filter(each => flowHash(each, secret) % FQ_QUEUES === flowHash(flows[0], secret) % FQ_QUEUES)
    const mine = new Set(sharedWithFirst(1))
    // Of 4096 flows about 4 share a queue with the first; chosen for one secret, hardly any of them does with another.
    expect(mine.size).to.be.within(1, 20)
    expect(sharedWithFirst(2).filter(each => mine.has(each)).length).to.be.lessThan(4)
  })

  it('takes any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), bytes => hash(bytes) >= 0 && hash(bytes) < 2 ** 32))
  })
})

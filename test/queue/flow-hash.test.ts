import { randomInt } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import { FLOW_PRIME, flowHash, newFlowSecret } from '../../src/queue/flow-hash.ts'
import { FQ_QUEUES } from '../../src/queue/fq-codel.ts'
import { chiSquareTail } from '../../src/stats/distributions.ts'
import { clopperPearson } from '../../src/stats/intervals.ts'
import { mayBeFragmented, packet, TCP, UDP } from '../connect-ip/packets.ts'

const randomSecret = () => newFlowSecret(() => randomInt(FLOW_PRIME))
const SECRET = randomSecret()
const hash = (bytes: Uint8Array) => flowHash(bytes, SECRET)

/** How often a test that decides by chance refuses a hash that is right. */
const FALSE_ALARM = 1e-8
const SECRETS = 20_000

/** What was here before, MurmurHash3, without its last step: that is one to one. */
function murmur(words: readonly number[], seed: number): number {
  let hash = seed
  for (const word of words) {
    const k = Math.imul(word, 0xcc9e2d51)
    const h = hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593)
    hash = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
  }
  return hash
}

/** The number with which the product is 1, modulo 2^32, of an odd one. */
function inverse(odd: number): number {
  let found = odd
  for (let i = 0; i < 5; i++) found = Math.imul(found, 2 - Math.imul(odd, found))
  return found
}

/** The word of which MurmurHash3 makes this before it adds it to the hash. */
function wordBehind(mixed: number): number {
  const k = Math.imul(mixed, inverse(0x1b873593))
  return Math.imul((k >>> 15) | (k << 17), inverse(0xcc9e2d51))
}

/**
 * The eight words of a pair of IPv6 addresses, of which MurmurHash3 makes the same hash with every seed, 128 of them: bit 18 of one word is bit 31 of the
 * hash after its step, where a multiplication does nothing more to it, and bit 31 of the next word takes it away.
 */
function murmurCollisions(): number[][] {
  return Array.from({ length: 128 }, (_, choice) => {
    const mixed = new Int32Array(8)
    for (let i = 0; i < 7; i++) {
      if ((choice & (1 << i)) === 0) continue
      mixed[i] ^= 1 << 18
      mixed[i + 1] ^= 1 << 31
    }
    return Array.from(mixed, wordBehind)
  })
}

/** A packet of UDP with these words as its addresses. */
function withAddresses(words: readonly number[]): Uint8Array {
  const bytes = packet('fd00::1', 'fd00::2', { protocol: UDP, size: 60 })
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  words.forEach((word, i) => {
    view.setInt32(8 + 4 * i, word)
  })
  return bytes
}

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

  describe(`has two flows share a queue for one secret in ${FQ_QUEUES}, whichever they are`, () => {
    const from = (source: string, port: number, protocol: typeof UDP | typeof TCP = UDP): Uint8Array => {
      const bytes = packet(source, source.includes(':') ? 'fd00::2' : '10.90.0.1', { protocol, size: 60 })
      bytes.set([port >> 8, port & 255], source.includes(':') ? 40 : 20)
      return bytes
    }
    // With more to come, so that nobody looks at its ports.
    const firstFragment = mayBeFragmented(from('10.89.0.2', 0))
    firstFragment[6] = 0x20
    const [one, other] = murmurCollisions().map(withAddresses)
    const cases: [title: string, one: Uint8Array, other: Uint8Array][] = [
      ['that collide in MurmurHash3 with every seed', one, other],
      ['with ports that follow each other', from('10.89.0.2', 1000), from('10.89.0.2', 1001)],
      ['with ports of which one is twice the other', from('10.89.0.2', 1000), from('10.89.0.2', 2000)],
      ['with addresses that differ in a bit', from('10.89.0.2', 1000), from('10.89.0.3', 1000)],
      ['of two protocols', from('fd00::1', 0), from('fd00::1', 0, TCP)],
      ['of which one has ports and the other none', from('10.89.0.2', 0), firstFragment],
      ['with two addresses swapped', withAddresses([1, 2, 3, 4, 5, 6, 7, 8]), withAddresses([5, 6, 7, 8, 1, 2, 3, 4])],
    ]
    for (const [title, a, b] of cases) {
      it(title, () => {
        let shared = 0
        for (let i = 0; i < SECRETS; i++) {
          const secret = randomSecret()
          if (flowHash(a, secret) % FQ_QUEUES === flowHash(b, secret) % FQ_QUEUES) shared++
        }
        const { low, high } = clopperPearson(shared, SECRETS, 1 - FALSE_ALARM)
        expect(1 / FQ_QUEUES, `${shared} of ${SECRETS}`).to.be.within(low, high)
      })
    }
  })

  it('is not the same for flows that somebody has chosen to collide, as it was with MurmurHash3 whatever its seed', () => {
    const flows = murmurCollisions()
    expect(new Set(flows.map(String)).size).to.equal(128)
    for (const seed of [0, 1, 0x5eed, randomInt(2 ** 32)]) {
      expect(new Set(flows.map(words => murmur(words, seed))).size).to.equal(1)
    }
    // Any two of them collide for one secret in 2^31: 8128 pairs, so four times in a million.
    expect(new Set(flows.map(words => hash(withAddresses(words)))).size).to.equal(128)
  })

  it('puts a flow into each queue equally often', () => {
    const counts = new Float64Array(FQ_QUEUES)
    const flow = packet('10.89.0.2', '10.90.0.1', { protocol: UDP })
    for (let i = 0; i < SECRETS; i++) counts[flowHash(flow, randomSecret()) % FQ_QUEUES]++
    const expected = SECRETS / FQ_QUEUES
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    expect(chiSquareTail(chiSquare, FQ_QUEUES - 1)).to.be.greaterThan(FALSE_ALARM)
  })

  it('computes without rounding, also where every word and every number of the secret is the largest', () => {
    const largest = new Uint8Array(60).fill(255)
    largest[0] = 0x6f
    largest[6] = UDP
    const secret = newFlowSecret(() => FLOW_PRIME - 1)
    const words = [...Array.from({ length: 16 }, () => 65_535), UDP | (6 << 9) | (1 << 12), 65_535, 65_535]
    const sum = words.reduce((total, word) => total + BigInt(word) * BigInt(FLOW_PRIME - 1), BigInt(FLOW_PRIME - 1))
    expect(flowHash(largest, secret)).to.equal(Number(sum % BigInt(FLOW_PRIME)))
  })

  it('takes any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), bytes => hash(bytes) >= 0 && hash(bytes) < FLOW_PRIME))
  })
})

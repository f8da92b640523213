import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../../src/bytes/errors.ts'
import { GROUP_NUMBERS, MAX_FEC_GROUP, MIN_FEC_GROUP } from '../../../src/connect-ip/fec/datagram.ts'
import { FEC_DECODER_LIMITS, FecDecoder } from '../../../src/connect-ip/fec/decoder.ts'
import { FecEncoder } from '../../../src/connect-ip/fec/encoder.ts'
import { hex } from '../../http3/conversation.ts'

const CONTEXT = 2

interface Sent {
  /** Behind the context id, which is one byte here. */
  bytes: Uint8Array
  group: number
  /** Which of the packets it is; undefined: a parity. */
  packet?: number
}

/** What leaves for these packets, in order. The last group ends with them. */
function encode(packets: readonly Uint8Array[], groupSize: number, firstGroup = 0): Sent[] {
  const encoder = new FecEncoder({ contextId: CONTEXT, groupSize, firstGroup })
  const sent: Sent[] = []
  const add = (datagram: Uint8Array | undefined, packet?: number) => {
    if (datagram === undefined) return
    expect(datagram[0]).to.equal(CONTEXT)
    const at = sent.filter(each => each.packet === undefined).length
    sent.push({ bytes: datagram.slice(1), group: at, ...(packet !== undefined && { packet }) })
  }
  packets.forEach((packet, i) => {
    add(encoder.wrap(packet), i)
    add(encoder.sent(packet, 0))
  })
  add(encoder.flush())
  return sent
}

/** What a decoder gives for these datagrams, in order, in one list. */
function decode(datagrams: readonly Sent[], decoder = new FecDecoder()): { packets: string[]; decoder: FecDecoder } {
  const packets: string[] = []
  for (const { bytes } of datagrams) {
    for (const packet of [decoder.receive(bytes), decoder.takeRecovered()]) {
      if (packet !== undefined) packets.push(text(packet))
    }
    expect(decoder.takeRecovered()).to.equal(undefined)
  }
  return { packets, decoder }
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** Packets that are all different, so that what comes out can be told apart. */
const differentPackets = fc
  .array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 70 })
  .map(list => list.map((packet, i) => Uint8Array.of(i, ...packet)))
const groupSize = fc.integer({ min: MIN_FEC_GROUP, max: MAX_FEC_GROUP })
const firstGroup = fc.constantFrom(0, 1, GROUP_NUMBERS - 2, GROUP_NUMBERS / 2 - 1)

describe('connect-ip/fec', () => {
  it('sends each packet with its number, and a parity behind each group', () => {
    const packets = [hex('11 22 33'), hex('44'), hex('01 02')]
    expect(encode(packets, 2, 0x010203).map(({ bytes }) => text(bytes))).to.deep.equal([
      '01020300112233',
      '0102030144',
      '01020382' + '0002' + '552233',
      '010204000102',
      // A group that ends early.
      '01020481' + '0002' + '0102',
    ])
  })

  it('makes a parity that is longer than the longest packet in context 0 by its overhead, whatever the context id', () => {
    for (const contextId of [2, 64, 16_384]) {
      const encoder = new FecEncoder({ contextId, groupSize: 2 })
      encoder.sent(new Uint8Array(5000), 0)
      const parity = encoder.sent(new Uint8Array(3000), 0)
      expect(parity).to.have.length(1 + 5000 + encoder.overhead)
      expect(encoder.wrap(new Uint8Array(5000)).length).to.be.lessThan(parity?.length ?? 0)
    }
    expect(new FecEncoder({ contextId: 2, groupSize: 2 }).overhead).to.equal(6)
  })

  it('says since when a group waits for its parity', () => {
    const encoder = new FecEncoder({ contextId: 2, groupSize: 3 })
    expect(encoder.since).to.equal(undefined)
    encoder.sent(hex('01'), 10)
    encoder.sent(hex('02'), 20)
    expect(encoder.since).to.equal(10)
    encoder.sent(hex('03'), 30)
    expect(encoder.since).to.equal(undefined)
    expect(encoder.flush()).to.equal(undefined)
  })

  it('takes groups of 2 to 32 packets only', () => {
    for (const size of [0, 1, 33, Number.NaN]) {
      expect(() => new FecEncoder({ contextId: 2, groupSize: size }), `${size}`).to.throw(RangeError)
    }
  })

  it('gives back all packets, each once, when no group has lost more than one datagram', () => {
    fc.assert(
      fc.property(
        differentPackets,
        groupSize,
        firstGroup,
        fc.infiniteStream(fc.nat()),
        (packets, size, first, picks) => {
          const sent = encode(packets, size, first)
          const groups = new Set(sent.map(({ group }) => group))
          const lost = new Set<Sent>()
          for (const group of groups) {
            const all = sent.filter(each => each.group === group)
            // One of them, or none.
            const pick = all[(picks.next().value ?? 0) % (all.length + 1)]
            if (pick !== undefined) lost.add(pick)
          }
          const { packets: received, decoder } = decode(sent.filter(each => !lost.has(each)))
          expect(received.toSorted()).to.deep.equal(packets.map(text).toSorted())
          expect(decoder.counters).to.include({
            recovered: [...lost].filter(({ packet }) => packet !== undefined).length,
            duplicates: 0,
            unfit: 0,
          })
        },
      ),
    )
  })

  it('gives each packet at most once, and none that was not sent, whatever is lost, doubled and out of order', () => {
    fc.assert(
      fc.property(
        differentPackets,
        groupSize,
        firstGroup,
        fc.infiniteStream(fc.record({ copies: fc.constantFrom(0, 1, 1, 1, 2), place: fc.nat(1000) })),
        (packets, size, first, fates) => {
          const sent = encode(packets, size, first)
          // Numbers of groups that are remembered: those that are further apart are another test.
          fc.pre(new Set(sent.map(({ group }) => group)).size <= FEC_DECODER_LIMITS.groups)
          const arrived = sent
            .flatMap(each => {
              const { copies, place } = fates.next().value
              return Array.from({ length: copies }, (_, i) => ({ each, place: place + i * 500 }))
            })
            .toSorted((a, b) => a.place - b.place)
            .map(({ each }) => each)
          const { packets: received, decoder } = decode(arrived)
          expect(new Set(received).size, 'each once').to.equal(received.length)
          const known = new Set(packets.map(text))
          expect(received.every(packet => known.has(packet))).to.equal(true)
          expect(decoder.counters.unfit).to.equal(0)
          // And all that can be made: of groups that miss one datagram at most.
          for (const group of new Set(sent.map(each => each.group))) {
            const all = sent.filter(each => each.group === group)
            const missing = all.filter(each => !arrived.includes(each))
            for (const { packet } of missing.length <= 1 ? all : all.filter(each => !missing.includes(each))) {
              if (packet !== undefined) expect(received).to.include(text(packets[packet]))
            }
          }
        },
      ),
    )
  })

  it('makes a packet where one of a group is missing and its parity is there, and nowhere else: every pattern of loss', () => {
    for (let size = MIN_FEC_GROUP; size <= 7; size++) {
      const packets = Array.from({ length: size }, (_, i) => Uint8Array.of(i, ...new Uint8Array(i).fill(0xa0 + i)))
      const sent = encode(packets, size, GROUP_NUMBERS - 1)
      for (let pattern = 0; pattern < 1 << (size + 1); pattern++) {
        const arrived = sent.filter((_, i) => (pattern & (1 << i)) !== 0)
        const came = arrived.flatMap(({ packet }) => (packet === undefined ? [] : [packet]))
        const hasParity = came.length < arrived.length
        const expected = hasParity && came.length === size - 1 ? packets.map((_, i) => i) : came
        for (const order of [arrived, arrived.toReversed()]) {
          const { packets: received } = decode(order)
          expect(received.toSorted(), pattern.toString(2)).to.deep.equal(expected.map(i => text(packets[i])).toSorted())
        }
        expect(decode(arrived).decoder.counters.recovered).to.equal(expected.length - came.length)
      }
    }
  })

  it('AT-33 reads any bytes, or finds them malformed, and holds no more memory than it may', () => {
    const decoder = new FecDecoder({ groups: 4, bytes: 2000 })
    const kind = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 0x81, 0x82, 0x83))
    const datagram = fc.oneof(
      fc.uint8Array({ maxLength: 700 }),
      // Of a few groups, so that they meet.
      fc
        .tuple(fc.nat(6), kind, fc.uint8Array({ maxLength: 700 }))
        .map(([group, k, rest]) => Uint8Array.of(0, 0, group, k, ...rest)),
    )
    fc.assert(
      fc.property(fc.array(datagram, { maxLength: 30 }), datagrams => {
        for (const bytes of datagrams) {
          try {
            const packet = decoder.receive(bytes)
            const made = decoder.takeRecovered()
            // No amplification: what is made is no longer than what has come.
            expect(packet?.length ?? 0).to.be.at.most(bytes.length)
            expect(made?.length ?? 0).to.be.at.most(700)
          } catch (error) {
            expect(error).to.be.instanceOf(DecodeError)
          }
          expect(decoder.heldBytes).to.be.at.most(2000)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('AT-33 holds no more than its bound of the longest packets in the most groups, and goes on', () => {
    const decoder = new FecDecoder()
    for (let group = 0; group < 100; group++) {
      const long = new Uint8Array(65_500)
      long.set([0, group >> 8, group, 0])
      expect(decoder.receive(long)?.length).to.equal(65_496)
      expect(decoder.heldBytes).to.be.at.most(FEC_DECODER_LIMITS.bytes)
    }
    const packets = Array.from({ length: 4 }, (_, i) => new Uint8Array(1300).fill(i + 1))
    const sent = encode(packets, 4, 100)
    expect(decode(sent.slice(1), decoder).packets).to.have.members(packets.map(text))
  })

  it('remembers 32 groups of packets of 1400 bytes, and what is older is not protected, but not lost', () => {
    const packets = Array.from({ length: 2 * 40 }, (_, i) => Uint8Array.of(i, ...new Uint8Array(1400).fill(i)))
    const sent = encode(packets, 2)
    const early = sent.filter(({ packet }) => packet !== undefined && packet % 2 === 0)
    const parities = sent.filter(({ packet }) => packet === undefined)
    const { packets: received, decoder } = decode([...early, ...parities])
    expect(received).to.have.length(40 + FEC_DECODER_LIMITS.groups)
    expect(decoder.heldBytes).to.be.at.most(FEC_DECODER_LIMITS.bytes)
    // One that comes after its group was forgotten.
    expect(decode([sent[1]], decoder).packets).to.deep.equal([text(packets[1])])
  })

  it('AT-33 makes no packet of a parity that does not fit the others', () => {
    const source = hex('000000 00 aa bb cc')
    const of = (...datagrams: string[]) => {
      const decoder = new FecDecoder()
      const { packets } = decode(
        [source, ...datagrams.map(each => hex(each))].map(bytes => ({ bytes, group: 0 })),
        decoder,
      )
      return { packets: packets.slice(1), unfit: decoder.counters.unfit }
    }
    expect(of('000000 82 0002 ee bb cc')).to.deep.equal({ packets: ['44'], unfit: 0 })
    // Longer than all that is there; with something behind its end; shorter than the other one.
    for (const parity of ['000000 82 0007 ee bb cc', '000000 82 0001 ee bb cd', '000000 82 0001 ee']) {
      expect(of(parity), parity).to.deep.equal({ packets: [], unfit: 1 })
    }
    // A few bytes that would have a packet twice.
    expect(of('000000 82 0000')).to.deep.equal({ packets: [], unfit: 1 })
    // One packet in all, and the one that came is another.
    expect(of('000000 05 dd', '000000 83 0000')).to.deep.equal({ packets: ['dd'], unfit: 1 })
  })

  it('finds a header that is too short, an unknown kind, and a parity without lengths malformed', () => {
    for (const bytes of ['', '000000', '000000 20', '000000 80', '000000 a1 0000', '000000 ff 0000', '000000 81 00']) {
      expect(() => new FecDecoder().receive(hex(bytes)), bytes).to.throw(DecodeError)
    }
  })
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { Capture } from '../../src/capture/capture.ts'
import { Direction } from '../../src/capture/pcapng.ts'
import { MAX_READ_INTERFACES, PcapngError, readPcapng } from '../../src/capture/read-pcapng.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { icmpEchoRequest } from '../../src/ip/icmp.ts'
import { scratchFolder } from '../support/scratch.ts'
import { BlockWriter, type ByteOrder } from './pcapng-writer.ts'

const little = new BlockWriter('little')
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('the reader of pcapng', () => {
  it('finds what was written, in either byte order, between blocks and options that it does not know', () => {
    const packet = fc.record({
      bytes: fc.uint8Array({ maxLength: 60 }),
      cut: fc.nat(100),
      timeUs: fc.nat(Number.MAX_SAFE_INTEGER),
      flags: fc.constantFrom(undefined, 0, 1, 2, 3, 5, 0x100),
      linkType: fc.nat(0xffff),
      name: fc.option(fc.string({ unit: 'binary', maxLength: 10 }), { nil: undefined }),
      between: fc.option(
        fc.record({ type: fc.integer({ min: 0xb, max: 0x7fff }), body: fc.uint8Array({ maxLength: 9 }) }),
      ),
    })
    const section = fc.record({
      order: fc.constantFrom<ByteOrder>('little', 'big'),
      packets: fc.array(packet, { maxLength: 4 }),
    })
    fc.assert(
      fc.property(fc.array(section, { minLength: 1, maxLength: 3 }), sections => {
        const blocks: Uint8Array[] = []
        for (const { order, packets } of sections) {
          const writer = new BlockWriter(order)
          blocks.push(writer.section())
          for (const [id, { bytes, cut, timeUs, flags, linkType, name, between }] of packets.entries()) {
            const unknown: [number, Uint8Array][] = [[0x7ffe, Uint8Array.of(1, 2, 3)]]
            blocks.push(writer.interface(linkType, name === undefined ? unknown : [[2, Buffer.from(name)], ...unknown]))
            if (between) blocks.push(writer.block(between.type, between.body))
            const options: [number, Uint8Array][] = flags === undefined ? unknown : [...unknown, [2, writer.u32(flags)]]
            blocks.push(writer.packet(id, BigInt(timeUs), bytes, options, bytes.length + cut))
          }
        }
        const read = readPcapng(Buffer.concat(blocks))
        expect({ ...read, packets: [] }).to.deep.equal({
          packets: [],
          furtherPackets: 0,
          hasSecrets: false,
          endedBy: undefined,
        })
        expect(
          read.packets.map(({ from: { linkType, name }, timeUs, direction, bytes, length }) => ({
            linkType,
            name,
            timeUs,
            direction,
            bytes: hex(bytes),
            length,
          })),
        ).to.deep.equal(
          sections
            .flatMap(({ packets }) => packets)
            .map(({ bytes, cut, timeUs, flags, linkType, name }) => ({
              linkType,
              name: name === undefined ? undefined : new TextDecoder().decode(Buffer.from(name)),
              timeUs,
              direction: [undefined, Direction.INBOUND, Direction.OUTBOUND, undefined][(flags ?? 0) % 4],
              bytes: hex(bytes),
              length: bytes.length + cut,
            })),
        )
      }),
      { numRuns: 30 },
    )
  })

  it('reads what a capture of ours has written', async () => {
    const file = join(scratchFolder('masque-test-read-pcapng-'), 'own.pcapng')
    const capture = new Capture({ file, application: 'test', outer: true, secrets: true })
    const [source, destination] = ['10.89.0.2', '10.90.0.1'].map(text => IpAddress.parse(text))
    const ping = icmpEchoRequest({ source, destination, id: 1, seq: 1 }, new Uint8Array(8))
    capture.tunnel('a/0').received(ping)
    capture.quic.sent?.(Uint8Array.of(0x40, 1), {
      local: { host: '127.0.0.1', port: 443 },
      remote: { host: '127.0.0.1', port: 5000 },
    })
    capture.quic.keys?.(Buffer.from('CLIENT_RANDOM 00 00\n'))
    await capture.close()
    const { packets, ...rest } = readPcapng(readFileSync(file))
    expect(rest).to.deep.equal({ furtherPackets: 0, hasSecrets: true, endedBy: undefined })
    expect(packets.map(({ from, direction }) => [from.linkType, from.name, direction])).to.deep.equal([
      [101, 'tunnel a/0', Direction.INBOUND],
      [101, 'udp', Direction.OUTBOUND],
    ])
    expect(hex(packets[0].bytes)).to.equal(hex(ping))
    expect(Math.abs((packets[0].timeUs ?? 0) / 1000 - Date.now())).to.be.below(120_000)
  })

  it('never says anything but PcapngError of bytes that anybody has sent, and gives out nothing that is not there', () => {
    const good = Buffer.concat([
      little.section(),
      little.interface(101, [[2, Buffer.from('x')]]),
      little.packet(0, 7n, new Uint8Array(21), [[2, little.u32(1)]]),
      new BlockWriter('big').section(),
      new BlockWriter('big').interface(1, [], 9),
      new BlockWriter('big').simplePacket(new Uint8Array(9), 40),
      little.block(0xa, little.u32(0x544c534b), little.u32(0)),
    ])
    const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 })
    fc.assert(
      fc.property(changes, fc.nat(good.length), fc.uint8Array({ maxLength: 40 }), (changed, length, behind) => {
        const file = Buffer.from(good)
        for (const [at, byte] of changed) file[at] = byte
        const given = Uint8Array.from(Buffer.concat([file.subarray(0, length), behind]))
        try {
          for (const { bytes } of readPcapng(given).packets) {
            expect(bytes.buffer).to.equal(given.buffer)
            expect(bytes.byteOffset + bytes.length).to.be.at.most(given.length)
          }
        } catch (error) {
          expect(error).to.be.instanceOf(PcapngError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('gives out the packets in front of the place where a file is cut off or damaged, and says where that is', () => {
    const whole = Buffer.concat([little.section(), little.interface(101), little.packet(0, 1n, new Uint8Array(20))])
    const next = little.packet(0, 2n, new Uint8Array(20))
    const reading = (...blocks: Uint8Array[]) => {
      const { packets, endedBy } = readPcapng(Buffer.concat([whole, ...blocks]))
      return [packets.length, endedBy]
    }
    const at = `at byte ${whole.length}`
    expect(reading()).to.deep.equal([1, undefined])
    expect(reading(next.subarray(0, 11))).to.deep.equal([1, `it ends inside of a block, ${at}`])
    expect(reading(next.subarray(0, 30))).to.deep.equal([1, `it ends inside of a block, ${at}`])
    const lengths = Buffer.from(next)
    lengths[lengths.length - 4]++
    expect(reading(lengths)).to.deep.equal([
      1,
      `it has a block of ${next.length} bytes at whose end stands ${next.length + 1}, ${at}`,
    ])
    expect(reading(little.u32(6), little.u32(13), new Uint8Array(5))[1]).to.equal(`it has a block of 13 bytes, ${at}`)
    const long = Buffer.from(next)
    long.writeUInt32LE(21, 20)
    expect(reading(long)[1]).to.equal(`it has a packet that is longer than its block, ${at}`)
    expect(reading(little.block(6, new Uint8Array(8)))[1]).to.equal(`it has a packet block that is too short, ${at}`)
    expect(reading(little.block(0xa, new Uint8Array(4)))[1]).to.equal(
      `it has a block of secrets that is too short, ${at}`,
    )
    expect(reading(little.section(2))[1]).to.equal(`it has a section in version 2 of pcapng, and 1 is expected, ${at}`)
  })

  it('counts a time in the units of its interface, and from where that begins', () => {
    const units: [Uint8Array, bigint, number][] = [
      [Uint8Array.of(9), 1_700_000_000_123_456_789n, 1_700_000_000_123_456],
      [Uint8Array.of(3), 1_700_000_000_123n, 1_700_000_000_123_000],
      [Uint8Array.of(0x80 | 10), 1024n * 5n + 512n, 5_500_000],
    ]
    for (const [resolution, ticks, timeUs] of units) {
      const file = [
        little.section(),
        little.interface(101, [[9, resolution]]),
        little.packet(0, ticks, new Uint8Array(1)),
      ]
      expect(readPcapng(Buffer.concat(file)).packets[0].timeUs).to.equal(timeUs)
    }
    const offset = Buffer.alloc(8)
    offset.writeBigInt64LE(100n)
    const file = [little.section(), little.interface(101, [[14, offset]]), little.packet(0, 1n, new Uint8Array(1))]
    expect(readPcapng(Buffer.concat(file)).packets[0].timeUs).to.equal(100_000_001)
  })

  it('knows the secrets of TLS from those of other protocols', () => {
    for (const [type, hasSecrets] of [
      [0x544c534b, true],
      [0x5353484b, false],
    ] as const) {
      for (const writer of [little, new BlockWriter('big')]) {
        const secrets = writer.block(0xa, writer.u32(type), writer.u32(0))
        expect(readPcapng(Buffer.concat([writer.section(), secrets]))).to.include({ hasSecrets, endedBy: undefined })
      }
    }
  })

  it('says of another kind of file what it is, and how to make one that it reads', () => {
    const cases: [string, RegExp][] = [
      ['d4c3b2a1020004000000', /older format pcap.*editcap -F pcapng OLD NEW/],
      ['a1b23c4d', /older format pcap/],
      ['1f8b0800', /compressed.*gunzip/],
      ['', /empty file/],
      ['7b22616263', /begins with 7b226162 instead of 0a0d0d0a: name one that --pcap FILE or "tshark -w FILE"/],
    ]
    for (const [start, message] of cases) {
      expect(() => readPcapng(Buffer.from(start, 'hex'))).to.throw(PcapngError, message)
    }
  })

  it('gives out so many packets and no more, knows so many interfaces and no more, and counts the rest', () => {
    const one = little.packet(0, 1n, new Uint8Array(4))
    const many = Buffer.concat([little.section(), little.interface(101), one, one, one, one, one])
    expect(readPcapng(many, 3)).to.include({ furtherPackets: 2 }).and.to.have.property('packets').with.lengthOf(3)
    const interfaces = Array.from({ length: MAX_READ_INTERFACES + 1 }, () => little.interface(101))
    const { packets, endedBy } = readPcapng(Buffer.concat([little.section(), ...interfaces, one]))
    expect(packets).to.have.lengthOf(0)
    expect(endedBy).to.match(/^it has more than 4096 interfaces, at byte \d+$/)
    const unknown = Buffer.concat([
      little.section(),
      little.interface(101),
      little.packet(1, 1n, new Uint8Array(4)),
      one,
    ])
    expect(readPcapng(unknown)).to.include({ furtherPackets: 1 }).and.to.have.property('packets').with.lengthOf(1)
  })
})

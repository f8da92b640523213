import { expect } from 'chai'
import fc from 'fast-check'
import { Coalescer, OFFLOAD_HEADER, splitFrame } from '../../../src/hosts/tun/offload.ts'

/** RFC 1071, slowly, word by word, with nothing of ours: the checksum over these bytes is right when this is 0. */
function slowChecksum(bytes: number[]): number {
  let sum = 0n
  for (let i = 0; i < bytes.length; i += 2) sum += BigInt(bytes[i] * 256 + (bytes[i + 1] ?? 0))
  while (sum > 0xffffn) sum = (sum % 0x10000n) + sum / 0x10000n
  return 0xffff - Number(sum)
}

/** UDP_MAX_SEGMENTS of older kernels. */
const MAX_JOINED = 64

interface Flow {
  v4: boolean
  tcp: boolean
  options: number
  df: boolean
  id: number
  seq: number
}

function pseudo(packet: Uint8Array): number[] {
  const v4 = packet[0] >> 4 === 4
  const start = v4 ? 20 : 40
  const length = packet.length - start
  return [...packet.subarray(v4 ? 12 : 8, start), 0, v4 ? packet[9] : packet[6], length >> 8, length & 255]
}

/** Does everything in it that says how long or how right it is say so? */
function expectRight(packet: Uint8Array): void {
  const v4 = packet[0] >> 4 === 4
  const start = v4 ? 20 : 40
  if (v4) {
    expect(slowChecksum([...packet.subarray(0, 20)]), 'IPv4 checksum').to.equal(0)
    expect(packet[2] * 256 + packet[3]).to.equal(packet.length)
  } else {
    expect(packet[4] * 256 + packet[5]).to.equal(packet.length - 40)
  }
  if ((v4 ? packet[9] : packet[6]) === 17)
    expect(packet[start + 4] * 256 + packet[start + 5]).to.equal(packet.length - start)
  expect(slowChecksum([...pseudo(packet), ...packet.subarray(start)]), 'TCP or UDP checksum').to.equal(0)
}

function make({ v4, tcp, options, df, id, seq }: Flow, payload: Uint8Array, flags = 0x10): Uint8Array {
  const start = v4 ? 20 : 40
  const header = tcp ? 20 + options * 4 : 8
  const packet = new Uint8Array(start + header + payload.length)
  const view = new DataView(packet.buffer)
  if (v4) {
    packet.set([0x45, 0, 0, 0, 0, 0, df ? 0x40 : 0, 0, 64, tcp ? 6 : 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
    view.setUint16(2, packet.length)
    view.setUint16(4, id)
    view.setUint16(10, slowChecksum([...packet.subarray(0, 20)]))
  } else {
    packet.set([0x60, 0, 0, 0, 0, 0, tcp ? 6 : 17, 64])
    packet.fill(0xfd, 8, 40)
    view.setUint16(4, packet.length - 40)
  }
  view.setUint16(start, 1000)
  view.setUint16(start + 2, 2000)
  if (tcp) {
    view.setUint32(start + 4, seq)
    view.setUint32(start + 8, 77)
    packet[start + 12] = (5 + options) << 4
    packet[start + 13] = flags
    packet.fill(1, start + 20, start + header)
  } else {
    view.setUint16(start + 4, packet.length - start)
  }
  packet.set(payload, start + header)
  const sum = slowChecksum([...pseudo(packet), ...packet.subarray(start)])
  view.setUint16(start + (tcp ? 16 : 6), sum === 0 && !tcp ? 0xffff : sum)
  return packet
}

const flow = fc.record({
  v4: fc.boolean(),
  tcp: fc.boolean(),
  options: fc.integer({ min: 0, max: 10 }),
  df: fc.boolean(),
  id: fc.integer({ min: 0, max: 0xffff }),
  seq: fc.integer({ min: 0, max: 0xffff_ffff }),
})

/** The packets of a flow that sends these bytes in pieces of `size`. */
function packetsOf(given: Flow, data: Uint8Array, size: number): Uint8Array[] {
  const packets: Uint8Array[] = []
  for (let at = 0; at < data.length; at += size) {
    const isLast = at + size >= data.length
    const next = { ...given, id: (given.id + packets.length) & 0xffff, seq: (given.seq + at) >>> 0 }
    packets.push(make(next, data.slice(at, at + size), isLast ? 0x18 : 0x10))
  }
  return packets
}

function coalesce(packets: readonly Uint8Array[], joinsUdp = true): Uint8Array[] {
  const frames: Uint8Array[] = []
  const coalescer = new Coalescer((frame, packets) => {
    expect(packets).to.be.within(1, MAX_JOINED)
    frames.push(frame.slice())
  }, joinsUdp)
  for (const packet of packets) coalescer.add(packet)
  coalescer.flush()
  return frames
}

function split(frames: readonly Uint8Array[]): Uint8Array[] {
  const packets: Uint8Array[] = []
  for (const frame of frames) {
    expect(splitFrame(frame.slice(), new Uint8Array(65_535), packet => packets.push(packet.slice()))).to.equal(
      undefined,
    )
  }
  return packets
}

/** What stands in the frames, whole: packets that were joined are one. */
function packetsIn(frames: readonly Uint8Array[]): Uint8Array[] {
  return frames.map(frame => frame.slice(OFFLOAD_HEADER))
}

/** One flow of each kind that packets are joined of. */
const KINDS: readonly Flow[] = [true, false].flatMap(v4 =>
  [true, false].map(tcp => ({ v4, tcp, options: 0, df: true, id: 1, seq: 1 })),
)

/** Makes the checksums right again after something in the headers was changed. */
function completeChecksums(packet: Uint8Array, { v4, tcp }: Flow): void {
  const start = v4 ? 20 : 40
  const view = new DataView(packet.buffer)
  if (v4) {
    view.setUint16(10, 0)
    view.setUint16(10, slowChecksum([...packet.subarray(0, 20)]))
  }
  const field = start + (tcp ? 16 : 6)
  const addresses = packet.subarray(v4 ? 12 : 8, start)
  const length = packet.length - start
  view.setUint16(field, 0)
  const header = [...addresses, 0, tcp ? 6 : 17, length >> 8, length & 255]
  view.setUint16(field, slowChecksum([...header, ...packet.subarray(start)]))
}

/** A packet whose first word of data makes the sum over everything 0. */
function makeWithSumOfZero(given: Flow, length: number): Uint8Array {
  const payload = new Uint8Array(length)
  const other = make(given, payload)
  const field = (given.v4 ? 20 : 40) + (given.tcp ? 16 : 6)
  payload.set(other.subarray(field, field + 2))
  return make(given, payload)
}

const hex = (packets: readonly Uint8Array[]): string[] => packets.map(packet => Buffer.from(packet).toString('hex'))

describe('offload of a TUN device', () => {
  it('joins the packets of a flow into one, which is split into the same packets again', () => {
    fc.assert(
      fc.property(
        flow,
        fc.uint8Array({ minLength: 1, maxLength: 3000 }),
        fc.integer({ min: 40, max: 1400 }),
        (given, data, size) => {
          const packets = packetsOf(given, data, size)
          for (const packet of packets) expectRight(packet)
          const frames = coalesce(packets)
          expect(frames).to.have.length(Math.ceil(packets.length / MAX_JOINED))
          const again = split(frames)
          for (const packet of again) expectRight(packet)
          expect(hex(again)).to.deep.equal(hex(packets))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('joins no more than every kernel takes as one, however small they are', () => {
    for (const tcp of [true, false]) {
      const given = { v4: true, tcp, options: 0, df: true, id: 1, seq: 1 }
      const packets = packetsOf(given, new Uint8Array(300), 1)
      const counts: number[] = []
      const coalescer = new Coalescer((_, count) => counts.push(count), true)
      for (const packet of packets) coalescer.add(packet)
      coalescer.flush()
      expect(counts).to.deep.equal([64, 64, 64, 64, 44])
    }
  })

  it('writes a large packet as the kernel wants it: lengths, and the sum of the pseudo header where the checksum belongs', () => {
    for (const [v4, tcp] of [
      [true, true],
      [false, true],
      [true, false],
      [false, false],
    ]) {
      const given = { v4, tcp, options: 0, df: true, id: 1, seq: 1 }
      const [frame] = coalesce(packetsOf(given, new Uint8Array(250).fill(3), 100))
      const header = new DataView(frame.buffer)
      const start = v4 ? 20 : 40
      const upper = tcp ? 20 : 8
      expect([frame[0], frame[1]]).to.deep.equal([1, tcp ? (v4 ? 1 : 4) : 5])
      expect([2, 4, 6, 8].map(at => header.getUint16(at, true))).to.deep.equal([
        start + upper,
        100,
        start,
        tcp ? 16 : 6,
      ])
      const packet = frame.slice(OFFLOAD_HEADER)
      expect(packet).to.have.length(start + upper + 250)
      // A card completes the checksum: over everything from the start, the sum of the pseudo header included.
      const sum = slowChecksum([...packet.subarray(start)])
      new DataView(packet.buffer).setUint16(start + (tcp ? 16 : 6), sum)
      expectRight(packet)
    }
  })

  it('completes a checksum that the kernel has left out', () => {
    fc.assert(
      fc.property(flow, fc.uint8Array({ maxLength: 300 }), (given, data) => {
        const right = make(given, data)
        const start = given.v4 ? 20 : 40
        const frame = new Uint8Array(OFFLOAD_HEADER + right.length)
        frame.set(right, OFFLOAD_HEADER)
        const view = new DataView(frame.buffer)
        frame[0] = 1
        view.setUint16(6, start, true)
        view.setUint16(8, given.tcp ? 16 : 6, true)
        view.setUint16(OFFLOAD_HEADER + start + (given.tcp ? 16 : 6), 0xffff - slowChecksum(pseudo(right)))
        expect(hex(split([frame]))).to.deep.equal(hex([right]))
      }),
    )
  })

  it('never changes what comes out, whatever packets there are in whatever order', () => {
    const flows: Flow[] = [
      { v4: true, tcp: true, options: 3, df: true, id: 9, seq: 100 },
      { v4: true, tcp: false, options: 0, df: false, id: 9, seq: 0 },
      { v4: false, tcp: true, options: 0, df: true, id: 0, seq: 0xffff_ff00 },
    ]
    const pool = flows.flatMap(given =>
      packetsOf(
        given,
        new Uint8Array(1000).map((_, i) => i),
        150,
      ),
    )
    const broken = pool.map(packet => packet.map((byte, i) => (i === packet.length - 1 ? byte ^ 1 : byte)))
    const others = [
      make(flows[0], new Uint8Array(0)),
      make(flows[0], Uint8Array.of(1), 0x11),
      make(flows[0], Uint8Array.of(1), 0x14),
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pool, ...broken, ...others), { maxLength: 40 }), packets => {
        const out = split(coalesce(packets))
        // The identification of what is never fragmented means nothing (RFC 6864 §4.1).
        const comparable = (packet: Uint8Array) =>
          packet[0] === 0x45 && packet[6] & 0x40
            ? [...packet.subarray(0, 4), ...packet.subarray(6, 10), ...packet.subarray(12)]
            : [...packet]
        expect(out.map(comparable)).to.deep.equal(packets.map(comparable))
      }),
      { numRuns: 300 },
    )
  })

  it('joins no packet whose checksum is wrong: the kernel would take it for right', () => {
    const packets = packetsOf({ v4: true, tcp: true, options: 0, df: true, id: 1, seq: 1 }, new Uint8Array(400), 100)
    packets[2][packets[2].length - 1] ^= 1
    expect(coalesce(packets)).to.have.length(3)
  })

  it('leaves a packet with any other flag alone: what it says would be lost', () => {
    const given = { v4: true, tcp: true, options: 0, df: true, id: 1, seq: 1 }
    const [FIN, SYN, RST, URG, ECE, CWR] = [0x01, 0x02, 0x04, 0x20, 0x40, 0x80]
    for (const flags of [...[FIN, SYN, RST, URG, ECE, CWR].map(flag => 0x10 | flag), 0]) {
      const packets = [100, 200, 300].map((at, i) =>
        make({ ...given, seq: at, id: i }, new Uint8Array(100).fill(i), i === 1 ? flags : 0x10),
      )
      expect(hex(packetsIn(coalesce(packets))), `flags ${flags}`).to.deep.equal(hex(packets))
    }
  })

  it('joins no packets that differ in any bit of their headers', () => {
    for (const given of KINDS) {
      const [first, second] = packetsOf(given, new Uint8Array(200).fill(3), 100)
      expect(coalesce([first, second])).to.have.length(1)
      for (let bit = 0; bit < (second.length - 100) * 8; bit++) {
        const byte = bit >> 3
        // The identification means nothing here, and the checksum of the IPv4 header follows from the rest of it.
        if (given.v4 && [4, 5, 10, 11].includes(byte)) continue
        // That one asks for no waiting: it joins, and is the last that does.
        if (given.tcp && bit === ((given.v4 ? 20 : 40) + 13) * 8 + 4) continue
        const other = second.slice()
        other[byte] ^= 0x80 >> (bit & 7)
        // Else the checksum alone would keep them apart.
        const isChecksum = (byte - (given.v4 ? 20 : 40)) >> 1 === (given.tcp ? 8 : 3)
        if (!isChecksum) completeChecksums(other, given)
        const where = `${given.v4 ? 'IPv4' : 'IPv6'}, ${given.tcp ? 'TCP' : 'UDP'}, bit ${bit}`
        expect(hex(packetsIn(coalesce([first, other]))), where).to.deep.equal(hex([first, other]))
      }
    }
  })

  it('keeps the boundaries between packets of different sizes', () => {
    for (const given of KINDS) {
      for (const lengths of [
        [100, 150],
        [100, 60, 100],
        [100, 100, 60, 60],
      ]) {
        let at = 0
        const packets = lengths.map((length, i) => {
          const packet = make({ ...given, id: i, seq: at }, new Uint8Array(length).fill(i + 1))
          at += length
          return packet
        })
        const again = split(coalesce(packets))
        expect(again.map(packet => packet.length)).to.deep.equal(packets.map(packet => packet.length))
        expect(again.map(packet => packet.at(-1))).to.deep.equal(packets.map(packet => packet.at(-1)))
      }
    }
  })

  it('joins no packet with bytes behind its end: they would become data', () => {
    for (const given of KINDS.filter(({ tcp }) => tcp)) {
      const [first, second] = packetsOf(given, new Uint8Array(200), 100)
      // These two make up for their own length in the pseudo header, so the checksum does not tell.
      const longer = Uint8Array.of(...second, 0xff, 0xfd)
      expect(hex(packetsIn(coalesce([first, longer])))).to.deep.equal(hex([first, longer]))
    }
  })

  it('joins no UDP packet whose own length is another than that of the IP packet', () => {
    for (const given of KINDS.filter(({ tcp }) => !tcp)) {
      const [first, second] = packetsOf(given, new Uint8Array(200), 100)
      second[(given.v4 ? 20 : 40) + 5] -= 2
      completeChecksums(second, given)
      expect(hex(packetsIn(coalesce([first, second])))).to.deep.equal(hex([first, second]))
    }
  })

  it('joins no UDP packet without a checksum: it would be given one', () => {
    for (const given of KINDS.filter(({ tcp }) => !tcp)) {
      const first = make(given, new Uint8Array(100))
      const second = makeWithSumOfZero({ ...given, id: given.id + 1 }, 100)
      second.fill(0, (given.v4 ? 20 : 40) + 6, (given.v4 ? 20 : 40) + 8)
      expect(hex(packetsIn(coalesce([first, second])))).to.deep.equal(hex([first, second]))
    }
  })

  it('gives UDP the checksum 0xffff where the sum is 0, which would mean that there is none, and TCP 0', () => {
    for (const given of KINDS) {
      const right = makeWithSumOfZero(given, 100)
      const field = (given.v4 ? 20 : 40) + (given.tcp ? 16 : 6)
      const checksum = given.tcp ? [0, 0] : [0xff, 0xff]
      expect([...right.subarray(field, field + 2)]).to.deep.equal(checksum)

      const left = new Uint8Array(OFFLOAD_HEADER + right.length)
      left.set(right, OFFLOAD_HEADER)
      const view = new DataView(left.buffer)
      left[0] = 1
      view.setUint16(6, given.v4 ? 20 : 40, true)
      view.setUint16(8, given.tcp ? 16 : 6, true)
      view.setUint16(OFFLOAD_HEADER + field, 0xffff - slowChecksum(pseudo(right)))
      expect(hex(split([left])), 'left out by the kernel').to.deep.equal(hex([right]))

      const next = make({ ...given, id: given.id + 1, seq: given.seq + 100 }, new Uint8Array(100))
      const frames = coalesce([right, next])
      expect(frames).to.have.length(1)
      expect(hex(split(frames)), 'split').to.deep.equal(hex([right, next]))
    }
  })

  describe('of a large TCP packet', () => {
    /** The flags of the three segments of one with these. */
    const flagsOfSegments = (flags: number, type = 1): number[] => {
      const given = { v4: true, tcp: true, options: 0, df: true, id: 1, seq: 1 }
      const [frame] = coalesce(packetsOf(given, new Uint8Array(300).fill(3), 100))
      frame[1] = type
      frame[OFFLOAD_HEADER + 20 + 13] = flags
      const packets = split([frame])
      for (const packet of packets) expectRight(packet)
      return packets.map(packet => packet[20 + 13])
    }

    it('gives the end of the data, and of the stream, to the last segment only', () => {
      expect(flagsOfSegments(0x19)).to.deep.equal([0x10, 0x10, 0x19])
    })

    it('says in the first segment only that the sender has slowed down', () => {
      expect(flagsOfSegments(0x90)).to.deep.equal([0x90, 0x10, 0x10])
    })

    it('splits one whose flow uses ECN like any other', () => {
      expect(flagsOfSegments(0x50, 0x81)).to.deep.equal([0x50, 0x50, 0x50])
    })
  })

  it('joins no UDP where the kernel does not know that', () => {
    const packets = packetsOf({ v4: true, tcp: false, options: 0, df: true, id: 1, seq: 1 }, new Uint8Array(400), 100)
    expect(coalesce(packets, false)).to.have.length(4)
  })

  it('makes no packet of more than 64 KiB', () => {
    const packets = packetsOf(
      { v4: true, tcp: true, options: 0, df: true, id: 1, seq: 1 },
      new Uint8Array(150_000),
      1400,
    )
    const frames = coalesce(packets)
    for (const frame of frames) expect(frame.length - OFFLOAD_HEADER).to.be.at.most(65_535)
    expect(hex(split(frames)).length).to.equal(packets.length)
  })

  describe('refuses a frame', () => {
    /** One large TCP packet of three segments; `change` breaks something. */
    const faultOf = (change: (frame: Uint8Array, header: DataView) => unknown): string | undefined => {
      const given = { v4: true, tcp: true, options: 0, df: true, id: 1, seq: 1 }
      const [frame] = coalesce(packetsOf(given, new Uint8Array(300).fill(3), 100))
      const changed = change(frame, new DataView(frame.buffer))
      const result = changed instanceof Uint8Array ? changed : frame
      let emitted = 0
      const fault = splitFrame(result, new Uint8Array(65_535), () => emitted++)
      expect(emitted).to.equal(fault === undefined ? 3 : 0)
      return fault
    }
    const IP = OFFLOAD_HEADER
    const cases: [string, (frame: Uint8Array, header: DataView) => unknown][] = [
      ['with segments of no byte', (_, header) => header.setUint16(4, 0, true)],
      [
        'with more segments than any packet of TCP has',
        (frame, header) => {
          header.setUint16(4, 1, true)
          const longer = new Uint8Array(OFFLOAD_HEADER + 2000)
          longer.set(frame)
          return longer
        },
      ],
      ['whose transport header is said to be elsewhere', (_, header) => header.setUint16(6, 24, true)],
      ['that is said to be of the other IP version', frame => void (frame[1] = 4)],
      ['that is said to be UDP', frame => void (frame[1] = 5)],
      ['of a kind that was never asked for', frame => void (frame[1] = 3)],
      ['of another protocol', frame => void (frame[IP + 9] = 47)],
      ['that is a fragment', frame => void (frame[IP + 6] = 0x20)],
      ['with options in its IP header', frame => void (frame[IP] = 0x46)],
      ['with a TCP header that is too short', frame => void (frame[IP + 32] = 0x40)],
      ['with a TCP header that is longer than the packet', frame => frame.slice(0, IP + 30)],
      ['without data', frame => frame.slice(0, IP + 40)],
      [
        'whose checksum belongs behind its end',
        (frame, header) => {
          frame[1] = 0
          header.setUint16(8, 400, true)
        },
      ],
      [
        'whose checksum belongs into its IP header',
        (frame, header) => {
          frame[1] = 0
          header.setUint16(6, 0, true)
        },
      ],
    ]
    for (const [title, change] of cases) it(title, () => expect(faultOf(change)).to.equal('offload'))

    it('that is shorter than the header', () => {
      expect(faultOf(frame => frame.slice(0, OFFLOAD_HEADER - 1))).to.equal('truncated')
    })

    it('and takes the one that it was', () => {
      expect(faultOf(() => {})).to.equal(undefined)
    })
  })

  it('throws nothing and emits nothing for a frame that is none, and counts why', () => {
    const bytes = fc.uint8Array({ maxLength: 120 })
    fc.assert(
      fc.property(bytes, fc.constantFrom(0, 1, 4, 5, 0x81), fc.constantFrom(0x45, 0x60, 0), (frame, type, first) => {
        if (frame.length > OFFLOAD_HEADER) {
          frame[1] = type
          frame[OFFLOAD_HEADER] = first
        }
        let emitted = 0
        const fault = splitFrame(frame, new Uint8Array(65_535), () => emitted++)
        expect(fault === undefined ? emitted > 0 : emitted === 0).to.equal(true)
        if (frame.length < OFFLOAD_HEADER) expect(fault).to.equal('truncated')
      }),
      { numRuns: 1000 },
    )
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import { seeded } from '../virtual-network.ts'
import { type LinkOptions, Simulation } from './simulated-peers.ts'

const LIMIT_MS = 3_600_000

/** What each stream carries: every byte says where it belongs. */
function contentOf(streamId: number, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = streamId * 31 + i * 7 + (i >> 8)
  return bytes
}

interface Transfer {
  streamId: number
  size: number
  content: Buffer
  written: number
  read: number
  ended: boolean
}

/** The client sends so many bytes on each of its streams; false: they were not all there in time. */
function transfer(
  link: LinkOptions,
  seed: number,
  sizes: readonly number[],
  onDone?: (simulation: Simulation) => void,
) {
  const simulation = new Simulation(link, seed)
  const [client, server] = simulation.peers
  const random = seeded(seed + 1)
  const transfers = sizes.map((size, i): Transfer => {
    const streamId = i % 2 === 0 ? 4 * (i >> 1) : 4 * (i >> 1) + 2
    return { streamId, size, content: contentOf(streamId, size), written: 0, read: 0, ended: false }
  })
  simulation.onTurn = (peer, now) => {
    if (peer === client) {
      for (const each of transfers) {
        if (each.written > each.size) continue
        const to = Math.min(each.size, each.written + 1 + Math.floor(random() * 40_000))
        const fin = to === each.size
        const taken = client.streams.send(each.streamId, each.content.subarray(each.written, to), fin)
        if (taken === undefined) throw new Error('a stream that is open takes no more')
        const isAllTaken = taken === to - each.written
        each.written += taken
        // Beyond its end: that was taken, too.
        if (fin && isAllTaken) each.written++
      }
      client.streams.handOut({ onStreamData() {}, onStreamReset() {}, onStopSending() {} }, now)
      return
    }
    server.streams.handOut(
      {
        onStreamData(streamId, data, fin) {
          const each = transfers.find(other => other.streamId === streamId)!
          expect(each.ended).to.equal(false)
          if (Buffer.compare(data, each.content.subarray(each.read, each.read + data.length)) !== 0) {
            throw new Error(`stream ${streamId} has other bytes from ${each.read} on`)
          }
          each.read += data.length
          each.ended = fin
        },
        onStreamReset() {
          throw new Error('nobody has reset it')
        },
        onStopSending() {},
      },
      now,
    )
  }
  const isDone = simulation.run(
    () => transfers.every(({ ended, streamId }) => ended && client.streams.isAcknowledged(streamId)),
    LIMIT_MS,
  )
  expect(isDone, JSON.stringify({ link, seed, sizes, now: simulation.now })).to.equal(true)
  expect(transfers.map(({ read }) => read)).to.deep.equal([...sizes])
  onDone?.(simulation)
  return simulation
}

describe('over a link that loses, delays and repeats packets', () => {
  it('streams arrive complete and in order', () => {
    fc.assert(
      fc.property(
        fc.record({
          delayMs: fc.integer({ min: 0, max: 300 }),
          jitterMs: fc.integer({ min: 0, max: 100 }),
          loss: fc.double({ min: 0, max: 0.4, noNaN: true }),
          duplicate: fc.double({ min: 0, max: 0.3, noNaN: true }),
        }),
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.array(fc.nat({ max: 100_000 }), { minLength: 1, maxLength: 8 }),
        (link, seed, sizes) => {
          transfer(link, seed, sizes)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('nothing is taken for lost where nothing is', () => {
    const { peers } = transfer({ delayMs: 30 }, 1, [1_000_000])
    expect(peers.map(({ recovery }) => recovery.packetsLost)).to.deep.equal([0, 0])
  })

  it('nothing is in flight any more when all was acknowledged', () => {
    transfer({ delayMs: 20, loss: 0.1 }, 7, [300_000, 50_000], simulation => {
      const [client] = simulation.peers
      expect(simulation.run(() => client.recovery.bytesInFlight === 0, LIMIT_MS)).to.equal(true)
    })
  })

  it('a path that is away for a while is used again', () => {
    const { now } = transfer({ delayMs: 10, rate: 1000, outage: [50, 5050] }, 3, [1_000_000])
    expect(now).to.be.greaterThan(5050).and.lessThan(15_000)
  })
})

/**
 * Two applications that do what they like with their streams, over packets that are lost, late and repeated. Neither side may take the
 * other's for a fault, and in the end nothing is left: no stream, and no bytes that nobody gives back to flow control.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import type { QuicSettings } from '../../../../src/quic/quic.ts'
import { heldMemory } from '../../../support/held-memory.ts'
import { connected, type End, type Sent } from './stream-ends.ts'

const SETTINGS: Partial<QuicSettings> = {
  streamWindow: 400,
  connectionWindow: 1000,
  maxStreamWindow: 1600,
  maxConnectionWindow: 4000,
  maxStreamsBidi: 3,
  maxStreamsUni: 2,
}

const step = fc.record({
  side: fc.constantFrom('client' as const, 'server' as const),
  action: fc.constantFrom(
    ...([
      'write',
      'write',
      'end',
      'reset',
      'stop',
      'hear',
      'send',
      'send',
      'send',
      'arrive',
      'arrive',
      'lose',
    ] as const),
  ),
  stream: fc.nat({ max: 40 }),
  amount: fc.nat({ max: 300 }),
})

/** Gives back what every byte of a stream must be. */
function byteAt(streamId: number, offset: number): number {
  return (streamId * 7 + offset) & 0xff
}

class Side {
  readonly end: End
  readonly isServer: boolean
  /** How much was written to, and read from, each stream. */
  readonly written = new Map<number, number>()
  readonly read = new Map<number, number>()
  readonly ended = new Set<number>()
  onTheWay: Sent[] = []
  now = 0

  constructor(end: End, isServer: boolean) {
    this.end = end
    this.isServer = isServer
  }

  write(streamId: number, length: number, fin: boolean): void {
    const from = this.written.get(streamId) ?? 0
    const data = Uint8Array.from({ length }, (_, i) => byteAt(streamId, from + i))
    const taken = this.end.streams.send(streamId, data, fin) ?? 0
    this.written.set(streamId, from + taken)
  }

  hear(): void {
    this.end.streams.handOut(
      {
        onStreamData: (id, data, fin) => {
          expect(this.ended.has(id), `stream ${id} has ended`).to.equal(false)
          const from = this.read.get(id) ?? 0
          data.forEach((byte, i) => {
            if (byte !== byteAt(id, from + i)) throw new Error(`stream ${id} has another byte at ${from + i}`)
          })
          this.read.set(id, from + data.length)
          if (fin) this.ended.add(id)
        },
        onStreamReset: id => {
          expect(this.ended.has(id), `stream ${id} has ended`).to.equal(false)
          this.ended.add(id)
        },
        onStopSending() {},
      },
      this.now,
    )
  }
}

describe('streams in disorder', () => {
  it('are understood by both sides, and leave nothing behind', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), steps => {
        const ends = connected(SETTINGS)
        const client = new Side(ends.client, false)
        const server = new Side(ends.server, true)
        /** Streams of which an application has spoken. */
        const touched = new Set<number>()
        const arrive = (from: Side, to: Side, index: number, isRepeated: boolean): void => {
          const sent = from.onTheWay[index % from.onTheWay.length]
          to.end.receive(sent.frames)
          sent.acked()
          if (!isRepeated) from.onTheWay = from.onTheWay.filter(each => each !== sent)
        }
        for (const { side, action, stream, amount } of steps) {
          const here = side === 'client' ? client : server
          const there = side === 'client' ? server : client
          here.now = here.end.now += amount
          const isWriting = action === 'write' || action === 'end' || action === 'reset' || action === 'stop'
          if (isWriting) touched.add(stream)
          if (action === 'write') here.write(stream, amount, false)
          else if (action === 'end') here.write(stream, 0, true)
          else if (action === 'reset') here.end.streams.reset(stream, amount)
          else if (action === 'stop') here.end.streams.stopSending(stream, amount, here.now)
          else if (action === 'hear') here.hear()
          else if (action === 'send') {
            const sent = here.end.send(200)
            if (sent !== undefined) here.onTheWay.push(sent)
          } else if (here.onTheWay.length === 0) continue
          else if (action === 'arrive') arrive(here, there, stream, amount % 4 === 0)
          else {
            // It may arrive nevertheless, after it was taken for lost.
            const sent = here.onTheWay[stream % here.onTheWay.length]
            sent.lost()
            if (amount % 2 === 0) here.onTheWay = here.onTheWay.filter(each => each !== sent)
          }
        }
        // Everything is ended by whoever sends on it, and all arrives.
        for (let round = 0; round < 200; round++) {
          for (const [here, there] of [
            [client, server],
            [server, client],
          ] as const) {
            for (const id of touched) here.write(id, 0, true)
            while (here.onTheWay.length > 0) arrive(here, there, 0, false)
            for (let sent = here.end.send(200); sent !== undefined; sent = here.end.send(200)) {
              there.end.receive(sent.frames)
              sent.acked()
            }
            there.hear()
          }
          if (client.end.streams.size === 0 && server.end.streams.size === 0) break
          // Those that were opened with one above them were never written to.
          for (let id = 0; id <= 40; id++) touched.add(id)
        }
        expect([client.end.streams.size, server.end.streams.size]).to.deep.equal([0, 0])
        ends.exchange()
        // Half of a window may not have been worth an update.
        for (const { end } of [client, server]) expect(end.streams.sendWindow.left).to.be.least(500)
      }),
      { numRuns: 150 },
    )
  })
})

describe('what a sender keeps', () => {
  it('is not more than its bounds, whatever the peer allows', () => {
    const { client } = connected()
    client.streams.onMaxData(2 ** 62)
    client.streams.send(0, new Uint8Array(0), false)
    client.streams.onMaxStreamData(0, 2 ** 62)
    const chunk = new Uint8Array(1 << 20)
    // Nothing of it was sent.
    expect(client.streams.send(0, chunk, false)).to.equal(256 << 10)
    expect(client.streams.send(0, chunk, false)).to.equal(0)
    // All but the first packet arrives.
    let total = 256 << 10
    let isFirst = true
    for (let taken = 1; taken > 0; total += taken) {
      for (let sent = client.send(60_000); sent !== undefined; sent = client.send(60_000)) {
        if (!isFirst) sent.acked()
        isFirst = false
      }
      taken = client.streams.send(0, chunk, false) ?? 0
    }
    expect(total).to.equal(8 << 20)
  })

  it('is nothing of what was acknowledged', async () => {
    const chunk = new Uint8Array(64 << 10)
    const clients: unknown[] = []
    const held = await heldMemory(() => {
      const { client } = connected()
      clients.push(client)
      client.streams.onMaxData(2 ** 62)
      client.streams.send(0, new Uint8Array(0), false)
      client.streams.onMaxStreamData(0, 2 ** 62)
      for (let i = 0; i < 512; i++) {
        expect(client.streams.send(0, chunk, false)).to.equal(chunk.length)
        for (let sent = client.send(60_000); sent !== undefined; sent = client.send(60_000)) sent.acked()
      }
    })
    // 32 MiB went through each of them, and they are all still there.
    expect(held).to.be.lessThan(2 << 20)
    expect(clients).to.have.length(3)
  })
})

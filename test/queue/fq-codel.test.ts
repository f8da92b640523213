import { expect } from 'chai'
import { QUEUE_LIMITS } from '../../src/queue/discipline.ts'
import { FLOW_PRIME, newFlowSecret } from '../../src/queue/flow-hash.ts'
import { FQ_QUEUES, FqCodel } from '../../src/queue/fq-codel.ts'
import { packet, UDP } from '../connect-ip/packets.ts'

/** Some secret, the same each time. */
let state = 0x5eed
const SECRET = newFlowSecret(() => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
  return state % FLOW_PRIME
})
const bulk = packet('10.89.0.2', '10.90.0.1', { size: 1180 })
const sparse = packet('10.89.0.2', '10.90.0.2', { size: 80 })
const otherBulk = packet('10.89.0.2', '10.90.0.3', { size: 580 })
const small = packet('10.89.0.2', '10.90.0.1', { protocol: UDP, size: 40 })

/** UDP from an address and a port of one's own. */
function flow(number: number): Uint8Array {
  const bytes = small.slice()
  bytes[14] = number >> 16
  bytes[20] = number >> 8
  bytes[21] = number
  return bytes
}

function drain(queue: FqCodel, now: number): Uint8Array[] {
  const all: Uint8Array[] = []
  for (let next = queue.dequeue(now); next !== undefined; next = queue.dequeue(now)) all.push(next)
  return all
}

describe('FQ-CoDel', () => {
  it('lets a packet of a flow that sends little go before all that a greedy one has waiting', () => {
    const queue = new FqCodel({ secret: SECRET })
    for (let i = 0; i < 500; i++) queue.enqueue(bulk, 0)
    // It has used up its first turn.
    queue.dequeue(0)
    queue.dequeue(0)
    queue.enqueue(sparse, 1)
    expect(queue.dequeue(1)).to.deep.equal(sparse)
  })

  it('gives flows with packets of different sizes as many bytes each', () => {
    const queue = new FqCodel({ secret: SECRET })
    for (let i = 0; i < 300; i++) {
      queue.enqueue(bulk, 0)
      queue.enqueue(otherBulk, 0)
    }
    let ahead = 0
    for (let i = 0; i < 300; i++) ahead += queue.dequeue(0)?.length === 1200 ? 1200 : -600
    expect(Math.abs(ahead)).to.be.lessThan(2 * 1514)
  })

  it('keeps the packets of one flow in order, and brings out all that came in', () => {
    const queue = new FqCodel({ secret: SECRET })
    const flows = Array.from({ length: 20 }, (_, i) => flow(i))
    for (let i = 0; i < 400; i++) {
      const next = flows[i % 20].slice()
      next[59] = i / 20
      queue.enqueue(next, 0)
    }
    const seen = new Map<string, number[]>()
    for (const out of drain(queue, 0)) {
      const key = String(out.subarray(12, 24))
      seen.set(key, [...(seen.get(key) ?? []), out[59]])
    }
    expect([...seen.values()]).to.deep.equal(flows.map(() => Array.from({ length: 20 }, (_, i) => i)))
    expect([queue.packets, queue.bytes, queue.flows]).to.deep.equal([0, 0, 0])
  })

  it('takes from the longest flow when all is full, and leaves the others alone', () => {
    const dropped: string[] = []
    const queue = new FqCodel({ secret: SECRET, onDrop: reason => dropped.push(reason) })
    queue.enqueue(sparse, 0)
    for (let i = 0; i < 2 * QUEUE_LIMITS.packets; i++) queue.enqueue(bulk, 0)
    expect(queue.packets).to.be.at.most(QUEUE_LIMITS.packets)
    expect(dropped.every(reason => reason === 'queue-full')).to.equal(true)
    const left = drain(queue, 0)
    expect(left.length + dropped.length).to.equal(2 * QUEUE_LIMITS.packets + 1)
    expect(left.filter(out => out.length === 100)).to.have.length(1)
  })

  it('holds no more than its limits of 100 000 flows, and no memory of those that are gone', () => {
    const queue = new FqCodel({ secret: SECRET })
    let most = { packets: 0, flows: 0 }
    for (let i = 0; i < 100_000; i++) {
      queue.enqueue(flow(i), i / 100)
      most = { packets: Math.max(most.packets, queue.packets), flows: Math.max(most.flows, queue.flows) }
    }
    expect(most.packets).to.equal(QUEUE_LIMITS.packets)
    expect(most.flows).to.be.at.most(FQ_QUEUES)
    expect(queue.packets).to.be.greaterThan(QUEUE_LIMITS.packets / 2)
    drain(queue, 1001)
    expect([queue.packets, queue.bytes, queue.flows]).to.deep.equal([0, 0, 0])
  })

  it('holds no more bytes than its limit of packets of the largest size', () => {
    const queue = new FqCodel({ secret: SECRET })
    const largest = packet('10.89.0.2', '10.90.0.1', { size: 65_000 })
    for (let i = 0; i < 100; i++) {
      queue.enqueue(largest, 0)
      expect(queue.bytes).to.be.at.most(QUEUE_LIMITS.bytes)
    }
  })

  it('drops of each flow by its own delay: a sparse one loses nothing beside one that is greedy', () => {
    const dropped: string[] = []
    const queue = new FqCodel({ secret: SECRET, onDrop: reason => dropped.push(reason) })
    let sent = 0
    let left = 0
    // 2 packets of the greedy flow a ms, of which one can leave, and one of the sparse flow every 20 ms.
    for (let now = 0; now < 400; now++) {
      queue.enqueue(bulk, now)
      queue.enqueue(bulk, now)
      if (now % 20 === 0) {
        queue.enqueue(sparse, now)
        sent++
      }
      if (queue.dequeue(now)?.length === 100) left++
    }
    expect(left).to.equal(sent)
    expect(dropped).to.include('queue-delay')
  })
})

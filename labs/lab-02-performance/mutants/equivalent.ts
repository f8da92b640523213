/** Mutations of the solutions that change nothing which can be observed, or nothing that is asked for; and why. */
import type { Equivalents } from '../../kit/grading/mutants.ts'

export default {
  'histogram.ts': {
    'no count is below 0': [['let highest = 0', 'let highest = (-1)']],
  },
  'overhead.ts': {
    'both are added up as varints, and 0 and 1 have the same length': [
      [
        'quicOverhead(packet) + streamFrame(packetStreamId, 0) + PACKET_STREAM_TYPE + varintLength(streamId / 4) + CONTEXT_ID',
        'quicOverhead(packet) + streamFrame(0, packetStreamId) + PACKET_STREAM_TYPE + varintLength(streamId / 4) + CONTEXT_ID',
      ],
      [
        'quicOverhead(packet) + streamFrame(packetStreamId, 0) + PACKET_STREAM_TYPE + varintLength(streamId / 4) + CONTEXT_ID',
        'quicOverhead(packet) + streamFrame(packetStreamId, 1) + PACKET_STREAM_TYPE + varintLength(streamId / 4) + CONTEXT_ID',
      ],
      [
        'quicOverhead(packet) + streamFrame(packetStreamId, 0) + PACKET_STREAM_TYPE + varintLength(streamId / 4) + CONTEXT_ID',
        'quicOverhead(packet) + streamFrame(packetStreamId, (-1)) + PACKET_STREAM_TYPE + varintLength(streamId / 4) + CONTEXT_ID',
      ],
    ],
    'both are added up as varints': [
      [
        'return quicOverhead(packet) + streamFrame(streamId, offset) + dataFrame + capsule',
        'return quicOverhead(packet) + streamFrame(offset, streamId) + dataFrame + capsule',
      ],
    ],
  },
  'path-mtu.ts': {
    'the order of what was given up does not matter': [
      ['this.#givenUp.push(probe.size)', 'this.#givenUp.unshift(probe.size)'],
    ],
    'next() gives it up again or sends another; no size below it can still be acknowledged, so what a router says then changes nothing':
      [['this.#probe = undefined', ';']],
  },
  'pump.ts': {
    'the first event is a turn, and begins the count again': [
      ['#taken = 0', '#taken = (-1)'],
      ['#taken = 0', '#taken = 1'],
    ],
    'a queue that is named twice is read when it is first in line, and taken out everywhere': [
      [
        'for (const queue of event.queues) if (!this.#ready.includes(queue)) this.#ready.push(queue)',
        'for (const queue of event.queues) if (true) this.#ready.push(queue)',
      ],
    ],
    'nothing comes behind the last case': [
      [
        'this.#ready = this.#ready.filter(queue => queue !== event.queue) break',
        'this.#ready = this.#ready.filter(queue => queue !== event.queue) ;',
      ],
    ],
  },
  'scaling.ts': {
    'throughput and latency have equally many values: the factor goes out of their ratio': [
      [
        'return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2',
        'return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) * 2',
      ],
      [
        'return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2',
        'return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 1',
      ],
      [
        'return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2',
        'return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 3',
      ],
    ],
    'map has made a new array already': [
      ['const sorted = [...values].sort((a, b) => a - b)', 'const sorted = values.sort((a, b) => a - b)'],
    ],
  },
} satisfies Equivalents

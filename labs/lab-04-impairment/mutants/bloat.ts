/** Wrong solutions of `bloat`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('bloat.ts', {
  'both-ways': {
    misconception: 'the queue counts in both directions',
    says: 'on the way up only',
    edits: [['fullQueueMs(link, packetBytes)', '2 * fullQueueMs(link, packetBytes)']],
  },
  'bytes-for-bits': {
    misconception: 'bytes are taken for bits',
    says: 'bytes to bits: 8',
    edits: [
      [
        "8 * ('bytes' in limit ? limit.bytes : limit.packets * packetBytes)",
        "('bytes' in limit ? limit.bytes : limit.packets * packetBytes)",
      ],
    ],
  },
  'half-full': {
    misconception: 'half of the queue',
    says: 'not for half',
    edits: [['return (queueBits(link, packetBytes) * 1000)', 'return (queueBits(link, packetBytes) * 500)']],
  },
  'limit-in-bits': {
    misconception: 'a limit in bits',
    says: 'bytes to bits: 8',
    edits: [['(bitsPerSecond * targetMs) / 8000', '(bitsPerSecond * targetMs) / 1000']],
  },
  'link-stands-still': {
    misconception: 'the queue fills with all that comes in',
    says: 'the link goes on sending',
    edits: [['const growth = offeredBitsPerSecond - link.bitsPerSecond', 'const growth = offeredBitsPerSecond']],
  },
  'negative-time': {
    misconception: 'no Infinity when the queue never fills',
    says: 'the queue never fills',
    edits: [
      [
        'growth > 0 ? (queueBits(link, packetBytes) * 1000) / growth : Number.POSITIVE_INFINITY',
        '(queueBits(link, packetBytes) * 1000) / growth',
      ],
    ],
  },
  'packets-are-bytes': {
    misconception: 'a limit in packets is taken for bytes',
    says: 'each of them takes as long as its size',
    edits: [['limit.packets * packetBytes', 'limit.packets']],
  },
  'queue-only': {
    misconception: 'the round trip of the idle link is forgotten',
    says: 'on top of the round trip',
    edits: [['return roundTripMs + fullQueueMs(link, packetBytes)', 'return fullQueueMs(link, packetBytes)']],
  },
  'rounded-up': {
    misconception: 'the limit is rounded up',
    says: 'rounded down',
    edits: [['Math.floor', 'Math.ceil']],
  },
  seconds: {
    misconception: 'seconds for milliseconds',
    says: 'seconds to milliseconds',
    edits: [['return (queueBits(link, packetBytes) * 1000)', 'return queueBits(link, packetBytes)']],
  },
  'size-twice': {
    misconception: 'a limit in bytes is multiplied by the size of packets',
    says: 'the size of a packet does not matter',
    edits: [["'bytes' in limit ? limit.bytes : limit.packets", "('bytes' in limit ? limit.bytes : limit.packets)"]],
  },
  'by-1024': {
    misconception: 'a thousand is 1024',
    says: 'counts 1024 for a thousand',
    edits: [['(bitsPerSecond * targetMs) / 8000', '(bitsPerSecond * targetMs) / 8192']],
  },
})

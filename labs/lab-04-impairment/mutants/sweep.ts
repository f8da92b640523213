/** Wrong solutions of `sweep`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('sweep.ts', {
  'all-wait-as-long': {
    misconception: 'all that wait do so for all of R',
    says: 'the less is left of R',
    edits: [['waitMs += probability * (recoveryMs - k * everyMs)', 'waitMs += probability * recoveryMs']],
  },
  bytes: {
    misconception: 'goodput in bytes',
    says: '8 bits a byte',
    edits: [['return (bytes * 8 * 1000) / everyMs', 'return (bytes * 1000) / everyMs']],
  },
  'goodput-of-the-sender': {
    misconception: 'goodput is what is sent',
    says: 'not what is sent',
    edits: [['delivered * offered(flow)', 'offered(flow)']],
  },
  'k-from-one': {
    misconception: 'the lost packet itself is not late',
    says: 'k begins with 0',
    edits: [['0; recoveryMs', '1; recoveryMs']],
  },
  'no-blocking': {
    misconception: 'only the lost packet is late',
    says: 'head-of-line blocking',
    edits: [
      [
        `let delayed = 0
        let waitMs = 0
        for (let k = 0; recoveryMs - k * everyMs > 0; k++) {
          // The packet k places before is lost, and none of those between.
          const probability = loss * (1 - loss) ** k
          delayed += probability
          waitMs += probability * (recoveryMs - k * everyMs)
        }`,
        `const delayed = loss
        const waitMs = loss * recoveryMs`,
      ],
    ],
  },
  'one-way-ack': {
    misconception: 'acknowledgements take one direction',
    says: 'a round trip, not one direction',
    edits: [
      ['const byPackets = 3 * everyMs + roundTripMs', 'const byPackets = 3 * everyMs + oneWayMs'],
      ['roundTripMs, everyMs + roundTripMs', 'roundTripMs, everyMs + oneWayMs'],
    ],
  },
  'packets-only': {
    misconception: 'only the packet threshold',
    says: 'the packet threshold alone',
    edits: [
      [
        `const byTime = Math.max((9 / 8) * roundTripMs, everyMs + roundTripMs)
        return Math.min(byPackets, byTime)`,
        'return byPackets',
      ],
    ],
  },
  'round-trip': {
    misconception: 'the delay of a datagram is a round trip',
    says: 'that of one direction',
    edits: [['flow.oneWayMs', '2 * flow.oneWayMs']],
  },
  'round-trip-on-top': {
    misconception: 'a round trip on top of R',
    says: 'no round trip on top',
    edits: [['const recoveryMs = lossDetectionMs(flow)', 'const recoveryMs = lossDetectionMs(flow) + 2 * oneWayMs']],
  },
  'slower-threshold': {
    misconception: 'whatever comes last',
    says: 'whatever comes first',
    edits: [['return Math.min(byPackets, byTime)', 'return Math.max(byPackets, byTime)']],
  },
  'stream-loses': {
    misconception: 'a stream loses packets',
    says: 'a stream delivers everything',
    edits: [['1, goodput: offered(flow)', '1 - loss, goodput: (1 - loss) * offered(flow)']],
  },
  'time-without-ack': {
    misconception: 'the time threshold does not wait for an acknowledgement',
    says: 'nothing is taken for lost',
    edits: [['Math.max((9 / 8) * roundTripMs, everyMs + roundTripMs)', '(9 / 8) * roundTripMs']],
  },
  'waits-added-up': {
    misconception: 'waits for several losses are added up',
    says: 'waits once',
    edits: [['const probability = loss * (1 - loss) ** k', 'const probability = loss']],
  },
})

/** Wrong solutions of `metrics`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('metrics.ts', {
  'arrival-times': {
    misconception: 'jitter of the arrival times',
    says: 'difference of transit times',
    edits: [['const transit = receivedMs - sentMs', 'const transit = receivedMs']],
  },
  'copies-counted': {
    misconception: 'further copies count as received',
    says: 'copies hide losses',
    edits: [['received, lost: sent - received', 'received: arrivals.length, lost: sent - arrivals.length']],
  },
  'copies-in-jitter': {
    misconception: 'jitter with further copies',
    says: 'each gives a D of its own',
    edits: [['of firstCopies(arrivals)', 'of arrivals']],
  },
  'copies-reordered': {
    misconception: 'copies are reordered packets',
    says: 'copies',
    edits: [['const packets = firstCopies(arrivals)', 'const packets = arrivals']],
  },
  'copy-behind-only': {
    misconception: 'only a copy directly behind the first is recognised',
    says: 'only the first copy counts',
    edits: [
      [
        `const seen = new Set<number>()
        return arrivals.filter(({ sequence }) => {
          if (seen.has(sequence)) return false
          seen.add(sequence)
          return true
        })`,
        'return arrivals.filter(({ sequence }, i) => i === 0 || sequence !== arrivals[i - 1].sequence)',
      ],
    ],
  },
  'distance-of-numbers': {
    misconception: 'the extent is a distance between numbers',
    says: 'the distance between numbers',
    edits: [
      ['if (sequence >= nextExpected) {', 'if (sequence > nextExpected - 1) {'],
      ['extents.push(i - overtaker)', 'extents.push(nextExpected - 1 - sequence)'],
    ],
  },
  'last-overtaker': {
    misconception: 'the extent goes to the last packet that overtook',
    says: 'the one that arrived earliest',
    edits: [
      [
        'extents.push(i - overtaker)',
        `const last = packets.slice(0, i).findLastIndex(other => other.sequence > sequence)
        extents.push(i - last)`,
      ],
    ],
  },
  'loss-is-reordering': {
    misconception: 'a packet behind a gap counts as reordered',
    says: 'a gap is a loss',
    edits: [
      ['if (sequence >= nextExpected) {', 'if (sequence === nextExpected || i === 0) {'],
      [
        'const overtaker = packets.findIndex(other => other.sequence > sequence)',
        `nextExpected = sequence + 1
        const overtaker = Math.max(0, packets.findIndex(other => other.sequence > sequence))`,
      ],
    ],
  },
  'neighbour-only': {
    misconception: 'compared with the packet before it only',
    says: 'with the highest number so far',
    edits: [
      [
        `if (sequence >= nextExpected) {
          nextExpected = sequence + 1
          continue
        }`,
        `const late = sequence < nextExpected
        nextExpected = sequence
        if (!late) continue`,
      ],
    ],
  },
  'one-eighth': {
    misconception: 'smoothed with 1/8',
    says: 'as the RTT of TCP',
    edits: [['(Math.abs(transit - before) - result) / 16', '(Math.abs(transit - before) - result) / 8']],
  },
  'order-of-sending': {
    misconception: 'jitter in the order of sending',
    says: 'in the order of arrival, not of sending',
    edits: [['of firstCopies(arrivals)', 'of firstCopies(arrivals).sort((a, b) => a.sequence - b.sequence)']],
  },
  'plain-mean': {
    misconception: 'the mean of all differences',
    says: 'running mean',
    edits: [
      [
        'let result = 0',
        `let sum = 0
        let count = 0`,
      ],
      [
        'if (before !== undefined) result += (Math.abs(transit - before) - result) / 16',
        `if (before !== undefined) {
          sum += Math.abs(transit - before)
          count++
        }`,
      ],
      ['return result', 'return count === 0 ? 0 : sum / count'],
    ],
  },
  'sent-by-highest': {
    misconception: 'the highest number says how many were sent',
    says: 'the last packets may be lost too',
    edits: [['sent - received', 'Math.max(-1, ...arrivals.map(({ sequence }) => sequence)) + 1 - received']],
  },
  signed: {
    misconception: 'D with its sign',
    says: 'sooner or later',
    edits: [['Math.abs(transit - before)', 'transit - before']],
  },
  'standard-deviation': {
    misconception: 'jitter is the standard deviation of the transit times',
    says: 'standard deviation',
    edits: [
      [
        `let result = 0
  let before: number | undefined
  for (const { sentMs, receivedMs } of firstCopies(arrivals)) {
    const transit = receivedMs - sentMs
    if (before !== undefined) result += (Math.abs(transit - before) - result) / 16
    before = transit
  }
  return result`,
        `const times = firstCopies(arrivals).map(({ sentMs, receivedMs }) => receivedMs - sentMs)
  const mean = times.reduce((sum, one) => sum + one, 0) / times.length
  return times.length === 0 ? 0 : Math.sqrt(times.reduce((sum, one) => sum + (one - mean) ** 2, 0) / times.length)`,
      ],
    ],
  },
  'extent-as-count': {
    misconception: 'the extent is how many packets overtook',
    says: 'how many packets overtook it',
    edits: [
      [
        'extents.push(i - overtaker)',
        'extents.push(packets.slice(0, i).filter(other => other.sequence > sequence).length)',
      ],
    ],
  },
  'jitter-remembers': {
    misconception: 'the jitter of the flow before goes on',
    says: 'kept outside of the function',
    edits: [
      [
        `let result = 0
  let before: number | undefined`,
        `let result = last
  let before: number | undefined`,
      ],
      [
        `before = transit
  }
  return result`,
        `before = transit
  }
  last = result
  return result`,
      ],
      [
        '/** What became of `sent` packets. */',
        `let last = 0

/** What became of \`sent\` packets. */`,
      ],
    ],
  },
})

/** Wrong solutions of `mobile`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('report.toml', {
  'interval-of-no-length': {
    misconception: 'the interval is the rate itself',
    says: 'an interval with no length',
    edits: [
      ['low_percent = 0.059', 'low_percent = 0.333'],
      ['high_percent = 1.864', 'high_percent = 0.333'],
    ],
  },
  'more-than-was-sent': {
    misconception: 'more arrives than was sent',
    says: 'cannot arrive',
    edits: [['received_kbit = 194.4', 'received_kbit = 210']],
  },
  'no-such-profile': {
    misconception: 'a profile that is not shipped',
    says: 'shipped are',
    edits: [['profile = "lte"', 'profile = "5g"']],
  },
  'no-words': {
    misconception: 'no explanation',
    says: 'half of a report',
    edits: [
      [
        `The profile has 32 ms one way, so 64 ms are expected; the median is higher by some milliseconds. That is the jitter: packets are kept in
        order, so a packet waits for a later one before it, and delays only ever add up. One ping of 300 is missing; the profile says 0.1 %
        each way, and the interval holds 0.2 %. It would take thousands of pings to say it more exactly.
        """`,
        'It is slow."""',
      ],
    ],
  },
  'one-way': {
    misconception: 'the delay of one direction',
    says: 'is this the delay of one direction',
    edits: [['median_ms = 66.4', 'median_ms = 33.1']],
  },
  'percentiles-exchanged': {
    misconception: 'median and p95 are exchanged',
    says: 'so p95 is the larger one',
    edits: [
      ['median_ms = 66.4', 'median_ms = 77.2'],
      ['p95_ms = 77.2', 'p95_ms = 66.4'],
    ],
  },
  'share-for-percent': {
    misconception: 'the interval as a share',
    says: 'in percent, not as a share',
    edits: [
      ['low_percent = 0.059', 'low_percent = 0.00059'],
      ['high_percent = 1.864', 'high_percent = 0.01864'],
    ],
  },
  'ten-pings': {
    misconception: 'ten pings',
    says: 'next to nothing',
    edits: [
      ['sent = 300', 'sent = 10'],
      ['lost = 1', 'lost = 0'],
    ],
  },
  wald: {
    misconception: 'the interval of Wald',
    says: 'your function from task 1 gives it',
    edits: [
      ['low_percent = 0.059', 'low_percent = 0'],
      ['high_percent = 1.864', 'high_percent = 0.986'],
    ],
  },
  'invented-jitter': {
    misconception: 'a figure that nobody has measured',
    says: 'recorded in measured.toml',
    edits: [['jitter_ms = 4.4', 'jitter_ms = 31']],
  },
  'invented-goodput': {
    misconception: 'half of it arrives, and all of it was measured',
    says: 'recorded in measured.toml',
    edits: [['received_kbit = 194.4', 'received_kbit = 97']],
  },
})

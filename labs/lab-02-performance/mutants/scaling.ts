/** Wrong solutions of `scaling`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('scaling.ts', {
  'always-full': {
    misconception: 'the bottleneck is full from the first client on',
    says: 'cannot fill the bottleneck',
    edits: [['Math.min((clients * 1000) / baseLatencyMs, capacity)', 'capacity']],
  },
  'answers-doubled': {
    misconception: 'takes the bottleneck for one that grows',
    says: 'The bottleneck is full',
    file: 'answers.toml',
    edits: [['after = "b"', 'after = "a"']],
  },
  'answers-halved': {
    misconception: 'takes waiting for work',
    says: 'does not work less',
    file: 'answers.toml',
    edits: [['after = "b"', 'after = "c"']],
  },
  'answers-lost': {
    misconception: 'takes every queue for a short one',
    says: 'before a queue is full',
    file: 'answers.toml',
    edits: [['after = "b"', 'after = "d"']],
  },
  'best-single-run': {
    misconception: 'the best single run decides',
    says: 'is luck',
    edits: [
      [
        'median(same.map(run => run.throughput)) / median(same.map(run => run.latencyMs))',
        'Math.max(...same.map(run => run.throughput / run.latencyMs))',
      ],
    ],
  },
  'capacity-for-each': {
    misconception: 'each client has a bottleneck of its own',
    says: 'more clients bring nothing',
    edits: [
      ['Math.min((clients * 1000) / baseLatencyMs, capacity)', 'clients * Math.min(1000 / baseLatencyMs, capacity)'],
    ],
  },
  'highest-throughput': {
    misconception: 'the knee is where throughput is highest',
    says: 'everybody waits',
    edits: [
      [
        'median(same.map(run => run.throughput)) / median(same.map(run => run.latencyMs))',
        'median(same.map(run => run.throughput))',
      ],
    ],
  },
  'last-of-equals': {
    misconception: 'of equal powers the highest number of clients',
    says: 'Of several that are equal, the lowest',
    edits: [['power > best.power', 'power >= best.power']],
  },
  'latency-stays': {
    misconception: 'nobody waits in a queue',
    says: 'waits in the queue',
    edits: [['return (clients * 1000) / predictThroughput(clients, baseLatencyMs, capacity)', 'return baseLatencyMs']],
  },
  'little-divided': {
    misconception: 'divides instead of multiplying',
    says: 'Multiply',
    edits: [['return (throughput * latencyMs) / 1000', 'return throughput / (latencyMs / 1000)']],
  },
  'little-in-seconds': {
    misconception: 'ms are taken for seconds',
    says: 'has to be converted',
    edits: [['return (throughput * latencyMs) / 1000', 'return throughput * latencyMs']],
  },
  'lowest-latency': {
    misconception: 'the knee is where latency is lowest',
    says: 'whoever is alone',
    edits: [['median(same.map(run => run.throughput)) / median', '-median']],
  },
  means: {
    misconception: 'a mean of the runs',
    says: 'a median does not',
    edits: [
      [
        `const sorted = [...values].sort((a, b) => a - b)
        const middle = sorted.length / 2
        return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2`,
        'return values.reduce((sum, value) => sum + value, 0) / values.length',
      ],
    ],
  },
  'median-of-powers': {
    misconception: 'of each run its power, and of these the median',
    says: 'median of the ratios is something else',
    edits: [
      [
        'median(same.map(run => run.throughput)) / median(same.map(run => run.latencyMs))',
        'median(same.map(run => run.throughput / run.latencyMs))',
      ],
    ],
  },
  multiplied: {
    misconception: 'power is throughput times latency',
    says: 'as Little says',
    edits: [['/ median(same.map(run => run.latencyMs))', '* median(same.map(run => run.latencyMs))']],
  },
  'no-bottleneck': {
    misconception: 'more clients always bring more',
    says: 'more clients bring nothing',
    edits: [['Math.min((clients * 1000) / baseLatencyMs, capacity)', '(clients * 1000) / baseLatencyMs']],
  },
  'nearest-rank': {
    misconception: 'the median is the value at half of the ranks',
    says: 'not the lower of them',
    edits: [['(sorted[middle - 1] + sorted[middle]) / 2', 'sorted[middle - 1]']],
  },
  'queue-on-top': {
    misconception: 'the base latency is added to the queue',
    says: 'in there already',
    edits: [
      [
        '(clients * 1000) / predictThroughput(clients, baseLatencyMs, capacity)',
        'baseLatencyMs + (clients * 1000) / capacity',
      ],
    ],
  },
  'sorted-as-text': {
    misconception: 'sorts numbers without a comparator',
    says: 'sorts numbers as text',
    edits: [['[...values].sort((a, b) => a - b)', '[...values].sort()']],
  },
  'trimmed-mean': {
    misconception: 'a mean without the largest and the smallest value',
    says: 'Asked for is the median',
    edits: [
      [
        `const middle = sorted.length / 2
        return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2`,
        `const kept = sorted.length < 3 ? sorted : sorted.slice(1, -1)
        return kept.reduce((sum, value) => sum + value, 0) / kept.length`,
      ],
    ],
  },
  'upper-median': {
    misconception: 'of an even number of values the higher one in the middle',
    says: 'not the higher of them',
    edits: [['(sorted[middle - 1] + sorted[middle]) / 2', 'sorted[middle]']],
  },
})

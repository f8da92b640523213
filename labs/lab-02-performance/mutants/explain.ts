/** Wrong solutions of `explain`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'addresses-wait': {
    misconception: 'takes the ADDRESS_REQUEST for a wait',
    says: 'in the same flight',
    edits: [['settings = "c"', 'settings = "b"']],
  },
  'budget-and-wake-ups': {
    misconception: 'takes the effect for its opposite',
    says: 'fewer wake-ups',
    edits: [['budget = "c"', 'budget = "a"']],
  },
  'datagrams-sent-again': {
    misconception: 'takes datagrams for reliable',
    says: 'stay lost',
    edits: [['streams = "d"', 'streams = "b"']],
  },
  'interpolation-is-exact': {
    misconception: 'takes a guess for a fact',
    says: 'every answer between',
    edits: [['bound = "a"', 'bound = "b"']],
  },
  'mean-of-percentiles': {
    misconception: 'takes the mean of percentiles',
    says: 'not the mean of the quantiles',
    edits: [['buckets = "d"', 'buckets = "a"']],
  },
  'probe-needs-an-icmp': {
    misconception: 'takes ICMP for a promise',
    says: 'drops in silence',
    edits: [['probe = "b"', 'probe = "c"']],
  },
  'reliable-twice': {
    misconception: 'takes two machines for one',
    says: 'know nothing of each other',
    edits: [['reliable = "a"', 'reliable = "b"']],
  },
  'settings-are-the-handshake': {
    misconception: 'takes the session for a part of the handshake',
    says: 'does not wait for HTTP',
    edits: [['settings = "c"', 'settings = "a"']],
  },
  'small-have-more': {
    misconception: 'takes a ratio for a difference',
    says: 'Look at the ratio',
    edits: [['small = "b"', 'small = "a"']],
  },
  'streams-block-each-other': {
    misconception: 'takes streams for one queue',
    says: 'Streams do not wait for each other',
    edits: [['streams = "d"', 'streams = "a"']],
  },
  'sums-and-counts': {
    misconception: 'takes the mean for the distribution',
    says: 'have forgotten',
    edits: [['buckets = "d"', 'buckets = "c"']],
  },
  'tcp-knows': {
    misconception: 'takes TCP for a reader of minds',
    says: 'measures times',
    edits: [['reliable = "a"', 'reliable = "c"']],
  },
})

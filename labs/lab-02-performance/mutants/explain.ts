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
  'waiting-all': {
    misconception: 'takes all that are under way for those that wait',
    says: 'some of them are on the link',
    edits: [['waiting = "10.5"', 'waiting = "16"']],
  },
  'waiting-on-the-link': {
    misconception: 'takes those on the link for those that wait',
    says: 'how many are on the link',
    edits: [['waiting = "10.5"', 'waiting = "5.5"']],
  },
  'waiting-in-ms': {
    misconception: 'takes the wait for the number of those who wait',
    says: 'how long one waits',
    edits: [['waiting = "10.5"', 'waiting = "232"']],
  },
  'waiting-not-converted': {
    misconception: 'multiplies per second by ms',
    says: 'one of the two has to be converted',
    edits: [['waiting = "10.5"', 'waiting = "10508"']],
  },
  'waiting-as-a-ratio': {
    misconception: 'takes a ratio for a number of requests',
    says: 'no number of requests',
    edits: [['waiting = "10.5"', 'waiting = "2.91"']],
  },
  'waiting-of-somebody-else': {
    misconception: 'an answer that is right for another run',
    says: 'one of your own runs',
    edits: [['waiting = "10.5"', 'waiting = "9.9"']],
  },
  'tcp-knows': {
    misconception: 'takes TCP for a reader of minds',
    says: 'measures times',
    edits: [['reliable = "a"', 'reliable = "c"']],
  },
})

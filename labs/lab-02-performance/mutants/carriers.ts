/** Wrong answers of `carriers`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'stream-is-slow': {
    misconception: 'a stream is slower, lost or not',
    says: 'it waits for nothing',
    edits: [['clean = "b"', 'clean = "a"']],
  },
  'http2-is-slow': {
    misconception: 'HTTP/2 costs a round trip for each packet',
    says: 'bytes, not round trips',
    edits: [['clean = "b"', 'clean = "c"']],
  },
  'datagrams-are-fast': {
    misconception: 'datagrams travel faster',
    says: 'takes the same way',
    edits: [['clean = "b"', 'clean = "d"']],
  },
  'only-the-lost-ones': {
    misconception: 'late are those that were lost',
    says: 'holds up all that were sent after it',
    edits: [['late = "17"', 'late = "2"']],
  },
  'few-wait': {
    misconception: 'a loss is noticed at once',
    says: 'noticed after 9/8 of a round trip',
    edits: [['late = "17"', 'late = "8"']],
  },
  'all-who-wait': {
    misconception: 'counts those who wait for a moment only, and those who wait for two losses twice',
    says: 'a packet that waits for two losses is late once',
    edits: [['late = "17"', 'late = "24"']],
  },
  'all-of-them': {
    misconception: 'everybody is late',
    says: 'Not all of these wait',
    edits: [['late = "17"', 'late = "100"']],
  },
  'datagrams-slow-down': {
    misconception: 'congestion control knows what was in a packet',
    says: 'A loss is a loss for the congestion control',
    edits: [['price = "a"', 'price = "b"']],
  },
  'datagrams-out-of-order': {
    misconception: 'what is not ordered is out of order',
    says: 'on this link nothing does',
    edits: [['price = "a"', 'price = "c"']],
  },
  'datagrams-are-large': {
    misconception: 'datagrams have more around them',
    says: 'The other way round',
    edits: [['price = "a"', 'price = "d"']],
  },
  'streams-of-http2': {
    misconception: 'the streams of HTTP/2 do not wait for each other',
    says: 'they all share one TCP connection',
    edits: [['h2 = "d"', 'h2 = "a"']],
  },
  'tcp-repairs': {
    misconception: 'what TCP repairs costs no time',
    says: 'the same round trip for it as QUIC',
    edits: [['h2 = "d"', 'h2 = "b"']],
  },
  'tcp-gives-up': {
    misconception: 'TCP ends at 2 % loss',
    says: 'its everyday life',
    edits: [['h2 = "d"', 'h2 = "c"']],
  },
  'blocked-in-all': {
    misconception: 'the late ones in all',
    says: 'How many for each that was lost',
    edits: [['blocked = "5.62"', 'blocked = "118"']],
  },
  'blocked-upside-down': {
    misconception: 'lost ones for each late one',
    says: 'Upside down',
    edits: [['blocked = "5.62"', 'blocked = "0.178"']],
  },
  'blocked-of-somebody-else': {
    misconception: 'an answer that is right for another run',
    says: 'one of your own runs',
    edits: [['blocked = "5.62"', 'blocked = "1.11"']],
  },
  'tail-in-ms': {
    misconception: 'the difference in ms',
    says: 'That is in ms',
    edits: [['tail = "1.07"', 'tail = "213.4"']],
  },
  'tail-of-the-stream': {
    misconception: 'takes the percentile for the difference',
    says: 'the whole p99 of the stream',
    edits: [['tail = "1.07"', 'tail = "2.36"']],
  },
})

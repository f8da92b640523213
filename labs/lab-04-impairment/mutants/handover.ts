/** Wrong answers of `handover`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'one-round-trip': {
    misconception: 'a ping over LTE, and nothing before it',
    says: 'for itself',
    edits: [['silence = "118"', 'silence = "64"']],
  },
  'wifi-and-lte': {
    misconception: 'the challenge is answered over the Wi-Fi',
    says: 'Both round trips are those of LTE',
    edits: [['silence = "118"', 'silence = "104"']],
  },
  'silent-at-once': {
    misconception: 'the silence begins when the Wi-Fi is gone: the last reply over it is left out',
    says: 'the silence begins only with the last reply',
    edits: [['silence = "118"', 'silence = "128"']],
  },
  'last-reply-over-lte': {
    misconception: 'the last reply takes as long as it would over LTE: 1.5 round trips of LTE',
    says: 'The last reply comes over the Wi-Fi',
    edits: [['silence = "118"', 'silence = "96"']],
  },
  'a-new-connection': {
    misconception: 'a move is a handshake',
    says: 'there is no handshake',
    edits: [['silence = "118"', 'silence = "256"']],
  },
  'a-timer': {
    misconception: 'a dead network is noticed by a timer',
    says: 'No timer has to run out',
    edits: [['silence = "118"', 'silence = "4300"']],
  },
  'in-seconds': {
    misconception: 'the silence in seconds',
    says: 'asked for in ms',
    edits: [['silence = "118"', 'silence = "0.118"']],
  },
  'same-silence': {
    misconception: 'who moves earlier is silent as long',
    says: 'nobody waits for it',
    edits: [['earlier = "c"', 'earlier = "a"']],
  },
  'both-paths': {
    misconception: 'the proxy sends on both paths',
    says: 'It sends to one address',
    edits: [['earlier = "c"', 'earlier = "b"']],
  },
  'waits-for-the-end': {
    misconception: 'the proxy waits until the old path has failed',
    says: 'does not need to see the Wi-Fi fail',
    edits: [['earlier = "c"', 'earlier = "d"']],
  },
  'small-window': {
    misconception: 'a small window makes a ping slow',
    says: 'does not come near to it',
    edits: [['slower = "b"', 'slower = "a"']],
  },
  'slow-challenge': {
    misconception: 'a challenge makes all that follows slow',
    says: 'costs time once',
    edits: [['slower = "b"', 'slower = "c"']],
  },
  'for-the-others': {
    misconception: 'a window is shared out',
    says: 'Nobody else is asked',
    edits: [['reset = "a"', 'reset = "b"']],
  },
  'new-keys': {
    misconception: 'a path has keys of its own',
    says: 'go on as they were',
    edits: [['reset = "a"', 'reset = "c"']],
  },
  'against-floods': {
    misconception: 'mistakes the reset for the limit of three times',
    says: 'the limit of three times',
    edits: [['reset = "a"', 'reset = "d"']],
  },
  'challenge-in-ms': {
    misconception: 'the challenge in ms',
    says: 'How many round trips',
    edits: [['challenge = "0.99"', 'challenge = "66.9"']],
  },
  'challenge-over-wifi': {
    misconception: 'the challenge took the old path',
    says: 'not over the Wi-Fi',
    edits: [['challenge = "0.99"', 'challenge = "4.35"']],
  },
  'challenge-is-all': {
    misconception: 'takes the silence for the challenge',
    says: 'the whole silence',
    edits: [['challenge = "0.99"', 'challenge = "2.18"']],
  },
  'challenge-of-somebody-else': {
    misconception: 'an answer that is right for another run',
    says: 'one of your own runs',
    edits: [['challenge = "0.99"', 'challenge = "1.35"']],
  },
  'loss-of-the-wifi': {
    misconception: 'the loss rate of the Wi-Fi',
    says: 'its part in all that is missing',
    edits: [['fading = "86.7"', 'fading = "15.9"']],
  },
  'part-of-the-move': {
    misconception: 'the part of the move',
    says: 'the other part',
    edits: [['fading = "86.7"', 'fading = "13.3"']],
  },
  'fading-as-a-share': {
    misconception: 'a share in the place of percent',
    says: 'not percent',
    edits: [['fading = "86.7"', 'fading = "0.867"']],
  },
})

/** Wrong solutions of `read-recovery`: answers about the run of the starting files. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'only-by-packets': {
    misconception: 'packets are lost when three later ones have arrived, and not otherwise',
    says: 'declared lost by time, too',
    edits: [['lost = "13"', 'lost = "10"']],
  },
  'all-by-time': {
    misconception: 'a timer declares every loss',
    says: 'all that were lost',
    edits: [['time = "3"', 'time = "13"']],
  },
  'timeouts-lose': {
    misconception: 'a probe timeout declares packets lost',
    says: 'a probe timeout declares nothing lost',
    edits: [['time = "3"', 'time = "1"']],
  },
  'next-packet': {
    misconception: 'the next packet that arrives shows a loss',
    says: 'it takes three',
    edits: [['decided = "30"', 'decided = "28"']],
  },
  'window-before': {
    misconception: 'the window is what it was when the packet was lost',
    says: 'the window of before',
    edits: [['window = "22733"', 'window = "45466"']],
  },
  'factor-of-cubic': {
    misconception: 'a loss leaves 0.7 of the window',
    says: 'NewReno, and halves',
    edits: [['window = "22733"', 'window = "31826"']],
  },
  'one-round-trip': {
    misconception: 'a recovery period is a round trip',
    says: 'about a round trip, and a little more',
    edits: [['recovery = "141.2 ms"', 'recovery = "84.1 ms"']],
  },
  'probes-for-timeouts': {
    misconception: 'each probe is a timeout',
    says: 'these are the probes',
    edits: [['pto = "1"', 'pto = "2"']],
  },
})

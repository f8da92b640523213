/** Wrong solutions of `handshake`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('formulas.ts', {
  'addresses-asked-for-later': {
    misconception: 'the ADDRESS_REQUEST waits for the response',
    says: 'no round trip of its own',
    edits: [['return 2 * rttMs', 'return 3 * rttMs']],
  },
  'half-a-round-trip': {
    misconception: 'one way counts as a wait',
    says: 'whole multiples',
    edits: [['return 2 * rttMs', 'return 1.5 * rttMs']],
  },
  'one-way-time': {
    misconception: 'takes the round-trip time for the way in one direction',
    says: 'both are in the same packets',
    edits: [['return retry ? 2 * rttMs : rttMs', 'return 2 * (retry ? 2 * rttMs : rttMs)']],
  },
  'ping-forgotten': {
    misconception: 'the first answer is there with the session',
    says: 'like any other',
    edits: [['sessionMs(rttMs) + rttMs', 'sessionMs(rttMs)']],
  },
  'retry-for-free': {
    misconception: 'a Retry costs nothing',
    says: 'one more exchange',
    edits: [['return retry ? 2 * rttMs : rttMs', 'return retry ? rttMs : rttMs']],
  },
  'settings-not-waited-for': {
    misconception: 'the request goes along with the Finished',
    says: 'SETTINGS',
    edits: [['return 2 * rttMs', 'return rttMs']],
  },
  'tcp-and-tls': {
    misconception: 'counts a handshake of the transport first, as TCP has it',
    says: 'both are in the same packets',
    edits: [['return retry ? 2 * rttMs : rttMs', 'return retry ? 3 * rttMs : 2 * rttMs']],
  },
  'with-computing': {
    misconception: 'adds what computing takes here',
    says: 'leaves it out',
    edits: [['return retry ? 2 * rttMs : rttMs', 'return (retry ? 2 * rttMs : rttMs) + 5']],
  },
  'zero-rtt': {
    misconception: 'a first connection sends its request at once',
    says: '0-RTT',
    edits: [['return retry ? 2 * rttMs : rttMs', 'return retry ? rttMs : 0']],
  },
})

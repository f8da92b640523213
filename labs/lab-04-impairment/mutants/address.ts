/** Wrong solutions of `address`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'by-address': {
    misconception: 'a connection is its addresses',
    says: 'that is how TCP finds a connection',
    edits: [['finds = "b"', 'finds = "a"']],
  },
  'by-packet-number': {
    misconception: 'a connection is found by packet number',
    says: 'how many packets there were',
    edits: [['finds = "b"', 'finds = "c"']],
  },
  'client-notices': {
    misconception: 'the client notices the rebinding',
    says: 'the client knows nothing of a rebinding',
    edits: [['rebind = "c"', 'rebind = "a"']],
  },
  'error-of-the-network': {
    misconception: 'the network reports an error',
    says: 'there is just silence',
    edits: [['handover = "d"', 'handover = "c"']],
  },
  'handshake-only': {
    misconception: 'the gap is a handshake',
    says: 'notices by nothing but silence',
    edits: [['gap = "4300"', 'gap = "300"']],
  },
  'moves-by-itself': {
    misconception: 'QUIC moves by itself',
    says: 'somebody has to',
    edits: [['handover = "d"', 'handover = "a"']],
  },
  seconds: {
    misconception: 'the gap in seconds',
    says: 'asked for in ms',
    edits: [['gap = "4300"', 'gap = "4.3"']],
  },
  'server-drops': {
    misconception: 'the server drops packets from another port',
    says: 'not by the address',
    edits: [['rebind = "c"', 'rebind = "b"']],
  },
  'timeout-of-the-server': {
    misconception: 'the gap is the timeout of the server',
    says: 'nothing else keeps it waiting',
    edits: [['gap = "4300"', 'gap = "30000"']],
  },
  'reconnect-is-the-gap': {
    misconception: 'takes the whole gap for the reconnect',
    says: 'before the client begins to connect again',
    edits: [['reconnect = "192"', 'reconnect = "4297"']],
  },
  'reconnect-is-the-silence': {
    misconception: 'takes the silence for the reconnect',
    says: 'did not know that its session is dead',
    edits: [['reconnect = "192"', 'reconnect = "4105"']],
  },
  'reconnect-from-the-timer': {
    misconception: 'takes what was set for what was measured',
    says: 'The timeout is what was set',
    edits: [['reconnect = "192"', 'reconnect = "297"']],
  },
  'reconnect-of-somebody-else': {
    misconception: 'an answer that is right for another run',
    says: 'one of your own runs',
    edits: [['reconnect = "192"', 'reconnect = "260"']],
  },
})

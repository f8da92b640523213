/** Wrong solutions of `capture`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'both-directions': {
    misconception: 'counts the datagrams of both directions',
    says: 'in both directions',
    edits: [['datagrams = "4"', 'datagrams = "7"']],
  },
  'context-zero': {
    misconception: 'gives the Context ID of IP packets',
    says: 'is for IP packets',
    edits: [['context = "15086"', 'context = "0"']],
  },
  'first-request': {
    misconception: 'takes the first request for the one of the tunnel',
    says: 'but a plain GET',
    edits: [['stream = "8"', 'stream = "0"']],
  },
  'frame-type': {
    misconception: 'gives the type of the frame for the error code',
    says: 'the type of the frame',
    edits: [['error = "0x107"', 'error = "0x1d"']],
  },
  'length-bits': {
    misconception: 'reads the length bits of a varint as part of the number',
    says: 'the two upper bits of its first byte',
    edits: [['settings = "12613"', 'settings = "28997"']],
  },
  'outer-address': {
    misconception: 'gives the address outside of the tunnel',
    says: 'outside of the tunnel',
    edits: [['address = "10.155.125.2"', 'address = "192.0.2.10"']],
  },
  'pinged-host': {
    misconception: 'gives the address that is pinged',
    says: 'the host that is pinged',
    edits: [['address = "10.155.125.2"', 'address = "10.155.200.249"']],
  },
  'pings-only': {
    misconception: 'counts the pings only',
    says: 'is a datagram too',
    edits: [['datagrams = "4"', 'datagrams = "3"']],
  },
  'quarter-stream-id': {
    misconception: 'gives the Quarter Stream ID for the stream id',
    says: 'That is the Quarter Stream ID',
    edits: [['stream = "8"', 'stream = "2"']],
  },
  'settings-of-the-proxy': {
    misconception: 'gives what the proxy announces',
    says: 'what the proxy announces',
    edits: [['settings = "12613"', 'settings = "16384"']],
  },
})

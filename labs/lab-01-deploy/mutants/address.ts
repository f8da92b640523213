/** Wrong solutions of `address`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'believes-in-dhcp': {
    misconception: 'believes that the address comes by DHCP',
    says: 'No DHCP',
    edits: [['origin = "b"', 'origin = "c"']],
  },
  'believes-in-the-handshake': {
    misconception: 'believes that QUIC assigns the address',
    says: 'QUIC handshake knows nothing',
    edits: [['origin = "b"', 'origin = "d"']],
  },
  'keeps-the-narrow-scope': {
    misconception: 'the scope is still that of the starting file',
    says: 'keeps to that scope',
    file: 'client.toml',
    edits: [['target = "*"', 'target = "10.90.1.0/24"']],
  },
  'prefix-length-for-a-number': {
    misconception: 'takes the prefix length for a number of addresses',
    says: 'length of the prefix in bits',
    edits: [['sources = "1"', 'sources = "32"']],
  },
  'whole-pool': {
    misconception: 'believes that the client may use the whole pool',
    says: 'That is the size of the pool',
    edits: [['sources = "1"', 'sources = "64"']],
  },
})

/** Wrong solutions of `overhead`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('overhead.ts', {
  'capsule-length-without-context': {
    misconception: 'the length of the capsule does not count the Context ID',
    says: 'the capsule its Context ID',
    edits: [['CONTEXT_ID + packetLength', 'packetLength']],
  },
  'frame-counts-itself': {
    misconception: "the length of the DATA frame counts the frame's own type and length",
    says: 'does not count the frame’s own type',
    edits: [
      [
        'varintLength(capsule + packetLength)',
        'varintLength(capsule + packetLength + 1 + varintLength(capsule + packetLength))',
      ],
    ],
  },
  'first-byte-forgotten': {
    misconception: 'the first byte of the QUIC packet is left out',
    says: 'a byte of flags',
    edits: [['1 + connectionIdLength', 'connectionIdLength']],
  },
  'goodput-ipv4-only': {
    misconception: 'an IPv6 header is as long as one of IPv4',
    says: '40 bytes',
    edits: [['4 ? 20 : 40', '4 ? 20 : 20']],
  },
  'goodput-rounded': {
    misconception: 'bits are whole, and so is goodput',
    says: 'nothing is to be rounded',
    edits: [
      [
        '(linkBitsPerSecond * packetLength) / (packetLength + overhead + outside)',
        'Math.floor((linkBitsPerSecond * packetLength) / (packetLength + overhead + outside))',
      ],
    ],
  },
  'goodput-without-headers': {
    misconception: 'the headers outside are forgotten',
    says: 'an IP and a UDP header',
    edits: [['overhead + outside', 'overhead']],
  },
  'lengths-of-the-packet': {
    misconception: 'capsule and frame both count the packet only',
    says: 'counts what is inside',
    edits: [
      ['CONTEXT_ID + packetLength', 'packetLength'],
      ['capsule + packetLength', 'packetLength'],
    ],
  },
  'no-data-frame': {
    misconception: 'the capsule stands directly on the stream',
    says: 'payload of a DATA frame',
    edits: [['const dataFrame = 1 + varintLength(capsule + packetLength)', 'const dataFrame = 0']],
  },
  'no-frame-length': {
    misconception: 'the frame has no length',
    says: 'has a length',
    edits: [['const FRAME_LENGTH = 2', 'const FRAME_LENGTH = 0']],
  },
  'offset-of-the-end': {
    misconception: 'the offset in the frame is where its data ends',
    says: 'where its data begins',
    edits: [['streamFrame(streamId, offset)', 'streamFrame(streamId, offset + dataFrame + capsule + packetLength)']],
  },
  'offset-of-one-byte': {
    misconception: 'the offset is always small',
    says: 'the longer its offset',
    edits: [['varintLength(offset)', 'varintLength(Math.min(offset, 63))']],
  },
  'stream-id-not-quartered': {
    misconception: 'the stream id itself is written',
    says: 'divided by four',
    edits: [['FRAME_LENGTH + varintLength(streamId / 4)', 'FRAME_LENGTH + varintLength(streamId)']],
  },
  'stream-type-forgotten': {
    misconception: 'the packet stream has no type',
    says: 'begins with its type',
    edits: [['const PACKET_STREAM_TYPE = 4', 'const PACKET_STREAM_TYPE = 0']],
  },
  'stream-type-of-two-bytes': {
    misconception: '0x4d51 is written in two bytes',
    says: 'two of them hold 14 bits only',
    edits: [['const PACKET_STREAM_TYPE = 4', 'const PACKET_STREAM_TYPE = 2']],
  },
  'tag-forgotten': {
    misconception: 'the tag of the encryption is left out',
    says: 'tag of its encryption',
    edits: [['packetNumberLength + AEAD_TAG', 'packetNumberLength']],
  },
  'udp-inside': {
    misconception: 'UDP and IP header are counted as inside',
    says: 'inside of the UDP payload',
    edits: [['1 + connectionIdLength', '28 + 1 + connectionIdLength']],
  },
  'varint-inclusive': {
    misconception: '64 still fits into one byte',
    says: 'first two bits',
    edits: [['if (value < 2 ** 6) return 1', 'if (value <= 2 ** 6) return 1']],
  },
  'varint-of-eight-bits': {
    misconception: 'a varint of one byte holds 8 bits',
    says: 'first two bits',
    edits: [['if (value < 2 ** 6) return 1', 'if (value < 2 ** 8) return 1']],
  },
})

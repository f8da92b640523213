/** Lab 3 as data. The checks are in harness.ts. */
import type { Lab } from '../kit/types.ts'
import * as harness from './harness.ts'

export const lab: Lab = {
  id: 'lab-03-protocol',
  number: 3,
  title: 'Take the protocol apart',
  summary: 'Write the pieces of a CONNECT-IP endpoint yourself, byte by byte, and ping through a tunnel with them.',
  objectives: [
    'read and write the wire formats of QUIC, HTTP/3, capsules and IP from their RFCs',
    'write parsers that survive any split of the input and every hostile byte',
    'explain what each byte of a CONNECT-IP tunnel is for',
    'read a decrypted QUIC capture',
  ],
  prerequisites: ['TypeScript: functions, classes, Uint8Array, bigint', 'hexadecimal and binary numbers', 'lab 1'],
  minutes: 240,
  reading: ['RFC 9484', 'RFC 9297', 'RFC 9114 §4, §6, §7', 'RFC 9204 §4', 'RFC 9000 §16'],
  tasks: [
    {
      id: 'varint',
      title: 'Variable-length integers',
      kind: 'coding',
      points: 8,
      files: ['varint.ts'],
      brief: `
        Nearly every number in QUIC, HTTP/3 and the Capsule Protocol is a **varint**: the two upper bits of its first byte
        say how long it is.

        \`\`\`
        25                        00 100101                          37
        7b bd                     01 111011 10111101                 15293
        9d 7f 3e 7d               10 011101 01111111 ...             494878333
        c2 19 7c 5e ff 14 e8 8c   11 000010 00011001 ...             151288809941952652
        \`\`\`

        In \`varint.ts\`, write \`varintLength\`, \`encodeVarint\` and \`decodeVarint\`. The comments there say what each takes and
        returns. Numbers have up to 62 bits, JavaScript's are exact up to 53, and its bit operators know only 32: so
        use \`bigint\`.

        A varint whose end has not arrived yet is no error: \`decodeVarint\` returns \`undefined\`. The next task needs that.
      `,
      questions: [],
      hints: [
        'The length is a power of two, and the two bits are its exponent: `1 << (first >> 6)`.',
        'Put a number together from the left: `value = (value << 8n) | BigInt(byte)`. Begin with the lower six bits of the first byte.',
        'To write, take bytes off the right: `Number(rest & 0xffn)`, then `rest >>= 8n`, from the last byte to the first. Set the two upper bits at the end.',
      ],
      reading: ['RFC 9000 §16 Variable-Length Integer Encoding', 'RFC 9000 §A.1', 'src/bytes/varint.ts, afterwards'],
      check: harness.checkVarint,
    },
    {
      id: 'capsules',
      title: 'A capsule parser that survives any split',
      kind: 'coding',
      points: 14,
      files: ['capsules.ts'],
      brief: `
        On the stream of an accepted CONNECT-IP request both sides speak **capsules**: type, length, value. But a stream is
        a stream of bytes. What was sent as two capsules may arrive as one piece, as five, or byte by byte:

        \`\`\`
        sent      01 03 aa bb cc            02 01 dd
        arrives   01          03 aa bb              cc 02 01       dd
        \`\`\`

        In \`capsules.ts\`, write \`encodeCapsule\` and the class \`CapsuleParser\`. It

        - gives out capsules as soon as they are complete, however the stream was cut;
        - **skips** capsules of unknown types, however large, without keeping them;
        - refuses known capsules above a limit as soon as their length is known;
        - says at the end of the stream whether it ended inside a capsule.
      `,
      questions: [],
      hints: [
        'Begin simple: keep what is incomplete, put new bytes behind it, and try again from its beginning. That is correct for everything but the unknown types.',
        'For an unknown type, remember how many bytes of the value are still to be skipped (a bigint: it may be 2^62 - 1), and forget the bytes.',
        'One call may complete several capsules, or end an unknown one and begin the next: a loop that ends when nothing complete is left.',
        'The parser is inside a capsule when bytes are kept, or when bytes remain to be skipped.',
      ],
      reading: ['RFC 9297 §3.2', 'RFC 9297 §3.3 Error Handling', 'src/connect-ip/capsule.ts, afterwards'],
      check: harness.checkCapsules,
    },
  ],
}

/** Wrong solutions of `capsules`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('capsules.ts', {
  'empty-is-incomplete': {
    misconception: 'a capsule without a value is taken for one whose value has not arrived',
    says: 'Length 0 is allowed',
    edits: [['if (end > rest.length) break', 'if (end > rest.length || length === 0n) break']],
  },
  'end-ignores-skipping': {
    misconception: 'a stream may end inside an unknown capsule',
    says: 'also of a value that is only skipped',
    edits: [['0 || this.#toSkip > 0n', '0']],
  },
  'length-of-32-bits': {
    misconception: 'the length to skip is kept in 32 bits',
    says: 'keep it a bigint',
    edits: [['this.#toSkip = length', 'this.#toSkip = BigInt(Number(length) >>> 0)']],
  },
  'length-of-everything': {
    misconception: 'the length is written as that of the whole capsule',
    says: 'bytes of the value alone',
    edits: [['value.length', 'value.length + encodeVarint(type).length + encodeVarint(BigInt(value.length)).length']],
  },
  'limit-off-by-one': {
    misconception: 'a capsule of exactly the limit is refused',
    says: 'itself inside the limit',
    edits: [['if (length > this.maxLength) {', 'if (length >= this.maxLength) {']],
  },
  'no-limit': {
    misconception: 'the limit is never looked at',
    says: 'the peer decides how much memory',
    edits: [['if (length > this.maxLength) {', 'if (length < 0n) {']],
  },
  'one-a-call': {
    misconception: 'gives out at most one capsule a call',
    says: 'more than one capsule',
    edits: [
      [
        'rest = rest.subarray(end)',
        `rest = rest.subarray(end)
        break`,
      ],
    ],
  },
  'rest-forgotten': {
    misconception: 'an incomplete capsule at the end of a piece is forgotten',
    says: 'Keep what is not complete',
    edits: [['this.#kept = rest.slice()', '']],
  },
  'unknown-buffered': {
    misconception: 'the value of an unknown capsule is kept until it is complete',
    says: 'fill its memory',
    edits: [
      [
        `this.#toSkip = length
        rest = rest.subarray(valueAt)`,
        `const end = valueAt + Number(length)
        if (end > rest.length) break
        rest = rest.subarray(end)`,
      ],
    ],
  },
  'unknown-given-out': {
    misconception: 'unknown types are given out like known ones',
    says: 'dropped silently and skipped',
    edits: [['return type <= CapsuleType.ROUTE_ADVERTISEMENT', 'return type >= 0n']],
  },
  'unknown-refused': {
    misconception: 'an unknown type is an error',
    says: 'dropped silently and skipped',
    edits: [
      [
        `this.#toSkip = length
        rest = rest.subarray(valueAt)
        continue`,
        'throw new MalformedError(`unknown capsule type ${type}`)',
      ],
    ],
  },
  'static-state': {
    misconception: 'all parsers share one state',
    says: 'belongs to that parser',
    edits: [
      ['#kept = new Uint8Array(0)', 'static #kept = new Uint8Array(0)'],
      ['return this.#kept.length', 'return CapsuleParser.#kept.length'],
      ['let rest = concat(this.#kept, bytes)', 'let rest = concat(CapsuleParser.#kept, bytes)'],
      ['this.#kept = rest.slice()', 'CapsuleParser.#kept = rest.slice()'],
      ['if (this.#kept.length > 0 ||', 'if (CapsuleParser.#kept.length > 0 ||'],
    ],
  },
  'datagram-capsule-skipped': {
    misconception: 'DATAGRAM is skipped as if its type were unknown',
    says: 'DATAGRAM has the type 0',
    edits: [
      ['return type <= CapsuleType.ROUTE_ADVERTISEMENT', 'return type > 0n && type <= CapsuleType.ROUTE_ADVERTISEMENT'],
    ],
  },
})

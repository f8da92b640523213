/** Solutions that are right and unlike the reference: each is accepted. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Edit, mutated } from '../../labs/kit/grading/mutants.ts'
import type { Lab } from '../../labs/kit/lab/types.ts'
import { lab as lab3 } from '../../labs/lab-03-protocol/lab.ts'
import { lab as lab4 } from '../../labs/lab-04-impairment/lab.ts'
import { Scratch, said } from './grade-lab.ts'

const UNUSUAL: readonly (readonly [
  what: string,
  lab: Lab,
  task: string,
  file: string,
  edits: readonly [Edit, ...Edit[]],
])[] = [
  [
    'throws a subclass of MalformedError',
    lab3,
    'varint',
    'varint.ts',
    [
      ['throw new MalformedError(', 'throw new TooLarge('],
      ['/** The upper bits', 'class TooLarge extends MalformedError {}\n\n/** The upper bits'],
    ],
  ],
  [
    'returns an object of a class, with getters',
    lab3,
    'varint',
    'varint.ts',
    [
      ['return { value, length }', 'return new Found(value, length)'],
      [
        '/** The upper bits',
        `class Found {
          readonly #value: bigint
          readonly #length: number
          constructor(value: bigint, length: number) { this.#value = value; this.#length = length }
          get value(): bigint { return this.#value }
          get length(): number { return this.#length }
        }

        /** The upper bits`,
      ],
    ],
  ],
  [
    'returns one property more',
    lab3,
    'ipv6',
    'ipv6.ts',
    [['return { protocol, offset,', 'return { packet, protocol, offset,']],
  ],
  [
    'refuses a range that overlaps one for every protocol (RFC 9484 §4.7.3: whoever notices, aborts)',
    lab3,
    'routes',
    'routes.ts',
    [
      [
        'for (let i = 1; i < routes.length; i++) checkOrder(routes[i - 1], routes[i])',
        `for (let i = 1; i < routes.length; i++) checkOrder(routes[i - 1], routes[i])
        for (const one of routes) {
          for (const other of routes) {
            if (one.version !== other.version || one.protocol !== ANY_PROTOCOL || other.protocol === ANY_PROTOCOL) continue
            const isApart = compareAddresses(one.end, other.start) < 0 || compareAddresses(other.end, one.start) < 0
            if (!isApart) throw new MalformedError('a range overlaps one for every protocol')
          }
        }`,
      ],
    ],
  ],
  [
    'sends no "fragmentation needed and DF set" about a packet without DF',
    lab3,
    'too-big',
    'too-big.ts',
    [
      [
        'if (isUnspecified(source)) return false',
        'if (isUnspecified(source) || (packet[6] & 0x40) === 0) return false',
      ],
    ],
  ],
  [
    'leaves out what is undefined',
    lab4,
    'codel',
    'codel.ts',
    [['{ id: packet?.id, dropped }', '{ ...(packet && { id: packet.id }), dropped } as Dequeued']],
  ],
  [
    'calculates the silence in other words',
    lab4,
    'migration',
    'migration.ts',
    [
      ['return firstReply - lastReply', 'return (firstReply * 3) / 4 + 0 * lastReply'],
      ['return idleTimeoutMs + pauseMs + 4 * roundTripMs', 'return 4 * (roundTripMs + pauseMs / 4) + idleTimeoutMs'],
    ],
  ],
  [
    'returns more than is asked for, and in its own order',
    lab4,
    'migration',
    'migration.ts',
    [
      [
        'return { address, room: validated',
        'return { validated, sent, received, ...{ highest, lastValidated }, address, room: validated',
      ],
      ['room: number }', 'room: number; [more: string]: unknown }'],
    ],
  ],
]

describe('labs: what is right and unusual', () => {
  const scratches = new Map([lab3, lab4].map(lab => [lab, new Scratch(lab)]))
  after(() => {
    for (const scratch of scratches.values()) scratch.remove()
  })
  for (const [what, lab, task, file, edits] of UNUSUAL) {
    it(`${task}: ${what}`, async () => {
      const scratch = scratches.get(lab)!
      scratch.solve()
      const path = join(scratch.exercises, file)
      writeFileSync(path, mutated({ id: what, file, misconception: '', says: '', edits }, readFileSync(path, 'utf8')))
      const result = await scratch.check(task)
      expect(result.passed, said(result)).to.equal(true)
    })
  }
})

/**
 * Wrong solutions that used to be accepted, by everybody's inputs or by those that belong to some names: each is rejected whatever the
 * student is called, and for its reason.
 */
import { expect } from 'chai'
import { loadMutants } from '../../labs/kit/grading/mutants.ts'
import { ROOT } from '../../labs/kit/lab/registry.ts'
import type { Lab } from '../../labs/kit/lab/types.ts'
import { lab as lab3 } from '../../labs/lab-03-protocol/lab.ts'
import { lab as lab4 } from '../../labs/lab-04-impairment/lab.ts'
import { Scratch, said } from './grade-lab.ts'

const NAMES = ['ada', 'bob', 'łukasz-7']

const ACCEPTED: readonly (readonly [Lab, Readonly<Record<string, readonly string[]>>])[] = [
  [
    lab3,
    {
      varint: ['buffer-from-its-beginning', 'one-output'],
      capsules: ['static-state'],
      addresses: ['ids-as-numbers'],
      routes: ['first-range-decides', 'search-by-start', 'end-plus-one'],
      http3: ['shifts-of-32-bits', 'shifting-encoder', 'huffman-of-values-only'],
      ipv4: ['input-decremented', 'header-of-sixty'],
      ipv6: ['nothing-behind', 'eight-headers', 'offset-by-upper-byte'],
      'too-big': ['first-fragments', 'class-e', 'mtu-clamped', 'offset-by-upper-byte'],
      live: [
        'options-ignored',
        'static-parser',
        'static-id',
        'input-answered',
        'sixteen-kib',
        'first-header',
        'whole-data-frames',
      ],
    },
  ],
  [
    lab4,
    {
      estimate: ['cut-off', 'below-one', 'trace-overwritten'],
      codel: ['at-target', 'largest-packet-left', 'fifteen-hundred', 'fixed-times'],
    },
  ],
]

for (const [lab, tasks] of ACCEPTED) {
  const catalogues = await loadMutants(ROOT, lab)
  describe(`${lab.id}: what used to be accepted`, () => {
    const scratch = new Scratch(lab)
    after(() => scratch.remove())
    for (const [task, ids] of Object.entries(tasks)) {
      for (const id of ids) {
        it(`${task}: ${id}`, async () => {
          const mutant = catalogues.get(task)!.find(one => one.id === id)!
          scratch.solve(mutant)
          for (const seed of NAMES) {
            const result = await scratch.check(task, { seed })
            expect(result.passed, seed).to.equal(false)
            expect(said(result).toLowerCase(), seed).to.include(mutant.says.toLowerCase())
          }
        })
      }
    }
  })
}

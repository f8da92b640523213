import { expect } from 'chai'
import { type CallGroup, expectCalls } from '../../../../labs/kit/check/calls.ts'
import type { CheckContext, Otherwise } from '../../../../labs/kit/lab/types.ts'

/** What is said of a function that computes `student`. */
async function said(student: (n: number) => number, group: Partial<CallGroup>): Promise<Otherwise | undefined> {
  let told: Otherwise | undefined
  const context = {
    do: (_: string, action: () => unknown) => action(),
    expect(_: string, holds: unknown, otherwise: () => Otherwise) {
      if (!holds) told = otherwise()
    },
    student: {
      batch: async (_: string, __: string, lists: number[][]) => lists.map(([n]) => ({ ok: true, value: student(n!) })),
      alone: async (_: string, __: string, [n]: number[]) => ({ ok: true, value: student(n!) }),
    },
  }
  await expectCalls(context as unknown as CheckContext, {
    text: 'squares',
    file: 'square.ts',
    name: 'square',
    calls: [2, 3, 5].map(n => ({ about: `of ${n}`, args: [n], returns: n * n })),
    misconceptions: [
      { says: 'cubes', would: (n: number) => n ** 3 },
      { says: 'four more', would: (n: number) => n * n + 4 },
    ],
    read: [],
    ...group,
  })
  return told
}

describe('labs/kit: misconceptions', () => {
  it('names the misconception that explains every call, where one call looks like several', async () => {
    expect(await said(n => n * n, {})).to.equal(undefined)
    // 2 to the power of 3 is 2 times 2 and 4 more.
    expect((await said(n => n ** 3, {}))?.misconception).to.equal('cubes')
    expect((await said(n => n * n + 4, {}))?.misconception).to.equal('four more')
  })

  it('names none where they are exact and none explains every call', async () => {
    const odd = (n: number) => (n === 2 ? 8 : 0)
    expect((await said(odd, { exact: true }))?.misconception).to.equal(undefined)
    expect((await said(odd, {}))?.misconception).to.equal('cubes')
  })

  it('shows two numbers that are not the same in so many digits that they look different', async () => {
    const calls = [{ about: 'a large one', args: [1], returns: 90961262.553802 }]
    const { expected, found } = (await said(() => 90961262, { calls }))!
    expect(expected).to.include('return 90961262.554')
    expect(found).to.equal('90961262')
  })
})

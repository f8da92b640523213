import { expect } from 'chai'
import { fuzz, type Target } from './fuzz.ts'
import { TARGETS } from './targets.ts'

/** Not what code that is fuzzed looks like; but each step in it is a block of its own, which only who has come so far sees. */
function maze(input: Uint8Array): string {
  if (input[0] !== 0x4d) return 'no'
  if (input[1] !== 0x5a) return 'no'
  if (input[2] !== 0x9c) return 'no'
  throw new Error('the end of the maze')
}

const target = (run: Target['run']): Target => ({
  name: 'test',
  seeds: [new Uint8Array(3)],
  isOurs: url => url.includes('/test/fuzz/fuzz.test.'),
  run,
})

describe('fuzzing that is led by coverage', () => {
  it('finds what three right bytes in a row lead to, which nobody finds by chance', async () => {
    const { faults, kept } = await fuzz(target(maze), { inputs: 100_000, seconds: 20, seed: 1 })
    expect(faults.map(({ error }) => error.message)).to.deep.equal(['the end of the maze'])
    expect(faults[0].input).to.match(/^4d5a9c/)
    expect(kept.length).to.be.within(3, 30)
  })

  it('keeps what comes to an end of its own, whatever the numbers in it are', async () => {
    const { outcomes, kept } = await fuzz(
      target(input => `${input.length & 1 ? 'odd' : 'even'} ${input[0] & 255}`),
      { inputs: 200, seconds: 10, seed: 1 },
    )
    expect([...outcomes.keys()].sort()).to.deep.equal(['even N', 'odd N'])
    expect(kept.length).to.be.within(2, 5)
  })

  it('takes what costs too much CPU time for a fault', async () => {
    const { faults } = await fuzz(
      target(() => {
        for (const end = process.cpuUsage().user + 60_000; process.cpuUsage().user < end; );
        return ''
      }),
      { inputs: 1, seconds: 1, seed: 1, mostCpuMs: 50 },
    )
    expect(faults.map(({ error }) => error.message)).to.deep.equal(['takes more than 50 ms of CPU time'])
  })

  for (const [name, make] of Object.entries(TARGETS)) {
    it(`finds nothing in ${name} with its seeds and a few inputs more`, async () => {
      // However long the seeds take, which come first.
      const limits = { inputs: 5, seconds: Number.POSITIVE_INFINITY, seed: 1 }
      const { faults, covered, inputs } = await fuzz(await make(), limits)
      expect(faults).to.deep.equal([])
      expect(inputs).to.equal(5)
      expect(covered).to.be.above(2000)
    })
  }
})

import { expect } from 'chai'
import { STAGES, type StagesResult } from '../../bench/stages.ts'
import { command } from '../support/command.ts'

describe('bench stages', () => {
  it('carries packets whole through all stages, and says what each has cost', async () => {
    const { status, stdout, stderr } = await command(['bench', 'stages', '--seconds', '1', '--json'])
    expect(status, stderr).to.equal(0)
    const { stages, total, packets }: StagesResult = JSON.parse(stdout)
    expect(Object.keys(stages)).to.deep.equal([...STAGES])
    for (const [name, ns] of Object.entries(stages)) expect(ns, name).to.be.above(0)
    expect(total).to.be.closeTo(
      Object.values(stages).reduce((sum, ns) => sum + ns, 0),
      0.01 * total,
    )
    expect(packets).to.be.above(100)
  })
})

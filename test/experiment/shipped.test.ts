import { join } from 'node:path'
import { expect } from 'chai'
import { loadExperiment } from '../../src/experiment/definition.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import { filesBelow, ROOT, read } from '../docs/repository.ts'

const files = filesBelow('experiments', ['.toml']).filter(file => file.split('/').length === 2)

describe('the experiments of this repository', () => {
  for (const file of files) {
    it(`${file} can be run, whole and with --quick, which is shorter`, () => {
      const [whole, quick] = [false, true].map(quick => loadExperiment(join(ROOT, file), { quick, loadProfile }))
      const seconds = (each: typeof whole) => each.cells.length * each.seeds.length * each.durationMs
      expect(seconds(quick)).to.be.greaterThan(0).and.lessThan(seconds(whole))
    })
  }

  it('have one for each topic of docs/thesis.md, of which there are eight', () => {
    const named = [...read('docs/thesis.md').matchAll(/npm run experiment -- (\S+)`/g)].map(match => match[1])
    expect(new Set(named).size).to.equal(8)
    const names = files.map(file => file.slice('experiments/'.length, -'.toml'.length))
    expect(names).to.include.members(named)
  })
})

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { commit, VERSION } from '../src/version.ts'
import { ROOT } from './docs/repository.ts'

describe('the version of this program', () => {
  it('is that of package.json, and a commit where it runs from a checkout', function () {
    expect(VERSION).to.match(/^\d+\.\d+\.\d+/)
    if (!existsSync(join(ROOT, '.git'))) this.skip()
    // With a plus sign where files have been changed since.
    expect(commit()).to.match(/^[0-9a-f]{12,40}\+?$/)
  })
})

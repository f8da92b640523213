import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { firstWritable, userCache } from '../../src/process/cache-folder.ts'

describe('the place of what can be made again', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-test-cache-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('is where the system keeps such things for a user', () => {
    const at = join('/home', 'ada')
    expect(userCache({}, 'linux', at)).to.equal(join(at, '.cache', 'masque-lab'))
    expect(userCache({ XDG_CACHE_HOME: '/big' }, 'linux', at)).to.equal(join('/big', 'masque-lab'))
    expect(userCache({ XDG_CACHE_HOME: '' }, 'darwin', at)).to.equal(join(at, 'Library', 'Caches', 'masque-lab'))
    expect(userCache({ LOCALAPPDATA: 'L' }, 'win32', at)).to.equal(join('L', 'masque-lab'))
    expect(userCache({}, 'win32', at)).to.equal(join(at, 'AppData', 'Local', 'masque-lab'))
  })

  it('is the first folder that can be written to, and nothing is left of the trial', () => {
    const [file, second] = [join(folder, 'file'), join(folder, 'a', 'b')]
    writeFileSync(file, '')
    expect(firstWritable([join(file, 'below'), second, join(folder, 'c')])).to.equal(second)
    expect(readdirSync(second)).to.deep.equal([])
    expect(existsSync(join(folder, 'c'))).to.equal(false)
  })

  it('is nowhere, for the reason that the last one has', () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    expect(() => firstWritable([join(file, 'a'), join(file, 'b')])).to.throw(/file.b/)
  })
})

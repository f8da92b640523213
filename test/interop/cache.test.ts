import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Unavailable } from '../../interop/harness/skip.ts'
import { cacheFolder } from '../../interop/harness/tool.ts'

describe('what the peers need', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-test-interop-'))
    writeFileSync(join(folder, 'file'), '')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('is kept where the user may write, when the packages belong to somebody else', () => {
    const own = join(folder, 'own')
    expect(cacheFolder('flupke', [join(folder, 'file'), own])).to.equal(join(own, 'flupke'))
  })

  it('is not tried where there is no such place, and one line says what to do', () => {
    const places = [join(folder, 'file'), join(folder, 'file', 'below')]
    expect(() => cacheFolder('flupke', places)).to.throw(
      Unavailable,
      /^there is no place for what it needs: [^\n]*; XDG_CACHE_HOME names a folder that you may write to$/,
    )
  })
})

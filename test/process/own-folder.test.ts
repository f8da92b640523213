import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { makeOwnFolder, removeLeftFolders } from '../../src/process/own-folder.ts'

const MODULE = pathToFileURL(join(import.meta.dirname, '../../src/process/own-folder.ts')).href

describe('a folder for this process alone', () => {
  const usual = process.env.TMPDIR
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-test-own-'))
    process.env.TMPDIR = folder
  })
  afterEach(() => {
    if (usual === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = usual
    rmSync(folder, { recursive: true, force: true })
  })

  /** What a process has made that was killed. */
  function left(kind: string): string {
    const code = `import { makeOwnFolder } from '${MODULE}'
      console.log(makeOwnFolder('${kind}'))
      process.kill(process.pid, 'SIGKILL')`
    return spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      encoding: 'utf8',
    }).stdout.trim()
  }

  it('is removed when its process was killed, and only if it is of that kind', () => {
    const [mine, dead, other] = [makeOwnFolder('test'), left('test'), left('other')]
    expect([mine, dead, other].map(path => existsSync(path))).to.deep.equal([true, true, true])
    removeLeftFolders('test')
    expect([mine, dead, other].map(path => existsSync(path))).to.deep.equal([true, false, true])
  })
})

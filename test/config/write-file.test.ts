import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeFolder, writeNamedFile } from '../../src/config/write-file.ts'
import { command } from '../support/command.ts'

describe('what somebody names to be written', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-test-write-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const code = (write: () => void): string | undefined => {
    try {
      write()
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    }
    return undefined
  }

  it('is a file, replaced as a whole or not at all', () => {
    const file = join(folder, 'a')
    writeNamedFile(file, 'longer', { replace: false })
    expect(code(() => writeNamedFile(file, 'x', { replace: false }))).to.equal('EEXIST')
    expect(readFileSync(file, 'utf8')).to.equal('longer')
    writeNamedFile(file, 'new')
    expect(readFileSync(file, 'utf8')).to.equal('new')
  })

  it('is a folder below others, which may be there', () => {
    for (let i = 0; i < 2; i++) makeFolder(join(folder, 'a/b/c'))
    expect(statSync(join(folder, 'a/b/c')).isDirectory()).to.equal(true)
    writeFileSync(join(folder, 'file'), '')
    expect(code(() => makeFolder(join(folder, 'file')))).to.equal('EEXIST')
    expect(code(() => makeFolder(join(folder, 'file/x')))).to.equal('ENOTDIR')
  })

  it('is refused, and not waited for, where it is a folder in /proc or a pipe that nobody reads', async function () {
    if (process.platform !== 'linux') this.skip()
    expect(code(() => makeFolder('/proc/x/y'))).to.equal('ENOENT')
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    expect(code(() => writeNamedFile(pipe, 'x'))).to.equal('ENXIO')
    const trace = join(folder, 'trace.csv')
    writeFileSync(trace, '0,5\n1,5\n2,5\n')
    const said = await command(['netem', 'convert', trace, '-o', pipe, '--force'])
    expect(said.stderr).to.include(`${pipe}: this is a pipe (FIFO) that nobody reads`).and.not.include(' at ')
    expect(said.status).to.be.oneOf([1, 2])
  })
})

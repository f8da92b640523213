import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { certCommand, powershellArguments } from '../../src/cli/cert-command.ts'

const run = fileURLToPath(new URL('../../src/cli/run.mjs', import.meta.url))

describe('npm run cert', () => {
  it('runs the bash script on Linux and macOS and passes the arguments through', () => {
    for (const platform of ['linux', 'darwin'] as const) {
      const { file, args } = certCommand(platform, ['--out', 'a b', '--force'])
      expect(file).to.equal('bash')
      expect(args[0]).to.match(/cert[/\\]generate\.sh$/)
      expect(args.slice(1)).to.deep.equal(['--out', 'a b', '--force'])
    }
  })

  it('runs the PowerShell script on Windows, with the arguments in its spelling', () => {
    const { file, args } = certCommand('win32', ['--days', '30'])
    expect(file).to.equal('pwsh')
    expect(args.find(a => a.endsWith('generate.ps1'))).to.not.equal(undefined)
    expect(args.slice(-2)).to.deep.equal(['-Days', '30'])
  })

  it('turns repeated options into one PowerShell list', () => {
    expect(
      powershellArguments(['--client', 'a', '--force', '--client', 'b', '--name', 'x', '--out', 'dir']),
    ).to.deep.equal(['-Force', '-Out', 'dir', '-Client', 'a,b', '-Name', 'x'])
  })

  it('passes on what it does not know, so that the script can refuse it', () => {
    expect(powershellArguments(['--wrong', 'toString', '--out'])).to.deep.equal(['--wrong', 'toString', '-Out'])
  })

  it('gives the exit status and the sentence of the script', function () {
    if (process.platform === 'win32') this.skip()
    const result = spawnSync(process.execPath, [run, 'cert', '--days', '400'], { encoding: 'utf8' })
    expect(result.status).to.equal(1)
    expect(result.stderr.trim()).to.match(/^generate\.sh: --days 400: a number from 1 to 397 is expected/)
  })

  it('says in one sentence that bash is missing', function () {
    if (process.platform === 'win32') this.skip()
    const result = spawnSync(process.execPath, [run, 'cert'], { encoding: 'utf8', env: { PATH: '/nonexistent' } })
    expect(result.status).to.equal(1)
    expect(result.stderr.trim())
      .to.match(/^cert: bash is not installed/)
      .and.not.include('\n')
  })
})

import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { certCommand, powershellArguments } from '../../src/cli/cert-command.ts'
import { makeCertificatesWithoutOpenssl } from '../../src/cli/cert-fallback.ts'
import { RUN } from '../support/command.ts'

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
    const result = spawnSync(process.execPath, [RUN, 'cert', '--days', '400'], { encoding: 'utf8' })
    expect(result.status).to.equal(1)
    expect(result.stderr.trim()).to.match(/^generate\.sh: --days 400: a number from 1 to 397 is expected/)
  })

  describe('where openssl or bash is missing', () => {
    let directory: string
    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), 'masque-cert-test-'))
    })
    afterEach(() => rmSync(directory, { recursive: true, force: true }))
    const read = (name: string) => new X509Certificate(readFileSync(join(directory, name)))
    const make = (...args: string[]) => makeCertificatesWithoutOpenssl(['--out', directory, ...args], 'unused')

    it('makes the same files by Node alone', function () {
      if (process.platform === 'win32') this.skip()
      const env = { PATH: '/nonexistent' }
      const result = spawnSync(process.execPath, [RUN, 'cert', '--out', directory], { encoding: 'utf8', env })
      expect(result.status, result.stderr).to.equal(0)
      expect(result.stdout).to.include('made by Node')
      for (const name of ['server.pem', 'client.pem', 'client2.pem'])
        expect(read(name).verify(read('ca.pem').publicKey), name).to.equal(true)
    })

    it('takes the options of the script', async () => {
      await make('--client', 'ada', '--name', 'proxy.example', '--days', '7')
      expect(read('ada.pem').subject).to.include('CN=ada')
      expect(read('server.pem').checkHost('proxy.example')).to.equal('proxy.example')
      const days = (Date.parse(read('server.pem').validTo) - Date.now()) / 86_400_000
      expect(days).to.be.within(6, 7.1)
    })

    it('keeps what is valid, and makes it anew when that is asked for, or when it has expired', async () => {
      await make()
      const first = read('ca.pem').fingerprint256
      expect(await make()).to.match(/kept/)
      expect(read('ca.pem').fingerprint256).to.equal(first)
      await make('--force')
      const second = read('ca.pem').fingerprint256
      expect(second).to.not.equal(first)
      const later = new Date(Date.now() + 400 * 86_400_000)
      await makeCertificatesWithoutOpenssl(['--out', directory], 'unused', directory, later)
      expect(read('ca.pem').fingerprint256).to.not.equal(second)
    })

    it('makes all anew when the server’s certificate lives longer than --days asks for', async () => {
      await make()
      const first = read('server.pem').fingerprint256
      await make('--days', '13')
      expect(read('server.pem').fingerprint256).to.not.equal(first)
      expect(Date.parse(read('server.pem').validTo)).to.be.below(Date.now() + 13 * 86_400_000)
      expect(await make('--days', '13')).to.match(/kept/)
      expect(await make()).to.match(/kept/)
    })

    it('AT-15 keeps what was not made here under another name', async () => {
      await make()
      const ours = readFileSync(join(directory, 'client-key.pem'), 'utf8')
      rmSync(join(directory, 'ca.pem'))
      writeFileSync(join(directory, 'server.pem'), 'somebody')
      const caKey = readFileSync(join(directory, 'ca-key.pem'), 'utf8')
      const serverKey = readFileSync(join(directory, 'server-key.pem'), 'utf8')
      const told = await make()
      const kept = (name: string) => readFileSync(join(directory, name), 'utf8')
      expect(kept('ca-key.pem.before')).to.equal(caKey)
      expect(kept('server-key.pem.before')).to.equal(serverKey)
      expect(kept('server.pem.before')).to.equal('somebody')
      expect(told).to.include('server.pem was not made here: it is now server.pem.before')
      expect(kept('client-key.pem')).to.not.equal(ours)
      expect(readdirSync(directory)).to.not.include('client-key.pem.before')
      writeFileSync(join(directory, 'server.pem'), 'somebody else')
      await make('--force')
      expect(kept('server.pem.before-2')).to.equal('somebody else')
    })

    it('says in one sentence which argument is wrong', async () => {
      for (const [args, sentence] of [
        [['--days', '400'], /^--days 400: a number from 1 to 397 is expected$/],
        [['--client', 'ca'], /client name 'ca'/],
        [['--wrong'], /--wrong/],
      ] as const) {
        const error = await make(...args).catch(problem => problem as Error)
        expect(error).to.be.an('error')
        expect((error as Error).message.split('\n')[0]).to.match(sentence)
      }
    })
  })
})

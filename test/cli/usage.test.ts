import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { read } from '../docs/repository.ts'
import { command, type Ended } from '../support/command.ts'

/** What a command cannot do without; undefined: it does something without any argument. */
const NEEDS: Record<string, RegExp | undefined> = {
  server: /--config/,
  client: /--config/,
  experiment: /a file is missing/,
  compare: /a profile is missing/,
  'new-lab': /a number and a topic are expected/,
}
/** Has subcommands, which test/cli/netem/netem.test.ts tries. */
const ELSEWHERE = ['netem']

describe('each command of package.json', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const helps: Record<string, Promise<Ended>> = {}
  const help = (name: string): Promise<Ended> => (helps[name] ??= command([name, '--help']))
  const names = Object.values(scripts).flatMap(script => /masque-lab\.mjs (\S+)$/.exec(script)?.[1] ?? [])

  it('is looked at here', () => {
    expect(names).to.include.members(['lab', 'server', 'client', 'cert', 'experiment', ...ELSEWHERE])
  })

  for (const name of ['server', 'client']) {
    it(`${name} names the variables of the environment that it reads`, async () => {
      expect((await help(name)).stdout)
        .to.include('MASQUE_UDP=auto|batched|dgram')
        .and.include('MASQUE_LOG=info,quic=debug')
        .and.include('MASQUE_LOG_FORMAT')
        .and.include('SSLKEYLOGFILE')
    })
  }

  for (const name of names.filter(each => !ELSEWHERE.includes(each))) {
    it(`${name} helps, and refuses what it does not know and what is missing, in a sentence and without a stack`, async () => {
      const [helped, wrong, bare] = await Promise.all([
        help(name),
        command([name, '--no-such-option']),
        name in NEEDS ? command([name]) : undefined,
      ])
      expect(helped.status, helped.stderr).to.equal(0)
      expect(helped.stderr).to.equal('')
      expect(helped.stdout).to.match(/usage/i)
      for (const [ended, says] of [
        [wrong, name in NEEDS ? /--no-such-option|--config|expected/ : /--no-such-option/],
        [bare, NEEDS[name]],
      ] as const) {
        if (ended === undefined || says === undefined) continue
        expect(ended.status, ended.stdout).to.be.oneOf([1, 2])
        expect(ended.stdout).to.equal('')
        expect(ended.stderr).to.match(says)
        expect(ended.stderr.trim().split('\n'), ended.stderr).to.have.length(1)
      }
    })
  }

  it('client refuses --tun-dns where nothing would ask for names, or the proxy is not listened to', async () => {
    const config = 'config/client.local.toml'
    const { status, stderr } = await command(['client', '-c', config, '--tun-dns'])
    expect(status).to.equal(1)
    expect(stderr).to.equal("error: option '--tun-dns' is for '--tun': without it, nothing asks for names\n")
    const folder = mkdtempSync(join(tmpdir(), 'masque-test-usage-'))
    try {
      const deaf = join(folder, 'client.toml')
      writeFileSync(deaf, 'tunnel.accept_dns = false\n')
      const refused = await command(['client', '-c', deaf, '--tun', '--tun-dns'])
      expect(refused.status).to.equal(1)
      expect(refused.stderr).to.include('needs tunnel.accept_dns, which is false in the configuration')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('client refuses --tun-offload where there is no TUN device', async () => {
    const { status, stderr } = await command(['client', '-c', 'config/client.local.toml', '--tun-offload'])
    expect(status).to.equal(1)
    expect(stderr).to.equal("error: option '--tun-offload' is for '--tun': without it, there is no device\n")
  })

  it('that does not exist is refused with those that do', async () => {
    const { status, stderr } = await command(['serve'])
    expect(status).to.equal(2)
    expect(stderr).to.match(/^unknown command 'serve': one of .*server.* is expected$/m)
  })
})

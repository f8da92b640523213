import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { filesBelow, ROOT, read } from '../docs/repository.ts'
import { closeLoopback, connectClient, ping, startServer } from '../support/loopback.ts'
import { PATIENCE_MS } from '../support/patience.ts'

/** Names that promtool would give otherwise: prom-client's, which all Node programs have, and one that an article has made known. */
const KNOWN_NAMES =
  /^(?:(?:nodejs|process)_\w+|masque_vpn_ip_pool_total non-counter metrics should not have "_total" suffix)/

function promtool(args: readonly string[], input = ''): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, {
    cwd: ROOT,
    encoding: 'utf8',
    input,
    timeout: PATIENCE_MS,
  })
  return { status, output: `${stdout}${stderr}` }
}

describe('promtool', () => {
  afterEach(closeLoopback)

  it('finds nothing wrong with the configuration and the rules', () => {
    const { status, output } = promtool(['check', 'config', 'monitoring/prometheus.yml'])
    expect(output)
      .to.match(/2 rule files found/)
      .and.not.match(/FAILED/)
    expect(status, output).to.equal(0)
  })

  for (const file of filesBelow('monitoring/rules/tests', ['.test.yml'])) {
    it(`${file} passes`, () => {
      const { status, output } = promtool(['test', 'rules', file])
      expect(status, output).to.equal(0)
    })
  }

  it('is of a Prometheus that knows the options in the documentation', () => {
    const command = /^prometheus (.*)$/m.exec(read('docs/monitoring.md'))?.[1].split(' ') ?? []
    const { stdout } = spawnSync('prometheus', ['--help'], { encoding: 'utf8', timeout: PATIENCE_MS })
    expect(command).to.have.length(3).and.include('--config.file=monitoring/prometheus.yml')
    for (const option of command) expect(stdout).to.include(`  ${option.split('=')[0]}=`)
  })

  it('finds nothing wrong with what /metrics says, but for names that are known', async () => {
    const api = { enabled: true, host: '127.0.0.1', port: 0 }
    const server = await startServer({ api }, { processMetrics: true })
    const { client } = await connectClient(server)
    await ping(client, '10.90.0.1')
    const text = await (await fetch(`${server.apiUrl}/metrics`)).text()
    const { output } = promtool(['check', 'metrics'], text)
    const complaints = output.split('\n').filter(line => line !== '' && !KNOWN_NAMES.test(line))
    expect(complaints.join('\n')).to.equal('')
    const broken = promtool(['check', 'metrics'], `${text}\nmasque_vpn_broken{ 1\n`)
    expect(broken.status, broken.output).to.equal(1)
  })
})

import { existsSync, readdirSync } from 'node:fs'
import { expect } from 'chai'
import { openRealNetwork, type RealNetwork, WEB } from '../../src/testbed/real-network.ts'
import { start, succeeds } from '../hosts/tun/network.ts'
import { command, RUN } from '../support/command.ts'
import { until } from '../support/loopback.ts'
import { ownTmpdir } from '../support/own-tmpdir.ts'

let temporary: ReturnType<typeof ownTmpdir>
const folders = () => readdirSync(temporary.path).filter(name => name.startsWith('masque-testbed-'))

describe('the testbed with real interfaces', () => {
  let network: RealNetwork | undefined

  beforeEach(() => {
    temporary = ownTmpdir()
  })
  afterEach(async () => {
    await network?.close()
    temporary.remove()
  })

  it('leads what the system sends to the web server through the tunnel, in both families', async () => {
    const steps: string[] = []
    network = await openRealNetwork({ onStep: what => steps.push(what) })
    expect(steps.at(-1)).to.equal('tunnel, with a TUN device at the client')
    for (const [at, seenAs] of [
      [WEB.ipv4, '198.51.100.1'],
      [`[${WEB.ipv6}]`, '2001:db8:100::1'],
    ]) {
      // The proxy's NAT: it is its address that the server sees.
      expect(await network.run('client', ['curl', '-s', `http://${at}/`])).to.contain(`It sees you as ${seenAs}.`)
    }
    const length = await network.run('client', [...['sh', '-c', `curl -s http://${WEB.ipv4}/bytes/3000000 | wc -c`]])
    expect(Number(length)).to.equal(3_000_000)
    await network.close()
    expect(folders()).to.deep.equal([])
  })

  it('ends at once, and leaves nothing, when nobody waits for it any more', async () => {
    const stop = new AbortController()
    const steps: string[] = []
    const opening = openRealNetwork({
      signal: stop.signal,
      onStep(what) {
        steps.push(what)
        if (what.startsWith('proxy')) stop.abort(new Error('enough'))
      },
    })
    expect(await opening.catch(error => error)).to.be.instanceOf(Error)
    expect(steps.at(-1)).to.match(/^proxy/)
    expect(folders()).to.deep.equal([])
  })

  for (const [when, sign] of [
    ['while it is set up', 'done  proxy'],
    ['while its shell runs', 'the shell is here'],
  ]) {
    it(`leaves nothing when it is ended by SIGTERM ${when}`, async () => {
      const program = start(process.execPath, [RUN, 'testbed', '--run', 'echo the shell is here >&2; sleep 1000'])
      await until(() => program.output.includes(sign))
      program.process.kill('SIGTERM')
      expect(await program.ended).to.equal(1)
      expect(program.output).to.include('ended by SIGTERM')
      expect(folders()).to.deep.equal([])
    })
  }

  it('sweeps away what one has left that was killed', async () => {
    const program = start(process.execPath, [RUN, 'testbed', '--run', 'sleep 1000'])
    await until(() => program.output.includes('done  proxy'))
    program.process.kill('SIGKILL')
    await program.ended
    expect(folders()).to.have.length(1)
    network = await openRealNetwork()
    await network.close()
    expect(folders()).to.deep.equal([])
  })

  it('puts a profile on the link between client and proxy', async function () {
    if (!succeeds('ping -V')) {
      console.log('skipped: the command ping is missing (Debian package iputils-ping)')
      this.skip()
    }
    network = await openRealNetwork({ profile: 'geo' })
    // Twice the 275 ms at least that a geostationary satellite takes.
    const output = await network.run('client', ['ping', '-c', '2', '-W', '5', WEB.ipv4])
    const fastest = Number(/ = ([\d.]+)\//.exec(output)?.[1])
    expect(fastest).to.be.above(450)
  })

  it('runs a command in one of its namespaces, and ends with that one’s status', async () => {
    const { status, stdout, stderr } = await command(['testbed', '--in', 'web', '--run', 'ip -br link; exit 7'])
    expect(stderr).to.contain('done  tunnel')
    expect(status).to.equal(7)
    expect(stdout).to.match(/^w0@/m)
  })

  it('says at once that there is no such profile, and leaves nothing', async () => {
    const { status, stderr } = await command(['testbed', '--profile', 'nonsense', '--run', 'true'])
    expect(status).to.equal(1)
    expect(stderr).to.match(/^nonsense: there is no such profile/)
    expect(folders()).to.deep.equal([])
    expect(existsSync('/run/masque-lab')).to.equal(false)
  })
})

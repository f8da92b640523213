import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { type Namespaces, openNamespaces, whyNoNamespaces } from '../../src/testbed/namespaces.ts'
import { until } from '../support/loopback.ts'

const PAIR = `
  ip link add c netns client type veth peer name s netns server
  ip -n client addr add 10.0.0.1/24 dev c; ip -n client link set c up
  ip -n server addr add 10.0.0.2/24 dev s; ip -n server link set s up`

describe('network namespaces without root', () => {
  let network: Namespaces | undefined

  before(function () {
    const why = whyNoNamespaces()
    if (why !== undefined) {
      console.log(`      ${why}`)
      this.skip()
    }
  })

  afterEach(() => network?.close())

  it('are connected as the script says, and each has interfaces of its own', async () => {
    network = await openNamespaces(['client', 'server'], PAIR)
    expect(await network.run('client', ['ip', '-br', 'addr'])).to.match(/^c@/m)
    expect(await network.run('server', ['ip', '-br', 'addr']))
      .to.match(/^s@/m)
      .and.not.match(/^c@/m)
  })

  it('say which command failed, and with what words', async () => {
    const refused = await openNamespaces(['client'], 'ip -n client link set nonsense up').catch(error => error)
    expect(refused.message).to.match(/^the namespaces cannot be made: .*nonsense/s)
    network = await openNamespaces(['client'], '')
    const failed = await network.run('client', ['ip', 'link', 'show', 'nothing']).catch(error => error)
    expect(failed.message).to.match(/^'ip link show nothing' in client ended with status 1: .*nothing/s)
  })

  it('leave nothing of a script that takes too long: with whoever runs it, it is killed itself', async () => {
    const opening = openNamespaces(['client'], 'exec sleep 1000').catch(error => error)
    const isHolder = (pid: number): boolean => commandOf(pid).startsWith('unshare')
    const script = (): number | undefined => childrenOf(process.pid).filter(isHolder).flatMap(childrenOf)[0]
    await until(() => commandOf(script() ?? 0).startsWith('sleep'))
    const inside = script()
    // As after the time that it has.
    process.kill(childrenOf(process.pid).find(isHolder) as number, 'SIGKILL')
    expect((await opening).message).to.match(/^the namespaces cannot be made/)
    await until(() => !existsSync(`/proc/${inside}`))
  })

  it('take every process inside with them when they are closed', async () => {
    network = await openNamespaces(['client'], '')
    const child = network.spawn('client', ['sh', '-c', 'echo up; exec sleep 1000'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    await new Promise(resolve => child.stdout?.once('data', resolve))
    await network.close()
    await until(() => child.exitCode !== null || child.signalCode !== null)
    expect(existsSync(`/proc/${child.pid}`)).to.equal(false)
  })
})

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`)
}

/** Of a process that may be gone by now. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

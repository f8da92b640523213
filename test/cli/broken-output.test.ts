import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { ServerStatus } from '../../src/server/status.ts'
import { testCertificates } from '../support/certificates.ts'
import { RUN } from '../support/command.ts'
import { closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'

const FULL = '/dev/full'

interface Proxy {
  readonly child: ChildProcess
  readonly address: { host: string; port: number }
  readonly api: string
  readonly output: () => string
}

/** Programs of the command line whose output cannot be written, or whose terminal goes away. */
describe('a command whose output goes nowhere', () => {
  // Each starts a process, which takes a while on a busy machine.
  let directory: string
  let configuration: string
  const children: ChildProcess[] = []
  const descriptors: number[] = []

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'masque-test-output-'))
    configuration = join(directory, 'server.toml')
    const { server, serverKey } = await testCertificates()
    writeFileSync(
      configuration,
      `listen.port = 0\napi.port = 0\npool.ipv4 = "10.89.0.0/24"\ntls.certificate = "${server}"\ntls.key = "${serverKey}"\n`,
    )
  })

  afterEach(async () => {
    await closeLoopback()
    for (const child of children.splice(0)) child.kill('SIGKILL')
    for (const descriptor of descriptors.splice(0)) closeSync(descriptor)
  })

  after(() => rmSync(directory, { recursive: true, force: true }))

  const full = (): number => {
    const descriptor = openSync(FULL, 'w')
    descriptors.push(descriptor)
    return descriptor
  }

  const start = (file: string, args: string[], stdio: ('ignore' | 'pipe' | number)[]): ChildProcess => {
    const child = spawn(file, args, { stdio })
    children.push(child)
    return child
  }

  /** A proxy in a process of its own. Its standard output is read until it is ready. */
  async function startProxy(stderr: 'pipe' | number, wrap: string[] = []): Promise<Proxy> {
    const [file, ...args] = [...wrap, process.execPath, RUN, 'server', '-c', configuration]
    const child = start(file, args, ['ignore', 'pipe', stderr])
    let text = ''
    child.stdout!.on('data', data => {
      text += data
    })
    child.stderr?.resume()
    await until(() => /Ctrl-C stops it/.test(text) || child.exitCode !== null)
    const port = Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1])
    const api = String(/API +(http:\S+)\/health/.exec(text)?.[1])
    return { child, address: { host: '127.0.0.1', port }, api, output: () => text }
  }

  async function answersPings(proxy: Pick<Proxy, 'address'>): Promise<void> {
    const { client } = await connectClient(proxy)
    await ping(client, '10.89.0.1')
    await client.close()
  }

  const ended = async (child: ChildProcess): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode
  }

  it('AT-07 serves on while the disk of its log is full, and counts the lines that are lost', async function () {
    if (!existsSync(FULL)) this.skip()
    const proxy = await startProxy(full())
    await answersPings(proxy)
    const status = (await (await fetch(`${proxy.api}/api/v1/status`)).json()) as ServerStatus
    expect(status.log.linesLost).to.be.at.least(2)
    const metrics = await (await fetch(`${proxy.api}/metrics`)).text()
    expect(metrics).to.match(/masque_vpn_log_lines_lost_total\{reason="not_written"\} [1-9]/)
    proxy.child.kill('SIGTERM')
    expect(await ended(proxy.child)).to.equal(0)
  })

  it('AT-09 serves on when nobody reads what it printed, and ends in order', async () => {
    const proxy = await startProxy('pipe')
    proxy.child.stdout!.destroy()
    await answersPings(proxy)
    proxy.child.kill('SIGTERM')
    expect(await ended(proxy.child)).to.equal(0)
  })

  it('AT-09 serves on when what it prints cannot be written, and ends in order', async function () {
    if (!existsSync(FULL)) this.skip()
    const child = start(process.execPath, [RUN, 'server', '-c', configuration], ['ignore', full(), 'pipe'])
    let log = ''
    child.stderr!.on('data', data => {
      log += data
    })
    await until(() => /proxy is listening.*\n/.test(log) || child.exitCode !== null)
    const port = Number(/"port":(\d+)/.exec(log)?.[1])
    await answersPings({ address: { host: '127.0.0.1', port } })
    child.kill('SIGTERM')
    expect(await ended(child)).to.equal(0)
    expect(log).to.not.match(/cannot be written/)
  })

  it('AT-21 ends in order, with a GOAWAY, when its terminal is closed', async () => {
    const proxy = await startProxy('pipe')
    const { client } = await connectClient(proxy)
    const down = once(client, 'down')
    proxy.child.kill('SIGHUP')
    await down
    expect(await ended(proxy.child)).to.equal(0)
    expect(proxy.output()).to.match(/closing the tunnels/)
  })

  it('AT-21 outlives its terminal when it was started with nohup', async () => {
    // The shell leaves the name of the program that it starts in `_`.
    const proxy = await startProxy('pipe', ['bash', '-c', 'nohup "$@" & trap "kill $!" TERM; wait; wait', 'nohup'])
    const nohup = (
      await once(
        start('ps', ['-o', 'pid=', '--ppid', String(proxy.child.pid)], ['ignore', 'pipe', 'ignore']).stdout!,
        'data',
      )
    ).toString()
    process.kill(Number(nohup), 'SIGHUP')
    await answersPings(proxy)
    process.kill(Number(nohup), 'SIGTERM')
    await until(() => /closing the tunnels/.test(proxy.output()))
  })

  for (const args of [['netem', 'list'], ['lab']]) {
    it(`AT-09 npm run ${args.join(' ')} ends well when only its first line is read`, async () => {
      const child = start(
        'bash',
        ['-c', '"$@" | head -n 1 >/dev/null; exit $PIPESTATUS', 'x', process.execPath, RUN, ...args],
        ['ignore', 'ignore', 'pipe'],
      )
      let errors = ''
      child.stderr!.on('data', data => {
        errors += data
      })
      await once(child, 'close')
      expect(errors).to.equal('')
      expect(child.exitCode).to.equal(0)
    })
  }

  it('AT-09 a client that pings stops, and closes its tunnel, when nobody reads the answers', async () => {
    const server = await startServer()
    const { ca } = await testCertificates()
    const file = join(directory, 'client.toml')
    writeFileSync(file, `proxy.address = "127.0.0.1:${server.address.port}"\ntls.ca = "${ca}"\nlog.level = "silent"\n`)
    const args = ['client', '-c', file, '--ping', '10.89.0.1', '--count', '1000000', '--interval', '5']
    const child = start(process.execPath, [RUN, ...args], ['ignore', 'pipe', 'pipe'])
    let errors = ''
    child.stderr!.on('data', data => {
      errors += data
    })
    child.stdout!.once('data', () => child.stdout!.destroy())
    expect(await ended(child)).to.equal(0)
    expect(errors).to.equal('')
    await until(() => server.status().tunnels === 0)
  })

  for (const args of [['netem', 'list'], ['functional']]) {
    it(`npm run ${args.join(' ')} fails with one sentence when its output does not fit on the disk`, async function () {
      if (!existsSync(FULL)) this.skip()
      const child = start(process.execPath, [RUN, ...args], ['ignore', full(), 'pipe'])
      let errors = ''
      child.stderr!.on('data', data => {
        errors += data
      })
      await once(child, 'close')
      expect(child.exitCode).to.equal(1)
      expect(errors.trim().split('\n')).to.have.length(1)
      expect(errors).to.match(/^standard output cannot be written \(ENOSPC\)/)
    })
  }
})

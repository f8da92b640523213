/** `--pcap`, as somebody else's program reads it. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { parseQlog } from '../qlog/qlog-schema.ts'
import { testCertificates } from '../support/certificates.ts'
import { closeLoopback, until } from '../support/loopback.ts'
import { PATIENCE_MS } from '../support/patience.ts'
import { scratchFolder } from '../support/scratch.ts'
import { fields, tshark } from './tshark.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A program of bin/, and what it prints. */
class Program {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, ['bin/masque-lab.mjs', ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout?.on('data', text => {
      this.stdout += text
    })
    this.child.stderr?.on('data', text => {
      this.stderr += text
    })
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  async end(signal?: NodeJS.Signals): Promise<void> {
    if (signal !== undefined && !this.ended) this.child.kill(signal)
    if (!this.ended) await once(this.child, 'exit')
  }
}

describe('a capture by the commands, read by tshark', function () {
  this.timeout(2 * PATIENCE_MS)
  let folder: string
  let programs: Program[]

  beforeEach(() => {
    folder = scratchFolder('masque-test-captures-')
    programs = []
  })
  afterEach(async () => {
    await Promise.all(programs.map(program => program.end('SIGKILL')))
    await closeLoopback()
  })

  const start = (...args: string[]): Program => {
    const program = new Program(...args)
    programs.push(program)
    return program
  }

  async function startServer(...args: string[]): Promise<{ server: Program; port: string }> {
    const { server: certificate, serverKey: key, ca } = await testCertificates()
    const config = join(folder, 'server.toml')
    const tls = `[tls]\ncertificate = ${JSON.stringify(certificate)}\nkey = ${JSON.stringify(key)}\nclient_ca = ${JSON.stringify(ca)}\n`
    const pools = '[pool]\nipv4 = "10.89.0.0/24"\nipv6 = "fd00:89::/64"\n[[hosts]]\nname = "echo"\nipv4 = "10.90.0.1"\n'
    writeFileSync(config, `[listen]\nhost = "127.0.0.1"\nport = 0\n${tls}${pools}[api]\nenabled = false\n`)
    const server = start('server', '-c', config, ...args)
    await until(() => /Ctrl-C/.test(server.stdout) || server.ended)
    const port = /https:\/\/127\.0\.0\.1:(\d+)/.exec(server.stdout)?.[1]
    if (port === undefined) throw new Error(`the server did not start: ${server.stderr}`)
    return { server, port }
  }

  async function pingThrough(port: string, ...args: string[]): Promise<Program> {
    const { ca } = await testCertificates()
    const config = join(folder, 'client.toml')
    const template = `https://localhost:${port}/.well-known/masque/ip/{target}/{ipproto}/`
    writeFileSync(
      config,
      `[proxy]\ntemplate = ${JSON.stringify(template)}\naddress = "127.0.0.1:${port}"\n[tls]\nca = ${JSON.stringify(ca)}\n`,
    )
    const client = start('client', '-c', config, '--ping', '10.90.0.1', '--count', '3', '--interval', '20', ...args)
    await client.end()
    if (client.child.exitCode !== 0) throw new Error(`the client failed: ${client.stderr}`)
    return client
  }

  it('has the pings of a tunnel at both ends, with the right addresses, directions and times', async () => {
    const [atServer, atClient] = ['server.pcapng', 'client.pcapng'].map(name => join(folder, name))
    const { server, port } = await startServer('--pcap', atServer)
    const before = Date.now() / 1000 - 1
    const client = await pingThrough(port, '--pcap', atClient)
    await server.end('SIGINT')
    const address = /assigned +(10\.89\.0\.\d+)/.exec(client.stdout)?.[1] ?? ''
    const echo = (file: string) =>
      fields(
        file,
        'icmp && ip.addr == 10.90.0.1',
        'ip.src',
        'ip.dst',
        'icmp.type',
        'frame.packet_flags_direction',
        'frame.time_epoch',
      )
    for (const [file, request, reply] of [
      [atServer, '1', '2'],
      [atClient, '2', '1'],
    ]) {
      const rows = echo(file)
      expect(rows.map(row => row.slice(0, 4).map(value => String(Number(value) || value)))).to.deep.equal(
        [1, 2, 3].flatMap(() => [
          [address, '10.90.0.1', '8', request],
          ['10.90.0.1', address, '0', reply],
        ]),
      )
      for (const [, , , , time] of rows) expect(Number(time)).to.be.within(before, Date.now() / 1000 + 1)
    }
    expect(client.stdout).to.match(/capture +\d+ packets in /)
    expect(server.stdout).to.match(/capture \d+ packets in /)
    expect(tshark(atServer, '-V', '-c', '1').lines.join('\n')).to.match(/Interface name: tunnel [0-9a-f]+\/0/)
  })

  it('opens decrypted, with QUIC, HTTP/3 and what is inside the tunnel in one file, when the secrets were asked for', async () => {
    const file = join(folder, 'whole.pcapng')
    const { server, port } = await startServer('--pcap', file, '--pcap-outer', '--pcap-secrets')
    await pingThrough(port)
    await server.end('SIGINT')
    expect(server.stderr).to.include('gets the TLS secrets')
    expect(statSync(file).mode & 0o777).to.equal(0o600)
    expect(fields(file, 'http3.settings', 'http3.settings.id').length, 'SETTINGS of both ends').to.be.at.least(2)
    expect(fields(file, 'http3.frame_type == 1', 'udp.port').length, 'HEADERS of request and answer').to.be.at.least(2)
    expect(fields(file, 'quic.dg', 'quic.dg').length, 'DATAGRAM frames').to.be.at.least(6)
    expect(fields(file, 'icmp && !udp', 'ip.src').length, 'inside').to.equal(6)
    expect(fields(file, '_ws.malformed', 'frame.number')).to.deep.equal([])
    const checksums = tshark(
      file,
      '-o',
      'udp.check_checksum:TRUE',
      '-o',
      'ip.check_checksum:TRUE',
      '-Y',
      'udp.checksum.bad || ip.checksum_bad',
    )
    expect(checksums.lines).to.deep.equal([])
  })

  it('without the secrets shows QUIC, and nothing that is inside of it', async () => {
    const file = join(folder, 'outer.pcapng')
    const { port } = await startServer()
    await pingThrough(port, '--pcap', file, '--pcap-outer')
    expect(fields(file, 'quic', 'udp.dstport').some(([to]) => to === port)).to.equal(true)
    expect(fields(file, 'http3', 'frame.number')).to.deep.equal([])
    expect(readFileSync(file).includes('TRAFFIC_SECRET')).to.equal(false)
  })

  it('can be asked with each filter that docs/wireshark.md names', async () => {
    const file = join(folder, 'whole.pcapng')
    const { server, port } = await startServer('--pcap', file, '--pcap-outer', '--pcap-secrets')
    await pingThrough(port)
    await server.end('SIGINT')
    const table = /^## Filters$([\s\S]*?)^## /m.exec(readFileSync(join(ROOT, 'docs/wireshark.md'), 'utf8'))?.[1] ?? ''
    const rows = table.split('\n').filter(line => line.startsWith('| `'))
    const filters = rows
      .flatMap(row => [...row.matchAll(/`([^`]+)`/g)].map(([, filter]) => filter))
      .filter(text => text !== 'id')
    expect(filters.length).to.be.at.least(10)
    for (const filter of filters) expect(fields(file, filter, 'frame.number').length, filter).to.be.at.least(1)
  })

  it('has a qlog beside it, if asked, whose file is named as the connection is', async () => {
    const qlog = join(folder, 'qlog')
    const { server, port } = await startServer('--qlog', qlog)
    await pingThrough(port)
    await server.end('SIGINT')
    const [name] = readdirSync(qlog)
    const { events } = parseQlog(readFileSync(join(qlog, name), 'utf8'))
    expect(events.at(-1)?.name).to.equal('connectivity:connection_closed')
    expect(server.stderr).to.include(`"tunnel":"${name.replace('.sqlog', '')}/0"`)
  })

  it('can be read up to the last whole packet when the program was killed', async () => {
    const file = join(folder, 'killed.pcapng')
    const { server, port } = await startServer('--pcap', file)
    const { size } = statSync(file)
    await pingThrough(port)
    await until(() => statSync(file).size > size)
    await server.end('SIGKILL')
    const { status, lines } = tshark(file, '-Y', 'icmp')
    expect(status).to.equal(0)
    expect(lines.length).to.be.at.least(1)
  })
})

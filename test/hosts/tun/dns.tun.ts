/**
 * DNS of Linux while a tunnel is up: client and proxy from the command line, over loopback. /etc/resolv.conf is a file of ours, which is mounted over
 * the machine's own in the mount namespace of this run.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { testCertificates } from '../../support/certificates.ts'
import { until } from '../../support/loopback.ts'
import { endPrograms, ours, type Program, sh, start, startCommand, startScript, succeeds } from './network.ts'

const RESOLV_CONF = '/etc/resolv.conf'
/** With a byte that is no UTF-8: it has to come back as it was. */
const BEFORE = Buffer.from('# of the machine \xe9\nnameserver 192.0.2.53\noptions timeout:1\n', 'latin1')
const DNS = `
  [[dns]]
  search_domains = ["corp.example"]
  [[dns.nameservers]]
  addresses = ["10.90.0.53", "192.0.2.99", "fd00:90::53"]`

describe('DNS of the system, with --tun-dns', function () {
  this.timeout(120_000)
  let folder: string
  let mounted: string

  before(function () {
    folder = mkdtempSync(join(tmpdir(), 'dns-'))
    mounted = join(folder, 'resolv.conf')
    writeFileSync(mounted, BEFORE)
    if (!succeeds(`mount --bind ${mounted} ${RESOLV_CONF}`)) {
      console.log(`skipped: nothing can be mounted over ${RESOLV_CONF}`)
      this.skip()
    }
    expect(readFileSync(RESOLV_CONF)).to.deep.equal(BEFORE)
  })
  after(() => {
    succeeds(`umount ${RESOLV_CONF}`)
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(() => {
    // Whatever happens to the mount: never the machine's own.
    expect(sh('findmnt -n -o TARGET /etc/resolv.conf').trim()).to.equal(RESOLV_CONF)
    writeFileSync(mounted, BEFORE)
  })
  afterEach(endPrograms)

  async function proxy(dns = DNS): Promise<Program> {
    const certificates = await testCertificates()
    const file = join(folder, 'server.toml')
    writeFileSync(
      file,
      `listen = { host = "127.0.0.1", port = 4433 }
       tls = { certificate = "${certificates.server}", key = "${certificates.serverKey}" }
       pool = { ipv4 = "10.89.0.0/24", ipv6 = "fd00:89::/64" }
       api = { enabled = false }
       ${['10.90.0.0/24', 'fd00:90::/64'].map(prefix => `[[routes]]\nprefix = "${prefix}"`).join('\n')}
       ${dns}`,
    )
    const program = startCommand(['server', '-c', file])
    await until(() => program.output.includes('Ctrl-C') || program.process.exitCode !== null)
    return program
  }

  async function client(options = ['--tun-dns'], tunnel = '', path = process.env.PATH): Promise<Program> {
    const certificates = await testCertificates()
    const file = join(folder, 'client.toml')
    writeFileSync(
      file,
      `[proxy]
       address = "127.0.0.1:4433"
       [tls]
       ca = "${certificates.ca}"
       [tunnel]
       ${tunnel}
       [reconnect]
       initial_delay_ms = 50
       max_delay_ms = 200`,
    )
    const command = [process.execPath, 'bin/masque-lab.mjs', 'client', '-c', file, '--tun', 'tun0', ...options]
    const program = start('env', [`PATH=${path}`, ...command])
    await until(() => program.output.includes('Ctrl-C') || program.process.exitCode !== null)
    return program
  }

  async function interrupt(program: Program): Promise<void> {
    program.process.kill('SIGINT')
    expect(await program.ended, program.output).to.equal(0)
  }

  async function doctor(...args: string[]): Promise<string> {
    const program = startCommand(['doctor', ...args])
    // With --dry-run, what it finds remains.
    expect(await program.ended, program.output).to.equal(args.length > 0 ? 1 : 0)
    return program.output
  }

  const content = (): Buffer => readFileSync(RESOLV_CONF)
  /** Whom programs ask. */
  const asked = (): string[] =>
    [
      ...content()
        .toString('latin1')
        .matchAll(/^nameserver (\S+)$/gm),
    ].map(([, server]) => server)

  it('is left alone without it', async () => {
    await proxy()
    const program = await client([])
    expect(program.output).to.include('DNS         10.90.0.53')
    expect(content()).to.deep.equal(BEFORE)
    await interrupt(program)
  })

  it('is that of the proxy, as far as it lies behind the tunnel, and is put back byte by byte', async () => {
    await proxy()
    const program = await client()
    expect(program.output)
      .to.include('names       10.90.0.53, fd00:90::53 for all names; search corp.example')
      .and.include('192.0.2.99 is not used for DNS: the tunnel does not lead there')
    expect(asked()).to.deep.equal(['10.90.0.53', 'fd00:90::53'])
    expect(content().toString('latin1')).to.include('\nsearch corp.example\n').and.include('\noptions timeout:1\n')
    await interrupt(program)
    expect(content()).to.deep.equal(BEFORE)
    expect(succeeds('ls /run/masque-lab')).to.equal(false)
  })

  it('is set by the configuration, too, and left alone where the proxy tells of nothing', async () => {
    const first = await proxy()
    const program = await client([], 'tun_dns = true')
    expect(asked()).to.include('10.90.0.53')
    await interrupt(program)
    await interrupt(first)
    await proxy('')
    const other = await client([], 'tun_dns = true')
    expect(other.output).to.include('names       asked of whom they were before')
    expect(content()).to.deep.equal(BEFORE)
    await interrupt(other)
  })

  it('is as before while the tunnel is down, and set again when it is back', async () => {
    const first = await proxy()
    await client()
    await interrupt(first)
    await until(() => content().equals(BEFORE))
    await proxy()
    await until(() => asked().includes('10.90.0.53'))
  })

  it('stays changed by a client that was killed until doctor has undone it', async () => {
    await proxy()
    const killed = await client()
    killed.process.kill('SIGKILL')
    await killed.ended
    expect(asked()).to.include('10.90.0.53')

    // The next client touches nothing, and says what to do.
    const next = await client()
    expect(next.output).to.include(
      'DNS stays as it was: another client of masque-lab has changed /etc/resolv.conf already',
    )
    await interrupt(next)
    expect(asked()).to.include('10.90.0.53')

    expect(await doctor('--dry-run'))
      .to.include('the DNS servers in /etc/resolv.conf')
      .and.not.include('undone')
    expect(asked()).to.include('10.90.0.53')
    expect(await doctor())
      .to.include(`Process ${killed.process.pid}`)
      .and.include('undone')
    expect(content()).to.deep.equal(BEFORE)
    expect(await doctor()).to.include('Nothing was left behind.')
  })

  it('is put back by doctor, too, when the client was killed in the middle of writing it', async () => {
    await proxy()
    for (const written of [0, 30]) {
      const killed = await client()
      const whole = content()
      killed.process.kill('SIGKILL')
      await killed.ended
      writeFileSync(mounted, whole.subarray(0, written))
      expect(await doctor()).to.include('undone')
      expect(content()).to.deep.equal(BEFORE)
    }
  })

  it('stays as somebody else has made it meanwhile', async () => {
    await proxy()
    const program = await client()
    writeFileSync(mounted, 'nameserver 198.51.100.53\n')
    await interrupt(program)
    expect(asked()).to.deep.equal(['198.51.100.53'])
  })

  it('is put back when the program ends without closing anything', async () => {
    const script = startScript(
      `import { openTun } from '${ours('src/hosts/tun/open-tun.ts')}'
       import { systemDns } from '${ours('src/hosts/tun/system-dns.ts')}'
       import { TunHost } from '${ours('src/hosts/tun/tun-host.ts')}'
       import { NO_PARAMETERS } from '${ours('src/connect-ip/dns/service-parameters.ts')}'
       import { IpAddress } from '${ours('src/ip/address.ts')}'
       import { IpPrefix } from '${ours('src/ip/prefix.ts')}'
       import { readFileSync } from 'node:fs'
       const device = openTun({ name: 'tun0' })
       const host = new TunHost(device, { dns: systemDns(device), onProblem: console.log })
       const nameserver = { priority: 1, addresses: [IpAddress.parse('10.90.0.53')], authenticationName: '', parameters: NO_PARAMETERS }
       const dns = [{ nameservers: [nameserver], internalDomains: [''], searchDomains: [] }]
       host.configure({ addresses: [IpAddress.parse('10.89.0.2')], routes: [IpPrefix.parse('10.90.0.0/24').toRange()], mtu: 1300, dns })
       console.log(readFileSync('${RESOLV_CONF}', 'latin1').includes('nameserver 10.90.0.53') ? 'was set' : 'was not set')
       throw new Error('a bug')`,
    )
    expect(await script.ended).to.equal(1)
    expect(script.output).to.include('was set').and.include('a bug')
    expect(content()).to.deep.equal(BEFORE)
  })

  it('stays as it was where the file cannot be written, or is too large to be put back; the tunnel is up', async () => {
    await proxy()
    sh(`mount -o remount,ro,bind ${RESOLV_CONF}`)
    try {
      const program = await client()
      expect(program.output).to.include('DNS stays as it was: /etc/resolv.conf cannot be written (EROFS)')
      expect(program.output).to.include('TUN         tun0')
      await interrupt(program)
    } finally {
      sh(`mount -o remount,rw,bind ${RESOLV_CONF}`)
    }
    expect(succeeds('ls /run/masque-lab')).to.equal(false)
    writeFileSync(mounted, `#${'x'.repeat(8192)}\n`)
    const program = await client()
    expect(program.output).to.include('is too large to be put back later (8194 bytes, expected at most 8192)')
    await interrupt(program)
  })

  it('is told to systemd-resolved where that answers for the machine, for the domains alone', async () => {
    writeFileSync(mounted, 'nameserver 127.0.0.53\n')
    const bin = join(folder, 'bin')
    const log = join(folder, 'resolvectl.log')
    mkdirSync(bin)
    writeFileSync(join(bin, 'resolvectl'), `#!/bin/sh\necho "$@" >> ${log}\n`)
    chmodSync(join(bin, 'resolvectl'), 0o755)
    await proxy(`${DNS.replace('[[dns]]', '[[dns]]\ninternal_domains = ["corp.example", "lab.example"]')}`)
    const program = await client(['--tun-dns'], '', `${bin}:${process.env.PATH}`)
    expect(program.output).to.include('names       10.90.0.53, fd00:90::53 for corp.example, lab.example')
    await interrupt(program)
    expect(readFileSync(log, 'utf8').trim().split('\n')).to.deep.equal([
      'status --no-pager',
      'dns tun0 10.90.0.53 fd00:90::53',
      'domain tun0 corp.example ~corp.example ~lab.example',
      'default-route tun0 no',
      'revert tun0',
    ])
    expect(asked()).to.deep.equal(['127.0.0.53'])
  })
})

/** DNS of macOS and Windows, by the commands that are run; that of Linux is in dns.tun.ts. */
import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import type { DnsSettings } from '../../../src/hosts/tun/dns-plan.ts'
import { TunError } from '../../../src/hosts/tun/errors.ts'
import { findDnsEntries, MacosDns } from '../../../src/hosts/tun/macos/macos-dns.ts'
import { systemDns } from '../../../src/hosts/tun/system-dns.ts'
import { WindowsDns } from '../../../src/hosts/tun/windows/windows-dns.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { onPlatform } from '../../support/platform.ts'

const settings = (servers: string[], domains = [''], searchDomains: string[] = []): DnsSettings => ({
  servers: servers.map(text => IpAddress.parse(text)),
  domains,
  searchDomains,
})

/** What is run, as lines; what it prints, or refuses. */
function recorder() {
  const lines: string[] = []
  const answers = new Map<string, string | TunError>()
  const run = (command: string, args: readonly string[], input = ''): string => {
    const line = [command, ...args, ...input.trim().split('\n')].filter(word => word !== '').join(' ')
    lines.push(line)
    for (const [part, answer] of answers) {
      if (!line.includes(part)) continue
      if (answer instanceof TunError) throw answer
      return answer
    }
    return ''
  }
  return { run, answers, take: () => lines.splice(0) }
}

describe('DNS of macOS, by scutil', () => {
  const entry = `State:/Network/Service/masque-lab-${process.pid}-utun4/DNS`

  it('gets an entry of its own with servers and domains, and loses it again, once', () => {
    const { run, take } = recorder()
    const dns = new MacosDns('utun4', run)
    expect(dns.restore()).to.deep.equal([])
    expect(take()).to.deep.equal([])
    dns.set(settings(['10.90.0.53', 'fd00:90::53'], ['corp.example'], ['corp.example']))
    expect(take()).to.deep.equal([
      'scutil d.init d.add ServerAddresses * 10.90.0.53 fd00:90::53 d.add SupplementalMatchDomains * corp.example ' +
        `d.add SearchDomains * corp.example set ${entry} quit`,
    ])
    expect([dns.restore(), dns.restore()]).to.deep.equal([[], []])
    expect(take()).to.deep.equal([`scutil remove ${entry} quit`])
    dns.set(settings(['10.90.0.53']))
    expect(take()[0]).to.include('SupplementalMatchDomains * "" set')
  })

  it('is as before when it was refused, and says so', () => {
    const { run, take, answers } = recorder()
    answers.set(`set ${entry}`, '  Permission denied\n')
    answers.set(`remove ${entry}`, '  No such key\n')
    const dns = new MacosDns('utun4', run)
    expect(() => dns.set(settings(['10.90.0.53']))).to.throw(
      TunError,
      'scutil has refused the DNS servers: Permission denied',
    )
    expect(take().at(-1)).to.equal(`scutil remove ${entry} quit`)
  })

  it('shows doctor what processes have left that are gone, and nothing of those that are there', () => {
    const { run, answers } = recorder()
    const gone = spawnSync(process.execPath, ['-e', '']).pid
    const left = `State:/Network/Service/masque-lab-${gone}-utun9/DNS`
    answers.set('list', `  subKey [0] = ${entry}\n  subKey [1] = ${left}\n  no keys of ours\n`)
    expect(findDnsEntries(run)).to.deep.equal([left])
  })
})

describe('DNS of Windows, by netsh', () => {
  it('gets the servers of each version in their order, and what it had before', () => {
    const { run, take } = recorder()
    const dns = new WindowsDns(23, run)
    dns.set(settings(['10.90.0.53', 'fd00:90::53', '10.90.0.54']))
    expect(take()).to.deep.equal([
      'netsh interface ipv4 set dnsservers name=23 source=static address=10.90.0.53 validate=no',
      'netsh interface ipv4 add dnsservers name=23 index=2 address=10.90.0.54 validate=no',
      'netsh interface ipv6 set dnsservers name=23 source=static address=fd00:90::53 validate=no',
    ])
    expect([dns.restore(), dns.restore()]).to.deep.equal([[], []])
    expect(take()).to.deep.equal([
      'netsh interface ipv4 set dnsservers name=23 source=dhcp',
      'netsh interface ipv6 set dnsservers name=23 source=dhcp',
    ])
  })

  it('is set back before it gets other servers, so that none of the first stays, and is not touched when that is refused', () => {
    const { run, take, answers } = recorder()
    const dns = new WindowsDns(23, run)
    dns.set(settings(['10.90.0.53', 'fd00:90::53']))
    take()
    dns.set(settings(['10.90.0.54']))
    expect(take()).to.deep.equal([
      'netsh interface ipv4 set dnsservers name=23 source=dhcp',
      'netsh interface ipv6 set dnsservers name=23 source=dhcp',
      'netsh interface ipv4 set dnsservers name=23 source=static address=10.90.0.54 validate=no',
    ])
    answers.set('source=dhcp', new TunError('system', 'netsh has refused: no'))
    expect(() => dns.set(settings(['10.90.0.55']))).to.throw(TunError, 'netsh has refused: no')
    expect(take()).to.deep.equal(['netsh interface ipv4 set dnsservers name=23 source=dhcp'])
  })

  it('is as before when a server was refused', () => {
    const { run, take, answers } = recorder()
    answers.set('10.90.0.54', new TunError('system', 'netsh has refused: no'))
    const dns = new WindowsDns(23, run)
    expect(() => dns.set(settings(['10.90.0.53', '10.90.0.54']))).to.throw(TunError, 'netsh has refused: no')
    expect(take().at(-1)).to.equal('netsh interface ipv4 set dnsservers name=23 source=dhcp')
  })
})

describe('DNS of this system', () => {
  it('is that of the platform, and refused in one sentence where there is none', () => {
    const device = { name: 'utun4', index: 23 }
    expect(onPlatform('darwin', () => systemDns(device))).to.be.instanceOf(MacosDns)
    expect(onPlatform('win32', () => systemDns(device))).to.be.instanceOf(WindowsDns)
    expect(() => onPlatform('aix', () => systemDns(device))).to.throw(TunError, 'DNS cannot be set on aix yet')
  })
})

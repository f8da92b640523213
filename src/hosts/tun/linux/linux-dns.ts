/**
 * DNS of Linux. Where systemd-resolved answers for the machine, it is told of servers for this device, and for which names they are; it
 * forgets them with the device. Elsewhere, there is one list for everything, /etc/resolv.conf: it is replaced while the tunnel is up, and what was
 * there is written down first.
 */

import { readFileSync } from 'node:fs'
import type { DnsSettings } from '../dns-plan.ts'
import { TunError } from '../errors.ts'
import { runTool } from '../run-tool.ts'
import type { SystemDns } from '../system-dns.ts'
import { HostChanges } from './host-changes.ts'
import { RESOLV_CONF, RESOLV_CONF_MARK, readResolvConf } from './resolv-conf.ts'

export function createLinuxDns(device: string): SystemDns {
  return asksResolved() ? new ResolvedDns(device) : new ResolvConfDns(device)
}

/** It runs, and it is who programs ask: its own address is the nameserver. */
function asksResolved(): boolean {
  try {
    if (!/^nameserver\s+127\.0\.0\.53$/m.test(readFileSync(RESOLV_CONF, 'latin1'))) return false
    runTool('resolvectl', ['status', '--no-pager'])
    return true
  } catch {
    return false
  }
}

class ResolvedDns implements SystemDns {
  readonly abilities = { splits: true, searches: true, maxServers: 8 }
  readonly #device: string
  #isSet = false

  constructor(device: string) {
    this.#device = device
  }

  set({ servers, domains, searchDomains }: DnsSettings): void {
    this.#isSet = true
    try {
      this.#run('dns', ...servers.map(String))
      // With a ~, a domain says who is asked for its names, and is not appended to short ones. ~. is every name.
      this.#run('domain', ...searchDomains, ...domains.map(name => `~${name === '' ? '.' : name}`))
      this.#run('default-route', domains.includes('') ? 'yes' : 'no')
    } catch (error) {
      this.restore()
      throw error
    }
  }

  restore(): string[] {
    if (!this.#isSet) return []
    this.#isSet = false
    try {
      this.#run('revert')
      return []
    } catch (error) {
      return [(error as Error).message]
    }
  }

  #run(what: string, ...values: string[]): void {
    runTool('resolvectl', [what, this.#device, ...values])
  }
}

class ResolvConfDns implements SystemDns {
  readonly abilities = { splits: false, searches: true, maxServers: 3 }
  readonly #device: string
  #changes: HostChanges | undefined

  constructor(device: string) {
    this.#device = device
  }

  set(settings: DnsSettings): void {
    const [problem] = this.restore()
    if (problem !== undefined) throw new TunError('system', problem)
    const before = readResolvConf()
    if (before.startsWith(RESOLV_CONF_MARK)) {
      const todo = 'end that one; if it was killed, run npm run doctor'
      throw new TunError('busy', `another client of masque-lab has changed ${RESOLV_CONF} already: ${todo}`)
    }
    const changes = new HostChanges(this.#device, 'dns')
    try {
      changes.resolvConf(before, this.#contentFor(settings, before))
    } catch (error) {
      changes.undo()
      throw error
    }
    this.#changes = changes
  }

  restore(): string[] {
    const problems = this.#changes?.undo() ?? []
    this.#changes = undefined
    return problems
  }

  #contentFor({ servers, searchDomains }: DnsSettings, before: string): string {
    const lines = [
      `${RESOLV_CONF_MARK}: DNS of the tunnel on ${this.#device}, while process ${process.pid} runs. If it was killed, npm run doctor puts back what was here.`,
      ...(searchDomains.length > 0 ? [`search ${searchDomains.join(' ')}`] : []),
      ...servers.map(server => `nameserver ${server}`),
      // How to ask is for whoever runs the machine, as before.
      ...before.split('\n').filter(line => line.startsWith('options ')),
    ]
    return `${lines.join('\n')}\n`
  }
}

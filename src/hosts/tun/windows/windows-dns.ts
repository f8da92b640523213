/**
 * DNS of Windows: servers of the adapter, set by `netsh`. They go with the adapter, however the process ends. Windows asks the servers of all
 * adapters; which names are for which servers, it learns in another way, which is not built here.
 *
 * Built from the documentation; it has never run on Windows.
 */

import type { DnsSettings } from '../dns-plan.ts'
import { TunError } from '../errors.ts'
import { runTool } from '../run-tool.ts'
import type { SystemDns } from '../system-dns.ts'

const FAMILIES = [
  [4, 'ipv4'],
  [6, 'ipv6'],
] as const

export class WindowsDns implements SystemDns {
  readonly abilities = { splits: false, searches: false, maxServers: 8 }
  /** Instead of its name, which may have spaces. */
  readonly #index: number
  readonly #run: typeof runTool
  readonly #set = new Set<string>()

  constructor(index: number, run = runTool) {
    this.#index = index
    this.#run = run
  }

  set({ servers }: DnsSettings): void {
    const [problem] = this.restore()
    if (problem !== undefined) throw new TunError('system', problem)
    try {
      for (const [version, family] of FAMILIES) {
        const own = servers.filter(server => server.version === version)
        for (const [i, server] of own.entries()) {
          this.#set.add(family)
          // Without validate=no, it would ask the server first, and wait.
          const [verb, place] = i === 0 ? ['set', 'source=static'] : ['add', `index=${i + 1}`]
          this.#netsh(family, verb, 'dnsservers', `name=${this.#index}`, place, `address=${server}`, 'validate=no')
        }
      }
    } catch (error) {
      this.restore()
      throw error
    }
  }

  restore(): string[] {
    const problems: string[] = []
    for (const family of this.#set) {
      try {
        this.#netsh(family, 'set', 'dnsservers', `name=${this.#index}`, 'source=dhcp')
      } catch (error) {
        problems.push((error as Error).message)
      }
    }
    this.#set.clear()
    return problems
  }

  #netsh(...words: string[]): void {
    this.#run('netsh', ['interface', ...words])
  }
}

/**
 * DNS of macOS: an entry in the store of the running configuration, which `scutil` writes (scutil(8)). It says for which domains the servers are. The
 * store outlives a process, so the entry's name says whose it is.
 *
 *     State:/Network/Service/masque-lab-1234-utun4/DNS       process 1234, for its device utun4
 *
 * Built from the manual pages; it has never run on a Mac.
 */

import { isRunning } from '../../../process/is-running.ts'
import type { DnsSettings } from '../dns-plan.ts'
import { TunError } from '../errors.ts'
import { runTool } from '../run-tool.ts'
import type { SystemDns } from '../system-dns.ts'

const ENTRY = /State:\/Network\/Service\/masque-lab-(\d+)-utun\d+\/DNS/
const ALL_ENTRIES = 'State:/Network/Service/masque-lab-[0-9]+-utun[0-9]+/DNS'

export class MacosDns implements SystemDns {
  readonly abilities = { splits: true, searches: true, maxServers: 8 }
  readonly #entry: string
  readonly #run: typeof runTool
  #isSet = false

  constructor(device: string, run = runTool) {
    this.#entry = `State:/Network/Service/masque-lab-${process.pid}-${device}/DNS`
    this.#run = run
  }

  set({ servers, domains, searchDomains }: DnsSettings): void {
    this.#isSet = true
    try {
      scutil(this.#run, [
        'd.init',
        `d.add ServerAddresses * ${servers.join(' ')}`,
        // An empty domain is every name.
        `d.add SupplementalMatchDomains * ${domains.map(name => name || '""').join(' ')}`,
        ...(searchDomains.length > 0 ? [`d.add SearchDomains * ${searchDomains.join(' ')}`] : []),
        `set ${this.#entry}`,
      ])
    } catch (error) {
      this.restore()
      throw error
    }
  }

  restore(): string[] {
    if (!this.#isSet) return []
    this.#isSet = false
    return removeDnsEntry(this.#entry, this.#run)
  }
}

/** The entries of processes that are gone. */
export function findDnsEntries(run = runTool): string[] {
  const found = run('scutil', [], `list ${ALL_ENTRIES}\nquit\n`).split('\n')
  return found.flatMap(line => {
    const entry = ENTRY.exec(line)
    return entry !== null && !isRunning(Number(entry[1])) ? [entry[0]] : []
  })
}

/** Returns a sentence for each thing that went wrong. */
export function removeDnsEntry(entry: string, run = runTool): string[] {
  try {
    scutil(run, [`remove ${entry}`])
    return []
  } catch (error) {
    const { message } = error as Error
    return message.includes('No such key') ? [] : [message]
  }
}

/** It ends well whatever happens, and says nothing when all went well. */
function scutil(run: typeof runTool, commands: readonly string[]): void {
  const said = run('scutil', [], `${commands.join('\n')}\nquit\n`).trim()
  if (said === '') return
  throw new TunError(
    'system',
    `scutil has refused the DNS servers: ${said.split('\n')[0]} (does this user have the rights of root?)`,
  )
}

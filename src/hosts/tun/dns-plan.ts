/**
 * From what a proxy says about DNS (DNS_ASSIGN) to what a system can be given. The proxy is not believed further than its tunnel reaches: a
 * server is used only if it lies behind the tunnel, and the names of servers and domains never come from anything but their decoded form.
 */

import type { DnsConfiguration } from '../../connect-ip/dns/dns-assign.ts'
import { describeNameserver, type Nameserver } from '../../connect-ip/dns/nameserver.ts'
import { isDnsName } from '../../connect-ip/dns-name.ts'
import type { IpAddress } from '../../ip/address.ts'

/** What the system is to ask for names. */
export interface DnsSettings {
  /** In the order in which they are asked. At least one. */
  readonly servers: readonly IpAddress[]
  /** The names, with all below them, that these are asked for; '' is every name. At least one. */
  readonly domains: readonly string[]
  /** Appended, in this order, to short names. */
  readonly searchDomains: readonly string[]
}

/** What a system can do with it. */
export interface DnsAbilities {
  /** Other servers for some names than for the rest. */
  readonly splits: boolean
  /** Search domains. */
  readonly searches: boolean
  readonly maxServers: number
}

export interface DnsPlan {
  /** Undefined: the proxy has told of nothing that can be used. */
  readonly settings: DnsSettings | undefined
  /** Sentences about what is not used. */
  readonly leftOut: readonly string[]
}

/** More domains than these are not taken from a proxy, which could send a thousand. */
const MAX_DOMAINS = 64
/** As resolv.conf(5) has had it for long. */
const MAX_SEARCH_DOMAINS = 6
/** The same proxy could make as many sentences. */
const MAX_SENTENCES = 5
const DNS_PORT = 53

/** `isInside`: does the tunnel lead to this address? */
export function planDns(
  configurations: readonly DnsConfiguration[],
  { splits, searches, maxServers }: DnsAbilities,
  isInside: (address: IpAddress) => boolean,
): DnsPlan {
  let settings: DnsSettings | undefined
  const leftOut: string[] = []
  for (const { nameservers, internalDomains, searchDomains } of configurations) {
    const names = internalDomains.filter(name => name === '' || isDnsName(name))
    if (names.length === 0) continue
    if (!splits && !names.includes('')) {
      leftOut.push(`DNS servers for ${shown(names)} alone are not used: this system asks the same ones for all names`)
      continue
    }
    const servers: IpAddress[] = []
    for (const server of [...nameservers].sort((a, b) => a.priority - b.priority)) {
      const problem = unusable(server)
      if (problem !== undefined) leftOut.push(`${describeNameserver(server)} is not used: ${problem}`)
      else for (const address of server.addresses) addServer(address, servers, leftOut, isInside)
    }
    if (servers.length === 0) continue
    if (settings !== undefined) {
      leftOut.push(`${servers[0]} for ${shown(names)} is not used: one device has one list of DNS servers`)
      continue
    }
    if (servers.length > maxServers) leftOut.push(`of ${servers.length} DNS servers the first ${maxServers} are used`)
    if (names.length > MAX_DOMAINS) leftOut.push(`of ${names.length} domains the first ${MAX_DOMAINS} are used`)
    const search = searches ? searchDomains.filter(isDnsName).slice(0, MAX_SEARCH_DOMAINS) : []
    if (search.length < searchDomains.length)
      leftOut.push(`of ${searchDomains.length} search domains ${search.length} are used`)
    settings = {
      servers: servers.slice(0, maxServers),
      domains: names.includes('') ? [''] : names.slice(0, MAX_DOMAINS),
      searchDomains: search,
    }
  }
  return { settings, leftOut: bounded(leftOut) }
}

/** "10.90.0.53, fd00:90::53 for all names". */
export function describeDnsSettings({ servers, domains, searchDomains }: DnsSettings): string {
  const search = searchDomains.length === 0 ? '' : `; search ${searchDomains.join(', ')}`
  return `${servers.join(', ')} for ${shown(domains)}${search}`
}

/** The systems here ask without encryption, at port 53. */
function unusable({ addresses, parameters }: Nameserver): string | undefined {
  if (parameters.noDefaultAlpn) return 'it speaks encrypted DNS only'
  if (addresses.length === 0) return 'it has no address'
  const isOtherPort = parameters.port !== undefined && parameters.port !== DNS_PORT && parameters.alpn.length === 0
  return isOtherPort ? `it is not at port ${DNS_PORT}` : undefined
}

function addServer(
  address: IpAddress,
  servers: IpAddress[],
  leftOut: string[],
  isInside: (address: IpAddress) => boolean,
): void {
  if (servers.some(other => other.equals(address))) return
  const isOfThisLink = address.isLinkLocal || address.isLoopback || address.isMulticast || address.isUnspecified
  if (!isOfThisLink && isInside(address)) servers.push(address)
  else leftOut.push(`${address} is not used for DNS: the tunnel does not lead there`)
}

function shown(names: readonly string[]): string {
  if (names.includes('')) return 'all names'
  const more = names.length > 3 ? ` and ${names.length - 3} more` : ''
  return `${names.slice(0, 3).join(', ')}${more}`
}

function bounded(sentences: readonly string[]): string[] {
  if (sentences.length <= MAX_SENTENCES) return [...sentences]
  const more = sentences.length - MAX_SENTENCES
  return [...sentences.slice(0, MAX_SENTENCES), `${more} more of what the proxy says about DNS is not used`]
}

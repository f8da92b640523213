/** The configuration of DNS_ASSIGN and PREF64 (connect-ip/dns): which resolvers and which NAT64 clients are told of. */
import { z } from 'zod'
import type { KeyProblem } from '../config/config-error.ts'
import { flag, integer, ipPrefix, parsed, table, tables, text } from '../config/fields.ts'
import type { DnsConfiguration } from '../connect-ip/dns/dns-assign.ts'
import { type Nameserver, nameserverProblem } from '../connect-ip/dns/nameserver.ts'
import { NAT64_PREFIX_LENGTHS } from '../connect-ip/dns/pref64.ts'
import { isDnsName } from '../connect-ip/dns-name.ts'
import { IpAddress } from '../ip/address.ts'

const domain = () =>
  parsed('a DNS name in its ASCII form, such as corp.example', value =>
    isDnsName(value) ? value.replace(/\.$/, '') : undefined,
  )

/** A list of what `item` describes. */
const list = <T extends z.ZodType>(item: T, error: string) => z.array(item, { error }).default([])

const address = () => parsed('an IP address, such as 10.90.0.53 or fd00:90::53', value => IpAddress.parse(value))

export const dnsSection = tables({
  nameservers: tables({
    addresses: list(address(), 'a list of IP addresses').describe(
      'Where it is reached. May be empty for a server of encrypted DNS, whose name is then looked up.',
    ),
    priority: integer(1, 65_535, 'a priority').default(1).describe('The nameserver with the lowest is asked first.'),
    name: domain().optional().describe('The name in its certificate. Needed for encrypted DNS.'),
    alpn: list(text('a protocol, such as h2, h3, dot or doq', /^[\x21-\x7e]{1,255}$/), 'a list of protocols').describe(
      'Encrypted transports: h2 and h3 (DNS over HTTPS), dot (over TLS), doq (over QUIC).',
    ),
    unencrypted: flag().default(true).describe('Does it also speak unencrypted DNS on port 53?'),
    port: integer(1, 65_535, 'a port').optional().describe('Default: the usual one of each transport.'),
    dohpath: text('a path that starts with /', /^\/[\x21-\x7e]*$/)
      .optional()
      .describe('URI Template of DNS over HTTPS, such as /dns-query{?dns}.'),
  })
    .min(1, { error: 'a list with at least one nameserver' })
    .describe('Servers that answer for the domains below.'),
  internal_domains: z
    .array(domain(), { error: 'a list of DNS names' })
    .optional()
    .describe('The names, with all below them, that these nameservers answer for. Default: all names.'),
  search_domains: list(domain(), 'a list of DNS names').describe('Appended to short names, in this order.'),
})
  .default([])
  .describe('DNS servers that clients are told of (draft-ietf-masque-connect-ip-dns). This proxy runs none itself.')

export const nat64Section = table({
  prefixes: z
    .array(ipPrefix(6), { error: 'a list of IPv6 prefixes' })
    .default([])
    .describe('Prefixes of a NAT64 behind the proxy that clients are told of. This proxy runs none itself.'),
})
  .prefault({})
  .describe('NAT64 (RFC 6052).')

export function toDnsConfigurations(toml: z.output<typeof dnsSection>): DnsConfiguration[] {
  return toml.map(({ nameservers, internal_domains, search_domains }) => ({
    nameservers: nameservers.map(
      ({ addresses, priority, name, alpn, unencrypted, port, dohpath }): Nameserver => ({
        priority,
        addresses,
        authenticationName: name ?? '',
        parameters: { alpn, noDefaultAlpn: !unencrypted, port, dohpath, others: new Map() },
      }),
    ),
    // The root: every name.
    internalDomains: internal_domains ?? [''],
    searchDomains: search_domains,
  }))
}

/** What the schema cannot say: keys that do not make sense together. */
export function dnsProblems(config: {
  dns: readonly DnsConfiguration[]
  nat64: { prefixes: readonly { length: number; toString(): string }[] }
}): KeyProblem[] {
  const problems: KeyProblem[] = []
  for (const [i, { nameservers }] of config.dns.entries()) {
    for (const [j, nameserver] of nameservers.entries()) {
      const message = nameserverProblem(nameserver)
      if (message !== undefined) problems.push({ key: `dns[${i}].nameservers[${j}]`, message })
    }
  }
  for (const [i, prefix] of config.nat64.prefixes.entries()) {
    if (NAT64_PREFIX_LENGTHS.includes(prefix.length)) continue
    const message = `found ${prefix}; expected a prefix length of ${NAT64_PREFIX_LENGTHS.join(', ')} (RFC 6052 §2.2)`
    problems.push({ key: `nat64.prefixes[${i}]`, message })
  }
  return problems
}

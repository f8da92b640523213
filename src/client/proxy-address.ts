/** Where the proxy is: the host and port of the template, or what is configured beside it, with names resolved. */

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { parseUriTemplate } from '../connect-ip/uri-template.ts'
import type { SocketAddress } from '../quic/quic.ts'
import type { ClientConfig } from './config.ts'
import { ClientError } from './errors.ts'

export interface ProxyAddress {
  /** At least one, in the order in which they are to be tried (see dial.ts). */
  readonly addresses: readonly SocketAddress[]
  /** The name or IP address that the certificate must be for. */
  readonly serverName: string
}

/** All addresses of a host name, as the system would use them. Rejects when there are none. */
export type ResolveHost = (name: string) => Promise<string[]>

/** A system's resolver can take a minute to find out that nobody answers. */
const RESOLVE_TIMEOUT_MS = 10_000

/** More addresses than this are not tried: the time of one attempt would be over before. */
const MAX_ADDRESSES = 8

/** Rejects with ClientError, which is worth another attempt, when the name cannot be resolved. */
export async function resolveProxy(config: ClientConfig, resolve: ResolveHost = askSystem): Promise<ProxyAddress> {
  const url = new URL(parseUriTemplate(config.proxy.template).text.replace(/[{].*$/, ''))
  const templateHost = url.hostname.replace(/^\[|\]$/g, '')
  const host = config.proxy.address?.host ?? templateHost
  const port = config.proxy.address?.port ?? (url.port === '' ? 443 : Number(url.port))
  // The template says whom the certificate must be for; the address beside it says only where to find them.
  const serverName = config.tls.serverName ?? templateHost
  const hosts = isIP(host) !== 0 ? [host] : interleave(await resolveInTime(host, resolve))
  return { addresses: hosts.slice(0, MAX_ADDRESSES).map(address => ({ host: address, port })), serverName }
}

async function resolveInTime(name: string, resolve: ResolveHost): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${RESOLVE_TIMEOUT_MS / 1000} s`)), RESOLVE_TIMEOUT_MS)
  })
  try {
    const addresses = await Promise.race([resolve(name), timeout])
    if (addresses.length === 0) throw new Error('it has no addresses')
    return addresses
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why = (code !== undefined && RESOLVER_ERRORS[code]) || message
    throw new ClientError('network', `the proxy's name ${name} cannot be resolved: ${why}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}

/** getaddrinfo(3)'s, where they say less than is known. */
const RESOLVER_ERRORS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such name (ENOTFOUND)',
  EAI_AGAIN: 'no name server answers (EAI_AGAIN); is this machine connected to a network?',
}

async function askSystem(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true, verbatim: true })
  return found.map(({ address }) => address)
}

/**
 * The families in turn, beginning with that of the first address (RFC 8305 §4): when one family leads nowhere, the second
 * attempt is of the other. `localhost` is ::1 first on many machines; the example server listens on 127.0.0.1.
 */
function interleave(addresses: readonly string[]): string[] {
  const first = addresses.includes('127.0.0.1') ? 4 : isIP(addresses[0])
  const preferred = addresses.filter(address => isIP(address) === first)
  const others = addresses.filter(address => isIP(address) !== first)
  const longer = Math.max(preferred.length, others.length)
  return Array.from({ length: longer }, (_, i) =>
    [preferred[i], others[i]].filter(address => address !== undefined),
  ).flat()
}

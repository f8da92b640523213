/**
 * Which names are this proxy's own.
 *
 * RFC 9110 §7.4: "a request for an "https" resource MUST be rejected unless it has been received over a connection that has
 * been secured via a certificate valid for that target URI's origin". So the names are those in the certificate, and those
 * that whoever runs the proxy vouches for (`listen.names`). Everything else is answered with 421 (Misdirected Request,
 * §15.5.20).
 */

import { X509Certificate } from 'node:crypto'
import { hostname } from 'node:os'
import { DecodeError } from '../bytes/errors.ts'
import { IpAddress } from '../ip/address.ts'

export class OwnNames {
  readonly #certificate: X509Certificate
  readonly #configured: readonly string[]

  /** `certificate`: PEM, of which the first one counts. `configured`: names and IP addresses beside those in it, as `canonicalHost` writes them. */
  constructor(certificate: Uint8Array, configured: readonly string[] = []) {
    this.#certificate = new X509Certificate(certificate)
    this.#configured = configured
  }

  /**
   * Is this `:authority`, HOST or HOST:PORT, one of ours?
   *
   * The port is not compared. A certificate says nothing about ports, and the one that a client was told need not be the one that
   * we listen on: a link emulator, a NAT or a port forward may stand in between.
   */
  includes(authority: string): boolean {
    const host = hostOf(authority)
    if (host === undefined) return false
    if (this.#configured.includes(host)) return true
    if (isIpLiteral(host)) return this.#certificate.checkIP(host) !== undefined
    // RFC 9525 §6.3: a wildcard stands for one whole label, the leftmost. §6.1: the common name is no name of a server.
    const rules = { subject: 'never', wildcards: true, partialWildcards: false, multiLabelWildcards: false } as const
    return this.#certificate.checkHost(host, rules) !== undefined
  }

  /** The name by which the proxy speaks of itself: the first configured one, else the certificate's, else the machine's. */
  get first(): string {
    const inCertificate = /DNS:([A-Za-z0-9_][A-Za-z0-9._-]*)/.exec(this.#certificate.subjectAltName ?? '')?.[1]
    return this.#configured[0] ?? inCertificate?.toLowerCase() ?? hostname()
  }
}

/** The host in "HOST", "HOST:PORT", "[IPv6]" or "[IPv6]:PORT", in one form; undefined when it is none of these. */
function hostOf(authority: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^[\]]*)\]|([^:[\]@]*))(?::[0-9]*)?$/.exec(authority) ?? []
  if (plain !== undefined) return canonicalHost(plain)
  return bracketed?.includes(':') ? canonicalHost(bracketed) : undefined
}

/** Addresses as RFC 5952 writes them; names in lower case and without the final dot. Undefined: no host is called that. */
export function canonicalHost(host: string): string | undefined {
  if (isIpLiteral(host)) {
    try {
      return IpAddress.parse(host).toString()
    } catch (error) {
      if (error instanceof DecodeError) return undefined
      throw error
    }
  }
  const name = host.toLowerCase().replace(/\.$/, '')
  return /^[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?$/.test(name) ? name : undefined
}

function isIpLiteral(host: string): boolean {
  return host.includes(':') || /^[0-9.]+$/.test(host)
}

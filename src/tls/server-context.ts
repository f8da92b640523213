import { randomBytes } from 'node:crypto'
import { CIPHER_SUITES } from './cipher-suite.ts'
import { type Identity, readIdentity } from './identity.ts'
import { NAMED_GROUPS, type Random } from './key-exchange.ts'
import { TicketSealer } from './server-ticket.ts'
import type { CipherSuite } from './tls.ts'
import { type TrustStore, trustStoreOf } from './x509/trust-store.ts'

export interface TlsServerContextOptions {
  /** PEM: the leaf certificate, then those that lead to its root. */
  certificateChain: Uint8Array
  /** PEM. */
  key: Uint8Array
  /** PEM; what clients' certificates are checked against. Default: the roots that come with Node. */
  ca?: Uint8Array | undefined
  /** In order of preference. */
  alpn: readonly string[]
  /** `any`: whoever it is, and also without one. */
  clientCertificate: 'none' | 'optional' | 'required' | 'any'
  /** In order of preference. Default: all. */
  suites?: readonly CipherSuite[]
  groups?: readonly number[]
  /** How long a session can be resumed. 0: not at all. Default: two hours. */
  ticketLifetimeSeconds?: number
  random?: Random
  /** The time of day, for certificates and tickets. */
  unixMs?: () => number
}

export const TICKET_LIFETIME_SECONDS = 7200

/** What all handshakes of a server share; made once, because it reads keys and certificates. Throws when those are of no use. */
export class TlsServerContext {
  readonly identity: Identity
  readonly trust: TrustStore | undefined
  readonly alpn: readonly string[]
  readonly clientCertificate: 'none' | 'optional' | 'required' | 'any'
  readonly suites: readonly CipherSuite[]
  readonly groups: readonly number[]
  readonly tickets: TicketSealer
  readonly ticketLifetimeSeconds: number
  readonly random: Random
  readonly unixMs: () => number

  constructor(options: TlsServerContextOptions) {
    this.identity = readIdentity(options.certificateChain, options.key)
    this.clientCertificate = options.clientCertificate
    const verifies = options.clientCertificate === 'optional' || options.clientCertificate === 'required'
    this.trust = verifies ? trustStoreOf(options.ca) : undefined
    this.alpn = options.alpn
    this.suites = options.suites ?? CIPHER_SUITES
    this.groups = options.groups ?? NAMED_GROUPS
    this.random = options.random ?? randomBytes
    this.unixMs = options.unixMs ?? Date.now
    this.tickets = new TicketSealer(this.random)
    this.ticketLifetimeSeconds = options.ticketLifetimeSeconds ?? TICKET_LIFETIME_SECONDS
  }
}

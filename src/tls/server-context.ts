import type { CipherSuite } from './tls.ts'

export interface TlsServerContextOptions {
  /** PEM: the leaf certificate, then those that lead to its root. */
  certificateChain: Uint8Array
  /** PEM. */
  key: Uint8Array
  /** PEM; what clients' certificates are checked against. Default: the roots that come with Node. */
  ca?: Uint8Array | undefined
  /** In order of preference. */
  alpn: readonly string[]
  clientCertificate: 'none' | 'optional' | 'required' | 'any'
  /** In order of preference. Default: all. */
  suites?: readonly CipherSuite[]
  random?: (length: number) => Uint8Array
  /** The time of day, for certificates and tickets. */
  unixMs?: () => number
}

/** What all handshakes of a server share; made once, because it reads keys and certificates. Throws when those are of no use. */
export class TlsServerContext {
  readonly options: TlsServerContextOptions

  constructor(options: TlsServerContextOptions) {
    this.options = options
  }
}

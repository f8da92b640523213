import type { CipherSuite, EncryptionLevel, TlsHandshake, TlsSink } from './tls.ts'

export interface TlsClientOptions {
  sink: TlsSink
  /** In order of preference. */
  alpn: readonly string[]
  /** The name or IP address that the certificate must be for. A name is also sent as SNI (RFC 6066 §3). */
  serverName: string
  /** PEM. Default: the roots that come with Node. */
  ca?: Uint8Array | undefined
  /** `any`: whoever it is. */
  verify: 'required' | 'any'
  /** PEM; sent when the server asks for it. */
  certificateChain?: Uint8Array | undefined
  key?: Uint8Array | undefined
  /** Ours, encoded (RFC 9000 §18). */
  transportParameters: Uint8Array
  /** From `onTicket` of an earlier session. One that is of no use here is not used. */
  ticket?: Uint8Array | undefined
  /** In order of preference. Default: all. */
  suites?: readonly CipherSuite[]
  random?: (length: number) => Uint8Array
  /** The time of day, for certificates and tickets. */
  unixMs?: () => number
}

export class TlsClient implements TlsHandshake {
  complete = false
  alpn = ''
  resumed = false
  peerCertificate: Uint8Array | undefined

  constructor(_options: TlsClientOptions) {}

  start(): void {
    throw new Error('to come')
  }

  receive(_level: EncryptionLevel, _data: Uint8Array): void {
    throw new Error('to come')
  }
}

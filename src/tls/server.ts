import type { TlsServerContext } from './server-context.ts'
import type { EncryptionLevel, TlsHandshake, TlsSink } from './tls.ts'

export { TlsServerContext, type TlsServerContextOptions } from './server-context.ts'

export interface TlsServerOptions {
  sink: TlsSink
  context: TlsServerContext
  /** Ours, encoded (RFC 9000 §18). */
  transportParameters: Uint8Array
}

export class TlsServer implements TlsHandshake {
  complete = false
  alpn = ''
  resumed = false
  peerCertificate: Uint8Array | undefined

  constructor(_options: TlsServerOptions) {}

  start(): void {}

  receive(_level: EncryptionLevel, _data: Uint8Array): void {
    throw new Error('to come')
  }
}

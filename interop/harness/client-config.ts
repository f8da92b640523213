import { type ClientConfig, defaultClientConfig } from '../../src/client/config.ts'

export interface ClientOptions {
  /** Of the proxy on 127.0.0.1. */
  port: number
  ca: string
  token?: string
  clientCertificate?: { certificate: string; key: string }
  /** Default: both families. */
  requestAddresses?: ('ipv4' | 'ipv6')[]
  /** Largest UDP payload, in bytes; default 1400. */
  maxUdpPayload?: number
}

/** A configuration for a client of ours that connects once and logs nothing. */
export function clientConfig(options: ClientOptions): ClientConfig {
  const { port, ca, token, clientCertificate, requestAddresses, maxUdpPayload } = options
  return defaultClientConfig({
    proxy: { template: `https://127.0.0.1:${port}/.well-known/masque/ip/{target}/{ipproto}/` },
    tls: { ca, ...clientCertificate },
    auth: token === undefined ? {} : { token },
    tunnel: requestAddresses === undefined ? {} : { requestAddresses },
    quic: maxUdpPayload === undefined ? {} : { maxUdpPayload },
    reconnect: { enabled: false },
    log: { level: 'silent' },
  })
}

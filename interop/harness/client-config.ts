import { type ClientConfig, defaultClientConfig } from '../../src/client/config.ts'

export interface ClientOptions {
  /** Of the proxy on 127.0.0.1. */
  port: number
  ca: string
  token?: string
  clientCertificate?: { certificate: string; key: string }
  /** Default: h3. */
  carrier?: 'h3' | 'h1'
  /** Default: both families. */
  requestAddresses?: ('ipv4' | 'ipv6')[]
  /**
   * Default `auto`: `require` would end the tunnel, because the Go library drops packets to ff02::1, by which the client
   * tests whether 1280 bytes pass (RFC 9484 §7.2).
   */
  linkProbe?: 'require' | 'auto' | 'off'
  /** Largest UDP payload, in bytes; default 1400. */
  maxUdpPayload?: number
}

/** A configuration for a client of ours that connects once and logs nothing. */
export function clientConfig(options: ClientOptions): ClientConfig {
  const {
    port,
    ca,
    token,
    clientCertificate,
    carrier = 'h3',
    requestAddresses,
    linkProbe = 'auto',
    maxUdpPayload,
  } = options
  return defaultClientConfig({
    proxy: { template: `https://127.0.0.1:${port}/.well-known/masque/ip/{target}/{ipproto}/` },
    tls: { ca, ...clientCertificate },
    auth: token === undefined ? {} : { token },
    tunnel: { carrier, linkProbe, ...(requestAddresses !== undefined && { requestAddresses }) },
    quic: maxUdpPayload === undefined ? {} : { maxUdpPayload },
    reconnect: { enabled: false },
    log: { level: 'silent' },
  })
}

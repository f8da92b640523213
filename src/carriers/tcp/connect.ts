/** TLS 1.3 on TCP, from the client's end. */

import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { KeyLog } from '../../quic/key-log.ts'
import type { ConnectOptions } from '../http-connection.ts'

/** What both versions of HTTP on TCP take from the configuration. */
export interface TcpSettings {
  /** A connection on which nothing arrived for so long is gone, in ms. */
  readonly idleTimeoutMs: number
  /** How often a client asks for a sign of life, in ms; 0: never. undefined: a third of the idle timeout. */
  readonly keepAliveMs?: number
  /** TLS secrets are appended to this file. */
  readonly keyLog?: string
}

/** Starts a connection and its handshake, and listens for errors: whoever gets it hears of them, too. */
export function connectTcp(options: ConnectOptions, settings: TcpSettings, alpn: string): TLSSocket {
  const { remote, serverName, tls, insecure, resumptionTicket } = options
  const socket = connectTls({
    host: remote.host,
    port: remote.port,
    ALPNProtocols: [alpn],
    minVersion: 'TLSv1.3',
    // An address is never sent as a name (RFC 6066 §3).
    servername: isIP(serverName) === 0 ? serverName : '',
    ...(tls.ca !== undefined && { ca: Buffer.from(tls.ca) }),
    ...(tls.certificateChain !== undefined && { cert: Buffer.from(tls.certificateChain) }),
    ...(tls.key !== undefined && { key: Buffer.from(tls.key) }),
    ...(resumptionTicket !== undefined && { session: Buffer.from(resumptionTicket) }),
    rejectUnauthorized: !insecure,
    checkServerIdentity: (_name, { raw }) => identityProblem(raw, serverName),
  })
  socket.setNoDelay(true)
  socket.on('error', () => {})
  if (settings.keyLog !== undefined) {
    const keyLog = new KeyLog(settings.keyLog, options.onWarning)
    socket.on('keylog', line => keyLog.append(line))
  }
  return socket
}

/** RFC 9525 §6: the certificate must name the server; its common name is no name of a server (§6.1). */
function identityProblem(der: Uint8Array, serverName: string): Error | undefined {
  const certificate = new X509Certificate(der)
  const rules = { subject: 'never', wildcards: true, partialWildcards: false, multiLabelWildcards: false } as const
  const named = isIP(serverName) === 0 ? certificate.checkHost(serverName, rules) : certificate.checkIP(serverName)
  if (named !== undefined) return undefined
  return Object.assign(new Error('the certificate is for another name'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}

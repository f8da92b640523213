/** One attempt of a client: from the first QUIC packet to the end of the tunnel. */

import type { Logger } from 'pino'
import { ENCAPSULATION_HEADER, type Encapsulation } from '../carriers/carrier.ts'
import { type H3Carrier, type H3Owner, H3Transport, headerValue } from '../carriers/h3/transport.ts'
import { hintAtNarrowLink, narrowLink } from '../carriers/ipv6-link-check.ts'
import { Tunnel, type TunnelOwner } from '../carriers/tunnel.ts'
import { quicSettings } from '../config/sections.ts'
import { loadClientTlsConfig } from '../config/tls-config.ts'
import type { AssignedAddress } from '../connect-ip/address-assign.ts'
import type { DnsConfiguration } from '../connect-ip/dns/dns-assign.ts'
import { DNS_EXTENSION } from '../connect-ip/dns/extension.ts'
import { ConnectIpError } from '../connect-ip/errors.ts'
import { buildRequestHeaders, checkResponse } from '../connect-ip/request.ts'
import type { IpAddressRange } from '../connect-ip/route-advertisement.ts'
import { parseScope } from '../connect-ip/scope.ts'
import { ConnectIpSession } from '../connect-ip/session.ts'
import { expandTemplate, parseUriTemplate } from '../connect-ip/uri-template.ts'
import type { H3Event, H3Settings, Header } from '../http3/connection.ts'
import { errorName, H3ErrorCode } from '../http3/error-codes.ts'
import type { IpVersion } from '../ip/address.ts'
import type { IpPrefix } from '../ip/prefix.ts'
import { QuicEndpoint } from '../quic/endpoint.ts'
import type { QuicCloseReason, QuicConnection } from '../quic/quic.ts'
import type { ClientConfig } from './config.ts'
import { addressText, Dial } from './dial.ts'
import { ClientError, errorFromClose, errorFromFailure } from './errors.ts'
import type { ProxyAddress } from './proxy-address.ts'
import { readToken } from './token.ts'

/** How long an attempt may take, in ms. */
export interface SessionTimeouts {
  /** The whole of it: handshake, answer, addresses. */
  readonly connectMs: number
  /** Once there is an address: how long to wait for routes, and for answers to further requests for addresses. */
  readonly graceMs: number
}

export const DEFAULT_SESSION_TIMEOUTS: SessionTimeouts = { connectMs: 10_000, graceMs: 2000 }

/** How long the tunnel's MTU may be searched for before the tunnel is up with what is known, in ms. */
const MTU_PATIENCE_MS = 1000
/** How long the proxy gets to end the tunnel on its side too. */
const CLOSE_TIMEOUT_MS = 500

export interface TunnelInfo {
  /** Addresses and prefixes that the proxy assigned to us. */
  readonly assigned: IpPrefix[]
  /** What the proxy routes for us. */
  readonly routes: IpAddressRange[]
  /** DNS servers that the proxy told us of, by the names they are for. Nothing here asks them. */
  readonly dns: DnsConfiguration[]
  /** Prefixes of a NAT64 behind the proxy. */
  readonly nat64Prefixes: IpPrefix[]
  /** The largest IP packet that fits the tunnel, in bytes. */
  readonly mtu: number
  /** From the first packet to the end of the QUIC handshake, in ms. */
  readonly handshakeMs: number
  /** From there until addresses and routes were there, in ms. */
  readonly sessionMs: number
  readonly encapsulation: Encapsulation
  readonly resumed: boolean
  readonly remote: string
}

export interface SessionOptions {
  config: ClientConfig
  proxy: ProxyAddress
  log: Logger
  resumption?: Uint8Array
  timeouts?: SessionTimeouts
  onPacket(packet: Uint8Array): void
  onChanged(info: TunnelInfo): void
  /** The tunnel had been up, and is no longer. */
  onLost(error: ClientError): void
}

/** What a request is made of, ready before it may be sent. */
interface Prepared {
  readonly headers: Header[]
  readonly session: ConnectIpSession
  readonly addressRequest: { requestIds: bigint[]; bytes: Uint8Array } | undefined
}

export class Session implements H3Owner {
  tunnel: Tunnel | undefined
  readonly #options: SessionOptions
  readonly #log: Logger
  /** All addresses that are tried, then the one that answered. */
  #remoteText: string
  #dial: Dial | undefined
  #quic: QuicConnection | undefined
  #transport: H3Transport | undefined
  #carrier: H3Carrier | undefined
  #prepared: Prepared | undefined
  #establishedAt = 0
  #sessionMs = 0
  #handshakeMs = 0
  /** Requests of ours that the proxy has not answered yet. */
  #awaited = new Set<bigint>()
  #assigned: AssignedAddress[] | undefined
  #routes: IpAddressRange[] | undefined
  #settingsCame = false
  #goingAway = false
  #dns: DnsConfiguration[] = []
  #nat64Prefixes: IpPrefix[] = []
  #accepted = false
  #graceTimer: NodeJS.Timeout | undefined
  /** Everything else is there; the path's MTU is still being searched for. */
  #mtuTimer: NodeJS.Timeout | undefined
  #mtuPatience = true
  #up = false
  #ended = false
  #settle: { resolve: (info: TunnelInfo) => void; reject: (error: ClientError) => void } | undefined
  #onEnded: (() => void) | undefined
  #session: Uint8Array | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#log = options.log
    this.#remoteText = options.proxy.addresses.map(addressText).join(', ')
  }

  get open(): boolean {
    return this.#up && !this.#ended
  }

  get writable(): boolean {
    return this.open && this.#carrier?.writable === true
  }

  /** The QUIC connection below, once there is one: for statistics. */
  get quic(): QuicConnection | undefined {
    return this.#quic
  }

  /** The TLS ticket with which the next connection can resume this session. */
  get resumption(): Uint8Array | undefined {
    return this.#session ?? this.#quic?.session
  }

  get info(): TunnelInfo {
    return {
      assigned: (this.#assigned ?? []).map(entry => entry.prefix),
      routes: this.#routes ?? [],
      dns: this.#dns,
      nat64Prefixes: this.#nat64Prefixes,
      mtu: this.#carrier?.mtu ?? 0,
      handshakeMs: this.#handshakeMs,
      sessionMs: this.#sessionMs,
      encapsulation: this.#carrier?.encapsulation ?? this.#options.config.tunnel.encapsulation,
      resumed: this.#quic?.resumed ?? false,
      remote: this.#remoteText,
    }
  }

  async connect(): Promise<TunnelInfo> {
    const { config, proxy } = this.#options
    const tls = loadClientTlsConfig(config.tls)
    this.#prepared = this.#prepare()
    const { connectMs } = this.#timeouts
    let timer: NodeJS.Timeout | undefined
    const settled = new Promise<TunnelInfo>((resolve, reject) => {
      this.#settle = { resolve, reject }
      timer = setTimeout(() => {
        this.#fail(new ClientError('timeout', `no tunnel after ${connectMs / 1000} s: ${this.#whatIsMissing()}`))
      }, connectMs)
    })
    try {
      this.#dial = new Dial({
        addresses: proxy.addresses,
        connect: remote =>
          QuicEndpoint.connect({
            remote,
            serverName: proxy.serverName,
            tls: { ca: tls.ca, certificateChain: tls.certificateChain, key: tls.key },
            insecure: config.tls.insecure,
            session: this.#options.resumption,
            settings: quicSettings(config.quic),
            onError: error => this.#log.error({ err: error }, 'internal error'),
            debug: message => this.#log.debug(message),
            onWarning: sentence => this.#log.warn(sentence),
          }),
        onConnected: quic => {
          this.#quic = quic
          this.#remoteText = addressText(quic.remote)
          this.#transport = new H3Transport(quic, this)
          return this.#transport
        },
        onFailed: error => this.#fail(error),
        onError: error => this.#log.error({ err: error }, 'internal error'),
      })
      this.#dial.start()
    } catch (error) {
      this.failed(error)
    }
    return settled.finally(() => clearTimeout(timer))
  }

  /** Ends the tunnel, waits a moment for the proxy to end it too, closes the connection. */
  async close(): Promise<void> {
    if (!this.#up) this.#fail(new ClientError('tunnel', 'the client was closed while it was connecting'))
    if (this.#quic === undefined) await Promise.race([this.#dial?.cancel(), delay(CLOSE_TIMEOUT_MS)])
    if (this.#quic === undefined || this.#quic.closed) return
    const ended = new Promise<void>(resolve => {
      this.#onEnded = resolve
    })
    this.#session = this.#quic.session
    const wasUp = this.open
    this.#ended = true
    clearTimeout(this.#graceTimer)
    if (wasUp) {
      // RFC 9114 §5.2: no request will follow, and no push is wanted.
      this.#transport?.h3.goaway()
      this.tunnel?.end()
      await Promise.race([ended, delay(CLOSE_TIMEOUT_MS)])
    }
    const closed = new Promise<void>(resolve => {
      this.#onEnded = resolve
    })
    this.#quic.close(H3ErrorCode.H3_NO_ERROR, '')
    if (!this.#quic.closed) await Promise.race([closed, delay(CLOSE_TIMEOUT_MS)])
  }

  /** Something of ours has failed where nobody waits for the outcome: this attempt, or this tunnel, ends. */
  failed(error: unknown): void {
    const cause = errorFromFailure(error, this.#remoteText)
    if (cause.kind === 'internal') this.#log.error({ err: error }, 'internal error')
    this.#fail(cause)
  }

  /** The tunnel cannot carry IPv6, so it ends (RFC 9484 §7.2). */
  abortNarrowLink(why: string): void {
    if (!this.open) return
    this.tunnel?.abort(H3ErrorCode.H3_REQUEST_CANCELLED, narrowLink(why))
  }

  // -- H3Owner -------------------------------------------------------------------------------------------------

  onReady(): void {
    this.#establishedAt = performance.now()
    this.#handshakeMs = this.#quic?.handshakeMs ?? 0
  }

  /** CIP-07: Extended CONNECT only once the server's SETTINGS have said that it may be used. */
  onSettings(settings: H3Settings): void {
    this.#settingsCame = true
    if (!settings.enableConnectProtocol) {
      this.#fail(new ClientError('protocol', 'the server does not support Extended CONNECT: it is no CONNECT-IP proxy'))
      return
    }
    this.#request(settings)
  }

  onEvent(event: H3Event): void {
    switch (event.type) {
      case 'response':
        return this.#onResponse(event.headers)
      case 'stream-error':
        return this.#fail(new ClientError('protocol', `${errorName(event.code)}: ${event.reason}`))
      case 'reset':
        return this.#fail(new ClientError('refused', `the proxy reset the request: ${errorName(event.code)}`))
    }
  }

  onGoaway(): void {
    // It may come again and again, each time with a lower id (RFC 9114 §5.2).
    if (this.#goingAway) return
    this.#goingAway = true
    this.#log.info('the proxy is shutting down (GOAWAY)')
  }

  onStreamFailed(_streamId: number, error: unknown): void {
    this.#log.error({ err: error }, 'internal error')
    this.#fail(new ClientError('internal', 'internal error: the tunnel has ended', { cause: error }))
  }

  onClosed(reason: QuicCloseReason): void {
    this.#fail(errorFromClose(reason, this.#remoteText))
    this.#onEnded?.()
  }

  // -- what the tunnel reports ---------------------------------------------------------------------------------

  readonly #tunnelOwner: TunnelOwner = {
    onPacket: packet => this.#options.onPacket(packet),

    onAddressesAssigned: addresses => {
      this.#assigned = addresses
      // A request is answered by its id, also when the answer is a refusal.
      const open = new Set(this.tunnel?.session.openRequests.map(request => request.requestId))
      for (const id of this.#awaited) if (!open.has(id)) this.#awaited.delete(id)
      this.#progress()
    },

    onRoutesAdvertised: routes => {
      this.#routes = routes
      this.#progress()
    },

    onDnsAssigned: configurations => {
      this.#dns = configurations
      this.#progress()
    },

    onPref64Assigned: prefixes => {
      this.#nat64Prefixes = prefixes
      this.#progress()
    },
    onMtu: () => this.#progress(),

    /** This client has no addresses to give away. Each request is still answered (CIP-13). */
    onAddressesRequested: requests => {
      const session = this.tunnel?.session
      // What was assigned with `assignAddresses` stays: each capsule has the whole list (CIP-12).
      if (session !== undefined) this.#carrier?.sendCapsules(session.answerAddressRequests(requests, () => undefined))
    },

    onClosed: reason => {
      const hasIpv6 = this.info.assigned.some(prefix => prefix.version === 6)
      const hint = reason.clean || reason.abortedByUs ? '' : hintAtNarrowLink(this.#carrier, hasIpv6)
      const message = reason.clean ? 'the proxy closed the tunnel' : `the tunnel has ended: ${reason.reason}${hint}`
      // What we ended ourselves would end the same way the next time: the other side is at fault.
      this.#fail(new ClientError(reason.abortedByUs ? 'protocol' : 'tunnel', message))
      this.#onEnded?.()
    },
  }

  // -- steps ---------------------------------------------------------------------------------------------------

  /** All that can be made ready before the proxy is there. Throws when the configuration cannot work (CIP-01). */
  #prepare(): Prepared {
    const { proxy, tunnel, auth } = this.#options.config
    const token = readToken(auth)
    const session = new ConnectIpSession({
      role: 'client',
      now: () => performance.now(),
      scope: parseScope({ target: proxy.target, ipproto: proxy.ipproto }),
      extensions: tunnel.acceptDns ? DNS_EXTENSION : undefined,
    })
    const wishes = tunnel.requestAddresses.map(family => ({ version: (family === 'ipv4' ? 4 : 6) as IpVersion }))
    return {
      headers: buildRequestHeaders(
        expandTemplate(parseUriTemplate(proxy.template), proxy),
        token === undefined ? [] : [['authorization', `Bearer ${token}`]],
      ),
      session,
      addressRequest: wishes.length > 0 ? session.requestAddresses(wishes) : undefined,
    }
  }

  #request(settings: H3Settings): void {
    const transport = this.#transport as H3Transport
    const { headers, session, addressRequest } = this.#prepared as Prepared
    const wanted = this.#options.config.tunnel.encapsulation
    // Without QUIC datagrams packets still travel, in DATAGRAM capsules (RFC 9297 §3.5).
    const encapsulation = wanted === 'datagram' && !settings.h3Datagram ? 'single-stream' : wanted
    if (encapsulation !== 'datagram') headers.push([ENCAPSULATION_HEADER, encapsulation])

    let streamId: number
    try {
      streamId = transport.h3.request(headers)
    } catch (error) {
      // Closed by what came with the SETTINGS: `onClosed` follows and knows why.
      if (transport.h3.closed) return
      // A GOAWAY right behind its SETTINGS, or a limit on headers that is too low for ours.
      const why = (error as Error).message
      return this.#fail(
        transport.h3.draining
          ? new ClientError('refused', `the proxy is shutting down: ${why}`)
          : new ClientError('protocol', `the proxy takes no request of ours: ${why}`),
      )
    }
    this.tunnel = new Tunnel({
      session,
      openCarrier: handler => {
        this.#carrier = transport.openCarrier(streamId, encapsulation, handler)
        return this.#carrier
      },
      owner: this.#tunnelOwner,
    })
    if (addressRequest !== undefined) {
      // Sent at once behind the request: a round trip less than waiting for the answer.
      this.#awaited = new Set(addressRequest.requestIds)
      this.#carrier?.sendCapsules(addressRequest.bytes)
    }
    transport.flush()
  }

  #onResponse(headers: readonly Header[]): void {
    try {
      const verdict = checkResponse(headers)
      if (verdict.kind === 'interim') return
      if (verdict.kind === 'rejected') {
        this.#carrier?.abort(H3ErrorCode.H3_REQUEST_CANCELLED)
        const why = verdict.proxyStatus === undefined ? '' : ` (${verdict.proxyStatus})`
        const message = `the proxy refused the tunnel with status ${verdict.status}${hintFor(verdict.status)}${why}`
        return this.#fail(new ClientError('http', message, { status: verdict.status }))
      }
    } catch (error) {
      if (!(error instanceof ConnectIpError)) throw error
      this.#carrier?.abort(error.code)
      return this.#fail(new ClientError('protocol', error.message))
    }
    const wanted = this.#carrier?.encapsulation
    if (wanted === 'stream-per-packet' && headerValue(headers, ENCAPSULATION_HEADER) !== wanted) {
      this.#carrier?.abort(H3ErrorCode.H3_REQUEST_CANCELLED)
      return this.#fail(new ClientError('protocol', `the proxy does not know the encapsulation "${wanted}"`))
    }
    this.#accepted = true
    this.#progress()
  }

  /**
   * Up, once the proxy has said yes, has answered all our requests for addresses, and has advertised routes (CIP-19). With an
   * address, it is also up after a while without the rest: a proxy may assign unprompted (RFC 9484 §4.7.1), and no rule makes
   * it advertise routes. What comes later is a change.
   */
  #progress(): void {
    if (this.#up) return this.#options.onChanged(this.info)
    if (!this.#accepted || this.#assigned === undefined) return
    const answered = this.#awaited.size === 0
    if (this.#assigned.length === 0) {
      if (!answered) return
      return this.#fail(new ClientError('tunnel', 'the proxy has no address for us: its pool is exhausted'))
    }
    if (answered && this.#routes !== undefined) return this.#rise()
    this.#graceTimer ??= setTimeout(() => {
      this.#log.warn(`the tunnel is used as it is: ${this.#whatIsMissing()}`)
      this.#rise()
    }, this.#timeouts.graceMs)
  }

  #rise(): void {
    if (this.#ended || this.#up) return
    // The search began with the handshake and is over by now, unless the path is a narrow one.
    if (this.#carrier?.mtuSettled === false && this.#mtuPatience) {
      this.#mtuTimer ??= setTimeout(() => {
        this.#mtuPatience = false
        this.#rise()
      }, MTU_PATIENCE_MS)
      return
    }
    clearTimeout(this.#mtuTimer)
    clearTimeout(this.#graceTimer)
    this.#up = true
    this.#sessionMs = performance.now() - this.#establishedAt
    this.#settle?.resolve(this.info)
  }

  /** What an attempt waits for, and of whom. */
  #whatIsMissing(): string {
    const proxy = `the proxy at ${this.#remoteText}`
    if (this.#quic === undefined) return `no answer from ${this.#remoteText}`
    if (!this.#settingsCame) return `${proxy} has sent no SETTINGS`
    if (!this.#accepted) return `${proxy} has not answered the request`
    const requests = this.#awaited.size
    const missing = [
      (this.#assigned ?? []).length === 0 && 'has assigned no address (ADDRESS_ASSIGN)',
      requests > 0 &&
        `has left ${requests} request${requests === 1 ? '' : 's'} for an address unanswered (ADDRESS_REQUEST)`,
      this.#routes === undefined && 'has advertised no routes (ROUTE_ADVERTISEMENT), so that nothing can be sent there',
    ]
    return `${proxy} ${missing.filter(part => part !== false).join(', and ')}`
  }

  get #timeouts(): SessionTimeouts {
    return this.#options.timeouts ?? DEFAULT_SESSION_TIMEOUTS
  }

  /** The attempt, or the tunnel, is over. */
  #fail(error: ClientError): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#graceTimer)
    clearTimeout(this.#mtuTimer)
    this.#session = this.#quic?.session
    this.#quic?.close(H3ErrorCode.H3_NO_ERROR, '')
    void this.#dial?.cancel()
    if (this.#up) this.#options.onLost(error)
    else this.#settle?.reject(error)
  }
}

/** What a student should look at first. */
function hintFor(status: number): string {
  switch (status) {
    case 401:
      return ': the bearer token is missing or wrong'
    case 403:
      return ': this identity may not, or the client certificate is missing'
    case 404:
      return ': there is no CONNECT-IP at this path; compare the URI template with the proxy’s'
    case 421:
      return ': the template’s host is not a name of this proxy; compare it with its certificate and listen.names'
    case 429:
      return ': too many tunnels for this identity or proxy'
    case 502:
    case 504:
      return ': the target cannot be resolved or reached'
    default:
      return ''
  }
}

function delay(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

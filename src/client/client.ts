/**
 * A CONNECT-IP client: opens a tunnel, configures its host as the proxy says, keeps the tunnel up.
 *
 *   const client = new MasqueClient(config)
 *   const tunnel = await client.connect()
 *   await client.ping('10.89.0.1')
 *   await client.close()
 */

import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import { connectByHttp2 } from '../carriers/h2/client-connection.ts'
import { connectByHttp3 } from '../carriers/h3/client-connection.ts'
import type { Connect } from '../carriers/http-connection.ts'
import type { Tunnel } from '../carriers/tunnel.ts'
import { quicSettings } from '../config/sections.ts'
import { whyUnreachable } from '../connect-ip/link-scope.ts'
import type { IpAddressRange } from '../connect-ip/route-advertisement.ts'
import { policyRoutes } from '../connect-ip/routes.ts'
import type { Host } from '../hosts/host.ts'
import { PingError, type PingOptions, type PingResult } from '../hosts/userspace/pinger.ts'
import { UserspaceHost } from '../hosts/userspace/userspace-host.ts'
import { IpAddress } from '../ip/address.ts'
import type { IpPrefix } from '../ip/prefix.ts'
import { createLogger } from '../log/logger.ts'
import { runAll } from '../net/run-all.ts'
import { formatAddress } from '../net/udp.ts'
import { checkKeyLog } from '../quic/key-log.ts'
import type { MigrateOptions, MigrateResult } from '../quic/quic.ts'
import { ClientTunnel, type TunnelInfo, type TunnelTimeouts } from './client-tunnel.ts'
import type { ClientConfig } from './config.ts'
import { ClientError, errorFromFailure } from './errors.ts'
import type { Move, PathStatus } from './moves.ts'
import { NetworkWatch } from './network-watch.ts'
import { PacketInbox } from './packet-inbox.ts'
import { type ResolveHost, resolveProxy } from './proxy-address.ts'

export type { TunnelInfo } from './client-tunnel.ts'
export { ClientError } from './errors.ts'
export type { Move, PathStatus } from './moves.ts'

export interface ClientEvents {
  /** The tunnel is up: the first time, and after each reconnect. */
  up: [info: TunnelInfo]
  /** The proxy has changed addresses or routes. */
  changed: [info: TunnelInfo]
  /** The tunnel goes through another network now; nothing else has changed. */
  moved: [move: Move]
  /** An attempt to move came to nothing: the tunnel is where it was. */
  notMoved: [why: string]
  /** The tunnel was lost. */
  down: [error: ClientError]
  /** The next attempt begins in `delayMs`. */
  reconnecting: [delayMs: number, attempt: number]
  /** The attempt that was announced by `reconnecting` has failed. */
  attemptFailed: [error: ClientError, attempt: number]
  /** No further attempt will be made. */
  gaveUp: [error: ClientError]
}

export interface ClientOptions {
  logger?: Logger
  /** For tests: 0 ≤ random() < 1, spreads out the reconnects of many clients. */
  random?: () => number
  /** For tests: instead of the system's resolver. */
  resolve?: ResolveHost
  /** For tests. */
  timeouts?: TunnelTimeouts
  /** The version of HTTP; default: as the configuration says. */
  connect?: Connect
}

/** A tunnel that lived for less long is not knocked for, in ms. */
const KNOCK_AFTER_MS = 1000
/** For so long one knocks, in ms; and so much less often where there is an answer, but a "not now": the proxy is shutting down. */
const KNOCK_FOR_MS = 10_000
const NOT_NOW = 4

/** `H`: what kind of host is at this end of the tunnel; a `UserspaceHost` unless another is given. */
export class MasqueClient<H extends Host = UserspaceHost> extends EventEmitter<ClientEvents> {
  readonly config: ClientConfig
  /** The host at this end of the tunnel. One in userspace pings, and has UDP and flows. */
  readonly host: H
  readonly #log: Logger
  readonly #random: () => number
  readonly #resolve: ResolveHost | undefined
  readonly #timeouts: TunnelTimeouts | undefined
  readonly #connectHttp: Connect | undefined
  #clientTunnel: ClientTunnel | undefined
  #resumptionTicket: Uint8Array | undefined
  #closing = false
  #connecting: Promise<TunnelInfo> | undefined
  /** Networks behind this client, for every tunnel that comes. */
  #advertised: readonly IpAddressRange[]
  readonly #inbox = new PacketInbox()
  #retryTimer: NodeJS.Timeout | undefined
  #watch: NetworkWatch | undefined
  #moves = 0
  #failedMoves = 0
  #lastMove: Move | undefined
  /** The caller of `migrate` has said from which address to send. */
  #isAddressGiven = false
  /** Reconnects since there was last a tunnel that lived for a while. */
  #reconnects = 0
  #upSinceMs = 0
  /** Of the tunnel that was lost. */
  #addressesBefore: readonly IpAddress[] = []
  /** The next attempt begins at once, and knocks. */
  #isKnocking = false
  #knockUntil = 0

  constructor(config: ClientConfig, options: ClientOptions & { host?: H } = {}) {
    super()
    this.config = config
    this.host = options.host ?? (new UserspaceHost() as Host as H)
    this.#log = options.logger ?? createLogger({ level: config.log.level })
    this.#random = options.random ?? Math.random
    this.#resolve = options.resolve
    this.#timeouts = options.timeouts
    this.#connectHttp = options.connect
    this.#advertised = policyRoutes(config.advertise)
    this.host.send = (packet, forwarded = false) => this.#send(packet, forwarded)
    // Without a tunnel there is nothing to wait for.
    this.host.hasRoom = () => this.#clientTunnel?.open !== true || this.#clientTunnel.writable
  }

  /** Opens the tunnel; resolves when the addresses are there. Rejects with ClientError. One attempt: no retries. */
  connect(): Promise<TunnelInfo> {
    if (this.#closing) return Promise.reject(new ClientError('config', 'the client was closed: make a new one'))
    if (this.#clientTunnel?.open) return Promise.resolve(this.#clientTunnel.info)
    // Whoever asks while an attempt is under way gets its result, not a second tunnel.
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  async #connect(): Promise<TunnelInfo> {
    // Once: a key log that cannot be written any more must not keep a tunnel from coming back.
    if (this.#clientTunnel === undefined) checkKeyLogOf(this.config)
    const proxy = await resolveProxy(this.config, this.#resolve)
    if (this.#closing) throw new ClientError('tunnel', 'the client was closed while it was connecting')
    const clientTunnel = new ClientTunnel({
      config: this.config,
      proxy,
      log: this.#log,
      connect: this.#connectHttp ?? connectBy(this.config),
      resumptionTicket: this.#resumptionTicket,
      before: this.#addressesBefore,
      ...(this.#isKnocking && { knockMs: this.config.reconnect.knockMs }),
      timeouts: this.#timeouts,
      onPacket: packet => {
        this.#inbox.receive(packet)
        this.host.receive(packet)
      },
      onChanged: info => {
        this.#configureHost(info)
        this.emit('changed', info)
      },
      onLost: error => this.#lost(clientTunnel, error),
    })
    this.#clientTunnel = clientTunnel
    await clientTunnel.connect()
    if (this.#advertised.length > 0) clientTunnel.advertise(this.#advertised)
    // Whatever came in the same flight as the last that was awaited, such as DNS configuration, is in it too.
    const { info } = clientTunnel
    this.#upSinceMs = performance.now()
    this.#isKnocking = false
    this.#configureHost(info)
    this.#log.info({ assigned: info.assigned.map(String), mtu: info.mtu }, 'tunnel is up')
    if (this.config.migration.enabled) this.#watch ??= this.#watchNetwork()
    this.emit('up', info)
    return info
  }

  #watchNetwork(): NetworkWatch {
    return new NetworkWatch({
      // Who has said which address to use is not asked again.
      path: () => (this.#isAddressGiven ? undefined : this.#clientTunnel?.path),
      move: async () => (await this.migrate()).moved,
      onError: error => this.#log.error({ err: error }, 'internal error'),
    })
  }

  /**
   * Moves the tunnel: packets leave from another local address, and everything inside the tunnel stays as it is. Without options from the address that the system gives a new
   * socket now. Never rejects: a tunnel that cannot be moved is where it was.
   */
  async migrate(options: MigrateOptions = {}): Promise<MigrateResult> {
    const tunnel = this.#clientTunnel
    const from = tunnel?.path?.local
    if (tunnel === undefined || from === undefined) return { moved: false, why: 'there is no tunnel' }
    this.#log.info({ from: formatAddress(from) }, 'moving the tunnel: trying another path')
    const result = await tunnel.migrate(options)
    if (result.moved) this.#isAddressGiven = options.local !== undefined
    if (result.moved)
      this.#moved({ from, to: result.path.local, remote: result.path.remote, ms: result.ms, at: new Date() })
    else {
      this.#failedMoves++
      this.#log.warn({ reason: result.why }, 'the tunnel has not moved')
      this.emit('notMoved', result.why)
    }
    return result
  }

  #moved(move: Move): void {
    this.#moves++
    this.#lastMove = move
    this.#log.info({ from: formatAddress(move.from), to: formatAddress(move.to), ms: move.ms }, 'the tunnel has moved')
    // Which networks are around this machine, and stay outside of the tunnel, may be others now.
    if (this.#clientTunnel?.open) this.#configureHost(this.#clientTunnel.info)
    this.emit('moved', move)
  }

  /** Which way the tunnel's packets take now, and how often that has changed. */
  get path(): PathStatus {
    const last = this.#lastMove
    return { ...this.#clientTunnel?.path, moves: this.#moves, failedMoves: this.#failedMoves, ...(last && { last }) }
  }

  /** What the tunnel is now. Throws ClientError when there is none. */
  get info(): TunnelInfo {
    if (!this.#clientTunnel?.open) throw new ClientError('tunnel', 'there is no tunnel: call connect() first')
    return this.#clientTunnel.info
  }

  get connected(): boolean {
    return this.#clientTunnel?.open === true
  }

  /** Pings through the tunnel. Rejects with PingError (see hosts/userspace/pinger.ts). */
  async ping(this: MasqueClient, target: IpAddress | string, options?: PingOptions): Promise<PingResult> {
    const address = typeof target === 'string' ? IpAddress.parse(target) : target
    if (!this.connected) throw new PingError('closed', address, 'there is no tunnel at the moment')
    const why = whyUnreachable(address)
    if (why !== undefined) throw new PingError('unreachable', address, `it cannot be reached: ${why}`)
    return this.host.ping(address, options)
  }

  /** Sends an IP packet as it is. Throws ClientError when there is no tunnel. */
  sendPacket(packet: Uint8Array): void {
    if (!this.#clientTunnel?.open) throw new ClientError('tunnel', 'the tunnel is closed: the packet was not sent')
    this.#send(packet, false)
  }

  /**
   * The next IP packet that comes out of the tunnel, whatever the host does with it. From the first call on, packets that
   * nobody waits for are kept, up to a bound. Rejects with ClientError when the tunnel is closed, or ends meanwhile.
   */
  readPacket(): Promise<Uint8Array> {
    if (!this.#clientTunnel?.open) {
      return Promise.reject(new ClientError('tunnel', 'the tunnel is closed: there is nothing to read'))
    }
    return this.#inbox.next()
  }

  /**
   * Offers networks behind this client to the proxy (RFC 9484 §8.2), now and after each reconnect; replaces what was offered
   * before, also by the configuration. Whether the proxy uses them is its own policy. Packets from there are sent with
   * `forwardPacket`.
   */
  advertiseRoutes(routes: readonly IpAddressRange[]): void {
    this.#openTunnel()
    this.#clientTunnel?.advertise(routes)
    this.#advertised = [...routes]
  }

  /** Assigns addresses of the networks behind this client to the proxy; replaces what was assigned before. */
  assignAddresses(prefixes: IpPrefix[]): void {
    const tunnel = this.#openTunnel()
    tunnel.carrier.sendCapsules(tunnel.session.assignAddresses(prefixes.map(prefix => ({ requestId: 0n, prefix }))))
  }

  /** Sends a packet of another host on: its hop count goes down by one. Returns the ICMP error for that host, if any. */
  forwardPacket(packet: Uint8Array): Uint8Array | undefined {
    return this.#openTunnel().sendPacket(packet, true)?.icmp
  }

  #openTunnel(): Tunnel {
    if (!this.#clientTunnel?.open || this.#clientTunnel.tunnel === undefined) {
      throw new ClientError('tunnel', 'there is no tunnel: call connect() first')
    }
    return this.#clientTunnel.tunnel
  }

  /** Whether the tunnel takes one more packet now without dropping it. */
  get writable(): boolean {
    return this.#clientTunnel?.writable === true
  }

  /** The tunnel, for measurements that look below the client. */
  get tunnel(): ClientTunnel | undefined {
    return this.#clientTunnel
  }

  /** Ends the tunnel in good order and stops reconnecting. Idempotent. */
  async close(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#retryTimer)
    this.#watch?.stop()
    this.#inbox.fail(new ClientError('tunnel', 'the tunnel was closed while a packet was awaited'))
    await this.#clientTunnel?.close()
    this.host.close()
  }

  // ------------------------------------------------------------------------------------------------------------

  #send(packet: Uint8Array, forwarded: boolean): void {
    // Packets made here are not forwarded: their hop count stays (RFC 9484 §7.2).
    const drop = this.#clientTunnel?.tunnel?.sendPacket(packet, forwarded)
    if (drop?.icmp !== undefined) this.host.receive(drop.icmp)
  }

  #configureHost({ assigned, routes, mtu, dns }: TunnelInfo): void {
    // A prefix longer than one address is a small network; the host takes its first address.
    const addresses = assigned.map(prefix => prefix.address)
    const proxy = this.#clientTunnel?.proxyAddress
    const outside = proxy === undefined ? [] : [proxy]
    this.host.configure({ addresses, routes: routes.map(({ range }) => range), mtu, outside, dns })
  }

  #lost(clientTunnel: ClientTunnel, error: ClientError): void {
    if (clientTunnel !== this.#clientTunnel || this.#closing) return
    this.#resumptionTicket = clientTunnel.resumptionTicket ?? this.#resumptionTicket
    this.#log.warn({ kind: error.kind, reason: error.message }, 'tunnel is down')
    this.#tellLost(clientTunnel, error)
    const { enabled, maxDelayMs, knockMs } = this.config.reconnect
    // A proxy that grants tunnels and ends them again is not to be asked without a pause.
    this.#isKnocking = knockMs > 0 && performance.now() - this.#upSinceMs >= KNOCK_AFTER_MS
    this.#knockUntil = performance.now() + KNOCK_FOR_MS
    // A proxy that grants a tunnel and ends it at once must not be asked again and again without a wait.
    if (performance.now() - this.#upSinceMs >= maxDelayMs) this.#reconnects = 0
    if (enabled) this.#scheduleReconnect(error)
  }

  /** A host or a listener that fails is not to keep the tunnel from coming back. */
  #tellLost(clientTunnel: ClientTunnel, error: ClientError): void {
    try {
      runAll([
        () => {
          this.#addressesBefore = clientTunnel.info.assigned.map(({ address }) => address)
        },
        () => this.host.configure({ addresses: [], routes: [], mtu: 0 }),
        () => this.#inbox.fail(error),
        () => this.emit('down', error),
      ])
    } catch (failure) {
      this.#log.error({ err: failure }, 'internal error')
    }
  }

  #scheduleReconnect(cause: ClientError): void {
    const { initialDelayMs, maxDelayMs, maxAttempts } = this.config.reconnect
    if (this.#closing) return
    const attempt = ++this.#reconnects
    if (!cause.retryable || (maxAttempts > 0 && attempt > maxAttempts)) {
      this.#reconnects = 0
      this.#log.error(`giving up: ${cause.message}`)
      this.emit('gaveUp', cause)
      return
    }
    const ceiling = Math.min(maxDelayMs, initialDelayMs * 2 ** (attempt - 1))
    // Between half and all of it, so that clients that lost one proxy together do not come back together.
    const spread = 0.5 + this.#random() / 2
    const knockMs = this.config.reconnect.knockMs * (cause.kind === 'tunnel' ? 1 : NOT_NOW)
    const delayMs = Math.round((this.#isKnocking ? knockMs : ceiling) * spread)
    this.#log.info({ attempt, delayMs }, 'reconnecting')
    this.emit('reconnecting', delayMs, attempt)
    this.#retryTimer = setTimeout(() => {
      // What still fails here is a listener of ours: there is nobody left to tell.
      this.#retry(attempt).catch(error => this.#log.error({ err: error }, 'internal error'))
    }, delayMs)
  }

  async #retry(attempt: number): Promise<void> {
    try {
      await this.connect()
    } catch (error) {
      this.#attemptFailed(attempt, error)
    }
  }

  /** Whatever an attempt fails with, a client that was connected before goes on as that allows. */
  #attemptFailed(attempt: number, failure: unknown): void {
    if (this.#closing) return
    this.#isKnocking &&= performance.now() < this.#knockUntil
    // A proxy may refuse a request for an address that it cannot give, and give none.
    if (this.#clientTunnel?.accepted) this.#addressesBefore = []
    const error = errorFromFailure(failure, 'the proxy')
    if (error.kind === 'internal') this.#log.error({ err: error.cause }, 'internal error')
    else this.#log.warn({ attempt, kind: error.kind, reason: error.message }, 'attempt failed')
    this.emit('attemptFailed', error, attempt)
    this.#scheduleReconnect(error)
  }
}

function connectBy({ tunnel, quic }: ClientConfig): Connect {
  const settings = quicSettings(quic)
  return tunnel.carrier === 'h2' ? connectByHttp2(settings) : connectByHttp3(settings)
}

function checkKeyLogOf(config: ClientConfig): void {
  const { keyLog } = quicSettings(config.quic)
  try {
    if (keyLog !== undefined) checkKeyLog(keyLog)
  } catch (error) {
    throw new ClientError('config', (error as Error).message)
  }
}

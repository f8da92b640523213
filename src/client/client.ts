/**
 * A CONNECT-IP client: opens a tunnel, configures its host as the proxy says, keeps the tunnel up.
 *
 *   const client = new MasqueClient(config)
 *   const tunnel = await client.connect()
 *   await client.ping('10.89.0.1')
 *   await client.close()
 */

import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Capture } from '../capture/capture.ts'
import { connectByHttp1 } from '../carriers/h1/client-connection.ts'
import { connectByHttp2 } from '../carriers/h2/client-connection.ts'
import { connectByHttp3 } from '../carriers/h3/client-connection.ts'
import type { Connect, HttpVersion } from '../carriers/http-connection.ts'
import type { Tunnel } from '../carriers/tunnel.ts'
import { connectByPackage } from '../carriers/webtransport/client-connection.ts'
import { quicSettings } from '../config/sections.ts'
import { whyUnreachable } from '../connect-ip/link-scope.ts'
import type { IpAddressRange } from '../connect-ip/route-advertisement.ts'
import { policyRoutes } from '../connect-ip/routes.ts'
import type { Host } from '../hosts/host.ts'
import { PingError, type PingOptions, type PingResult } from '../hosts/userspace/pinger.ts'
import { UserspaceHost } from '../hosts/userspace/userspace-host.ts'
import { IpAddress } from '../ip/address.ts'
import type { IpPrefix } from '../ip/prefix.ts'
import { ComponentLogs } from '../log/component-logs.ts'
import { LogBudget } from '../log/log-budget.ts'
import { createLogger, type Logger } from '../log/logger.ts'
import { runAll } from '../net/run-all.ts'
import { formatAddress } from '../net/udp.ts'
import type { QlogFolder } from '../qlog/qlog-folder.ts'
import { KeptTokens } from '../quic/kept-tokens.ts'
import { checkKeyLog } from '../quic/key-log.ts'
import type { MigrateOptions, MigrateResult } from '../quic/quic.ts'
import { CarrierMemory, type CarrierTiming, DEFAULT_CARRIER_TIMING } from './carrier-memory.ts'
import { type AwaitTurn, CarrierRace, TURN_MS, unanswered } from './carrier-race.ts'
import { type CarrierChange, type CarrierStatus, CarrierWatch } from './carrier-watch.ts'
import { ClientTunnel, type TunnelInfo, type TunnelTimeouts } from './client-tunnel.ts'
import type { ClientConfig } from './config.ts'
import { ClientError, errorFromFailure } from './errors.ts'
import type { Move, PathStatus } from './moves.ts'
import { NetworkWatch } from './network-watch.ts'
import { PacketInbox } from './packet-inbox.ts'
import { type ProxyAddress, type ResolveHost, resolveProxy } from './proxy-address.ts'
import { SilentPath } from './silent-path.ts'
import { readToken } from './token.ts'

export type { CarrierChange, CarrierStatus } from './carrier-watch.ts'
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
  /** With carrier "auto": the tunnel is over h3 again, or over h2, since nothing came over h3; its addresses are the same, if the proxy has kept them. `changed` follows. */
  carrierChanged: [change: CarrierChange]
  /** It was looked whether the other carrier works; the tunnel is still where it was. */
  carrierNotChanged: [why: string]
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
  /** For tests. */
  carrierTiming?: Partial<CarrierTiming>
  /** What passes is written there. Whoever has made it closes it. */
  capture?: Capture | undefined
  /** What happens on connections over QUIC is written there, too. */
  qlog?: QlogFolder | undefined
  /** The version of HTTP; default: as the configuration says. With carrier "auto", all of them. */
  connect?: Connect
}

const ANSWERS_AGAIN = 'h3 answers again'

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
  readonly #logs: ComponentLogs
  readonly #log: Logger
  readonly #logBudget: LogBudget
  readonly #random: () => number
  readonly #resolve: ResolveHost | undefined
  readonly #timeouts: TunnelTimeouts | undefined
  readonly #connectHttp: Connect | undefined
  readonly #capture: Capture | undefined
  readonly #qlog: QlogFolder | undefined
  #clientTunnel: ClientTunnel | undefined
  /** Attempts by several carriers, of which one is to become the tunnel. */
  #race: CarrierRace<ClientTunnel> | undefined
  /** What was tried for the next tunnel. */
  #attempts: ClientTunnel[] = []
  readonly #carrierTiming: CarrierTiming
  readonly #carrierMemory: CarrierMemory
  readonly #carrierWatch: CarrierWatch
  readonly #silentPath: SilentPath
  /** A tunnel by another carrier in the making, while there is one. */
  #candidate: ClientTunnel | undefined
  #isGoingOver = false
  /** …because nothing comes over h3. */
  #isLeavingSilence = false
  /** The tunnel from which the client is going over to that one. If it is lost meanwhile, with what. */
  #handover: { readonly before: ClientTunnel; lost?: ClientError } | undefined
  /** From which the client has gone over: what is under way there still arrives. */
  readonly #left = new Set<ClientTunnel>()
  #carrierTries = 0
  #carrierChanges = 0
  #lastCarrierChange: CarrierChange | undefined
  #lastCarrierFailure: string | undefined
  /** What each carrier needs to resume TLS. */
  readonly #tickets = new Map<HttpVersion, Uint8Array>()
  readonly #tokens = new KeptTokens()
  /** Of a client that may come back by another connection, for the proxy to know it then (carriers/client-name.ts). */
  readonly #name: string | undefined
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
    this.#logs = new ComponentLogs(options.logger ?? createLogger(config.log), config.log.levels)
    this.#log = this.#logs.of('client')
    this.#logBudget = new LogBudget(this.#logs, undefined, 'client')
    this.#random = options.random ?? Math.random
    this.#resolve = options.resolve
    this.#timeouts = options.timeouts
    this.#connectHttp = options.connect
    this.#capture = options.capture
    this.#qlog = options.qlog
    for (const written of [options.capture, options.qlog]) {
      if (written !== undefined) written.warn = sentence => this.#log.warn(sentence)
    }
    this.#advertised = policyRoutes(config.advertise)
    const mayComeBack = config.reconnect.enabled || config.tunnel.carrier === 'auto'
    if (mayComeBack) this.#name = randomBytes(16).toString('base64url')
    this.#carrierTiming = { ...DEFAULT_CARRIER_TIMING, ...options.carrierTiming }
    this.#carrierMemory = new CarrierMemory(this.#carrierTiming)
    this.#carrierWatch = new CarrierWatch({
      nextPauseMs: () => this.#carrierMemory.nextPauseMs(),
      look: () => this.goOverTo('h3'),
      onError: error => this.#log.error({ err: error }, 'internal error'),
    })
    this.#silentPath = new SilentPath({
      quic: () => (this.#clientTunnel?.open ? this.#clientTunnel.quic : undefined),
      onSilent: () => this.#leaveSilentPath(),
      onHeard: () => this.#isLeavingSilence && !this.#candidate?.accepted && void this.#candidate?.close(),
      onError: error => this.#log.error({ err: error }, 'internal error'),
    })
    this.host.send = (packet, forwarded = false) => this.#send(packet, forwarded)
    // Without a tunnel there is nothing to wait for.
    this.host.hasRoom = () => this.#clientTunnel?.open !== true || this.#clientTunnel.takesPackets
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
    this.#attempts = []
    const { carrier } = this.config.tunnel
    if (carrier === 'auto') await this.#raceCarriers(proxy)
    else {
      this.#clientTunnel = this.#newTunnel(proxy, carrier)
      await this.#clientTunnel.connect()
    }
    const info = await this.#isUpOrClosed(this.#clientTunnel as ClientTunnel)
    this.#isKnocking = false
    this.#log.info(
      { ...this.#clientTunnel?.ids, assigned: info.assigned.map(String), mtu: info.mtu, carrier: info.carrier },
      'tunnel is up',
    )
    if (this.config.migration.enabled) this.#watch ??= this.#watchNetwork()
    this.emit('up', info)
    return info
  }

  /** A host that cannot take what the tunnel has is of no use to it: then there is no tunnel. */
  async #isUpOrClosed(clientTunnel: ClientTunnel): Promise<TunnelInfo> {
    try {
      return this.#isUp()
    } catch (error) {
      this.#stopWatching()
      await clientTunnel.close()
      throw error
    }
  }

  /** The host gets what the tunnel has. */
  #isUp(): TunnelInfo {
    const clientTunnel = this.#clientTunnel as ClientTunnel
    if (this.#advertised.length > 0) clientTunnel.advertise(this.#advertised)
    // Whatever came in the same flight as the last that was awaited, such as DNS configuration, is in it too.
    const { info } = clientTunnel
    this.#upSinceMs = performance.now()
    this.#carrierMemory.stands(info.carrier, this.#upSinceMs)
    this.#stopWatching()
    if (this.config.tunnel.carrier === 'auto') (info.carrier === 'h3' ? this.#silentPath : this.#carrierWatch).start()
    this.#configureHost(info)
    return info
  }

  #stopWatching(): void {
    this.#carrierWatch.stop()
    this.#silentPath.stop()
  }

  #newTunnel(proxy: ProxyAddress, carrier: HttpVersion, awaitTurn?: AwaitTurn, isHandover = false): ClientTunnel {
    const clientTunnel: ClientTunnel = new ClientTunnel({
      config: this.config,
      proxy,
      logs: this.#logs,
      logBudget: this.#logBudget,
      carrier,
      connect:
        this.#connectHttp ??
        connectBy(this.config, carrier, { capture: this.#capture, qlog: this.#qlog, tokens: this.#tokens }),
      tapTunnel: id => this.#capture?.tunnel(id),
      awaitTurn,
      clientName: this.#name,
      isHandover,
      resumptionTicket: this.#tickets.get(carrier),
      before: this.#addressesBefore,
      ...(this.#isKnocking && { knockMs: this.config.reconnect.knockMs }),
      timeouts: this.#timeouts,
      onPacket: packet => {
        this.#inbox.receive(packet)
        this.host.receive(packet)
      },
      onChanged: info => {
        // Not of one that the client has left, or has not gone over to.
        if (clientTunnel !== this.#clientTunnel) return
        this.#configureHost(info)
        this.emit('changed', info)
      },
      onLost: error => this.#lost(clientTunnel, error),
    })
    this.#attempts.push(clientTunnel)
    return clientTunnel
  }

  /** `tunnel.carrier = "auto"`: the tunnel that stands first. */
  async #raceCarriers(proxy: ProxyAddress): Promise<void> {
    const carriers = this.#carrierMemory.order(performance.now())
    this.#race = new CarrierRace({
      carriers,
      headStartMs: this.#carrierTiming.headStart,
      begin: (carrier, awaitTurn) => this.#newTunnel(proxy, carrier, awaitTurn),
      onError: error => this.#log.error({ err: error }, 'internal error'),
    })
    try {
      this.#clientTunnel = await this.#race.run()
    } finally {
      this.#race = undefined
    }
    // Between its standing and now.
    if (this.#closing) await this.#clientTunnel.close()
    if (!this.#clientTunnel.open) throw new ClientError('tunnel', 'the tunnel has ended as soon as it stood')
  }

  /**
   * With `tunnel.carrier = "auto"`: looks whether this carrier works, and lets it carry the tunnel then (carrier-watch.ts). Whether it does. Never rejects: a
   * tunnel that cannot change is where it was, or is lost.
   */
  goOverTo(carrier: 'h3' | 'h2'): Promise<boolean> {
    return this.#goOverTo(carrier)
  }

  /** Nothing comes by h3 any more. What has an answer by h2 does not wait for QUIC's idle timeout. */
  #leaveSilentPath(): Promise<boolean> {
    const ms = Math.round(this.#silentPath.silentMs)
    this.#log.info({ ...this.#clientTunnel?.ids, ms }, 'nothing comes over h3 any more: is there h2?')
    return this.#goOverTo('h2', true)
  }

  async #goOverTo(carrier: 'h3' | 'h2', isSilent = false): Promise<boolean> {
    const before = this.#clientTunnel
    const isAuto = this.config.tunnel.carrier === 'auto'
    if (!isAuto || this.#isGoingOver || before?.open !== true || before.info.carrier === carrier) return false
    this.#isGoingOver = true
    this.#isLeavingSilence = isSilent
    this.#carrierTries++
    try {
      const proxy = await resolveProxy(this.config, this.#resolve)
      this.#remember(before)
      this.#attempts = []
      const { tunnel, ask, stands } = await this.#makeReady(proxy, carrier, before.canHandOver)
      const isToStay = isSilent && !(await this.#silentPath.isStillSilent())
      if (this.#closing || !before.open || isToStay) {
        await tunnel.close()
        if (isToStay) throw new ClientError('tunnel', ANSWERS_AGAIN)
        return false
      }
      const change = before.canHandOver ? this.#handOver : this.#breakAndMake
      this.#connecting = change.call(this, before, tunnel, ask, stands).finally(() => {
        this.#connecting = undefined
      })
      await this.#connecting
      return true
    } catch (error) {
      const answersAgain = isSilent && !this.#silentPath.isSilent
      const cause = answersAgain ? new ClientError('tunnel', ANSWERS_AGAIN) : errorFromFailure(error, 'the proxy')
      if (cause.kind === 'internal') this.#log.error({ err: cause.cause }, 'internal error')
      if (!this.#closing && before.open) this.#carrierNotChanged(carrier, cause)
      return false
    } finally {
      this.#isGoingOver = false
      this.#isLeavingSilence = false
      this.#candidate = undefined
    }
  }

  /** A connection by another carrier, on which nothing is missing but the request. */
  #makeReady(
    proxy: ProxyAddress,
    carrier: HttpVersion,
    isHandover: boolean,
  ): Promise<{ tunnel: ClientTunnel; ask: () => void; stands: Promise<TunnelInfo> }> {
    return new Promise((resolve, reject) => {
      const tunnel = this.#newTunnel(proxy, carrier, ask => resolve({ tunnel, ask, stands }), isHandover)
      this.#candidate = tunnel
      const stands = tunnel.connect()
      stands.catch(reject)
    })
  }

  /** The tunnel before carries packets until the other one stands: nothing is lost, and what h3 refuses costs nothing. */
  async #handOver(
    before: ClientTunnel,
    tunnel: ClientTunnel,
    ask: () => void,
    stands: Promise<TunnelInfo>,
  ): Promise<TunnelInfo> {
    const handover: { before: ClientTunnel; lost?: ClientError } = { before }
    this.#handover = handover
    try {
      ask()
      await answered(tunnel, stands)
    } catch (failure) {
      this.#handover = undefined
      // What has happened to it meanwhile is heard only now.
      if (handover.lost !== undefined) this.#lost(before, handover.lost)
      throw failure
    }
    this.#handover = undefined
    const ms = this.#isLeavingSilence ? this.#silentPath.silentMs : 0
    this.#clientTunnel = tunnel
    const info = await this.#isUpOrLost(tunnel, before)
    // The proxy follows when it hears this, however little there is to send.
    if (this.#advertised.length === 0) tunnel.advertise([])
    this.#left.add(before)
    before
      .leave()
      .catch(error => this.#log.error({ err: error }, 'internal error'))
      .finally(() => this.#left.delete(before))
    this.#carrierHasChanged(before, tunnel, info, ms)
    return info
  }

  /** A host that cannot take what the new tunnel has: neither is of use then. */
  async #isUpOrLost(tunnel: ClientTunnel, before: ClientTunnel): Promise<TunnelInfo> {
    try {
      return await this.#isUpOrClosed(tunnel)
    } catch (failure) {
      await before.close()
      this.#lost(tunnel, errorFromFailure(failure, 'the proxy'))
      throw failure
    }
  }

  /** For a proxy that knows nothing of handovers: there an address has one tunnel, and the one before has to end first. */
  async #breakAndMake(
    before: ClientTunnel,
    tunnel: ClientTunnel,
    ask: () => void,
    stands: Promise<TunnelInfo>,
  ): Promise<TunnelInfo> {
    const startedAt = performance.now()
    const silentMs = this.#isLeavingSilence ? this.#silentPath.silentMs : 0
    // From now on, what becomes of the one before is no news.
    this.#clientTunnel = tunnel
    await before.close({ willReturn: true })
    ask()
    let info: TunnelInfo
    try {
      await answered(tunnel, stands)
      info = await this.#isUpOrClosed(tunnel)
    } catch (failure) {
      // Whatever it has said: there was a tunnel a moment ago.
      const { message } = errorFromFailure(failure, 'the proxy')
      const to = tunnel.info.carrier
      const error = new ClientError('tunnel', `the tunnel was to go on over ${to}, and that has failed: ${message}`)
      this.#lost(tunnel, error)
      throw error
    }
    this.#carrierHasChanged(before, tunnel, info, silentMs + performance.now() - startedAt)
    return info
  }

  #carrierHasChanged(before: ClientTunnel, tunnel: ClientTunnel, info: TunnelInfo, ms: number): void {
    const change: CarrierChange = { from: before.info.carrier, to: info.carrier, ms, at: new Date() }
    const { from } = change
    this.#carrierChanges++
    this.#lastCarrierChange = change
    this.#lastCarrierFailure = undefined
    this.#log.info(
      { ...tunnel.ids, from, to: change.to, ms: change.ms, assigned: info.assigned.map(String) },
      'the tunnel has changed its carrier',
    )
    this.emit('carrierChanged', change)
    this.emit('changed', info)
  }

  #carrierNotChanged(carrier: HttpVersion, { kind, message }: ClientError): void {
    this.#lastCarrierFailure = message
    // Somebody else than the proxy may be there: that is worth more than a word.
    const level = kind === 'tls' ? 'warn' : 'info'
    this.#log[level]({ kind, reason: message }, `the tunnel stays where it is: no ${carrier}`)
    this.emit('carrierNotChanged', message)
  }

  /** What carries the tunnel, and how often that has changed. */
  get carriers(): CarrierStatus {
    return {
      ...(this.connected && { current: this.info.carrier }),
      tries: this.#carrierTries,
      changes: this.#carrierChanges,
      ...(this.#lastCarrierChange && { last: this.#lastCarrierChange }),
      ...(this.#lastCarrierFailure !== undefined && { lastFailure: this.#lastCarrierFailure }),
    }
  }

  #watchNetwork(): NetworkWatch {
    return new NetworkWatch({
      // Who has said which address to use is not asked again.
      path: () => (this.#isAddressGiven ? undefined : this.#clientTunnel?.path),
      move: async () => (await this.migrate()).moved,
      onError: error => this.#log.error({ err: error }, 'internal error'),
      onDeaf: why =>
        this.#log.info({ reason: why }, 'changes of the network are not heard: it is looked twice a second'),
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
    this.#log.info({ ...tunnel.ids, from: formatAddress(from) }, 'moving the tunnel: trying another path')
    const result = await tunnel.migrate(options)
    if (result.moved) this.#isAddressGiven = options.local !== undefined
    if (result.moved)
      this.#moved({ from, to: result.path.local, remote: result.path.remote, ms: result.ms, at: new Date() })
    else {
      this.#failedMoves++
      this.#log.warn({ ...tunnel.ids, reason: result.why }, 'the tunnel has not moved')
      this.emit('notMoved', result.why)
    }
    return result
  }

  #moved(move: Move): void {
    this.#moves++
    this.#lastMove = move
    this.#log.info(
      {
        ...this.#clientTunnel?.ids,
        from: formatAddress(move.from),
        to: formatAddress(move.to),
        ms: move.ms,
      },
      'the tunnel has moved',
    )
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
    this.#inbox.fail(new ClientError('tunnel', 'the tunnel was closed while a packet was awaited'))
    this.#stopWatching()
    await Promise.all([
      this.#watch?.stop(),
      this.#race?.cancel(),
      this.#candidate?.close(),
      this.#clientTunnel?.close(),
      ...[...this.#left].map(tunnel => tunnel.close()),
    ])
    this.host.close()
    this.#logBudget.close()
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
    if (this.#handover?.before === clientTunnel) {
      // Perhaps the proxy has no room for two: then the other one stands in a moment.
      this.#handover.lost = error
      return
    }
    this.#stopWatching()
    this.#carrierMemory.lost(performance.now())
    this.#log.warn({ ...clientTunnel.ids, kind: error.kind, reason: error.message }, 'tunnel is down')
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
        // The next attempt looks for h3, too.
        () => void this.#candidate?.close(),
        () => this.#remember(clientTunnel),
        () => this.host.configure({ addresses: [], routes: [], mtu: 0 }),
        () => this.#inbox.fail(error),
        () => this.emit('down', error),
      ])
    } catch (failure) {
      this.#log.error({ err: failure }, 'internal error')
    }
  }

  /** What the next tunnel can use of this one. */
  #remember({ info, resumptionTicket }: ClientTunnel): void {
    if (resumptionTicket !== undefined) this.#tickets.set(info.carrier, resumptionTicket)
    if (info.assigned.length > 0) this.#addressesBefore = info.assigned.map(({ address }) => address)
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
    if (this.#attempts.some(({ accepted }) => accepted)) this.#addressesBefore = []
    const error = errorFromFailure(failure, 'the proxy')
    if (error.kind === 'internal') this.#log.error({ err: error.cause }, 'internal error')
    else this.#log.warn({ attempt, kind: error.kind, reason: error.message }, 'attempt failed')
    this.emit('attemptFailed', error, attempt)
    this.#scheduleReconnect(error)
  }
}

/** Resolves when the tunnel stands. Rejects when it fails, or nothing answers its request: without a tunnel, nobody waits for long. */
async function answered(tunnel: ClientTunnel, stands: Promise<TunnelInfo>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => tunnel.accepted || reject(unanswered()), TURN_MS)
  })
  try {
    await Promise.race([stands, tooLate])
  } catch (error) {
    await tunnel.close()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function connectBy(
  { quic, tunnel, auth }: ClientConfig,
  carrier: HttpVersion,
  { capture, qlog, tokens }: Pick<ClientOptions, 'capture' | 'qlog'> & { tokens: KeptTokens },
): Connect {
  const settings = quicSettings(quic)
  if (carrier === 'webtransport') {
    const { webTransportPath: path, certificateSha256 } = tunnel
    const { idleTimeoutMs } = settings
    const token = readToken(auth)
    return connectByPackage({ path, certificateSha256, token, idleTimeoutMs, lostAfterMs: tunnel.tcpLostAfterMs })
  }
  if (carrier === 'h3') return connectByHttp3(settings, capture?.quic, qlog && (quic => qlog.watch(quic)), tokens)
  const ofTcp = { ...settings, lostAfterMs: tunnel.tcpLostAfterMs }
  return carrier === 'h2' ? connectByHttp2(ofTcp) : connectByHttp1(ofTcp)
}

function checkKeyLogOf(config: ClientConfig): void {
  const { keyLog } = quicSettings(config.quic)
  try {
    if (keyLog !== undefined) checkKeyLog(keyLog)
  } catch (error) {
    throw new ClientError('config', (error as Error).message)
  }
}

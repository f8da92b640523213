/**
 * The proxy: QUIC endpoint, TCP listener, address pools, packet processor and REST API under one roof.
 *
 * This file only joins the parts. What happens to a request is in masque-handler.ts, to a packet in
 * packet-processor.ts, to an address in proxy-tunnel.ts.
 */

import type { Capture } from '../capture/capture.ts'
import type { Carrier } from '../carriers/carrier.ts'
import { H1ServerConnection } from '../carriers/h1/server-connection.ts'
import { H2ServerConnection } from '../carriers/h2/server-connection.ts'
import { H3ServerConnection } from '../carriers/h3/server-connection.ts'
import type { CloseReason, HttpServerConnection } from '../carriers/http-connection.ts'
import type { ProbeTiming } from '../carriers/link-probe.ts'
import { sendQueue } from '../carriers/send-queue.ts'
import { StageClock } from '../carriers/stage-clock.ts'
import { TcpListener, type TcpProtocol } from '../carriers/tcp/listener.ts'
import type { TunnelCloseReason } from '../carriers/tunnel.ts'
import { PackageServer } from '../carriers/webtransport/server.ts'
import { quicSettings } from '../config/sections.ts'
import { loadTlsConfig, type TlsConfig } from '../config/tls-config.ts'
import { describeRoute } from '../connect-ip/route-advertisement.ts'
import { policyRoutes } from '../connect-ip/routes.ts'
import { parsePathTemplate } from '../connect-ip/uri-template.ts'
import { tunCaution } from '../hosts/tun/open-tun.ts'
import { UserspaceHost } from '../hosts/userspace/userspace-host.ts'
import { type Header, headerValue } from '../http/header.ts'
import { IpAddress } from '../ip/address.ts'
import { AddressPool } from '../ip/address-pool.ts'
import { IpPrefix } from '../ip/prefix.ts'
import { mergeRanges } from '../ip/range.ts'
import { TrafficWatch } from '../live/traffic-watch.ts'
import { ComponentLogs } from '../log/component-logs.ts'
import { droppedPackets } from '../log/dropped-packets.ts'
import { standardErrorLines } from '../log/line-writer.ts'
import { LogBudget } from '../log/log-budget.ts'
import { createLogger, type Logger } from '../log/logger.ts'
import { formatAddress, resolveHost, type SocketAddress } from '../net/udp.ts'
import { takenPortHint } from '../net/user-ports.ts'
import type { QlogFolder } from '../qlog/qlog-folder.ts'
import { type ListenOptions, QuicEndpoint } from '../quic/endpoint.ts'
import { checkKeyLog } from '../quic/key-log.ts'
import type { QuicSettings } from '../quic/quic.ts'
import { VERSION } from '../version.ts'
import { AddressMemory } from './address-memory.ts'
import { type ApiServer, startApiServer } from './api-server.ts'
import { apiTokenSha256 } from './api-token.ts'
import { AttachedLink, type LinkOptions } from './attached-link.ts'
import { type Authorisation, authorise } from './authorise.ts'
import { type BrowserAccess, certificateHash, loopbackOrigins, pinningProblem } from './browser-page.ts'
import { newBudgets } from './budgets.ts'
import { certificateIdentity } from './certificate-identity.ts'
import { clientDetails, clientInfo, closeTunnel } from './client-info.ts'
import type { ServerConfig } from './config.ts'
import { ConnectionLog } from './connection-log.ts'
import { ConnectionTotals } from './connection-totals.ts'
import { EVENT_CLIENTS, EventFeed, type ServerEvent } from './event-feed.ts'
import { KeptLeases } from './kept-leases.ts'
import { liveView } from './live-page.ts'
import { type HandlerContext, MasqueHandler, type OpenTunnel } from './masque-handler.ts'
import type { Readings } from './metrics/readings.ts'
import { ServerMetrics } from './metrics.ts'
import { NameResolver, type ResolveName } from './name-resolver.ts'
import { OwnNames } from './own-names.ts'
import { PacketProcessor } from './packet-processor.ts'
import { poolInfo, poolStatus } from './pool-info.ts'
import type {
  ClientDetails,
  ClientInfo,
  ConnectionLogEntry,
  Health,
  LogFilter,
  PoolInfo,
  ServerStatus,
} from './status.ts'
import { SystemNetwork } from './system-network.ts'
import { addCounts, type Traffic, TrafficTotals } from './traffic-totals.ts'

/** How long clients get to end their tunnels after a GOAWAY. */
const DRAIN_MS = 1_000
const MAX_ADDRESSES_PER_FAMILY = 4

/** How often a free UDP port may turn out to be taken on TCP, where `listen.port` is 0. */
const PORT_ATTEMPTS = 10

/** The host that has the proxy's own addresses. */
export const GATEWAY = 'gateway'

export interface ServerOptions {
  logger?: Logger
  /** Metrics of the process, too: for a process that is this server only. */
  processMetrics?: boolean
  /** A link emulator in front of the proxy: the API shows it, and lets whoever has the token change it. Closed with the proxy. */
  link?: LinkOptions | undefined
  /** For tests without a resolver. */
  resolveName?: ResolveName
  /** A clock that never goes back, in ms; for tests. */
  now?: () => number
  /** For tests that cannot wait for the deadline of the link probe. */
  linkProbeTiming?: ProbeTiming
  /** Makes what tunnels send through, in the place of the carrier that they get: lab 2 puts a student's code there. */
  wrapCarrier?: (carrier: Carrier, connection: HttpServerConnection, streamId: number) => Carrier
  /** What passes is written there. Whoever has made it closes it. */
  capture?: Capture | undefined
  /** What happens on connections over QUIC is written there, too. */
  qlog?: QlogFolder | undefined
  /** See EngineOptions of QUIC. */
  newMtuSearch?: ListenOptions['newMtuSearch']
  /** Which congestion control the connection from this address gets over HTTP/3, in the place of quic.congestion_control. See EngineOptions of QUIC. */
  congestionControl?: ListenOptions['congestionControl']
}

export class MasqueServer {
  readonly config: ServerConfig
  readonly #logs: ComponentLogs
  readonly #logBudget: LogBudget
  /** ms that never go back, whoever sets the time of day. */
  readonly #now: () => number
  readonly #startedAt: number
  readonly #tunnels = new Map<string, OpenTunnel>()
  readonly #tunnelsByIdentity = new Map<string, number>()
  readonly #handlers = new Set<MasqueHandler>()
  /** What happens, as it happens. */
  readonly events: EventFeed
  readonly #connectionLog: ConnectionLog
  /** What the live view sees, where there is one. */
  readonly #watch: TrafficWatch | undefined
  readonly #hosts = new Map<string, UserspaceHost>()
  readonly #processor: PacketProcessor
  readonly #context: HandlerContext
  readonly #qlog: QlogFolder | undefined
  readonly #quicParts: Pick<ListenOptions, 'newMtuSearch' | 'congestionControl' | 'tap'>
  readonly #pools: { 4?: AddressPool; 6?: AddressPool } = {}
  readonly #traffic = new TrafficTotals()
  readonly #connections = new ConnectionTotals()
  readonly #keptLeases: KeptLeases
  #endpoint!: QuicEndpoint
  #tcp: TcpListener | undefined
  #package: PackageServer | undefined
  #names!: OwnNames
  #api: ApiServer | undefined
  readonly #linkOptions: LinkOptions | undefined
  #link: AttachedLink | undefined
  #system: SystemNetwork | undefined
  #tunnelsTotal = 0
  #movesTotal = 0
  #draining = false
  #closed: Promise<void> | undefined
  readonly metrics: ServerMetrics

  /** Starts everything. Rejects, with nothing left behind, when a certificate, a port or a pool will not do. */
  static async start(config: ServerConfig, options: ServerOptions = {}): Promise<MasqueServer> {
    const server = new MasqueServer(config, options)
    try {
      await server.#start()
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  private constructor(config: ServerConfig, options: ServerOptions) {
    this.config = config
    this.#now = options.now ?? (() => performance.now())
    this.#keptLeases = new KeptLeases({
      graceMs: config.tunnel.leaseGraceMs,
      release: address => this.#pools[address.version]?.release(address),
    })
    const { newMtuSearch, congestionControl, capture } = options
    this.#quicParts = { newMtuSearch, congestionControl, tap: capture?.quic }
    this.#startedAt = this.#now()
    this.#logs = new ComponentLogs(options.logger ?? createLogger(config.log), config.log.levels)
    this.#logBudget = new LogBudget(this.#logs)
    this.events = new EventFeed({
      periodic: () => [
        { type: 'status', data: this.status() },
        { type: 'clients', data: this.clients(EVENT_CLIENTS) },
        ...this.#linkEvents(),
      ],
      onError: error => this.#internalError(error),
    })
    this.#connectionLog = new ConnectionLog(this.events)
    this.#qlog = options.qlog
    this.#linkOptions = options.link
    for (const written of [capture, options.qlog]) {
      if (written !== undefined) written.warn = sentence => this.#logs.of('proxy').warn(sentence)
    }
    this.#watch = config.api.live ? new TrafficWatch(this.events, () => performance.now()) : undefined
    for (const prefix of [config.pool.ipv4, config.pool.ipv6]) {
      if (prefix === undefined) continue
      const taken = config.hosts.map(host => host[`ipv${prefix.version}`]).filter(address => address !== undefined)
      this.#pools[prefix.version] = new AddressPool(prefix, {
        reserved: taken.filter(address => prefix.contains(address)),
      })
    }
    this.metrics = new ServerMetrics(this, { process: options.processMetrics })
    const gateway = { v4: this.#pools[4]?.gateway, v6: this.#pools[6]?.gateway }
    const clock = new StageClock(this.metrics)
    this.#processor = new PacketProcessor({
      gateway,
      clientToClient: config.tunnel.clientToClient,
      clock,
      onDropped: droppedPackets(this.#logBudget.forNobody('packets')),
      now: () => performance.now(),
    })
    if (config.tun === undefined) this.#attachHost(GATEWAY, [gateway.v4, gateway.v6])
    for (const host of config.hosts) this.#attachHost(host.name, [host.ipv4, host.ipv6])

    const server = this
    const resolver = new NameResolver(options.resolveName, undefined, this.#logBudget.forNobody('dns'))
    this.#context = {
      logBudget: this.#logBudget,
      template: parsePathTemplate(config.tunnel.template),
      get proxyName() {
        return server.#names.first
      },
      servesAuthority: authority => server.#names.includes(authority),
      webTransport: config.webTransport && {
        path: config.webTransport.path,
        allowsOrigin: origin => this.#allowsOrigin(origin),
      },
      encapsulations: config.tunnel.encapsulations,
      pools: this.#pools,
      addressMemory: new AddressMemory(),
      keptLeases: this.#keptLeases,
      routes: policyRoutes(config.routes),
      gateway,
      processor: this.#processor,
      clientRoutes: mergeRanges(config.tunnel.clientRoutes.map(prefix => prefix.toRange())),
      dns: config.dns,
      nat64Prefixes: config.nat64.prefixes,
      linkProbe: config.tunnel.linkProbe,
      newQueue: sendQueue(config.tunnel.queue),
      clock,
      fec: config.tunnel.fec,
      linkProbeTiming: options.linkProbeTiming,
      wrapCarrier: options.wrapCarrier,
      tapTunnel: id => capture?.tunnel(id),
      ...(this.#watch && { watchTunnel: this.#watch.watchTunnel }),
      maxAddressesPerFamily: MAX_ADDRESSES_PER_FAMILY,
      tunnelTimeoutMs: config.limits.tunnelTimeoutMs,
      maxTunnels: config.limits.maxTunnels,
      maxTunnelsPerAddress: config.limits.maxTunnelsPerAddress,
      maxTunnelsPerConnection: config.limits.maxTunnelsPerConnection,
      tunnels: this.#tunnels,
      get draining() {
        return server.#draining
      },
      authorise: (headers, certificate) => this.#authorise(headers, certificate),
      resolve: (name, owner) => resolver.resolve(name, owner),
      budgets: newBudgets(config.limits.maxTunnelsPerAddress),
      tunnelsOf: identity => this.#tunnelsByIdentity.get(identity) ?? 0,
      tunnelOpened: tunnel => this.#tunnelOpened(tunnel),
      tunnelClosed: (tunnel, reason) => this.#tunnelClosed(tunnel, reason),
      connected: connection => this.#connected(connection),
      moved: (connection, from) => this.#moved(connection, from),
      rejected: (connection, reason) => {
        this.metrics.countError('request_rejected')
        this.#connectionLog.add('rejected', connection, undefined, reason)
      },
      connectionClosed: (handler, reason) => this.#connectionClosed(handler, reason),
      internalError: (error, connection) => this.#internalError(error, { connection }),
    }
  }

  // -- for whoever runs the server -----------------------------------------------------------------------------

  /** Where the proxy listens: on UDP and, unless that is turned off, on TCP. */
  get address(): { host: string; port: number } {
    return this.#endpoint.local
  }

  /** Where clients on the npm package for WebTransport connect; undefined: nowhere. */
  get packageAddress(): { host: string; port: number } | undefined {
    return this.#package?.local
  }

  /** For tests: what an exception inside that package does. */
  killPackageThread(): void {
    this.#package?.killThread()
  }

  get apiUrl(): string | undefined {
    return this.#api?.url
  }

  /** Where browsers find the page that joins the tunnel; undefined: there is none. */
  get browserUrl(): string | undefined {
    return this.config.webTransport && this.apiUrl && `${this.apiUrl}/browser/`
  }

  /** Where the live view is; undefined: it is turned off. */
  get liveUrl(): string | undefined {
    return this.config.api.live && this.apiUrl ? `${this.apiUrl}/live/` : undefined
  }

  /** The emulated link in front of the proxy, where there is one. */
  get link(): AttachedLink | undefined {
    return this.#link
  }

  /** The proxy's own addresses inside the tunnels. */
  get gateway(): { v4?: IpAddress; v6?: IpAddress } {
    return this.#context.gateway
  }

  /** A host behind the proxy by the name the configuration gives it; `gateway` is the proxy itself. */
  host(name: string): UserspaceHost | undefined {
    return this.#hosts.get(name)
  }

  health(): Health {
    if (this.#draining) return 'draining'
    return this.#system?.host.isGone ? 'tun-gone' : 'ok'
  }

  status(traffic = this.#sumTraffic()): ServerStatus {
    const { packets, bytes, fec } = traffic
    const dropped = { ...traffic.dropped }
    addCounts(dropped, this.#processor.dropped)
    const system = this.#system?.host.counters
    if (system !== undefined) addCounts(dropped, system.dropped)
    const { accepted, retried, rejected } = this.#endpoint.counters
    return {
      version: VERSION,
      uptimeSeconds: Math.round(this.#now() - this.#startedAt) / 1000,
      listen: this.address,
      connections: this.#handlers.size,
      tunnels: this.#tunnels.size,
      tunnelsTotal: this.#tunnelsTotal,
      movesTotal: this.#movesTotal,
      pools: poolStatus(this.#pools),
      packets: { ...packets, dropped },
      fec,
      bytes,
      unsent: { udp: { ...this.#endpoint.unsent }, tun: { ...system?.refused } },
      handshakes: { accepted, retried, rejected: rejected.limit + rejected.token + rejected.version },
      routes: this.#context.routes.map(describeRoute),
      log: { linesLost: standardErrorLines().lost, linesLeftOut: this.#logBudget.leftOut },
      draining: this.#draining,
    }
  }

  #sumTraffic(): Traffic {
    return this.#traffic.sum([...this.#tunnels.values()].map(({ proxyTunnel }) => proxyTunnel.tunnel))
  }

  /** For the metrics: one pass over tunnels and connections, and no texts. */
  async readings(): Promise<Readings> {
    await this.#connections.refresh(this.#handlers)
    const traffic = this.#sumTraffic()
    return {
      status: this.status(traffic),
      traffic,
      icmpToHosts: this.#processor.icmpToHosts,
      ...this.#connections.read(this.#handlers),
      endpoint: this.#endpoint.counters,
      tcp: this.#tcp?.counters,
    }
  }

  /** For the figures over time: of QUIC connections that carry tunnels, in ms. */
  rtts(): Promise<readonly number[]> {
    return this.#connections.rtts(this.#handlers)
  }

  /** The first `max`. */
  clients(max?: number): ClientInfo[] {
    return [...this.#tunnels.values()].slice(0, max).map(clientInfo)
  }

  client(id: string): ClientDetails | undefined {
    const tunnel = this.#tunnels.get(id)
    return tunnel && clientDetails(tunnel)
  }

  /** Ends a tunnel in good order, and after a moment in any case. False: there is no such client. */
  closeClient(id: string): boolean {
    const tunnel = this.#tunnels.get(id)
    if (tunnel === undefined) return false
    this.#logs
      .of('api')
      .info({ tunnel: id, identity: tunnel.identity }, 'tunnel ended by order of whoever runs the proxy')
    closeTunnel(tunnel, 'by order of whoever runs the proxy')
    return true
  }

  /** The address pools, and who has what of them. */
  pools(): PoolInfo[] {
    return poolInfo(this.#pools, this.#keptLeases, this.#tunnels.values())
  }

  /** What has happened to connections lately, newest first. */
  connectionLog(): ConnectionLogEntry[] {
    return [...this.logEntries()]
  }

  /** The same, those that fit, each made when it is read. */
  logEntries(fits?: LogFilter): Iterable<ConnectionLogEntry> {
    return this.#connectionLog.entries(fits)
  }

  /** GOAWAY to everybody, the end of all tunnels, a moment for the clients to follow, then the sockets. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  async #shutDown(): Promise<void> {
    this.#draining = true
    for (const handler of this.#handlers) handler.drain()
    const deadline = performance.now() + DRAIN_MS
    while (this.#tunnels.size > 0 && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 5))
    await Promise.all([this.#endpoint?.close(), this.#tcp?.close(), this.#package?.close()])
    for (const host of this.#hosts.values()) host.close()
    await this.#api?.close()
    await this.#link?.close()
    await this.#system?.close()
    this.#keptLeases.close()
    this.events.close()
    this.#logBudget.close()
  }

  // -- starting ------------------------------------------------------------------------------------------------

  async #start(): Promise<void> {
    const { config } = this
    const { tls, settings, apiTokenSha256: tokenSha256 } = checkServerFiles(config)
    this.#names = new OwnNames(tls.certificateChain, config.listen.names)
    await this.#listenOnBoth(tls, settings)
    await this.#listenForPackage(tls, settings)
    this.#attachSystem()
    if (this.#linkOptions !== undefined) {
      this.#link = await AttachedLink.start(this.#linkOptions, this.#reachable(), error => this.#linkDied(error))
    }
    if (config.api.enabled) {
      this.#api = await startApiServer({
        host: config.api.host,
        port: config.api.port,
        source: this,
        metrics: this.metrics,
        browser: this.#browserAccess(tls.certificateChain),
        ...(this.#watch && { live: liveView(config, this, this.#watch) }),
        events: this.events,
        ...(this.#link && { link: this.#link }),
        tokenSha256,
        ...(config.api.tls && { tls: { certificateChain: tls.certificateChain, key: tls.key } }),
        onError: error => this.#internalError(error),
      })
    }
    const { apiUrl: api, browserUrl: browser, packageAddress: webTransport } = this
    const log = this.#logs.of('proxy')
    log.info({ listen: this.address, webTransport, api, browser, auth: config.auth.mode }, 'proxy is listening')
  }

  /** UDP and TCP, on one port number. */
  async #listenOnBoth(tls: TlsConfig, settings: QuicSettings): Promise<void> {
    const { listen } = this.config
    for (let attempt = 1; this.#tcp === undefined; attempt++) {
      this.#endpoint = await this.#listen(tls, settings).catch(error => {
        throw listenError(error, 'UDP', listen)
      })
      if (!listen.tcp) return
      try {
        this.#tcp = await this.#listenOnTcp(tls, settings)
      } catch (error) {
        await this.#endpoint.close()
        const another = listen.port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
        if (!another || attempt === PORT_ATTEMPTS) throw listenError(error as Error, 'TCP', this.#endpoint.local)
      }
    }
  }

  #listenOnTcp(tls: TlsConfig, { idleTimeoutMs, keyLog }: QuicSettings): Promise<TcpListener> {
    const { limits, auth } = this.config
    const onError = (error: unknown): void => this.#internalError(error)
    return TcpListener.listen({
      ...this.#endpoint.local,
      tls: { certificateChain: tls.certificateChain, key: tls.key, ca: tls.clientCa },
      clientCertificate: auth.mode.includes('mtls') ? 'optional' : 'none',
      maxConnections: limits.maxConnections,
      maxConnectionsPerAddress: limits.maxConnectionsPerAddress,
      handshakeTimeoutMs: limits.tunnelTimeoutMs,
      protocols: new Map<string, TcpProtocol>([
        [
          'h2',
          (socket, startedAt) => this.#serve(new H2ServerConnection(socket, { idleTimeoutMs, startedAt, onError })),
        ],
        [
          'http/1.1',
          (socket, startedAt) => this.#serve(new H1ServerConnection(socket, { idleTimeoutMs, startedAt, onError })),
        ],
      ]),
      keyLog,
      onError,
      onWarning: sentence => this.#logs.of('tcp').warn(sentence),
    })
  }

  /** WebTransport by the npm package, where that is turned on. */
  async #listenForPackage(tls: TlsConfig, { idleTimeoutMs }: QuicSettings): Promise<void> {
    const { limits, webTransport } = this.config
    if (webTransport?.packagePort === undefined) return
    const { host } = this.#endpoint.local
    this.#package = await PackageServer.listen({
      host,
      port: webTransport.packagePort,
      certificateChain: Buffer.from(tls.certificateChain).toString(),
      key: Buffer.from(tls.key).toString(),
      maxConnections: limits.maxConnections,
      maxConnectionsPerAddress: limits.maxConnectionsPerAddress,
      handshakeTimeoutMs: limits.tunnelTimeoutMs,
      idleTimeoutMs,
      onConnection: connection => this.#serve(connection),
      onError: error => this.#internalError(error),
      onWarning: sentence => this.#logs.of('webtransport').warn(sentence),
    }).catch(error => {
      throw packageError(error, { host, port: webTransport.packagePort as number })
    })
  }

  #serve<C extends HttpServerConnection>(connection: C): C {
    this.#handlers.add(new MasqueHandler(connection, this.#context))
    return connection
  }

  async #listen(tls: TlsConfig, settings: QuicSettings): Promise<QuicEndpoint> {
    const { config } = this
    const log = this.#logs.of('quic')
    return QuicEndpoint.listen({
      // A name is resolved once, when the proxy starts.
      ...(await resolveHost(config.listen)),
      tls: { certificateChain: tls.certificateChain, key: tls.key, ca: tls.clientCa },
      settings,
      ...this.#quicParts,
      clientCertificate: config.auth.mode === 'mtls' || config.auth.mode === 'mtls-or-token' ? 'optional' : 'none',
      retry: config.limits.retry,
      speaksEarly: config.limits.earlySettings,
      maxConnections: config.limits.maxConnections,
      maxConnectionsPerAddress: config.limits.maxConnectionsPerAddress,
      observe: quic => this.#qlog?.prepare(quic),
      onConnection: quic =>
        this.#serve(
          new H3ServerConnection(quic, {
            webTransport: config.webTransport !== undefined,
            tap: this.#qlog?.watch(quic),
          }),
        ),
      onError: error => this.#internalError(error),
      onWarning: sentence => log.warn(sentence),
      debug: message => log.debug(message),
    })
  }

  /** What the page for browsers has to know; undefined: there is none. */
  #browserAccess(certificateChain: Uint8Array): BrowserAccess | undefined {
    const { webTransport, auth } = this.config
    if (webTransport === undefined) return undefined
    const certificateProblem = (): string | undefined => pinningProblem(certificateChain, Date.now())
    const problem = certificateProblem()
    if (problem !== undefined)
      this.#logs.of('webtransport').warn(`browsers may refuse the proxy's certificate: ${problem}`)
    return {
      host: IpAddress.parse(this.address.host).isUnspecified ? undefined : this.address.host,
      port: this.address.port,
      path: webTransport.path,
      certificateHash: certificateHash(certificateChain),
      // It may expire while the proxy runs.
      get certificateProblem() {
        return certificateProblem()
      },
      needsToken: auth.mode.includes('token'),
    }
  }

  /** The proxy's own page, by each name that loopback has, or one from the configuration. */
  #allowsOrigin(origin: string): boolean {
    if (this.config.webTransport?.origins.includes(origin)) return true
    return this.apiUrl !== undefined && loopbackOrigins(this.apiUrl).includes(origin)
  }

  /** The proxy's own addresses are the system's then, and so is all that is not inside a tunnel. */
  #attachSystem(): void {
    const { tun, pool, hosts, tunnel } = this.config
    if (tun === undefined) return
    const log = this.#logs.of('tun')
    const caution = tunCaution()
    if (caution !== undefined) log.warn(caution)
    const pools = [pool.ipv4, pool.ipv6].filter(prefix => prefix !== undefined)
    const single = hosts.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter(address => address !== undefined)
    const inside = [...pools, ...single.map(address => IpPrefix.single(address)), ...tunnel.clientRoutes]
    const addresses = [this.gateway.v4, this.gateway.v6].filter(address => address !== undefined)
    this.#system = new SystemNetwork({
      ...tun,
      addresses,
      inside,
      hidden: pools,
      onProblem: text => log.warn(text),
      onGone: text => log.error(`${text}; clients reach nothing behind it until the proxy is started anew`),
    })
    this.#processor.attachSystem(this.#system.host, addresses, inside)
    log.info({ device: this.#system.name, nat: tun.nat }, 'the system takes part over a TUN device')
  }

  /** Where this machine reaches the proxy: who listens on all addresses is on loopback, too. */
  #reachable(): SocketAddress {
    const { host, port } = this.address
    const address = IpAddress.parse(host)
    if (!address.isUnspecified) return { host, port }
    return { host: address.version === 4 ? '127.0.0.1' : '::1', port }
  }

  /** As it was a moment ago: to read it takes one. */
  #linkEvents(): ServerEvent[] {
    if (this.#link === undefined) return []
    void this.#link.read()
    return [{ type: 'link', data: this.#link.info() }]
  }

  #linkDied({ message }: Error): void {
    this.#logs
      .of('proxy')
      .error({ reason: message }, 'the emulated link has ended; clients that come through it are cut off')
    if (this.#link) this.events.publish({ type: 'link', data: this.#link.info() })
  }

  /** The name of the TUN device, where there is one. */
  get tunName(): string | undefined {
    return this.#system?.name
  }

  #attachHost(name: string, addresses: (IpAddress | undefined)[]): UserspaceHost {
    const host = new UserspaceHost({
      addresses: addresses.filter(address => address !== undefined),
      // QUIC has already made sure of every bit.
      verifyFlowChecksums: false,
    })
    this.#hosts.set(name, host)
    this.#processor.attachHost(host, name === GATEWAY)
    return host
  }

  // -- what handlers report ------------------------------------------------------------------------------------

  #authorise(headers: readonly Header[], certificate: Uint8Array | undefined): Authorisation {
    return authorise(this.config.auth, {
      authorization: headerValue(headers, 'authorization') ?? headerValue(headers, 'proxy-authorization'),
      certificate: certificate === undefined ? undefined : certificateIdentity(certificate),
    })
  }

  #connected(connection: HttpServerConnection): void {
    const { version, handshakeMs, resumed } = connection
    // The npm package for WebTransport does not tell how long it took.
    if (handshakeMs && version !== 'webtransport') this.metrics.observeHandshake(version, handshakeMs)
    this.#connectionLog.add('connected', connection, undefined, resumed ? 'TLS session resumed' : '')
  }

  #tunnelOpened(tunnel: OpenTunnel): void {
    this.#tunnelsTotal++
    this.metrics.observeSessionSetup(tunnel.connection.version, tunnel.setupMs)
    this.#tunnels.set(tunnel.id, tunnel)
    if (tunnel.identity !== undefined) this.#countTunnel(tunnel.identity, 1)
    this.#connectionLog.add('tunnel-opened', tunnel.connection, tunnel.identity, tunnel.proxyTunnel.assigned)
  }

  #moved(connection: HttpServerConnection, from: SocketAddress): void {
    this.#movesTotal++
    this.#connectionLog.add('moved', connection, undefined, `from ${formatAddress(from)}`)
  }

  #tunnelClosed(tunnel: OpenTunnel, reason: TunnelCloseReason): void {
    this.#tunnels.delete(tunnel.id)
    if (tunnel.identity !== undefined) this.#countTunnel(tunnel.identity, -1)
    this.#traffic.keep(tunnel.proxyTunnel.tunnel)
    if (!reason.clean) this.metrics.countError('tunnel_aborted')
    this.#connectionLog.add('tunnel-closed', tunnel.connection, tunnel.identity, reason.reason)
  }

  #countTunnel(identity: string, by: number): void {
    const count = (this.#tunnelsByIdentity.get(identity) ?? 0) + by
    if (count > 0) this.#tunnelsByIdentity.set(identity, count)
    else this.#tunnelsByIdentity.delete(identity)
  }

  #connectionClosed(handler: MasqueHandler, reason: CloseReason): void {
    const { source, orderly, text } = reason
    this.#handlers.delete(handler)
    this.#connections.close(handler, reason)
    if (source !== 'local' && !orderly) this.metrics.countError('connection')
    handler.log.info({}, `closed: ${text}`)
    this.#connectionLog.add('closed', handler.connection, undefined, text)
  }

  #internalError(error: unknown, about: { connection?: string } = {}): void {
    this.metrics.countError('internal')
    this.#logBudget.forNobody('proxy').error({ ...about, err: error }, 'internal error')
  }
}

/** Reads what a configuration refers to. Throws TlsConfigError or KeyLogError, with the sentence for whoever starts the server. */
export function checkServerFiles(config: ServerConfig): {
  tls: TlsConfig
  settings: QuicSettings
  apiTokenSha256: string | undefined
} {
  const tls = loadTlsConfig(config.tls)
  const settings = quicSettings(config.quic)
  if (settings.keyLog !== undefined) checkKeyLog(settings.keyLog)
  return { tls, settings, apiTokenSha256: apiTokenSha256(config) }
}

/** Thrown when the server cannot listen: says where, and what to do. */
export class ListenError extends Error {
  override name = 'ListenError'
}

function listenError(
  error: NodeJS.ErrnoException,
  protocol: 'UDP' | 'TCP',
  listen: { host: string; port: number },
): Error {
  const where = `${protocol} ${formatAddress(listen)}`
  switch (error.code) {
    case 'EADDRINUSE': {
      const orWithout = protocol === 'TCP' ? ', or listen on UDP only (listen.tcp = false)' : ''
      return new ListenError(
        `${where} is already in use: stop the other server, or choose another listen.port${orWithout}${takenPortHint(listen.port)}`,
      )
    }
    case 'EACCES':
      return new ListenError(`${where} needs rights that this user does not have: choose a listen.port above 1023`)
    case 'EADDRNOTAVAIL':
      return new ListenError(`${where} is not an address of this machine: choose another listen.host`)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ListenError(`${listen.host} cannot be resolved (${error.code}): correct listen.host`)
    default:
      // What the system says is not a bug of ours.
      return error.syscall === undefined ? error : new ListenError(`${where} cannot be listened on: ${error.message}`)
  }
}

function packageError(error: NodeJS.ErrnoException, listen: { host: string; port: number }): Error {
  const where = `webtransport.package_port: TCP ${formatAddress(listen)}`
  if (error.code === 'EADDRINUSE')
    return new ListenError(`${where} is already in use: choose another port${takenPortHint(listen.port)}`)
  return new ListenError(`${where} cannot be listened on: ${error.message}`)
}

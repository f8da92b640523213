/**
 * The REST API beside the proxy: what the server is doing, for people (curl) and for Prometheus; and how to end a tunnel.
 *
 * On loopback everybody on the machine may read, and a web page may not: one that points a name of its own to 127.0.0.1 (DNS rebinding)
 * is known by its Host header, any other by what browsers say about it. What changes something needs a token; on other addresses
 * everything does, and TLS. docs/openapi.yaml describes what is served; the parts are in api/.
 */
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, isIPv6, type Socket } from 'node:net'
import { takenPortHint } from '../net/user-ports.ts'
import { isLoopback, networkOf } from './api/addresses.ts'
import { createApp } from './api/app.ts'
import { descriptionFiles } from './api/description.ts'
import { inTurn, TokenGuard } from './api/guards.ts'
import { answerClientError } from './api/problem.ts'
import { type ApiSource, apiRoutes, type ChangeableLink, type Routes } from './api/routes.ts'
import { type BrowserAccess, browserFiles } from './browser-page.ts'
import { EventFeed } from './event-feed.ts'
import { type LiveView, liveFiles } from './live-page.ts'
import type { ServerMetrics } from './metrics.ts'
import { PerformanceLog } from './performance-log.ts'

export interface ApiServerOptions {
  host: string
  /** 0 takes any free port. */
  port: number
  source: ApiSource
  metrics: Pick<ServerMetrics, 'text' | 'contentType'>
  /** Beside the API, the page with which a browser joins the tunnel is served. */
  browser?: BrowserAccess
  /** The live view, where it is turned on, and what it is to know. */
  live?: LiveView
  /** A link emulator in front of the proxy, which whoever has the token may change. */
  link?: ChangeableLink
  /** What happens, as it happens; without it, nothing ever does. */
  events?: EventFeed
  /** SHA-256 of the token, in hexadecimal. Undefined: what needs one is off. */
  tokenSha256?: string
  /** Speaks HTTPS, with these PEM files. */
  tls?: { certificateChain: Uint8Array; key: Uint8Array }
  /** Other times than those of API_LIMITS, for tests that cannot wait for them. */
  times?: Partial<ApiTimes>
  /** A bug of ours. */
  onError?(error: unknown): void
}

type ApiTimes = Record<'headMs' | 'requestMs' | 'keepAliveMs' | 'stillMs', number>

export interface ApiServer {
  /** Such as http://127.0.0.1:8080, without a slash at the end. */
  url: string
  /** Ends also the connections that clients keep open for later requests. */
  close(): Promise<void>
}

/** The API cannot be served where the configuration says. */
export class ApiError extends Error {
  override name = 'ApiError'
}

export const API_LIMITS = {
  /** Connections at once; from one address; from loopback, all its addresses together. */
  connections: 512,
  connectionsPerAddress: 64,
  connectionsPerLoopbackAddress: 400,
  /** Bytes of a request's head. */
  headBytes: 16 * 1024,
  /** How long the head may take to come, in ms; all of a request; the next request on a connection. */
  headMs: 5_000,
  requestMs: 10_000,
  keepAliveMs: 5_000,
  /** How long nothing may move on a connection, such as when an answer is not read, in ms. */
  stillMs: 60_000,
} as const

/** Starts serving. Rejects with an ApiError that names host and port when it cannot listen. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { host, port, source, metrics, tls, tokenSha256 } = options
  const { events = new EventFeed(), link, onError = () => {} } = options
  const server = createServer(tls, options.times)
  await listen(server, host, port)
  // Which address it is, a name or an odd way of writing it ("127.1") does not tell; the listening socket does.
  const { address, port: actualPort } = server.address() as AddressInfo
  if (!isLoopback(address) && (tls === undefined || tokenSha256 === undefined)) {
    server.close()
    throw new ApiError(
      `the REST API cannot be served on ${authority(host, actualPort)}: other machines can reach it there, so it needs TLS (api.tls) and a token (api.token_sha256 or api.token_file)`,
    )
  }
  const performance = new PerformanceLog(source)
  performance.start(onError)
  const routes: Routes = {
    ...apiRoutes({ source, metrics, events, performance, ...(link && { link }) }),
    ...pages(options),
  }
  const token = new TokenGuard(tokenSha256)
  const app = inTurn(createApp({ ownName: isLoopback(address) ? host : undefined, token, routes, onError }))
  // Who asks first whether it may send more (Expect) gets the same answer at once.
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, app)
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${authority(host, actualPort)}`,
    close: () =>
      new Promise(resolve => {
        performance.stop()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** What people open in a browser: it can be read, and that is all. */
function pages({ browser, live }: ApiServerOptions): Routes {
  const files = {
    ...descriptionFiles(),
    ...(browser !== undefined && browserFiles(browser)),
    ...(live !== undefined && liveFiles(live)),
  }
  return Object.fromEntries(Object.entries(files).map(([path, get]) => [path, { get }]))
}

function createServer(tls: ApiServerOptions['tls'], times: ApiServerOptions['times']): Server {
  const { headBytes, headMs, requestMs, keepAliveMs, stillMs, connections } = { ...API_LIMITS, ...times }
  const settings = {
    maxHeaderSize: headBytes,
    headersTimeout: headMs,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: 1_000,
    // Ours to say, with a reason.
    requireHostHeader: false,
  }
  const server =
    tls === undefined
      ? createHttpServer(settings)
      : createHttpsServer({
          ...settings,
          cert: Buffer.from(tls.certificateChain),
          key: Buffer.from(tls.key),
          minVersion: 'TLSv1.3',
          handshakeTimeout: headMs,
        })
  server.maxConnections = connections
  server.setTimeout(stillMs)
  server.on('connection', limitConnections())
  server.on('clientError', answerClientError)
  return server
}

/** Who has as many connections as one address may have gets no more. */
export function limitConnections(): (socket: Pick<Socket, 'remoteAddress' | 'destroy' | 'once'>) => void {
  const open = new Map<string, number>()
  return socket => {
    // It may be gone before anybody has looked at it.
    if (socket.remoteAddress === undefined) return socket.destroy()
    const { connectionsPerAddress, connectionsPerLoopbackAddress } = API_LIMITS
    const most = isLoopback(socket.remoteAddress) ? connectionsPerLoopbackAddress : connectionsPerAddress
    const network = networkOf(socket.remoteAddress)
    const count = open.get(network) ?? 0
    if (count >= most) return socket.destroy()
    open.set(network, count + 1)
    socket.once('close', () => {
      const left = (open.get(network) as number) - 1
      if (left === 0) open.delete(network)
      else open.set(network, left)
    })
  }
}

function authority(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const where = `the REST API cannot listen on ${authority(host, port)}`
      reject(new ApiError(`${where}: ${listenProblem(cause, port)}`, { cause }))
    })
    server.listen(port, host, resolve)
  })
}

function listenProblem(error: NodeJS.ErrnoException, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `another program uses this port; stop it, or choose another api.port (0 takes any free one)${takenPortHint(port)}`
    case 'EACCES':
      return 'this port needs administrator rights; choose an api.port above 1023'
    case 'EADDRNOTAVAIL':
      return 'this machine does not have this address; correct api.host'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name cannot be resolved; correct api.host'
    default:
      return error.message
  }
}

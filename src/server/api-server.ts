/**
 * The REST API beside the proxy: what the server is doing, for people (curl) and for Prometheus.
 *
 * It only reads. It has no authentication, so it belongs on loopback, where it also checks the Host header: a web page that points
 * a name of its own to 127.0.0.1 (DNS rebinding) could otherwise read it through the user's browser. docs/openapi.yaml describes it.
 */
import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIPv6 } from 'node:net'
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import { EventStreams, parseEventTypes } from './api/event-stream.ts'
import { isLoopback } from './api/loopback.ts'
import { type BrowserAccess, browserFiles } from './browser-page.ts'
import { EVENT_TYPES, EventFeed } from './event-feed.ts'
import { type LiveAbout, liveFiles } from './live-page.ts'
import type { ServerMetrics } from './metrics.ts'
import type { ClientInfo, ConnectionLogEntry, Health, ServerStatus } from './status.ts'

/** What the API shows. Implemented by MasqueServer. */
export interface ApiSource {
  status(): ServerStatus
  clients(): ClientInfo[]
  /** Newest first. */
  connectionLog(): ConnectionLogEntry[]
  /** False while the server is shutting down: then nothing new should be sent to it. */
  health(): Health
}

export interface ApiServerOptions {
  host: string
  /** 0 takes any free port. */
  port: number
  source: ApiSource
  metrics: Pick<ServerMetrics, 'text' | 'contentType'>
  /** Beside the API, the page with which a browser joins the tunnel is served. */
  browser?: BrowserAccess
  /** The live view, where it is turned on, and what it is to know. */
  live?: LiveAbout
  /** What happens, as it happens; without it, nothing ever does. */
  events?: EventFeed
}

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

const DEFAULT_LOG_LIMIT = 100
const MAX_LOG_LIMIT = 1000

/** Starts serving. Rejects with an ApiError that names host and port when it cannot listen. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { host, port } = options
  const server = createServer()
  await listen(server, host, port)
  // Which address it is, a name or an odd way of writing it ("127.1") does not tell; the listening socket does.
  const { address, port: actualPort } = server.address() as AddressInfo
  const routes = { ...endpoints(options), ...pages(options) }
  server.on('request', createApp(isLoopback(address) ? host : undefined, routes))
  return {
    url: `http://${authority(host, actualPort)}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** What is served where; the index and docs/openapi.yaml list the same. */
function endpoints({ source, metrics, events = new EventFeed() }: ApiServerOptions): Record<string, RequestHandler> {
  const streams = new EventStreams(events)
  return {
    '/health': (_request, response) => {
      const status = source.health()
      response.status(status === 'ok' ? 200 : 503).json({ status })
    },
    '/api/v1/status': (_request, response) => {
      response.json(source.status())
    },
    '/api/v1/clients': (_request, response) => {
      response.json(source.clients())
    },
    '/api/v1/connections': (request, response) => {
      const limit = parseLimit(request.query.limit)
      if (limit === undefined) {
        const found = JSON.stringify(request.query.limit)
        sendError(response, 400, `limit: found ${found}, expected a number from 1 to ${MAX_LOG_LIMIT}`)
      } else {
        response.json(source.connectionLog().slice(0, limit))
      }
    },
    '/api/v1/events': (request, response) => {
      const types = parseEventTypes(request.query.types)
      if (types === undefined) {
        const found = JSON.stringify(request.query.types)
        return sendError(response, 400, `types: found ${found}, expected a list of ${EVENT_TYPES.join(', ')}`)
      }
      const fullness = streams.fullness(request)
      if (fullness === undefined) return streams.open(request, response, types)
      response.set('Retry-After', '30')
      sendError(response, 503, `there are ${fullness} already; ask again later`)
    },
    '/metrics': async (_request, response) => {
      response.type(metrics.contentType).send(await metrics.text())
    },
  }
}

/** What people open in a browser. */
function pages({ browser, live }: ApiServerOptions): Record<string, RequestHandler> {
  return { ...(browser !== undefined && browserFiles(browser)), ...(live !== undefined && liveFiles(live)) }
}

/** `ownName`: what the API is called in the configuration, when it listens on loopback. */
function createApp(ownName: string | undefined, routes: Record<string, RequestHandler>) {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', 'simple')
  app.use((_request, response, next) => {
    response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
    next()
  })
  if (ownName !== undefined) app.use(requireHostName(ownName))

  const index: RequestHandler = (_request, response) => {
    response.json({ name: 'masque-lab', endpoints: Object.keys(routes) })
  }
  for (const [path, handler] of Object.entries({ '/': index, ...routes })) {
    app.get(path, handler)
    app.all(path, (request, response) => {
      response.set('Allow', 'GET, HEAD')
      sendError(response, 405, `${request.method} is not possible here; ${path} can only be read (GET)`)
    })
  }
  app.use((request, response) => {
    sendError(response, 404, `there is nothing at ${request.path}; / lists what there is`)
  })
  // Express knows an error handler by its four parameters.
  app.use((error: Error & { status?: number }, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error)
    // What Express itself refuses, such as a malformed %-sequence, carries its status; all else is ours and is not explained to strangers.
    const status = error.status !== undefined && error.status >= 400 && error.status < 500 ? error.status : 500
    sendError(response, status, status === 500 ? 'internal error' : error.message)
  })
  return app
}

function sendError(response: Response, status: number, message: string): void {
  response.status(status).json({ error: message })
}

function parseLimit(value: unknown): number | undefined {
  if (value === undefined) return DEFAULT_LOG_LIMIT
  if (typeof value !== 'string' || !/^[1-9][0-9]{0,3}$/.test(value)) return undefined
  const limit = Number(value)
  return limit <= MAX_LOG_LIMIT ? limit : undefined
}

/** Passes requests for this machine, by one of its loopback addresses, as localhost, or as the configuration calls it. */
function requireHostName(ownName: string): RequestHandler {
  const names = ['localhost', ownName.toLowerCase()]
  return (request, response, next) => {
    const name = (request.headers.host ?? '').replace(/:[0-9]*$/, '').replace(/^\[(.*)\]$/, '$1')
    if (names.includes(name.toLowerCase()) || isLoopback(name)) return next()
    sendError(response, 403, 'the Host header must name this machine: localhost, 127.0.0.1 or [::1]')
  }
}

function authority(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const where = `the REST API cannot listen on ${authority(host, port)}`
      reject(new ApiError(`${where}: ${listenProblem(cause)}`, { cause }))
    })
    server.listen(port, host, resolve)
  })
}

function listenProblem(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another program uses this port; stop it, or choose another api.port (0 takes any free one)'
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

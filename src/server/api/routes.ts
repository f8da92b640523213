/** What the API serves where. docs/openapi.yaml describes the same, and a test holds each answer against it. */
import type { Request, RequestHandler, Response } from 'express'
import {
  type AttachedLink,
  LINK_CHANGE_LIMITS,
  LINK_DIRECTIONS,
  LINK_IS_LATE,
  LinkChangeError,
  type LinkInfo,
} from '../attached-link.ts'
import { EVENT_TYPES, type EventFeed } from '../event-feed.ts'
import { type PerformanceLog, STATS_WINDOWS, type StatsWindow } from '../performance-log.ts'
import {
  type ClientDetails,
  type ClientInfo,
  CONNECTION_EVENTS,
  type ConnectionLogEntry,
  type Health,
  type LogFilter,
  type PoolInfo,
  type ServerStatus,
} from '../status.ts'
import { DEFAULT_EVENT_TYPES, EventStreams } from './event-stream.ts'
import { KeptAnswers } from './kept-answers.ts'
import { Problem } from './problem.ts'
import { anyText, listOfWords, matching, number, oneOf, readQuery, wholeNumber } from './query.ts'

/** What the API shows. Implemented by MasqueServer. */
export interface ApiSource {
  status(): ServerStatus
  clients(): ClientInfo[]
  client(id: string): ClientDetails | undefined
  /** Ends a tunnel in good order, and after a moment in any case. False: there is no such client. */
  closeClient(id: string): boolean
  pools(): PoolInfo[]
  /** Newest first, those that fit. Each costs something when it is taken. */
  logEntries(fits?: LogFilter): Iterable<ConnectionLogEntry>
  /** False while the server is shutting down: then nothing new should be sent to it. */
  health(): Health
  /** In ms, of connections that carry tunnels, as they are now; of many, some in turns. */
  rtts(): Promise<readonly number[]>
}

/** Reading, which is GET and HEAD; and for what changes something, the method. */
export interface Route {
  readonly get: RequestHandler
  /** Only with the token, wherever the API listens. */
  readonly delete?: RequestHandler
  readonly post?: RequestHandler
}

/** By their paths as OpenAPI writes them: /api/v1/clients/{id}. */
export type Routes = Readonly<Record<string, Route>>

export interface RouteOptions {
  source: ApiSource
  metrics: { text(): Promise<string>; contentType: string }
  events: EventFeed
  performance: PerformanceLog
  /** A link emulator in front of the proxy, where there is one. */
  link?: ChangeableLink
}

export type ChangeableLink = Pick<AttachedLink, 'info' | 'read' | 'change' | 'state'>

export const LOG_LIMITS = { defaultEntries: 100, entries: 1000, identity: 64 } as const

export function apiRoutes({ source, metrics, events, performance, link }: RouteOptions): Routes {
  const streams = new EventStreams(events)
  const kept = new KeptAnswers()
  const health: RequestHandler = (_request, response) => {
    const status = source.health()
    response.status(status === 'ok' ? 200 : 503).json({ status })
  }
  /** What takes long where there are many clients. */
  const keptJson =
    (name: string, make: () => unknown): RequestHandler =>
    async (request, response) => {
      readQuery(request, {})
      sendJson(response, await kept.get(name, () => JSON.stringify(make())))
    }
  return {
    '/health': { get: health },
    '/health/live': {
      get: (_request, response) => {
        response.json({ status: 'ok' })
      },
    },
    '/health/ready': { get: health },
    '/api/v1/status': { get: keptJson('status', () => source.status()) },
    '/api/v1/clients': { get: keptJson('clients', () => source.clients()) },
    '/api/v1/clients/{id}': {
      get: (request, response) => {
        readQuery(request, {})
        const client = source.client(clientId(request))
        if (client === undefined) throw noSuchClient(request)
        response.json(client)
      },
      delete: (request, response) => {
        readQuery(request, {})
        if (!source.closeClient(clientId(request))) throw noSuchClient(request)
        kept.forget()
        response.status(204).end()
      },
    },
    '/api/v1/pool': { get: keptJson('pool', () => source.pools()) },
    '/api/v1/stats': {
      get: async (request, response) => {
        const windows = Object.keys(STATS_WINDOWS) as StatsWindow[]
        const { window } = readQuery(request, { window: oneOf(windows, '1m') })
        sendJson(response, await kept.get(`stats ${window}`, () => JSON.stringify(performance.window(window))))
      },
    },
    '/api/v1/connections': {
      get: (request, response) => {
        const { limit } = readQuery(request, { limit: entryLimit })
        response.json([...first(limit, source.logEntries())])
      },
    },
    '/api/v1/logs': {
      get: (request, response) => {
        const { event, identity, before, limit } = readQuery(request, {
          event: oneOf(CONNECTION_EVENTS, undefined),
          identity: anyText(LOG_LIMITS.identity),
          before: wholeNumber(1, Number.MAX_SAFE_INTEGER, undefined as number | undefined),
          limit: entryLimit,
        })
        const entries = source.logEntries(
          entry =>
            (event === undefined || entry.event === event) &&
            (identity === undefined || entry.identity === identity) &&
            (before === undefined || entry.seq < before),
        )
        // One more than fits the page: there is another page.
        const page = [...first(limit + 1, entries)]
        const next = page.length > limit ? page[limit - 1].seq : null
        response.json({ entries: page.slice(0, limit), next })
      },
    },
    '/api/v1/link': {
      get: async (request, response) => {
        readQuery(request, {})
        if (link === undefined) throw noLink()
        await link.read()
        if (link.state === 'late') throw new Problem(504, LINK_IS_LATE)
        response.json(link.info())
      },
      post: async (request, response) => {
        const change = readQuery(request, linkParameters)
        if (link === undefined) throw noLink()
        const info = await link.change(change).catch(error => {
          throw error instanceof LinkChangeError ? linkProblem(error) : error
        })
        events.publish({ type: 'link', data: info })
        response.json(info satisfies LinkInfo)
      },
    },
    '/api/v1/events': {
      get: (request, response) => {
        const { types } = readQuery(request, { types: listOfWords(EVENT_TYPES, DEFAULT_EVENT_TYPES) })
        const fullness = streams.fullness(request)
        if (fullness === undefined) return streams.open(request, response, types)
        throw new Problem(503, `there are ${fullness} already; ask again later`, { headers: { 'Retry-After': '30' } })
      },
    },
    '/metrics': {
      get: async (_request, response) => {
        response.type(metrics.contentType).send(await kept.get('metrics', () => metrics.text()))
      },
    },
  }
}

const linkParameters = {
  profile: matching(
    new RegExp(`^[a-z0-9-]{1,${LINK_CHANGE_LIMITS.profileName}}$`),
    `the name of a profile: at most ${LINK_CHANGE_LIMITS.profileName} of a to z, 0 to 9 and dashes`,
  ),
  direction: oneOf(LINK_DIRECTIONS, 'both'),
  delayMs: wholeNumber(0, LINK_CHANGE_LIMITS.delayMs, undefined as number | undefined),
  jitterMs: wholeNumber(0, LINK_CHANGE_LIMITS.jitterMs, undefined as number | undefined),
  lossPercent: number(0, 100),
  rateKbit: wholeNumber(0, LINK_CHANGE_LIMITS.rateKbit, undefined as number | undefined),
}

function noLink(): Problem {
  return new Problem(404, 'no link emulator is attached: start the proxy with --link PROFILE')
}

function linkProblem({ kind, message }: LinkChangeError): Problem {
  if (kind === 'busy') return new Problem(503, message, { headers: { 'Retry-After': '1' } })
  if (kind === 'late') return new Problem(504, message)
  return new Problem(kind === 'unknown' ? 404 : 409, message)
}

const entryLimit = wholeNumber(1, LOG_LIMITS.entries, LOG_LIMITS.defaultEntries as number)

/** CONNECTION/STREAM; its slash is %2F in a path, or a dash for who finds that easier to write. */
function clientId({ params }: Request): string {
  return String(params.id).replace('-', '/')
}

function noSuchClient({ params }: Request): Problem {
  return new Problem(404, `there is no client ${String(params.id).slice(0, 80)} now; /api/v1/clients lists them`)
}

function* first<T>(count: number, items: Iterable<T>): Generator<T> {
  let taken = 0
  for (const item of items) {
    if (taken++ === count) return
    yield item
  }
}

function sendJson(response: Response, text: string): void {
  response.type('json').send(text)
}

/**
 * The classroom: takes what students tell, and shows the class on a page for the projector. On 127.0.0.1 only: the class sits on one
 * machine, and there the kernel says who somebody is.
 */
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import express, { type NextFunction, type Request, type Response } from 'express'
import { takenPortHint } from '../../../src/net/user-ports.ts'
import type { Lab } from '../lab/types.ts'
import { subordinateIds } from '../run/subordinate-ids.ts'
import { ClassState, Refusal } from './class-state.ts'
import type { JoinGate } from './join-gate.ts'
import { peerUser } from './peer-user.ts'
import type { Relay } from './relay.ts'
import { RelayState } from './relay-state.ts'

const HOST = '127.0.0.1'
/** What a report takes at most, in bytes; it has some hundred. */
const MAX_BODY = 4096
const MAX_CONNECTIONS = 512
const REQUEST_MS = 5000

const TYPES: Record<string, string> = { html: 'text/html', css: 'text/css', mjs: 'text/javascript' }
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export interface ClassroomServer {
  url: string
  close(): Promise<void>
}

export interface ClassroomOptions {
  labs: readonly Lab[]
  /** 0: any free one. */
  port: number
  leaderboard?: boolean
  /** Who may join; default: everybody. */
  gate?: JoinGate
  /** The page shows the code of the class, too. */
  showCode?: boolean
  /** What tunnels of students can be opened to. Whoever has started it closes it. */
  relay?: Pick<Relay, 'offerTo' | 'liveUrl'>
  /** Who is at the other end; default: as the kernel says. Undefined: that is not known. */
  whoIs?: (socket: Socket) => number | undefined
  /** Default: as the system's table says. */
  isSubordinate?: (uid: number) => boolean
}

/** There is no classroom, and this is why. The message is for the instructor. */
export class ClassroomError extends Error {
  override name = 'ClassroomError'
}

function takenPort(port: number): string {
  return `port ${port} is already in use: another classroom runs on this machine, or somebody else's program; choose another one with --port${takenPortHint(port)}`
}

/** Rejects with ClassroomError, or with what the system says, when it cannot listen. */
export async function startClassroom(options: ClassroomOptions): Promise<ClassroomServer> {
  const { labs, port, leaderboard = false, whoIs = userOf, gate } = options
  const isSubordinate = options.isSubordinate ?? subordinateIds()
  const state = new ClassState(labs, { leaderboard, ...(gate && { mayJoin: (id, code) => gate.check(id, code) }) })
  const relay = options.relay && { ...options.relay, state: new RelayState() }
  const server = createServer({
    requestTimeout: REQUEST_MS,
    headersTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1000,
  })
  keepRoom(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new ClassroomError(takenPort(port)) : error)
    })
    server.listen(port, HOST, resolve)
  })
  const actual = (server.address() as AddressInfo).port
  const shownCode = (options.showCode && gate?.code) || null
  server.on('request', createApp({ state, shownCode, relay, port: actual, whoIs, isSubordinate }))
  return {
    url: `http://${HOST}:${actual}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Whoever comes gets in: the connection on which nothing was asked for the longest time makes room. */
function keepRoom(server: Server): void {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (sockets.size <= MAX_CONNECTIONS) return
    const [quietest] = sockets
    quietest?.destroy()
  })
  server.on('request', ({ socket }) => {
    if (sockets.delete(socket)) sockets.add(socket)
  })
}

interface AppOptions {
  state: ClassState
  shownCode: string | null
  relay: (Pick<Relay, 'offerTo' | 'liveUrl'> & { state: RelayState }) | undefined
  port: number
  whoIs: (socket: Socket) => number | undefined
  isSubordinate: (uid: number) => boolean
}

function createApp({ state, shownCode, relay, port, whoIs, isSubordinate }: AppOptions): express.Express {
  const app = express()
  app.disable('x-powered-by')
  app.use((request, response, next) => {
    response.set({
      'Content-Security-Policy': CONTENT_SECURITY_POLICY,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
    })
    // A web page that points a name of its own here (DNS rebinding), or sends something from elsewhere.
    const host = request.headers.host ?? ''
    if (![`${HOST}:${port}`, `localhost:${port}`].includes(host))
      throw new Refusal(403, 'it is not called by this name')
    const { origin } = request.headers
    if (origin !== undefined && origin !== `http://${host}`) throw new Refusal(403, 'it takes nothing from other pages')
    next()
  })
  for (const name of ['index.html', 'style.css', 'page.mjs']) {
    const content = readFileSync(new URL(`page/${name}`, import.meta.url))
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)]
    app.get(name === 'index.html' ? '/' : `/${name}`, (_request, response) => {
      response.type(`${type}; charset=utf-8`).send(content)
    })
  }
  app.get('/class.json', (_request, response) => void response.json({ ...state.view(), code: shownCode }))
  app.get('/relay.json', (_request, response) => {
    const view = relay?.state.view(id => state.aliasOf(id))
    response.json(view === undefined ? null : { ...view, liveUrl: relay?.liveUrl ?? null })
  })
  app.get('/progress.csv', (_request, response) => {
    response.type('text/csv; charset=utf-8').attachment('progress.csv').send(state.csv())
  })
  const taken = (action: (id: string, body: unknown) => unknown) => (request: Request, response: Response) => {
    if (!request.is('application/json')) throw new Refusal(415, 'JSON is expected')
    const uid = whoIs(request.socket)
    if (uid === undefined) throw new Refusal(403, 'this system does not say who you are')
    if (isSubordinate(uid)) throw new Refusal(403, 'this is no account of its own: come from outside of your namespace')
    const answer = action(String(uid), request.body)
    if (answer !== undefined) response.json(answer)
    else response.status(204).end()
  }
  app.use(express.json({ limit: MAX_BODY, strict: true }))
  app.post(
    '/join',
    taken((id, body) => state.join(id, body)),
  )
  app.post(
    '/leave',
    taken(id => {
      state.leave(id)
      relay?.state.leave(id)
    }),
  )
  app.post(
    '/reports',
    taken((id, body) => state.report(id, body)),
  )
  app.post(
    '/relay',
    taken(id => {
      if (!relay) throw new Refusal(404, 'no relay measurement runs; your instructor starts it with --relay')
      if (state.aliasOf(id) === undefined) throw new Refusal(409, 'join first: npm run lab -- --join CODE')
      relay.state.start(id)
      return relay.offerTo(id)
    }),
  )
  app.post(
    '/relay/reports',
    taken((id, body) => {
      if (!relay) throw new Refusal(404, 'no relay measurement runs')
      relay.state.report(id, body)
    }),
  )
  app.use(() => {
    throw new Refusal(404, 'there is nothing here')
  })
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    const { status = 500, message } = error as { status?: number; message: string }
    const detail = status < 500 ? message : 'something went wrong here'
    response.status(status).type('application/problem+json').send(JSON.stringify({ status, detail }))
  })
  return app
}

function userOf({ remotePort = 0, localPort = 0 }: Socket): number | undefined {
  return peerUser(remotePort, localPort)
}

/** A request's way: the guards, one after the other, then whatever is served at its path. Every refusal is a problem document. */
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import { limitHead, limitRate, refuseContent, refuseOtherSites, requireHostName, type TokenGuard } from './guards.ts'
import { Problem, sendProblem } from './problem.ts'
import type { Routes } from './routes.ts'

export interface AppOptions {
  /** What the API is called in the configuration, when it listens on loopback. Elsewhere, reading needs the token. */
  readonly ownName: string | undefined
  readonly token: TokenGuard
  readonly routes: Routes
  /** A bug of ours. */
  onError(error: unknown): void
}

/** With these a load balancer or a supervisor asks, which knows no token. */
const OPEN_PATHS = ['/health', '/health/live', '/health/ready']

export function createApp({ ownName, token, routes, onError }: AppOptions) {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.enable('case sensitive routing')
  app.enable('strict routing')
  app.set('query parser', 'simple')
  const guards: RequestHandler[] = [
    (_request, response, next) => {
      response.set({
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
        'Cross-Origin-Resource-Policy': 'same-origin',
      })
      next()
    },
    limitRate(),
    limitHead,
    ...(ownName === undefined ? [] : [requireHostName(ownName)]),
    refuseOtherSites,
    refuseContent,
  ]
  if (ownName === undefined) {
    guards.push((request, _response, next) => {
      if (!OPEN_PATHS.includes(request.path)) token.check(request)
      next()
    })
  }
  app.use(inOneStep(guards, onError))

  const withToken: RequestHandler = (request, _response, next) => {
    token.check(request)
    next()
  }
  const index: RequestHandler = (_request, response) => {
    response.json({ name: 'masque-lab', endpoints: Object.keys(routes) })
  }
  for (const [path, { get, delete: remove, post }] of Object.entries({ '/': { get: index }, ...routes } as Routes)) {
    const pattern = path.replace(/\{(\w+)\}/g, ':$1')
    app.get(pattern, get)
    if (post !== undefined) app.post(pattern, withToken, post)
    if (remove !== undefined) app.delete(pattern, withToken, remove)
    const changing = [post && 'POST', remove && 'DELETE'].filter(method => method !== undefined)
    const allowed = ['GET', 'HEAD', ...changing].join(', ')
    app.all(pattern, request => {
      const detail = `${request.method} is not possible here: ${path} takes ${allowed}`
      throw new Problem(405, detail, { headers: { Allow: allowed } })
    })
  }
  app.use((request, response) => {
    if (Object.hasOwn(routes, `${request.path}/`)) return response.redirect(308, `${request.path}/`)
    throw new Problem(404, `there is nothing at ${request.path}; / lists what there is`)
  })
  // Express knows an error handler by its four parameters.
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error)
    sendProblem(response, toProblem(error, onError))
  })
  return app
}

/**
 * What these refuse is answered at once: an error that Express hands on passes all that is served on its way to the end, and is compared with each path,
 * which costs more than the rest of a refusal.
 */
function inOneStep(guards: readonly RequestHandler[], onError: AppOptions['onError']): RequestHandler {
  return (request, response, next) => {
    const refuse = (error: unknown): void => {
      if (!response.headersSent) sendProblem(response, toProblem(error, onError))
    }
    const pass = (index: number): void => {
      const guard = guards[index]
      if (guard === undefined) return next()
      try {
        const passing = guard(request, response, error => (error === undefined ? pass(index + 1) : refuse(error)))
        // Who counts requests may have to wait for it.
        Promise.resolve(passing).catch(refuse)
      } catch (error) {
        refuse(error)
      }
    }
    pass(0)
  }
}

/** What Express itself refuses, such as a malformed %-sequence, carries its status; all else is ours and is not explained to strangers. */
function toProblem(error: unknown, onError: (error: unknown) => void): Problem {
  if (error instanceof Problem) return error
  const { status, message } = error as { status?: number; message: string }
  if (status !== undefined && status >= 400 && status < 500) return new Problem(status, message)
  onError(error)
  return new Problem(500, 'something went wrong inside the proxy; its log has more')
}

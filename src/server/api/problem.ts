/** Problem documents (RFC 9457): how the API says no, to programs and to people. */
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Response } from 'express'

export const PROBLEM_TYPE = 'application/problem+json'

/** Thrown by whatever answers a request, and answered with it. `message` is the detail: one sentence for whoever asked. */
export class Problem extends Error {
  override name = 'Problem'
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Members beside those that each problem has (RFC 9457 §3.2). */
  readonly members: Readonly<Record<string, unknown>>

  constructor(
    status: number,
    detail: string,
    { headers = {}, members = {} }: Partial<Pick<Problem, 'headers' | 'members'>> = {},
  ) {
    super(detail)
    this.status = status
    this.headers = headers
    this.members = members
  }
}

/** `about:blank` says that the status says it all (RFC 9457 §4.2.1); what is special about it is in the detail. */
export function problemDocument({ status, message, members }: Pick<Problem, 'status' | 'message' | 'members'>): string {
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail: message, ...members })
}

export function sendProblem(response: Response, problem: Problem): void {
  response.status(problem.status).set({ ...problem.headers, 'Content-Type': PROBLEM_TYPE })
  response.send(problemDocument(problem))
}

/** What Node's parser says about bytes that are no request, as far as it is worth telling. */
const CLIENT_ERRORS: Readonly<Record<string, [status: number, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'the head of the request is too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request took too long to come'],
}

/** Answers what is not HTTP, or too large or too slow, and ends the connection. */
export function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  // An answer may be on its way already: nothing may stand in it.
  const hasAnswered = 'bytesWritten' in socket && (socket.bytesWritten as number) > 0
  if (!socket.writable || hasAnswered || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const [status, message] = CLIENT_ERRORS[error.code ?? ''] ?? [400, 'this is not a request of HTTP/1.1']
  const body = problemDocument({ status, message, members: {} })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

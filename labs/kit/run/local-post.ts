/** One request to a program on this machine, in two steps: whoever has the connection can see who is at its other end, and say nothing. */
import { type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'

/** A classroom is on the same machine, but so is the class, and may be busy. What does not answer by then is not told. */
const ANSWER_MS = 10_000
/** In characters: a certificate has some hundred. */
const MAX_ANSWER = 16_384

/** Rejects where nobody listens, or nobody answers. */
export function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const timer = setTimeout(() => socket.destroy(new Error('nobody answers')), ANSWER_MS)
    socket.once('close', () => clearTimeout(timer)).on('error', reject)
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
  })
}

/** Over this connection, which is of no use afterwards. Rejects where there is no answer in time, or one that is too long. */
export function post(
  socket: Socket,
  port: number,
  path: string,
  body: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({
      createConnection: () => socket,
      host: '127.0.0.1',
      port,
      path,
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), Connection: 'close' },
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    asked.on('error', reject)
    asked.on('response', (response: IncomingMessage) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
        if (text.length > MAX_ANSWER) response.destroy(new Error('the answer is too long'))
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    asked.end(body)
  })
}

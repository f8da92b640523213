/** Asks the REST API, and holds each answer against docs/openapi.yaml. */
import { type Agent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import { type ApiAnswer, checkAgainstDescription } from './openapi.ts'

export interface Asked {
  method?: string
  headers?: Record<string, string>
  agent?: Agent
  body?: string
  /** Who must have signed the certificate. */
  ca?: string
}

/** Of an answer that has no end, its beginning. */
export function askApi(url: string, path: string, { body = '', ...asked }: Asked = {}): Promise<ApiAnswer> {
  const { method = 'GET' } = asked
  return new Promise((resolve, reject) => {
    const take = (response: IncomingMessage): void => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', chunk => {
        text += chunk
        if (response.headers['content-type']?.startsWith('text/event-stream')) response.destroy()
      })
      response.on('close', () => {
        const answer = { status: response.statusCode as number, headers: response.headers, body: text }
        try {
          checkAgainstDescription(method, path.split('?')[0], answer)
          resolve(answer)
        } catch (error) {
          reject(error)
        }
      })
    }
    const options: RequestOptions & { ca?: string } = { ...asked, method }
    const sent = url.startsWith('https:')
      ? secureRequest(url + path, options, take)
      : request(url + path, options, take)
    sent.on('error', reject)
    sent.end(body)
  })
}

/** What comes back for these bytes, until the other side closes. Rejects when that is by a reset without an answer. */
export function rawExchange(url: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), new URL(url).hostname)
    let answer = ''
    socket.setEncoding('latin1')
    socket.on('data', chunk => {
      answer += chunk
    })
    socket.on('error', error => (answer === '' ? reject(error) : resolve(answer)))
    socket.on('close', () => resolve(answer))
    socket.write(bytes)
  })
}

/** Somebody who wishes the REST API of a proxy ill, for as long as he is let: listeners that never read, slow heads, requests in heaps, nonsense. */

import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Of each kind of request so many at once. The next one comes when one is answered: faster than that, a busy machine would answer none. */
const AT_ONCE = 4
const PAUSE_MS = 20
/** More than the API takes. */
const LISTENERS = 150
const SLOW_HEADS = 20

const LISTEN = 'GET /api/v1/events?types=status,clients HTTP/1.1\r\nHost: localhost\r\n\r\n'
const SLOW_HEAD = 'GET /api/v1/status HTTP/1.1\r\nHost: lo'
const REQUESTS = [
  'GET /api/v1/clients HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100),
  'POST /api/v1/clients HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n{"a":',
  'DELETE /api/v1/clients/1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n',
  'GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: evil.example\r\n\r\n',
  '\0\0\0\0\r\n\r\n',
]

export interface AbuseCounts {
  /** Connections that were begun. */
  connections: number
  /** Those of them that were answered, whatever the answer was. Listeners do not read theirs. */
  answered: number
}

export class ApiAbuser {
  readonly counts: AbuseCounts = { connections: 0, answered: 0 }
  readonly #port: number
  readonly #sockets = new Set<Socket>()
  #stopped = false

  /** Begins at once. */
  constructor(port: number) {
    this.#port = port
    for (let i = 0; i < LISTENERS; i++) this.#send(LISTEN)
    for (let i = 0; i < SLOW_HEADS; i++) this.#send(SLOW_HEAD)
    for (const text of REQUESTS) for (let i = 0; i < AT_ONCE; i++) this.#ask(text)
  }

  /** Resolves at the first answer, or after so long without one. */
  async answered(limitMs: number): Promise<void> {
    const until = performance.now() + limitMs
    while (this.counts.answered === 0 && performance.now() < until) await sleep(PAUSE_MS)
  }

  /** Resolves when all of its connections are gone. */
  async stop(): Promise<AbuseCounts> {
    this.#stopped = true
    await Promise.all([...this.#sockets].map(socket => new Promise(gone => socket.once('close', gone).destroy())))
    return this.counts
  }

  /** Again and again. */
  #ask(text: string): void {
    if (this.#stopped) return
    const socket = this.#send(text)
    socket.once('data', () => {
      this.counts.answered++
      socket.destroy()
    })
    socket.once('close', () => setTimeout(() => this.#ask(text), PAUSE_MS).unref())
  }

  #send(text: string): Socket {
    const socket = connect(this.#port, '127.0.0.1')
    this.counts.connections++
    this.#sockets.add(socket)
    // To be refused is what it is there for.
    socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket))
    socket.write(text)
    return socket
  }
}

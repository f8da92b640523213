/** Between a client and a server: passes every UDP datagram on, and writes down how long its payload was. */
import { createSocket, type Socket } from 'node:dgram'
import type { SocketAddress } from '../../src/quic/quic.ts'
import type { CheckContext } from '../kit/lab/types.ts'

export class Recorder {
  readonly #inside: Socket
  readonly #outside: Socket
  #client: SocketAddress | undefined
  /** UDP payloads from the client since the last `take`, in bytes. */
  #fromClient: number[] = []
  #wake: () => void = () => {}

  static async start(scope: Pick<CheckContext, 'defer'>, server: SocketAddress): Promise<Recorder> {
    const recorder = new Recorder(server)
    for (const socket of [recorder.#inside, recorder.#outside]) {
      await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve))
    }
    scope.defer(() => {
      recorder.#inside.close()
      recorder.#outside.close()
    })
    return recorder
  }

  private constructor(server: SocketAddress) {
    this.#inside = createSocket('udp4')
    this.#outside = createSocket('udp4')
    this.#inside.on('message', (payload, from) => {
      this.#client = { host: from.address, port: from.port }
      this.#fromClient.push(payload.length)
      this.#outside.send(payload, server.port, server.host)
      this.#wake()
    })
    this.#outside.on('message', payload => {
      if (this.#client !== undefined) this.#inside.send(payload, this.#client.port, this.#client.host)
    })
  }

  get address(): SocketAddress {
    return { host: '127.0.0.1', port: this.#inside.address().port }
  }

  /** The first payload from the client of at least so many bytes, after `send` was called. */
  async next(least: number, send: () => void, timeoutMs: number): Promise<number> {
    this.#fromClient = []
    send()
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const found = this.#fromClient.find(length => length >= least)
      if (found !== undefined) return found
      if (performance.now() > deadline) throw new Error(`no UDP payload of ${least} bytes or more came from the client`)
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>(resolve => {
        this.#wake = resolve
        timer = setTimeout(resolve, Math.max(1, deadline - performance.now()))
      })
      clearTimeout(timer)
    }
  }
}

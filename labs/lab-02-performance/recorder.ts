/** Between a client and a server: passes every UDP datagram on, and writes down how long its payload was. */
import type { SocketAddress } from '../../src/quic/quic.ts'
import { UdpRelay } from '../../src/testbed/udp-relay.ts'
import type { CheckContext } from '../kit/lab/types.ts'

export class Recorder {
  readonly address: SocketAddress
  /** UDP payloads from the client since the last `take`, in bytes. */
  #fromClient: number[] = []
  #wake: () => void = () => {}

  static async start(scope: Pick<CheckContext, 'defer'>, server: SocketAddress): Promise<Recorder> {
    const relay = await UdpRelay.open(server)
    scope.defer(() => relay.close())
    return new Recorder(relay)
  }

  private constructor(relay: UdpRelay) {
    this.address = relay.address
    relay.passes = ({ length }, from) => {
      if (from === 'client') {
        this.#fromClient.push(length)
        this.#wake()
      }
      return true
    }
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

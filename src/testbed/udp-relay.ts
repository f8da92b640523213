/**
 * Stands between one client and a server, on loopback, and passes every UDP datagram on: to look at them, or to lose some. What delays,
 * too, is the link emulator.
 */

import type { Socket } from 'node:dgram'
import { bindUdp, LOOPBACK, type SocketAddress } from '../net/udp.ts'

export type Sender = 'client' | 'server'

export class UdpRelay {
  /** Where the client finds the server. */
  readonly address: SocketAddress
  /** Called for each datagram; when it returns false, that one is lost. May be replaced at any time. */
  passes: (payload: Buffer, from: Sender) => boolean
  readonly #server: SocketAddress
  readonly #inside: Socket
  #outside!: Socket
  #client: SocketAddress | undefined

  /** Whoever opens it closes it, though a process does not go on because of a relay. */
  static async open(server: SocketAddress, passes: UdpRelay['passes'] = () => true): Promise<UdpRelay> {
    const relay = new UdpRelay(server, await bindUdp(LOOPBACK), passes)
    await relay.rebind()
    return relay
  }

  private constructor(server: SocketAddress, inside: Socket, passes: UdpRelay['passes']) {
    this.#server = server
    this.#inside = inside
    this.passes = passes
    this.address = { host: '127.0.0.1', port: inside.address().port }
    inside.unref().on('message', (payload, from) => {
      this.#client = { host: from.address, port: from.port }
      if (this.passes(payload, 'client')) this.#outside.send(payload, this.#server.port, this.#server.host)
    })
  }

  /** From now on the server hears the client from another port, as after a NAT forgot and made the binding anew. */
  async rebind(): Promise<void> {
    const before = this.#outside
    this.#outside = (await bindUdp(LOOPBACK)).unref()
    this.#outside.on('message', payload => {
      const to = this.#client
      if (to !== undefined && this.passes(payload, 'server')) this.#inside.send(payload, to.port, to.host)
    })
    before?.close()
  }

  close(): void {
    this.#inside.close()
    this.#outside.close()
  }
}

/**
 * Paths of one connection, from our words into quiche's and back.
 *
 * Both ways the last path is remembered: nearly every packet takes the path of the one before, and none should cost new objects.
 */

import type { SendInfo } from '@matrixai/quic/native/index.js'
import type { UdpPath } from '../engine.ts'
import type { SocketAddress } from '../quic.ts'
import { isSameAddress } from '../same-path.ts'
import type { Zones } from './zones.ts'

/** As quiche calls it for what has arrived: `from` is the peer, `to` our socket. */
export interface NativePath {
  readonly from: { host: string; port: number }
  readonly to: { host: string; port: number }
}

export class NativePaths {
  readonly #zones: Zones
  #in: UdpPath | undefined
  #inNative: NativePath | undefined
  #out: UdpPath
  #outNative: Pick<SendInfo, 'from' | 'to'> | undefined

  /** `first`: the path on which the connection begins. */
  constructor(zones: Zones, first: UdpPath) {
    this.#zones = zones
    this.#out = first
  }

  /** undefined: nobody is at such an address. */
  toNative(path: UdpPath): NativePath | undefined {
    if (path === this.#in) return this.#inNative
    const from = this.#embed(path.remote)
    const to = this.#embed(path.local)
    this.#in = path
    this.#inNative = from === undefined || to === undefined ? undefined : { from, to }
    return this.#inNative
  }

  /** Where quiche sends a packet: `from` is our socket, `to` the peer. The same path is the same object as before. */
  fromNative({ from, to }: Pick<SendInfo, 'from' | 'to'>): UdpPath {
    const last = this.#outNative
    if (last !== undefined && isSameAddress(last.to, to) && isSameAddress(last.from, from)) return this.#out
    this.#outNative = { from, to }
    const path = { local: this.restore(from), remote: this.restore(to) }
    this.#out = {
      local: isSameAddress(path.local, this.#out.local) ? this.#out.local : path.local,
      remote: isSameAddress(path.remote, this.#out.remote) ? this.#out.remote : path.remote,
    }
    return this.#out
  }

  /** An address as quiche has it, for people and for the system. */
  restore({ host, port }: SocketAddress): SocketAddress {
    return { host: this.#zones.restore(host), port }
  }

  #embed({ host, port }: SocketAddress): { host: string; port: number } | undefined {
    const embedded = this.#zones.embed(host)
    return embedded === undefined ? undefined : { host: embedded, port }
  }
}

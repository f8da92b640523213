/** A packet that passes the proxy, as it is on the wire, with what carries it: for whoever looks at the live view. */
import type { Encapsulation } from '../carriers/carrier.ts'
import type { HttpVersion } from '../carriers/http-connection.ts'
import type { PacketDirection } from '../carriers/tunnel.ts'

export const SAMPLE_LIMITS = {
  /** Bytes of one sample: all headers, and what comes behind them. */
  bytes: 256,
  /** Of each direction, so that the answers to a ping are seen as well as the pings. */
  perSecond: 5,
} as const

/** A tunnel, as those name it who look at it. */
export interface WatchedTunnel {
  /** As in ClientInfo. */
  readonly id: string
  readonly identity: string | undefined
  readonly carrier: HttpVersion
  /** Of the request. */
  readonly streamId: number
}

export interface PacketSample {
  /** ms since 1970. */
  readonly at: number
  readonly client: string
  readonly identity: string | undefined
  readonly direction: PacketDirection
  readonly carrier: HttpVersion
  /** How this packet travelled, whatever others of the tunnel do. */
  readonly encapsulation: Encapsulation
  /** Of the tunnel's request: a quarter of it is what QUIC datagrams begin with. */
  readonly streamId: number
  /** The HTTP Datagram's payload, from the context id on, in base64: its first bytes. */
  readonly payload: string
  /** How long it is as a whole. */
  readonly length: number
}

/** Decides which packets are looked at, for all tunnels together. */
export class SamplePace {
  readonly #now: () => number
  readonly #random: () => number
  /** When the next one may be taken. */
  readonly #next: Record<PacketDirection, number> = {
    'from-client': Number.NEGATIVE_INFINITY,
    'to-client': Number.NEGATIVE_INFINITY,
  }

  /** `now` in ms that never go back; `random` in [0, 1). */
  constructor(now: () => number, random: () => number) {
    this.#now = now
    this.#random = random
  }

  /** By chance a little less often than it might: of clients that ping in step, some would else be seen always, and others never. */
  take(direction: PacketDirection): boolean {
    const now = this.#now()
    if (now < this.#next[direction]) return false
    this.#next[direction] = now + (1000 / SAMPLE_LIMITS.perSecond) * (1 + this.#random() / 2)
    return true
  }
}

/** `bytes` begin with the context id, or are a packet of this one. */
export function packetSample(
  { id, identity, carrier, streamId }: WatchedTunnel,
  direction: PacketDirection,
  encapsulation: Encapsulation,
  bytes: Uint8Array,
  contextId?: number,
): PacketSample {
  const front = contextId === undefined ? [] : [contextId]
  const start = Uint8Array.of(...front, ...bytes.subarray(0, SAMPLE_LIMITS.bytes - front.length))
  return {
    at: Date.now(),
    client: id,
    identity,
    direction,
    carrier,
    encapsulation,
    streamId,
    payload: Buffer.from(start).toString('base64'),
    length: front.length + bytes.length,
  }
}

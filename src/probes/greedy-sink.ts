import { DecodeError } from '../bytes/errors.ts'
import type { UdpBinding, UdpDatagram } from '../hosts/userspace/udp-ports.ts'
import type { UserspaceHost } from '../hosts/userspace/userspace-host.ts'
import type { IpAddress } from '../ip/address.ts'
import { SequenceWindow } from '../stats/sequence-window.ts'
import { decodeGreedyData, encodeGreedyAck, type GreedyData } from './greedy-packets.ts'

/** The port that greedy flows go to by default. */
export const GREEDY_PORT = 5002

const MAXIMUM_FLOWS = 64
/** A flow that was silent for so long may be replaced by another. */
const IDLE_MS = 30_000
const WINDOW = 4096

export interface GreedySinkFlow {
  flowId: number
  /** Different packets that arrived. */
  received: number
  /** Bytes of those, UDP payload. */
  payloadBytes: number
  duplicates: number
  firstMs: number
  lastMs: number
}

interface Flow extends GreedySinkFlow {
  source: IpAddress
  sourcePort: number
  token: number
  window: SequenceWindow
}

/** The other end of greedy flows (greedy-flow.ts): takes their packets and acknowledges each. */
export class GreedySink {
  readonly port: number
  /** Datagrams that were no data of a flow, or of a flow that someone else has, or of one too many. */
  ignored = 0
  readonly #host: UserspaceHost
  readonly #binding: UdpBinding
  readonly #flows = new Map<number, Flow>()

  /** Listens on a UDP port of the host; default 5002. Throws Error when it is taken. */
  constructor(host: UserspaceHost, port = GREEDY_PORT) {
    this.#host = host
    this.#binding = host.udp.bind(port, datagram => this.#receive(datagram))
    this.port = this.#binding.port
  }

  /** What has come of a flow; undefined when nothing has. */
  flow(flowId: number): GreedySinkFlow | undefined {
    const flow = this.#flows.get(flowId)
    if (flow === undefined) return undefined
    const { received, payloadBytes, duplicates, firstMs, lastMs } = flow
    return { flowId, received, payloadBytes, duplicates, firstMs, lastMs }
  }

  close(): void {
    this.#binding.close()
    this.#flows.clear()
  }

  #receive(datagram: UdpDatagram): void {
    let data: GreedyData
    try {
      data = decodeGreedyData(datagram.payload)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.ignored++
      return
    }
    const nowMs = this.#host.clock.now()
    const flow = this.#flowOf(data, datagram, nowMs)
    if (flow === undefined) {
      this.ignored++
      return
    }
    const kind = flow.window.note(data.sequence)
    if (kind === 'in-order' || kind === 'late') {
      flow.received++
      flow.payloadBytes += datagram.payload.length
    } else {
      flow.duplicates++
    }
    flow.lastMs = nowMs
    this.#acknowledge(flow, data, datagram, nowMs)
  }

  #flowOf(data: GreedyData, { source, sourcePort }: UdpDatagram, nowMs: number): Flow | undefined {
    const { flowId, token } = data
    const known = this.#flows.get(flowId)
    const isSame = known?.sourcePort === sourcePort && known.source.equals(source)
    if (known !== undefined && isSame && known.token === token) return known
    // The same sender may begin anew; anybody else must wait until the flow is over.
    if (known !== undefined && !known.source.equals(source) && nowMs - known.lastMs < IDLE_MS) return undefined
    if (known === undefined && this.#flows.size >= MAXIMUM_FLOWS && !this.#forgetIdle(nowMs)) return undefined
    const flow: Flow = {
      flowId,
      token,
      source,
      sourcePort,
      window: new SequenceWindow(WINDOW),
      received: 0,
      payloadBytes: 0,
      duplicates: 0,
      firstMs: nowMs,
      lastMs: nowMs,
    }
    this.#flows.set(flowId, flow)
    return flow
  }

  #forgetIdle(nowMs: number): boolean {
    for (const [flowId, flow] of this.#flows) {
      if (nowMs - flow.lastMs >= IDLE_MS) return this.#flows.delete(flowId)
    }
    return false
  }

  #acknowledge(flow: Flow, { sequence, sentUs }: GreedyData, datagram: UdpDatagram, nowMs: number): void {
    const { flowId, token, window } = flow
    const highest = window.nextExpected - 1
    const before: [number, number] = [0, 0]
    for (let i = 0; i < 64; i++) {
      if (window.has(highest - 1 - i)) before[i >>> 5] |= 1 << (i & 31)
    }
    const ack = { flowId, token, sequence, delayUs: nowMs * 1000 - sentUs, highest, before }
    this.#host.udp.send(
      {
        source: datagram.destination.isMulticast ? undefined : datagram.destination,
        sourcePort: this.port,
        destination: datagram.source,
        destinationPort: datagram.sourcePort,
      },
      encodeGreedyAck(ack),
    )
  }
}

import type { IpAddress } from '../../ip/address.ts'
import type { IcmpErrorReport } from './icmp-error-report.ts'

/** A datagram as it arrived. */
export interface UdpDatagram {
  source: IpAddress
  sourcePort: number
  /** The one of the host's addresses (or the multicast group) that it was sent to. */
  destination: IpAddress
  destinationPort: number
  /** Valid only during the call; copy what is to be kept. */
  payload: Uint8Array
  /** TTL or hop limit on arrival. */
  hopCount: number
}

/** Where a datagram is to go. */
export interface UdpAddressing {
  /** Default: the first of the host's addresses that suits the destination. */
  source?: IpAddress
  sourcePort: number
  destination: IpAddress
  destinationPort: number
  /** TTL or hop limit; default 64. */
  hopCount?: number
}

export type UdpHandler = (datagram: UdpDatagram) => void

/** An ICMP error about a datagram that had been sent from the port to this destination. */
export type UdpErrorHandler = (report: IcmpErrorReport, destination: IpAddress, destinationPort: number) => void

export interface UdpBinding {
  readonly port: number
  /** Frees the port. Harmless when repeated. */
  close(): void
}

interface Bound {
  handler: UdpHandler
  onError: UdpErrorHandler | undefined
}

/** Where ports come from that nobody chose (RFC 6335 §6). */
const EPHEMERAL_FIRST = 49152
const EPHEMERAL_LAST = 65535

/** The UDP ports of a host: which of them someone listens on. A port is the same on all of the host's addresses. */
export class UdpPorts {
  readonly #bound = new Map<number, Bound>()
  readonly #transmit: (addressing: UdpAddressing, payload: Uint8Array) => boolean
  #nextEphemeral = EPHEMERAL_FIRST

  constructor(transmit: (addressing: UdpAddressing, payload: Uint8Array) => boolean) {
    this.#transmit = transmit
  }

  /**
   * Hands datagrams for the port to `handler`, and ICMP errors about what was sent from it to `onError`. Port 0: any free one.
   * Throws RangeError for what is no port, Error when it is taken.
   */
  bind(port: number, handler: UdpHandler, onError?: UdpErrorHandler): UdpBinding {
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      throw new RangeError(`UDP port ${port}; expected 0 (any free one) to 65535`)
    }
    const chosen = port === 0 ? this.#freePort() : port
    if (this.#bound.has(chosen)) throw new Error(`UDP port ${chosen} is taken; close its binding first, or bind port 0`)
    const bound = { handler, onError }
    this.#bound.set(chosen, bound)
    return {
      port: chosen,
      // Someone else may have the port by the time that an old binding is closed a second time.
      close: () => {
        if (this.#bound.get(chosen) === bound) this.#bound.delete(chosen)
      },
    }
  }

  /**
   * Sends one datagram. False when it cannot be: the host has no address of the destination's IP version, or the
   * datagram would not fit into an IP packet.
   */
  send(addressing: UdpAddressing, payload: Uint8Array): boolean {
    return this.#transmit(addressing, payload)
  }

  handlerOf(port: number): UdpHandler | undefined {
    return this.#bound.get(port)?.handler
  }

  errorHandlerOf(port: number): UdpErrorHandler | undefined {
    return this.#bound.get(port)?.onError
  }

  clear(): void {
    this.#bound.clear()
  }

  #freePort(): number {
    for (let tries = EPHEMERAL_FIRST; tries <= EPHEMERAL_LAST; tries++) {
      const port = this.#nextEphemeral
      this.#nextEphemeral = port === EPHEMERAL_LAST ? EPHEMERAL_FIRST : port + 1
      if (!this.#bound.has(port)) return port
    }
    throw new Error(`no free UDP port between ${EPHEMERAL_FIRST} and ${EPHEMERAL_LAST}; close some bindings`)
  }
}

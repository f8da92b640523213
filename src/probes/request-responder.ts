import { DecodeError } from '../bytes/errors.ts'
import type { UdpBinding, UdpDatagram } from '../hosts/userspace/udp-ports.ts'
import type { UserspaceHost } from '../hosts/userspace/userspace-host.ts'
import { type DataRequest, decodeRequest, encodeSegment, SEGMENTS_A_REQUEST, segmentCount } from './request-packets.ts'

/** The port that requests go to by default. */
export const REQUEST_PORT = 5003

/**
 * The other end of request-response.ts: sends the segments that a request asks for, at most 64 of them.
 *
 * That is up to thousands of bytes for each byte of a request, to whatever address is in it. In a tunnel that lets only the
 * client's own addresses in as sources, and with hosts made for measuring, that is what is wanted; anywhere else it would be
 * an amplifier.
 */
export class RequestResponder {
  readonly port: number
  /** Requests that were answered, and datagrams that were none. */
  answered = 0
  ignored = 0
  readonly #host: UserspaceHost
  readonly #binding: UdpBinding

  /** Listens on a UDP port of the host; default 5003. Throws Error when it is taken. */
  constructor(host: UserspaceHost, port = REQUEST_PORT) {
    this.#host = host
    this.#binding = host.udp.bind(port, datagram => this.#receive(datagram))
    this.port = this.#binding.port
  }

  close(): void {
    this.#binding.close()
  }

  #receive(datagram: UdpDatagram): void {
    let request: DataRequest
    try {
      request = decodeRequest(datagram.payload)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.ignored++
      return
    }
    this.answered++
    const { first, wanted, responseLength, segmentLength } = request
    const addressing = {
      source: datagram.destination.isMulticast ? undefined : datagram.destination,
      sourcePort: this.port,
      destination: datagram.source,
      destinationPort: datagram.sourcePort,
    }
    const end = Math.min(first + SEGMENTS_A_REQUEST, segmentCount(responseLength, segmentLength))
    for (let index = first; index < end; index++) {
      const bit = index - first
      if ((wanted[bit >>> 5] & (1 << (bit & 31))) === 0) continue
      this.#host.udp.send(addressing, encodeSegment(request, index))
    }
  }
}

import type { Packet } from './packet.ts'

/**
 * The packet at `start` of a datagram (RFC 9000 §12.2: there may be several; the next one is at `end`). `cidLength`: how long our
 * connection ids are, which a short header does not say. undefined: what is there is no packet, and neither is what follows it.
 */
export function readPacket(_datagram: Uint8Array, _start: number, _cidLength: number): Packet | undefined {
  throw new Error('to be written')
}

/** What the link's NAT knows of TCP connections, and the few fields of an IPv4 packet that it looks at. */

const TCP = 6
const SYN = 0x02
const ACK = 0x10
/** A header without options, and TCP's up to its flags. */
const LEAST_BYTES = 20 + 14
/** More than a run opens; further ones do not pass. */
const MOST_FLOWS = 4096

export interface TcpPacket {
  readonly source: string
  readonly destination: string
  /** Whether it opens a connection. */
  readonly isSyn: boolean
  readonly sourcePort: number
}

/** Undefined: no TCP in IPv4, or not whole. */
export function readTcpPacket(packet: Uint8Array): TcpPacket | undefined {
  const headerBytes = 4 * ((packet[0] ?? 0) & 15)
  if (packet.length < LEAST_BYTES || packet[0] >> 4 !== 4 || packet[9] !== TCP) return undefined
  if (headerBytes < 20 || packet.length < headerBytes + 14) return undefined
  const flags = packet[headerBytes + 13]
  return {
    source: packet.subarray(12, 16).join('.'),
    destination: packet.subarray(16, 20).join('.'),
    isSyn: (flags & (SYN | ACK)) === SYN,
    sourcePort: (packet[headerBytes] << 8) | packet[headerBytes + 1],
  }
}

/**
 * The emulator's NAT gives each client an outer port, and another one when it forgets. For UDP that is all that there is to it; a NAT that has forgotten a
 * connection of TCP lets nothing of it pass any more, and the client has to open another one (RFC 5382 section 7.1 lets it).
 */
export class TcpFlows {
  readonly #flows = new Set<string>()
  readonly #outerPorts = new Map<string, number>()

  /** A client's packet has come out of the emulator's `outerPort`. Whether it goes on to the server. */
  passesUp({ source, sourcePort, isSyn }: TcpPacket, outerPort: number): boolean {
    if (this.#outerPorts.get(source) !== outerPort) {
      for (const flow of this.#flows) if (flow.startsWith(`${source}:`)) this.#flows.delete(flow)
      this.#outerPorts.set(source, outerPort)
    }
    const flow = `${source}:${sourcePort}`
    if (isSyn && this.#flows.size < MOST_FLOWS) this.#flows.add(flow)
    return this.#flows.has(flow)
  }

  /** Which outer port leads to this client; undefined: none does. */
  outerPortOf(client: string): number | undefined {
    return this.#outerPorts.get(client)
  }
}

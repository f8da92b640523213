/**
 * Where the proxy is a router: it takes packets that come out of tunnels, or from hosts behind it, and finds the way.
 *
 *   tunnel ─┐                       ┌─ tunnel   (client to client)
 *           ├─ longest prefix match ┤
 *   host  ──┘                       └─ host     (the network behind the proxy, the proxy itself)
 */

import type { Tunnel } from '../carriers/tunnel.ts'
import type { Drop } from '../connect-ip/session.ts'
import type { Host } from '../hosts/host.ts'
import type { IpAddress } from '../ip/address.ts'
import { icmpError } from '../ip/icmp-error.ts'
import { IPV4_DESTINATION_OFFSET } from '../ip/ipv4.ts'
import { IPV6_DESTINATION_OFFSET } from '../ip/ipv6.ts'
import { packetVersion } from '../ip/packet.ts'
import { IpPrefix } from '../ip/prefix.ts'
import { RouteTable } from '../ip/route-table.ts'
import { TokenBucket } from '../ip/token-bucket.ts'

/** Where a packet can go. `deliver` says why it went nowhere, if so. */
interface NextHop {
  readonly kind: 'tunnel' | 'host'
  deliver(packet: Uint8Array, forwarded: boolean): Drop | undefined
}

export interface ProcessorOptions {
  /** The proxy's own addresses: the source of its ICMP errors. */
  gateway: { v4?: IpAddress; v6?: IpAddress }
  /** Whether one client may reach another through the proxy. */
  clientToClient: boolean
  /** Called with the duration, in seconds, of one packet's processing out of every `SAMPLE_EVERY`. */
  observeDuration: (seconds: number) => void
  /** ms that never go back. */
  now: () => number
}

/** ICMP errors of the router itself, for all clients together (RFC 4443 §2.4 (f)). The tunnels limit theirs themselves. */
const ICMP_ERRORS = { perSecond: 100, burst: 50 }

/** Reading the clock twice for every packet would cost more than much of what is measured. */
const SAMPLE_EVERY = 64

export class PacketProcessor {
  /** Packets that no tunnel can be blamed for, by reason. */
  readonly dropped: Record<string, number> = {}
  readonly #routes = new RouteTable<NextHop>()
  readonly #options: ProcessorOptions
  readonly #icmpBudget: TokenBucket
  #untilSample = 1

  constructor(options: ProcessorOptions) {
    this.#options = options
    this.#icmpBudget = new TokenBucket({ ...ICMP_ERRORS, now: options.now })
  }

  /**
   * Connects a host. `isGateway`: the packets it sends are made by the proxy itself, so their hop count is not
   * decremented (RFC 9484 §7.2); those of any other host are forwarded.
   */
  attachHost(host: Host, isGateway: boolean): void {
    const hop: NextHop = {
      kind: 'host',
      deliver(packet) {
        host.receive(packet)
        return undefined
      },
    }
    for (const address of host.addresses) this.#routes.add(singlePrefix(address), hop)
    host.send = packet => this.fromHost(packet, !isGateway)
  }

  /** Routes `prefix` into the tunnel; the returned function takes the route back. */
  attachTunnel(prefix: IpPrefix, tunnel: Tunnel): () => void {
    const hop: NextHop = { kind: 'tunnel', deliver: (packet, forwarded) => tunnel.sendPacket(packet, forwarded) }
    this.#routes.add(prefix, hop)
    return () => this.#routes.remove(prefix, hop)
  }

  /** A packet that has passed the checks of the tunnel it came through. */
  fromTunnel(packet: Uint8Array, tunnel: Tunnel): void {
    const startedAt = --this.#untilSample === 0 ? performance.now() : 0
    const next = this.#lookup(packet)
    const allowed = next !== undefined && (next.kind === 'host' || this.#options.clientToClient)
    const drop = allowed
      ? next.deliver(packet, true)
      : this.#refuse(packet, next === undefined ? 'no-route' : 'prohibited')
    // The error is the proxy's own packet: not forwarded.
    if (drop?.icmp !== undefined) tunnel.sendPacket(drop.icmp, false)
    if (startedAt !== 0) {
      this.#untilSample = SAMPLE_EVERY
      this.#options.observeDuration((performance.now() - startedAt) / 1000)
    }
  }

  /** A packet from a host behind the proxy, or from the proxy itself. */
  fromHost(packet: Uint8Array, forwarded: boolean): void {
    const drop = this.#lookup(packet)?.deliver(packet, forwarded)
    if (drop?.icmp !== undefined) this.#lookup(drop.icmp)?.deliver(drop.icmp, false)
  }

  #lookup(packet: Uint8Array): NextHop | undefined {
    const version = packetVersion(packet)
    if (version === 4) return this.#routes.lookupBytes(4, packet, IPV4_DESTINATION_OFFSET)
    if (version === 6) return this.#routes.lookupBytes(6, packet, IPV6_DESTINATION_OFFSET)
    return undefined
  }

  #refuse(packet: Uint8Array, reason: 'no-route' | 'prohibited'): Drop {
    this.dropped[reason] = (this.dropped[reason] ?? 0) + 1
    const source = packetVersion(packet) === 4 ? this.#options.gateway.v4 : this.#options.gateway.v6
    if (source === undefined || !this.#icmpBudget.isAvailable) return { reason }
    const icmp = icmpError(reason, packet, source)
    if (icmp !== undefined) this.#icmpBudget.take()
    return { reason, icmp }
  }
}

function singlePrefix(address: IpAddress): IpPrefix {
  return new IpPrefix(address, address.bytes.length * 8)
}

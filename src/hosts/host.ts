import type { DnsConfiguration } from '../connect-ip/dns/dns-assign.ts'
import type { IpAddress } from '../ip/address.ts'
import type { AddressRange } from '../ip/range.ts'

/** What a host has to know of the one link that it is attached to. */
export interface HostConfiguration {
  readonly addresses: readonly IpAddress[]
  /** What is reached over this link. */
  readonly routes: readonly AddressRange[]
  /** The largest packet that the link carries, in bytes. */
  readonly mtu: number
  /** Where the link's own packets go, such as the address of a tunnel's proxy: not over this link, whatever the routes say. */
  readonly outside?: readonly IpAddress[]
  /** Who may be asked for names over this link, for a host that asks; default nobody. */
  readonly dns?: readonly DnsConfiguration[]
}

/**
 * Where IP packets end: something with addresses that takes packets in and puts packets out.
 *
 * A tunnel, a link emulator or a test attaches a host by setting `send` and calling `receive`; two hosts wired back
 * to back are the smallest network there is:
 *
 *   a.send = packet => b.receive(packet)
 *   b.send = packet => a.receive(packet)
 */
export interface Host {
  /**
   * Takes one IP packet addressed to this host. The bytes are only borrowed: the caller may overwrite them as soon as
   * this returns, so a host copies what it keeps. Never throws, whatever the bytes are.
   */
  receive(packet: Uint8Array): void
  /**
   * Where the host's own packets go; set by whoever attaches the host. The receiver, too, only borrows the bytes.
   * Until it is set, packets go nowhere. `forwarded`: another host has made it, and this one is a router for that; default false.
   */
  send: (packet: Uint8Array, forwarded?: boolean) => void
  /**
   * Whether `send` has room for one more packet now; set by whoever attaches the host, if that can be known. A host that can wait does so, instead of
   * having its packets dropped.
   */
  hasRoom?: () => boolean
  readonly addresses: readonly IpAddress[]
  /**
   * Replaces what was configured before, from the next packet on: when a tunnel comes up, when its proxy assigns or routes
   * anything else, and with no addresses when it is gone.
   */
  configure(configuration: HostConfiguration): void
  /** Stops timers and fails what is still waiting for an answer. Harmless when repeated. */
  close(): void
}

/** What every system's TUN devices have in common. */

import type { IpAddress } from '../../ip/address.ts'
import type { IpPrefix } from '../../ip/prefix.ts'

/** An address of an interface, and how many of its bits name the network that is reached without a route. */
export interface InterfaceAddress {
  readonly address: IpAddress
  readonly length: number
}

/** How an interface is to be. */
export interface InterfaceSettings {
  readonly addresses: readonly InterfaceAddress[]
  readonly routes: readonly IpPrefix[]
  /** Bytes; undefined: as it is. */
  readonly mtu: number | undefined
}

export interface DeviceEvents {
  /** An IP packet that the system has sent into the device. The bytes are borrowed for the call. */
  onPacket(packet: Uint8Array): void
  /** What was read is no IP packet; `reason` is for a counter. */
  onFault(reason: string): void
  /** The system did not take so many packets that `write` had kept; `reason` is as from `write`. */
  onRefused(reason: string, packets: number): void
  /** The device is gone, or cannot be read any more. Nothing more comes. */
  onGone(why: string): void
  /**
   * Somebody else has taken it down, which loses routes and IPv6 addresses; or it is up again, and `configure` may set them anew. So far, Linux tells
   * of that.
   */
  onUpDown?(isUp: boolean): void
}

/** A network interface of the system, whose packets come here instead of to a cable. */
export interface TunDevice {
  readonly name: string
  /** The system's number of it. */
  readonly index: number
  /** Begins to read. Once. */
  start(events: DeviceEvents): void
  /**
   * Reads nothing until `resume`: what the system sends meanwhile waits in a queue of its own, and is lost there when that is full. Where it is
   * missing, the device cannot do that. Both are harmless when repeated.
   */
  pause?(): void
  resume?(): void
  /**
   * Hands an IP packet to the system, or keeps it until `flush`. Returns why it was not taken, for a counter; undefined: it was, or is still to be. Never
   * throws. The bytes are borrowed for the call.
   */
  write(packet: Uint8Array): string | undefined
  /** Hands over what `write` has kept. To be called before the event loop goes on. */
  flush(): void
  /** Changes what differs, and nothing else. Returns a sentence for each thing that could not be done. */
  configure(settings: InterfaceSettings): string[]
  /** Over which prefix of its own routes the system reaches this address now, and whether over this device; undefined: not at all. */
  routeTo(address: IpAddress): { readonly prefix: IpPrefix; readonly isOurs: boolean } | undefined
  /** Resolves when it is gone, with its addresses and routes; one that is persistent stays, without those that we set. Idempotent. */
  close(): Promise<void>
}

/** What has to be taken away and what is missing, by a text that is the same for what is the same. */
export function differences<T>(
  have: readonly T[],
  want: readonly T[],
  key: (item: T) => string,
): { remove: T[]; add: T[] } {
  const wanted = new Set(want.map(key))
  const there = new Set(have.map(key))
  const add = new Map(want.filter(item => !there.has(key(item))).map(item => [key(item), item]))
  return { remove: have.filter(item => !wanted.has(key(item))), add: [...add.values()] }
}

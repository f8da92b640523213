/**
 * A tunnel that carries IPv6 carries packets of 1280 bytes, or ends: RFC 9484 §7.2. Looked at whenever there is a new IPv6
 * address and whenever the tunnel's MTU changes, since either may come late.
 */

import type { LinkProbe } from '../config/sections.ts'
import type { Drop } from '../connect-ip/session.ts'
import type { IpAddress } from '../ip/address.ts'
import { IPV6_MINIMUM_MTU } from '../ip/ipv6.ts'
import type { Carrier } from './carrier.ts'
import { type LinkEnds, LinkPinger } from './link-pinger.ts'
import { type LinkProbeResult, type ProbeTiming, probeLink } from './link-probe.ts'

/** How long the search for the path's MTU may take before the link is probed as it is, in ms. */
const MTU_PATIENCE_MS = 10_000

export interface Ipv6LinkCheckOptions {
  policy: LinkProbe
  carrier: Pick<Carrier, 'mtu' | 'mtuSettled' | 'encapsulation'>
  /** An IPv6 address that the tunnel carries; undefined while it has none. */
  address(): IpAddress | undefined
  /** Between which addresses the pings go. */
  ends(address: IpAddress): LinkEnds
  /** Sends a packet of our own through the tunnel. */
  send(packet: Uint8Array): Drop | undefined
  timing?: ProbeTiming
  /** Packets that came out of the tunnel so far. */
  heard(): number
  onResult?(result: LinkProbeResult): void
  /** Ends the tunnel. */
  abort(why: string): void
  onError(error: unknown): void
}

export class Ipv6LinkCheck {
  readonly #options: Ipv6LinkCheckOptions
  readonly #pinger: LinkPinger
  /** What the last probe has shown. */
  #passed: { address: IpAddress; mtu: number } | undefined
  #probing = false
  #stopped = false
  #patience: NodeJS.Timeout | undefined

  constructor(options: Ipv6LinkCheckOptions) {
    this.#options = options
    this.#pinger = new LinkPinger(options.send)
  }

  /** Call it when addresses were assigned and when the MTU has changed. May end the tunnel at once. */
  check(): void {
    const { policy, carrier, abort } = this.#options
    const address = this.#options.address()
    // On streams every size fits.
    if (this.#stopped || policy === 'off' || address === undefined || carrier.encapsulation !== 'datagram') return
    if (!carrier.mtuSettled) return this.#wait(address)
    if (carrier.mtu < IPV6_MINIMUM_MTU) {
      return abort(`its MTU is ${carrier.mtu}, because of the path or of quic.max_udp_payload at one of its ends`)
    }
    this.#probe(address)
  }

  /** Takes a packet out of the tunnel; true when it answers one of the pings, and is for nobody else. */
  receive(packet: Uint8Array): boolean {
    return this.#pinger.receive(packet)
  }

  /** The tunnel has ended. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#patience)
    this.#pinger.close()
  }

  #wait(address: IpAddress): void {
    if (this.#passed !== undefined) return
    this.#patience ??= setTimeout(() => this.#probe(address), MTU_PATIENCE_MS).unref()
  }

  #probe(address: IpAddress): void {
    const { mtu } = this.#options.carrier
    const known = this.#passed?.address.equals(address) === true && mtu >= this.#passed.mtu
    if (this.#probing || this.#stopped || known) return
    this.#probing = true
    clearTimeout(this.#patience)
    this.#judge(address, mtu).catch(error => this.#options.onError(error))
  }

  async #judge(address: IpAddress, mtu: number): Promise<void> {
    const { policy, heard, abort, timing } = this.#options
    const ends = this.#options.ends(address)
    const ping = (size: number, timeoutMs: number): Promise<boolean> => this.#pinger.ping(ends, size, timeoutMs)
    const isGone = (): boolean => this.#options.address()?.equals(address) !== true
    const result = await probeLink(ping, { ...timing, stopped: () => this.#stopped || isGone(), heard })
    this.#probing = false
    if (this.#stopped) return
    // A client that comes back gets the address that it had in place of the first one. Nobody answers there, which says nothing about the link.
    if (isGone()) return this.check()
    this.#options.onResult?.(result)
    if (result === 'ok') this.#passed = { address, mtu }
    else if (result === 'too-small') return abort('only smaller pings are answered')
    else if (policy === 'require') {
      return abort(`no ping to ${ends.target} of that size was answered (tunnel.link_probe = "auto" tolerates that)`)
    }
    // What has changed meanwhile, if anything.
    if (this.#options.carrier.mtu !== mtu) this.check()
  }
}

/**
 * A peer that ends the tunnel for this rule has only an error code to say so (RFC 9000 §19.4). What can be seen from here, to
 * stand behind that: nothing, unless the tunnel carries IPv6 and its MTU is too small here, too.
 */
export function hintAtNarrowLink(carrier: Ipv6LinkCheckOptions['carrier'] | undefined, hasIpv6: boolean): string {
  if (carrier === undefined || !hasIpv6 || carrier.encapsulation !== 'datagram') return ''
  if (carrier.mtu >= IPV6_MINIMUM_MTU) return ''
  const known = carrier.mtuSettled ? 'its MTU was' : 'its MTU was, as far as it was known,'
  return `; ${known} ${carrier.mtu} bytes, and a tunnel that carries IPv6 has to have ${IPV6_MINIMUM_MTU} (RFC 9484 §7.2)`
}

/** What the end of a tunnel that is too narrow for IPv6 is called. */
export function narrowLink(why: string): string {
  return `the tunnel does not carry ${IPV6_MINIMUM_MTU} bytes: ${why}`
}

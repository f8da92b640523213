/**
 * A host that is the operating system itself: what comes out of the tunnel goes into a TUN device, and what the system's programs send to
 * the routes on that device goes into the tunnel.
 *
 *     tunnel --> receive --> device --> the system's IP stack --> curl, ssh, ...
 *     tunnel <--  send   <-- device <-- the system's IP stack <-- curl, ssh, ...
 */

import { IpAddress, type IpVersion } from '../../ip/address.ts'
import { DESTINATION_OFFSET, packetVersion, SOURCE_OFFSET, validatePacket } from '../../ip/packet.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Host, HostConfiguration } from '../host.ts'
import type { InterfaceAddress, TunDevice } from './device.ts'
import { type DnsSettings, planDns } from './dns-plan.ts'
import { TunError } from './errors.ts'
import { MAX_ROUTES, type Outside, planRoutes } from './route-plan.ts'
import type { SystemDns } from './system-dns.ts'

/** For each of these, programs of the system run or files are written: a proxy must not cause any number of them. */
const MAX_DNS_CHANGES = 16

/** How long until one looks whether the tunnel has room again, in ms, and how many times. */
const LOOK_MS = 1
const MAX_LOOKS = 100

export interface TunHostOptions {
  /** A sentence about something that could not be done, or a device that is gone. Each is told once, as long as it holds. */
  readonly onProblem?: (sentence: string) => void
  /** The device is gone, and nothing brings it back; default: a problem like others. */
  readonly onGone?: (sentence: string) => void
  /** How many bits of an address name the network on the device; default all: nobody else is on the link. */
  readonly prefixLength?: (address: IpAddress) => number
  /** Gives the system the DNS servers that are told of; default: it asks whom it has asked before. */
  readonly dns?: SystemDns
  /** For tests. */
  readonly clock?: Clock
}

export interface TunHostCounters {
  /** Packets out of the tunnel, whatever became of them. */
  received: number
  /** Packets into the tunnel. */
  sent: number
  /**
   * Out of the tunnel, and not given to the system, by reason: `malformed` (no IP packet, or not as long as it says), and what the device says:
   * `full`, `down`, `gone`, `too-large`, `refused`, `closed`.
   */
  readonly refused: Record<string, number>
  /**
   * From the system, and not sent into the tunnel, by reason: `malformed`, `link-only` (for this link alone, such as multicast), and what the device
   * says of its own headers: `truncated`, `offload`.
   */
  readonly dropped: Record<string, number>
}

export class TunHost implements Host {
  send: (packet: Uint8Array, forwarded?: boolean) => void = () => {}
  hasRoom: (() => boolean) | undefined
  readonly device: TunDevice
  readonly counters: TunHostCounters = { received: 0, sent: 0, refused: {}, dropped: {} }
  readonly #options: TunHostOptions
  #addresses: readonly IpAddress[] = []
  #told = new Set<string>()
  #isFlushDue = false
  #isClosed = false
  #isGone = false
  /** What it is to be: set anew when the system has lost it. */
  #configuration: HostConfiguration | undefined
  readonly #clock: Clock
  /** The device is not read until the tunnel has room. */
  #isPaused = false
  #looks = 0
  #nextLook: unknown
  /** It was waited for in vain, and is not again until there was room. */
  #isStuck = false
  #dnsSettings: DnsSettings | undefined
  /** Since the tunnel was down. */
  #dnsChanges = 0
  /** When the process ends and nobody has closed this. */
  readonly #atExit = (): void => void this.#options.dns?.restore()
  readonly #flush = (): void => {
    this.#isFlushDue = false
    this.#orClose(() => this.device.flush())
  }

  constructor(device: TunDevice, options: TunHostOptions = {}) {
    this.device = device
    this.#options = options
    this.#clock = options.clock ?? systemClock
    device.start({
      onPacket: packet => this.#fromSystem(packet),
      onFault: reason => this.#drop(reason),
      onRefused: (reason, packets) => this.#refuse(reason, packets),
      onGone: why => this.#gone(why),
      onUpDown: isUp => this.#upDown(isUp),
    })
  }

  /** Somebody has removed the device. */
  get isGone(): boolean {
    return this.#isGone
  }

  get addresses(): readonly IpAddress[] {
    return this.#addresses
  }

  receive(packet: Uint8Array): void {
    this.counters.received++
    if (packetVersion(packet) === 0 || validatePacket(packet) !== undefined) return this.#refuse('malformed', 1)
    const refused = this.device.write(packet)
    if (refused !== undefined) return this.#refuse(refused, 1)
    if (this.#isFlushDue) return
    // When all packets of this turn are there. Before anything else happens, so nothing waits for it.
    this.#isFlushDue = true
    queueMicrotask(this.#flush)
  }

  /** Sets addresses, routes and MTU of the device; nothing is touched that is right already. */
  configure(configuration: HostConfiguration): void {
    if (this.#isClosed) return
    this.#configuration = configuration
    const { addresses, routes, mtu, outside = [] } = configuration
    this.#addresses = [...addresses]
    const plan = planRoutes(routes, this.#outside(outside))
    const problems = this.device.configure({
      addresses: addresses.map(address => this.#onDevice(address)),
      routes: plan.routes,
      mtu: mtu > 0 ? mtu : undefined,
    })
    if (plan.isCut) {
      problems.push(
        `${this.device.name}: more than ${MAX_ROUTES} routes would be needed: the first ${MAX_ROUTES} are set`,
      )
    }
    if (this.#options.dns !== undefined) problems.push(...this.#configureDns(configuration, this.#options.dns))
    this.#tell(problems)
  }

  /** Whom the system asks for names because of us; undefined: whom it has asked before. */
  get dnsSettings(): DnsSettings | undefined {
    return this.#dnsSettings
  }

  close(): void {
    this.closed().catch(() => {})
  }

  /** Closes, and resolves when the device is gone, or given back. */
  async closed(): Promise<void> {
    this.#isClosed = true
    this.#clock.clearTimeout(this.#nextLook)
    // While the device is still there: some systems want to know of which they are to forget the servers.
    this.#tell(this.#restoreDns())
    return this.device.close()
  }

  /** Returns sentences about what is not used, and what could not be set. */
  #configureDns({ dns = [], routes, outside = [] }: HostConfiguration, system: SystemDns): string[] {
    const isInside = (address: IpAddress): boolean =>
      routes.some(range => range.contains(address)) && !outside.some(other => other.equals(address))
    const { settings, leftOut } = planDns(dns, system.abilities, isInside)
    if (routes.length === 0) this.#dnsChanges = 0
    const isSame = JSON.stringify(settings, textOf) === JSON.stringify(this.#dnsSettings, textOf)
    if (isSame) return [...leftOut]
    const problems = this.#restoreDns()
    if (settings === undefined) return [...leftOut, ...problems]
    if (++this.#dnsChanges > MAX_DNS_CHANGES) {
      return [
        ...leftOut,
        ...problems,
        `the proxy has changed its DNS servers more than ${MAX_DNS_CHANGES} times: none is used`,
      ]
    }
    try {
      system.set(settings)
      this.#dnsSettings = settings
      process.on('exit', this.#atExit)
    } catch (error) {
      if (!(error instanceof TunError)) throw error
      problems.push(`DNS stays as it was: ${error.message}`)
    }
    return [...leftOut, ...problems]
  }

  #restoreDns(): string[] {
    if (this.#dnsSettings === undefined) return []
    process.off('exit', this.#atExit)
    this.#dnsSettings = undefined
    return this.#options.dns?.restore() ?? []
  }

  #onDevice(address: IpAddress): InterfaceAddress {
    return { address, length: this.#options.prefixLength?.(address) ?? address.bytes.length * 8 }
  }

  /** The proxy's address, and the local network that it is in, if it is in one. */
  #outside(addresses: readonly IpAddress[]): Outside[] {
    return addresses.map(address => {
      const route = this.device.routeTo(address)
      const isNetwork = route !== undefined && !route.isOurs && route.prefix.length > 0 && !route.prefix.isSingle
      return { address, network: isNetwork ? route.prefix : undefined }
    })
  }

  #fromSystem(packet: Uint8Array): void {
    const version = packetVersion(packet)
    if (version === 0 || validatePacket(packet) !== undefined) return this.#drop('malformed')
    if (isLinkOnly(version, packet)) return this.#drop('link-only')
    this.counters.sent++
    this.send(packet, !this.#isOwnSource(version, packet))
    if (this.hasRoom === undefined) return
    if (this.hasRoom()) this.#isStuck = false
    else this.#pause()
  }

  /**
   * While the tunnel is full the device is not read. Packets then wait in the system's own queue, and what is too much for that is dropped there, where
   * TCP hears of it at once. But not for ever: what waits for a tunnel through which nothing goes is only old.
   */
  #pause(): void {
    if (this.#isPaused || this.#isStuck || this.#isClosed || this.device.pause === undefined) return
    this.device.pause()
    this.#isPaused = true
    this.#looks = 0
    this.#nextLook = this.#clock.setTimeout(this.#look, LOOK_MS)
  }

  readonly #look = (): void => this.#orClose(() => this.#lookForRoom())

  #lookForRoom(): void {
    const isFull = this.hasRoom?.() === false
    if (isFull && ++this.#looks < MAX_LOOKS) {
      this.#nextLook = this.#clock.setTimeout(this.#look, LOOK_MS)
      return
    }
    this.#isStuck = isFull
    this.#isPaused = false
    this.device.resume?.()
  }

  /** What the system made itself is not forwarded (RFC 9484 §7.2); what it forwards for others comes from another address. */
  #isOwnSource(version: IpVersion, packet: Uint8Array): boolean {
    const offset = SOURCE_OFFSET[version]
    return this.#addresses.some(address => {
      if (address.version !== version) return false
      for (let i = 0; i < address.bytes.length; i++) if (packet[offset + i] !== address.bytes[i]) return false
      return true
    })
  }

  #gone(why: string): void {
    this.#isGone = true
    if (this.#options.onGone === undefined) this.#tell([why])
    else this.#options.onGone(why)
  }

  #upDown(isUp: boolean): void {
    const { name } = this.device
    if (isUp && this.#configuration !== undefined) this.configure(this.#configuration)
    if (isUp) return
    const todo = `ip link set ${name} up brings all of it back`
    this.#tell([`${name} was taken down: its packets leave outside of the tunnel, or not at all; ${todo}`])
  }

  #tell(problems: readonly string[]): void {
    for (const problem of problems) if (!this.#told.has(problem)) this.#options.onProblem?.(problem)
    this.#told = new Set(problems)
  }

  /** Nobody is above a microtask or a timer: what fails in there, by a bug of ours, ends the device, and not the process. */
  #orClose(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.closed().catch(() => {})
      this.#tell([`the TUN device was closed because of an internal error: ${(error as Error).message}`])
    }
  }

  #refuse(reason: string, packets: number): void {
    this.counters.refused[reason] = (this.counters.refused[reason] ?? 0) + packets
  }

  #drop(reason: string): void {
    this.counters.dropped[reason] = (this.counters.dropped[reason] ?? 0) + 1
  }
}

/** Addresses as people write them. */
function textOf(_key: string, value: unknown): unknown {
  return value instanceof IpAddress ? String(value) : value
}

/**
 * Multicast, link-local, or from nobody: what a system says to the link on which it has come up. Counted here, and not as something that the
 * tunnel has refused.
 */
function isLinkOnly(version: IpVersion, packet: Uint8Array): boolean {
  const source = SOURCE_OFFSET[version]
  const destination = DESTINATION_OFFSET[version]
  if (version === 4) return packet[destination] >= 224 || packet[source] === 0
  return packet[destination] === 0xff || isLinkLocalV6(packet, destination) || isLinkLocalV6(packet, source)
}

function isLinkLocalV6(packet: Uint8Array, offset: number): boolean {
  return packet[offset] === 0xfe && (packet[offset + 1] & 0xc0) === 0x80
}

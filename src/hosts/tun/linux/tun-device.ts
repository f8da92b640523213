/**
 * A TUN device of Linux (Documentation/networking/tuntap.rst): opened through /dev/net/tun, set up through a routing socket, read after one
 * poll for all devices of the process.
 *
 * One that is not persistent is gone when its descriptor is closed, in whichever way the process ends, and its addresses and routes
 * with it. Nothing has to be tidied up, and nothing can be forgotten. One that is persistent is given back as it was found.
 */

import { userInfo } from 'node:os'
import type { IpAddress } from '../../../ip/address.ts'
import { IPV6_MINIMUM_MTU } from '../../../ip/ipv6.ts'
import type { IpPrefix } from '../../../ip/prefix.ts'
import type { Watch } from '../../../net/readiness.ts'
import {
  type DeviceEvents,
  differences,
  type InterfaceAddress,
  type InterfaceSettings,
  type TunDevice,
} from '../device.ts'
import { errnoName, TunError, tellProblems } from '../errors.ts'
import { Coalescer, OFFLOAD_HEADER, splitFrame } from '../offload.ts'
import { readDeviceState } from './device-state.ts'
import { HostChanges, undoLeftovers } from './host-changes.ts'
import type { LinkMonitor } from './link-monitor.ts'
import type { LinkState, Routes } from './route-socket.ts'
import { type LinuxSystem, linuxSystem } from './system.ts'

const CLONE_DEVICE = '/dev/net/tun'

// <linux/if_tun.h>
const TUNSETIFF = 0x400454ca
const IFF_TUN = 0x0001
const IFF_NO_PI = 0x1000
const IFF_MULTI_QUEUE = 0x0100
const IFF_VNET_HDR = 0x4000
const TUNSETOFFLOAD = 0x400454d0
/** TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN */
const OFFLOAD_TCP = 0x0f
/** TUN_F_USO4, TUN_F_USO6: since Linux 6.2 */
const OFFLOAD_UDP = 0x60
const IFREQ_SIZE = 40
/** IFNAMSIZ, without the zero at the end. */
const MAX_NAME = 15

const EPERM = 1
const EINTR = 4
const EIO = 5
const EAGAIN = 11
const ENOMEM = 12
const EBUSY = 16
const ENODEV = 19
const EINVAL = 22
const EBADFD = 77
const ENOBUFS = 105

const MAX_PACKET = 65_535
/** Packets that are read in one turn of the event loop; then connections have theirs. */
const PACKETS_PER_TURN = 128

export interface LinuxTunOptions {
  /**
   * Name of the interface, at most 15 letters, digits, `-`, `_` and `.`, or a pattern such as `masque%d`, of which the kernel makes the first free name. One that exists
   * must be a TUN device that nobody else has attached to.
   */
  readonly name: string
  /** Many packets in one read and one write (see offload.ts); default false. */
  readonly offload?: boolean
}

interface OpenDevice {
  readonly system: LinuxSystem
  readonly fd: number
  readonly routes: Routes
  readonly state: LinkState
  readonly changes: HostChanges | undefined
  readonly offload: boolean
  readonly joinsUdp: boolean
}

export class LinuxTunDevice implements TunDevice {
  readonly name: string
  readonly index: number
  readonly #fd: number
  readonly #system: LinuxSystem
  readonly #routes: Routes
  /** Of a persistent device; undefined: nothing of it stays, or may be changed. */
  readonly #changes: HostChanges | undefined
  readonly #buffer = Buffer.allocUnsafeSlow(OFFLOAD_HEADER + MAX_PACKET)
  /** Undefined: each packet is read and written as it is. */
  readonly #coalescer: Coalescer | undefined
  readonly #segment = Buffer.allocUnsafeSlow(MAX_PACKET)
  /** Room for an empty header and one packet. */
  readonly #alone = Buffer.alloc(OFFLOAD_HEADER + MAX_PACKET)
  #watch: Watch | undefined
  #monitor: Pick<LinkMonitor, 'close'> | undefined
  #isPaused = false
  #events: DeviceEvents | undefined
  #closed: Promise<void> | undefined

  /** Makes the device, or attaches to one that exists; it is up then. Throws TunError, with nothing left open. */
  static open({ name, offload = false }: LinuxTunOptions, system: LinuxSystem = linuxSystem()): LinuxTunDevice {
    checkName(name)
    const routes = system.openRoutes()
    let fd = -1
    let changes: HostChanges | undefined
    try {
      const existing = name.includes('%') ? undefined : routes.link(name)
      checkExisting(name, existing)
      changes = existing && remember(system, routes, existing)
      // Before the kernel sees a link, on which it would begin to look for routers.
      if (existing !== undefined) system.settle(name)
      fd = openCloneDevice(system)
      const attached = attach(system, fd, name, existing, offload)
      const joinsUdp = offload && startOffload(system, fd)
      const state = routes.link(attached)
      if (state === undefined) throw new TunError('system', `${attached} was made and is gone again: try once more`)
      routes.stopLinkLocal(state.index)
      system.settle(attached)
      if (!state.isUp) bringUp(routes, state)
      return new LinuxTunDevice({ system, fd, routes, state, changes, offload, joinsUdp })
    } catch (error) {
      if (fd !== -1) system.close(fd)
      changes?.undo()
      routes.close()
      throw error
    }
  }

  private constructor({ system, fd, routes, state, changes, offload, joinsUdp }: OpenDevice) {
    this.name = state.name
    this.index = state.index
    this.#fd = fd
    this.#system = system
    this.#routes = routes
    this.#changes = changes
    this.#coalescer = offload
      ? new Coalescer((frame, packets) => this.#writeFrame(frame, packets), joinsUdp)
      : undefined
  }

  start(events: DeviceEvents): void {
    this.#events = events
    this.#watch = this.#system.watchReadable(this.#fd, {
      onReadable: () => this.#read(events),
      onError: error => events.onGone(`${this.name} cannot be read: ${(error as Error).message}`),
    })
    this.#monitor = this.#system.watchLink(this.index, {
      onChange: isUp => events.onUpDown?.(isUp),
      isUpNow: () => this.#isUp(),
    })
  }

  pause(): void {
    this.#isPaused = true
    this.#watch?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#watch?.resume()
  }

  write(packet: Uint8Array): string | undefined {
    if (this.#closed !== undefined) return 'closed'
    if (packet.length > MAX_PACKET) return 'too-large'
    if (this.#coalescer === undefined) return this.#writeNow(packet)
    this.#coalescer.add(packet)
    return undefined
  }

  flush(): void {
    if (this.#closed === undefined) this.#coalescer?.flush()
  }

  #writeFrame(frame: Uint8Array, packets: number): void {
    const refused = this.#writeNow(frame)
    if (refused === undefined) return
    if (packets === 1 || refused !== 'malformed') return this.#events?.onRefused(refused, packets)
    // Not because of what is in them, perhaps, but of how they are joined: that is worth a second attempt, one by one.
    splitFrame(frame, this.#alone.subarray(OFFLOAD_HEADER), ({ length }) => {
      const again = this.#writeNow(this.#alone.subarray(0, OFFLOAD_HEADER + length))
      if (again !== undefined) this.#events?.onRefused(again, 1)
    })
  }

  #writeNow(packet: Uint8Array): string | undefined {
    if (this.#system.write(this.#fd, packet, packet.length) === packet.length) return undefined
    switch (this.#system.errno()) {
      case EINVAL:
        return 'malformed'
      case EAGAIN:
      case ENOBUFS:
      case ENOMEM:
        return 'full'
      case EIO:
        return 'down'
      case EBADFD:
      case ENODEV:
        return 'gone'
      default:
        return 'refused'
    }
  }

  configure({ addresses, routes, mtu }: InterfaceSettings): string[] {
    if (this.#closed !== undefined) return []
    const problems: TunError[] = []
    const attempt = (step: () => void): void => {
      try {
        step()
      } catch (error) {
        if (!(error instanceof TunError)) throw error
        problems.push(error)
      }
    }
    // First, as no IPv6 address can be on a link of less than 1280 bytes.
    attempt(() => this.#setMtu(mtu))
    attempt(() => {
      const all = this.#routes.addresses()
      const ours = all.filter(({ index }) => index === this.index)
      const { remove, add } = differences(ours, this.#possible(addresses), addressKey)
      for (const entry of remove) attempt(() => this.#routes.removeAddress(this.index, entry))
      for (const entry of add) {
        const other = all.find(({ address, index }) => index !== this.index && address.equals(entry.address))
        if (other === undefined) attempt(() => this.#routes.addAddress(this.index, entry))
        else problems.push(this.#taken(entry.address, other.index))
      }
    })
    attempt(() => {
      const { remove, add } = differences(this.#routes.routes(this.index), this.#possible(routes), String)
      for (const prefix of remove) attempt(() => this.#routes.removeRoute(this.index, prefix))
      for (const prefix of add) attempt(() => this.#routes.addRoute(this.index, prefix))
    })
    return tellProblems(this.name, problems)
  }

  routeTo(address: IpAddress): { readonly prefix: IpPrefix; readonly isOurs: boolean } | undefined {
    try {
      const route = this.#routes.routeTo(address)
      return route === undefined ? undefined : { prefix: route.prefix, isOurs: route.index === this.index }
    } catch (error) {
      if (!(error instanceof TunError)) throw error
      return undefined
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#watch?.close()
    await this.#monitor?.close()
    this.#system.close(this.#fd)
    this.#routes.close()
    // What could not be put back stays written down, for doctor.
    this.#changes?.undo()
  }

  #read(events: DeviceEvents): void {
    for (let i = 0; i < PACKETS_PER_TURN; i++) {
      const length = this.#system.read(this.#fd, this.#buffer, this.#buffer.length)
      if (length <= 0) return this.#readFailed(length === 0 ? EBADFD : this.#system.errno(), events)
      const bytes = this.#buffer.subarray(0, length)
      if (this.#coalescer === undefined) events.onPacket(bytes)
      else this.#split(bytes, events)
      if (this.#closed !== undefined || this.#isPaused) return
    }
  }

  #split(frame: Uint8Array, events: DeviceEvents): void {
    const fault = splitFrame(frame, this.#segment, packet => events.onPacket(packet))
    if (fault !== undefined) events.onFault(fault)
  }

  #readFailed(errno: number, events: DeviceEvents): void {
    if ([EAGAIN, EINTR, ENOBUFS, ENOMEM].includes(errno)) return
    // Poll would say the same again and again.
    void this.#watch?.close()
    const isRemoved = errno === EBADFD || errno === ENODEV
    const why = isRemoved ? 'somebody has removed it' : `it cannot be read (${errnoName(errno)})`
    events.onGone(`the TUN device ${this.name} is gone: ${why}`)
  }

  #isUp(): boolean {
    try {
      return this.#routes.link(this.index)?.isUp === true
    } catch (error) {
      if (!(error instanceof TunError)) throw error
      return false
    }
  }

  #setMtu(mtu: number | undefined): void {
    if (mtu === undefined) return
    const wanted = Math.min(mtu, MAX_PACKET)
    if (this.#routes.link(this.index)?.mtu !== wanted) this.#routes.setLink(this.index, { mtu: wanted })
  }

  /** Where the link is too narrow for IPv6 (RFC 8200 §5), what is of IPv6 waits until it no longer is. */
  #possible<T extends InterfaceAddress | IpPrefix>(items: readonly T[]): readonly T[] {
    const mtu = this.#routes.link(this.index)?.mtu ?? 0
    return mtu >= IPV6_MINIMUM_MTU ? items : items.filter(({ address }) => address.version === 4)
  }

  #taken(address: IpAddress, index: number): TunError {
    const other = this.#routes.link(index)?.name ?? `interface ${index}`
    const todo = 'remove it there, or have the proxy assign another'
    return new TunError('taken', `${address} is an address of ${other} already: ${todo}`)
  }
}

function addressKey({ address, length }: InterfaceAddress): string {
  return `${address}/${length}`
}

function checkName(name: string): void {
  const isPattern = /^[^%]*%d[^%]*$/.test(name)
  const fits = name.length > 0 && Buffer.byteLength(name) <= MAX_NAME
  // The kernel takes nearly anything. These characters have no other meaning in nftables, iptables, shells and names of files.
  const isPlain = /^(?!-|\.{1,2}$)[\w.-]+$/.test(isPattern ? name.replace('%d', '0') : name)
  if (fits && isPlain) return
  const length = fits ? '' : `, which has ${Buffer.byteLength(name)} bytes`
  const expected = 'expected 1 to 15 letters, digits, -, _ and ., or a pattern such as masque%d'
  throw new TunError('name', `'${name}'${length} cannot be the name of an interface: ${expected}`)
}

function checkExisting(name: string, link: LinkState | undefined): void {
  if (link === undefined) return
  if (link.tun === undefined || link.tun.isTap) {
    const kind = link.tun === undefined ? 'no TUN device' : 'a TAP device, which carries Ethernet frames'
    throw new TunError('busy', `an interface ${name} exists and is ${kind}: choose another name`)
  }
  // A device with several queues takes one more, and then gives each process some of the flows: nobody has all of them.
  if (link.tun.queues > 0 || (!link.tun.isPersistent && !link.tun.isMultiQueue)) throw inUse(name)
}

/** A device that outlives us is to be as it was, even when we are killed. Without the rights to change it there is nothing to remember. */
function remember(system: LinuxSystem, routes: Routes, { name, index }: LinkState): HostChanges | undefined {
  if (!system.mayChangeNetwork()) return undefined
  undoLeftovers()
  const link = routes.link(index)
  if (link === undefined) return undefined
  const changes = new HostChanges(name, 'device')
  changes.device(readDeviceState(routes, link))
  return changes
}

function inUse(name: string): TunError {
  return new TunError(
    'busy',
    `the TUN device ${name} is in use by another process: end that one, or choose another name`,
  )
}

function openCloneDevice(system: LinuxSystem): number {
  try {
    return system.open(CLONE_DEVICE)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM') {
      const todo = 'run as root, or have somebody who may run: chmod 666 /dev/net/tun'
      throw new TunError('no-rights', `this user may not open ${CLONE_DEVICE} (${code}): ${todo}`)
    }
    const todo = 'load the module with modprobe tun, or give the container the device (--device /dev/net/tun)'
    throw new TunError(
      'no-device',
      `there are no TUN devices here, ${CLONE_DEVICE} cannot be opened (${code}): ${todo}`,
    )
  }
}

/** Returns the name that the device has. */
function attach(
  system: LinuxSystem,
  fd: number,
  name: string,
  existing: LinkState | undefined,
  offload: boolean,
): string {
  const request = Buffer.alloc(IFREQ_SIZE)
  request.write(name, 0, MAX_NAME)
  // A queue of its own where the device was made for several: the kernel wants that to agree.
  const queues = existing?.tun?.isMultiQueue === true ? IFF_MULTI_QUEUE : 0
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI | queues | (offload ? IFF_VNET_HDR : 0), 16)
  if (system.ioctl(fd, TUNSETIFF, request) === 0) {
    return request.toString('utf8', 0, request.indexOf(0))
  }
  throw attachError(system.errno(), name, existing)
}

/** Tells the kernel what it may leave to us. Returns whether that includes large UDP packets. */
function startOffload(system: LinuxSystem, fd: number): boolean {
  if (system.ioctlNumber(fd, TUNSETOFFLOAD, OFFLOAD_TCP | OFFLOAD_UDP) === 0) return true
  // An older kernel. One that takes not even this sends packets as they are, with an empty header in front.
  system.ioctlNumber(fd, TUNSETOFFLOAD, OFFLOAD_TCP)
  return false
}

function attachError(errno: number, name: string, existing: LinkState | undefined): TunError {
  switch (errno) {
    case EPERM:
      if (existing === undefined) {
        // A pattern is nothing for others.
        const made = name.replace('%d', '0')
        const command = `ip tuntap add ${made} mode tun user ${userInfo().username} && ip link set ${made} up`
        const todo = `run as root, or have somebody who may run: ${command}; and say --tun ${made}`
        return new TunError('no-rights', `this user may not make the TUN device ${name} (EPERM): ${todo}`)
      }
      return new TunError(
        'no-rights',
        `the TUN device ${name} is ${ownerOf(existing)}: choose another, or have it given to you`,
      )
    case EBUSY:
      return inUse(name)
    default:
      return new TunError('system', `the TUN device ${name} was refused (${errnoName(errno)}): choose another name`)
  }
}

function ownerOf({ tun }: LinkState): string {
  return tun?.owner === undefined
    ? 'for root alone'
    : `for the user with id ${tun.owner}, and this one has ${process.getuid?.()}`
}

/** A user without rights attaches to a device that somebody else has brought up. */
function bringUp(routes: Routes, { index, name }: LinkState): void {
  try {
    routes.setLink(index, { up: true })
  } catch (error) {
    if (!(error instanceof TunError) || error.kind !== 'no-rights') throw error
    throw new TunError(
      'no-rights',
      `${name} is down, and this user may not change that: have somebody run ip link set ${name} up`,
    )
  }
}

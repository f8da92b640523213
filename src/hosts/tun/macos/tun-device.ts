/**
 * A TUN device of macOS: a socket of the kernel control `com.apple.net.utun_control` (<sys/kern_control.h>, <net/if_utun.h>).
 *
 *     socket(PF_SYSTEM) --> ioctl(CTLIOCGINFO): the control's id --> connect(id, unit): utun(unit - 1) is there
 *
 * It is gone when its socket is closed, in whichever way the process ends, and its addresses and routes with it.
 *
 * Built from the headers and manual pages of macOS, and tested against a fake that does as they say. It has never run on a Mac.
 */

import type { IpAddress } from '../../../ip/address.ts'
import { IpPrefix } from '../../../ip/prefix.ts'
import type { Watch } from '../../../net/readiness.ts'
import type { DeviceEvents, InterfaceAddress, InterfaceSettings, TunDevice } from '../device.ts'
import { errnoName, TunError } from '../errors.ts'
import { type LocalAddress, OwnSettings, type SettingChanges } from '../own-settings.ts'
import { FAMILY_HEADER, frame, unframe } from './framing.ts'
import { type MacosSystem, macosSystem } from './system.ts'

const CONTROL_NAME = 'com.apple.net.utun_control'

// <sys/socket.h>, <sys/sys_domain.h>, <sys/kern_control.h>, <net/if_utun.h>
const PF_SYSTEM = 32
const SOCK_DGRAM = 2
const SYSPROTO_CONTROL = 2
const AF_SYS_CONTROL = 2
const CTLIOCGINFO = 0xc0644e03
/** struct ctl_info: a 32-bit id, a name of 96 bytes. */
const CTL_INFO_SIZE = 100
/** struct sockaddr_ctl */
const SOCKADDR_CTL_SIZE = 32
const UTUN_OPT_IFNAME = 2
/** IFNAMSIZ */
const NAME_SIZE = 16

// <fcntl.h>
const F_SETFD = 2
const F_SETFL = 4
const FD_CLOEXEC = 1
const O_NONBLOCK = 4

// <errno.h> of macOS: some are other numbers than on Linux.
const EPERM = 1
const ENOENT = 2
const EINTR = 4
const ENXIO = 6
const EACCES = 13
const EBUSY = 16
const EINVAL = 22
const EAGAIN = 35
const EMSGSIZE = 40
const EAFNOSUPPORT = 47
const ENETDOWN = 50
const ENOBUFS = 55
const ENOTCONN = 57

const MAX_PACKET = 65_535
/** Packets that are read in one turn of the event loop; then connections have theirs. */
const PACKETS_PER_TURN = 128

export class MacosTunDevice implements TunDevice {
  readonly name: string
  readonly index: number
  readonly #fd: number
  readonly #system: MacosSystem
  readonly #settings: OwnSettings
  readonly #readBuffer = Buffer.allocUnsafeSlow(FAMILY_HEADER + MAX_PACKET)
  readonly #writeBuffer = Buffer.allocUnsafeSlow(FAMILY_HEADER + MAX_PACKET)
  #watch: Watch | undefined
  #isPaused = false
  #closed: Promise<void> | undefined

  /**
   * Makes the device; it is up then. `name`: utun0, utun1 and so on, or a pattern with %d: the first free one, as macOS gives no other
   * names. Throws TunError, with nothing left open.
   */
  static open({ name }: { name: string }, library?: MacosSystem): MacosTunDevice {
    const unit = unitOf(name)
    const system = library ?? macosSystem()
    const fd = system.socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL)
    if (fd < 0) throw refused('a socket for it', name, system)
    try {
      connect(fd, unit, name, system)
      if (system.fcntl(fd, F_SETFL, O_NONBLOCK) < 0) throw refused('reading without waiting', name, system)
      system.fcntl(fd, F_SETFD, FD_CLOEXEC)
      const given = nameOf(fd, system)
      const index = system.ifNameToIndex(given)
      system.run('ifconfig', [given, 'up'])
      return new MacosTunDevice(fd, given, index, system)
    } catch (error) {
      system.close(fd)
      throw error
    }
  }

  private constructor(fd: number, name: string, index: number, system: MacosSystem) {
    this.#fd = fd
    this.name = name
    this.index = index
    this.#system = system
    this.#settings = new OwnSettings(name, changesOf(name, system))
  }

  start(events: DeviceEvents): void {
    this.#watch = this.#system.watchReadable(this.#fd, {
      onReadable: () => this.#read(events),
      onError: error => events.onGone(`${this.name} cannot be read: ${(error as Error).message}`),
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
    const length = frame(packet, this.#writeBuffer)
    if (length === 0) return 'malformed'
    if (this.#system.write(this.#fd, this.#writeBuffer, length) === length) return undefined
    switch (this.#system.errno()) {
      case EAGAIN:
      case ENOBUFS:
        return 'full'
      case EMSGSIZE:
        return 'too-large'
      case EINVAL:
      case EAFNOSUPPORT:
        return 'malformed'
      case ENETDOWN:
        return 'down'
      case ENXIO:
      case ENOTCONN:
        return 'gone'
      default:
        return 'refused'
    }
  }

  /** Each packet is handed over at once. */
  flush(): void {}

  configure(settings: InterfaceSettings): string[] {
    if (this.#closed !== undefined) return []
    return this.#settings.apply(settings, this.#others())
  }

  /**
   * Only the networks that the machine itself is in are looked at: those are what has to stay outside of the tunnel with the proxy. For a single
   * neighbour, macOS has routes of their own, which `route get` would show instead.
   */
  routeTo(address: IpAddress): { readonly prefix: IpPrefix; readonly isOurs: boolean } | undefined {
    const prefixes = this.#others().map(({ address, length }) => IpPrefix.containing(address, length))
    const [prefix] = prefixes.filter(prefix => prefix.contains(address)).sort((a, b) => b.length - a.length)
    return prefix && { prefix, isOurs: false }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#watch?.close()
    this.#system.close(this.#fd)
  }

  #others(): LocalAddress[] {
    return this.#system.localAddresses().filter(({ on }) => on !== this.name)
  }

  #read(events: DeviceEvents): void {
    for (let i = 0; i < PACKETS_PER_TURN; i++) {
      const length = this.#system.read(this.#fd, this.#readBuffer, this.#readBuffer.length)
      if (length <= 0) return this.#readFailed(length === 0 ? ENOTCONN : this.#system.errno(), events)
      const packet = unframe(this.#readBuffer.subarray(0, length))
      if (typeof packet === 'string') events.onFault(packet)
      else events.onPacket(packet)
      if (this.#closed !== undefined || this.#isPaused) return
    }
  }

  #readFailed(errno: number, events: DeviceEvents): void {
    if ([EAGAIN, EINTR, ENOBUFS].includes(errno)) return
    // Poll would say the same again and again.
    void this.#watch?.close()
    const isRemoved = errno === ENOTCONN || errno === ENXIO
    const why = isRemoved ? 'the system has removed it' : `it cannot be read (${errnoName(errno)})`
    events.onGone(`the TUN device ${this.name} is gone: ${why}`)
  }
}

/** The number in the control's address: 0 for the first free one, else one more than that in the name. */
function unitOf(name: string): number {
  if (/^[^%]*%d[^%]*$/.test(name)) return 0
  const number = /^utun(0|[1-9]\d{0,3})$/.exec(name)?.[1]
  if (number !== undefined) return Number(number) + 1
  const expected = 'expected utun0, utun1 and so on, or utun%d for the first that is free'
  throw new TunError('name', `'${name}' cannot be the name of a TUN device of macOS: ${expected}`)
}

function connect(fd: number, unit: number, name: string, system: MacosSystem): void {
  const info = Buffer.alloc(CTL_INFO_SIZE)
  info.write(CONTROL_NAME, 4)
  if (system.ioctl(fd, CTLIOCGINFO, info) < 0) {
    if (system.errno() !== ENOENT) throw refused(CONTROL_NAME, name, system)
    throw new TunError('no-device', `there are no TUN devices here: this system has no ${CONTROL_NAME}`)
  }
  const address = Buffer.alloc(SOCKADDR_CTL_SIZE)
  address.writeUInt8(SOCKADDR_CTL_SIZE, 0)
  address.writeUInt8(PF_SYSTEM, 1)
  address.writeUInt16LE(AF_SYS_CONTROL, 2)
  info.copy(address, 4, 0, 4)
  address.writeUInt32LE(unit, 8)
  if (system.connect(fd, address, address.length) < 0) throw refused('making it', name, system)
}

function nameOf(fd: number, system: MacosSystem): string {
  const value = Buffer.alloc(NAME_SIZE)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(NAME_SIZE)
  if (system.getsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_IFNAME, value, length) < 0) {
    throw refused('its name', 'that was made', system)
  }
  return value.toString('latin1').split('\0')[0]
}

function refused(what: string, name: string, system: MacosSystem): TunError {
  const errno = system.errno()
  if (errno === EPERM || errno === EACCES) {
    const why = errnoName(errno)
    return new TunError('no-rights', `this user may not make the TUN device ${name} (${why}): run as root, with sudo`)
  }
  if (errno === EBUSY) {
    return new TunError('busy', `the TUN device ${name} is in use by another process: choose another name, or utun%d`)
  }
  const todo = 'choose another name, or utun%d'
  return new TunError('system', `the TUN device ${name}: ${what} was refused (${errnoName(errno)}): ${todo}`)
}

/**
 * `ifconfig` and `route`, and not the messages and structures behind them: whoever has a Mac can type the same, and none of it is on a packet's way.
 * Each takes some milliseconds.
 */
function changesOf(name: string, system: MacosSystem): SettingChanges {
  const ifconfig = (...args: string[]): void => void system.run('ifconfig', [name, ...args])
  const family = ({ version }: { version: 4 | 6 }): string => (version === 4 ? 'inet' : 'inet6')
  const route = (action: string, prefix: IpPrefix): void => {
    const said = system.run('route', ['-n', action, `-${family(prefix)}`, `${prefix}`, '-interface', name])
    // "add net 10.8.0.0: gateway utun4: File exists": route tells of a failure, and may end as if there was none.
    const failure = /gateway \S+: (.+)/.exec(said)?.[1]
    if (failure !== undefined) throw new TunError('system', `route ${action} ${prefix} was refused: ${failure}`)
  }
  return {
    setMtu: mtu => ifconfig('mtu', String(mtu)),
    addAddress({ address, length }: InterfaceAddress): void {
      // An IPv4 link from point to point has two addresses; for the far one, nobody asks.
      const far = address.version === 4 ? [String(address)] : []
      ifconfig(family(address), `${address}/${length}`, ...far, 'alias')
    },
    removeAddress: ({ address }) => ifconfig(family(address), String(address), '-alias'),
    addRoute: prefix => route('add', prefix),
    removeRoute: prefix => route('delete', prefix),
  }
}

/**
 * A TUN device of Windows: an adapter of Wintun, with a ring of packets for each direction, set up through the IP Helper API.
 *
 *     receive --> null, ERROR_NO_MORE_ITEMS --> wait on a thread for the read event or the quit event --> receive ...
 *
 * An adapter that a process has made goes with it, in whichever way it ends, and its addresses and routes with it.
 *
 * Built from <wintun.h> and the documentation of Windows, and tested against a fake that does as they say. It has never run on Windows.
 */

import type { IpAddress, IpVersion } from '../../../ip/address.ts'
import { IPV6_MINIMUM_MTU } from '../../../ip/ipv6.ts'
import type { IpPrefix } from '../../../ip/prefix.ts'
import type { DeviceEvents, InterfaceSettings, TunDevice } from '../device.ts'
import { TunError } from '../errors.ts'
import { OwnSettings, type SettingChanges } from '../own-settings.ts'
import {
  ADDRESS_ROW_SIZE,
  INTERFACE_ROW_SIZE,
  ROUTE_ROW_SIZE,
  readRouteRow,
  SOCKADDR_INET_SIZE,
  writeAddressRow,
  writeInterfaceKey,
  writeMtu,
  writeRouteRow,
  writeSocketAddress,
} from './rows.ts'
import { type WindowsSystem, windowsSystem } from './system.ts'

/** Shown where Windows lists its adapters. */
const TUNNEL_TYPE = 'masque-lab'
/** Bytes of each ring: a power of two, from 128 KiB to 64 MiB. */
const RING_CAPACITY = 4 << 20
const MAX_PACKET = 65_535
/** Packets that are read in one turn of the event loop; then connections have theirs. */
const PACKETS_PER_TURN = 128
/** Names that are tried for a pattern. */
const MAX_NUMBER = 999
/** IF_MAX_STRING_SIZE, with the zero at the end. */
const ALIAS_CHARACTERS = 257

// <winerror.h>
const ERROR_ACCESS_DENIED = 5
const ERROR_INVALID_DATA = 13
const ERROR_HANDLE_EOF = 38
const ERROR_INVALID_PARAMETER = 87
const ERROR_BUFFER_OVERFLOW = 111
const ERROR_NO_MORE_ITEMS = 259
const ERROR_NOT_FOUND = 1168
const ERROR_OBJECT_ALREADY_EXISTS = 5010

const ERROR_NAMES: Readonly<Record<number, string>> = {
  [ERROR_ACCESS_DENIED]: 'ERROR_ACCESS_DENIED',
  [ERROR_INVALID_DATA]: 'ERROR_INVALID_DATA',
  [ERROR_INVALID_PARAMETER]: 'ERROR_INVALID_PARAMETER',
  [ERROR_NOT_FOUND]: 'ERROR_NOT_FOUND',
  [ERROR_OBJECT_ALREADY_EXISTS]: 'ERROR_OBJECT_ALREADY_EXISTS',
}

export class WindowsTunDevice implements TunDevice {
  readonly name: string
  readonly index: number
  readonly #luid: bigint
  readonly #adapter: bigint
  readonly #session: bigint
  readonly #system: WindowsSystem
  readonly #settings: OwnSettings
  /** Set: nobody is to wait any more. */
  readonly #quitEvent: bigint
  /** The read event and the quit event, as the wait wants them. */
  readonly #events = Buffer.alloc(16)
  readonly #buffer = Buffer.allocUnsafeSlow(MAX_PACKET)
  readonly #size = Buffer.alloc(4)
  /** Resolves when the wait that is under way has ended. */
  #waited: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined
  readonly #quit = (): void => this.#system.setEvent(this.#quitEvent)

  /** Makes the device; it is up then. `name`: up to 127 characters, or a pattern with %d. Throws TunError, with nothing left open. */
  static open({ name }: { name: string }, system: WindowsSystem = windowsSystem()): WindowsTunDevice {
    const free = freeName(name, system)
    const adapter = system.createAdapter(free, TUNNEL_TYPE, null)
    if (adapter === null) throw notMade(free, system.lastError())
    const session = system.startSession(adapter, RING_CAPACITY)
    const quitEvent = session === null ? null : system.createEvent()
    if (session !== null && quitEvent !== null) return new WindowsTunDevice(adapter, session, quitEvent, system)
    const error = notMade(free, system.lastError())
    if (session !== null) system.endSession(session)
    system.closeAdapter(adapter)
    throw error
  }

  private constructor(adapter: bigint, session: bigint, quitEvent: bigint, system: WindowsSystem) {
    this.#adapter = adapter
    this.#session = session
    this.#quitEvent = quitEvent
    this.#system = system
    const luid = Buffer.alloc(8)
    system.adapterLuid(adapter, luid)
    this.#luid = luid.readBigUInt64LE()
    this.name = aliasOf(luid, system)
    const index = Buffer.alloc(4)
    system.luidToIndex(luid, index)
    this.index = index.readUInt32LE()
    this.#settings = new OwnSettings(this.name, changesOf(this.#luid, system))
    this.#events.writeBigUInt64LE(system.readWaitEvent(session), 0)
    this.#events.writeBigUInt64LE(quitEvent, 8)
    // Node waits for its threads when it ends.
    process.on('exit', this.#quit)
  }

  start(events: DeviceEvents): void {
    this.#wait(events)
  }

  write(packet: Uint8Array): string | undefined {
    if (this.#closed !== undefined) return 'closed'
    if (packet.length > MAX_PACKET) return 'too-large'
    const room = this.#system.allocateSendPacket(this.#session, packet.length)
    if (room === null) {
      const error = this.#system.lastError()
      if (error === ERROR_BUFFER_OVERFLOW) return 'full'
      return error === ERROR_HANDLE_EOF ? 'gone' : 'refused'
    }
    this.#system.copyTo(room, packet, packet.length)
    this.#system.sendPacket(this.#session, room)
    return undefined
  }

  /** Each packet is handed over at once. */
  flush(): void {}

  configure(settings: InterfaceSettings): string[] {
    if (this.#closed !== undefined) return []
    const others = this.#system.localAddresses().filter(({ on }) => on !== this.name)
    return this.#settings.apply(settings, others)
  }

  routeTo(address: IpAddress): { readonly prefix: IpPrefix; readonly isOurs: boolean } | undefined {
    const destination = Buffer.alloc(SOCKADDR_INET_SIZE)
    writeSocketAddress(destination, 0, address)
    const row = Buffer.alloc(ROUTE_ROW_SIZE)
    if (this.#system.bestRoute(destination, row, Buffer.alloc(SOCKADDR_INET_SIZE)) !== 0) return undefined
    const route = readRouteRow(row)
    return route && { prefix: route.prefix, isOurs: route.luid === this.#luid }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    process.off('exit', this.#quit)
    this.#quit()
    await this.#waited
    this.#system.endSession(this.#session)
    this.#system.closeAdapter(this.#adapter)
    this.#system.closeHandle(this.#quitEvent)
  }

  #wait(events: DeviceEvents): void {
    if (this.#closed !== undefined) return
    this.#waited = new Promise(resolve => {
      this.#system.waitForAny(2, this.#events, (error, position) => {
        resolve()
        if (this.#closed !== undefined) return
        if (error === null && position === 0) this.#read(events)
        else
          events.onGone(`the TUN device ${this.name} cannot be waited for: ${error?.message ?? `result ${position}`}`)
      })
    })
  }

  /** Whatever fails in here, there is no caller who would hear of it. */
  #read(events: DeviceEvents): void {
    try {
      this.#readSome(events)
    } catch (error) {
      events.onGone(`${this.name} cannot be read: ${(error as Error).message}`)
    }
  }

  #readSome(events: DeviceEvents): void {
    let packets = 0
    for (; packets < PACKETS_PER_TURN; packets++) {
      if (this.#closed !== undefined) return
      const packet = this.#system.receivePacket(this.#session, this.#size)
      if (packet === null) {
        const error = this.#system.lastError()
        if (error !== ERROR_NO_MORE_ITEMS) return this.#readFailed(error, events)
        break
      }
      const length = Math.min(this.#size.readUInt32LE(), MAX_PACKET)
      this.#system.copyFrom(this.#buffer, packet, length)
      // Before anybody looks at it: whatever they do, the ring has its place back.
      this.#system.releaseReceivePacket(this.#session, packet)
      events.onPacket(this.#buffer.subarray(0, length))
    }
    // Under load there is something again in the next turn, and the way over the thread is spared.
    if (packets > 0) setImmediate(() => this.#read(events))
    else this.#wait(events)
  }

  #readFailed(error: number, events: DeviceEvents): void {
    const why = error === ERROR_HANDLE_EOF ? 'somebody has removed it' : `it cannot be read (${errorName(error)})`
    events.onGone(`the TUN device ${this.name} is gone: ${why}`)
  }
}

/** The name, or the first free one of the pattern. Throws TunError. */
function freeName(name: string, system: WindowsSystem): string {
  if (!/^(?=.{1,127}$)[\w .-]*(%d)?[\w .-]*$/.test(name)) {
    const expected =
      'expected 1 to 127 letters, digits, spaces, dots, dashes and underscores, or a pattern such as masque%d'
    throw new TunError('name', `'${name}' cannot be the name of an adapter: ${expected}`)
  }
  const isTaken = (alias: string): boolean => system.aliasToLuid(alias, Buffer.alloc(8)) === 0
  if (!name.includes('%d')) {
    if (!isTaken(name)) return name
    throw new TunError(
      'busy',
      `an adapter ${name} exists already: end the program that has made it, or choose another name`,
    )
  }
  for (let n = 0; n <= MAX_NUMBER; n++)
    if (!isTaken(name.replace('%d', String(n)))) return name.replace('%d', String(n))
  throw new TunError('busy', `all adapters from ${name.replace('%d', '0')} on exist already: choose another name`)
}

function notMade(name: string, error: number): TunError {
  if (error === ERROR_ACCESS_DENIED) {
    const todo = 'start the terminal as administrator'
    return new TunError('no-rights', `this user may not make the TUN device ${name} (${errorName(error)}): ${todo}`)
  }
  const todo = 'look at the system log, and whether wintun.dll is the latest'
  return new TunError('system', `the TUN device ${name} could not be made (${errorName(error)}): ${todo}`)
}

/** What the adapter is called in the end. */
function aliasOf(luid: Buffer, system: WindowsSystem): string {
  const alias = Buffer.alloc(2 * ALIAS_CHARACTERS)
  system.luidToAlias(luid, alias, ALIAS_CHARACTERS)
  return alias.toString('utf16le').split('\0')[0]
}

/**
 * The IP Helper API, and not `netsh`, which takes a tenth of a second for each of perhaps a hundred routes, says what is wrong in the language of the
 * system, and would stop the event loop meanwhile.
 */
function changesOf(luid: bigint, system: WindowsSystem): SettingChanges {
  const change = (what: string, error: number): void => {
    if (error !== 0) throw refused(what, error)
  }
  const newRow = (size: number, initialize: (row: Buffer) => void): Buffer => {
    const row = Buffer.alloc(size)
    initialize(row)
    return row
  }
  const addressRow = (address: Parameters<typeof writeAddressRow>[2]): Buffer => {
    const row = newRow(ADDRESS_ROW_SIZE, system.initializeAddress.bind(system))
    writeAddressRow(row, luid, address)
    return row
  }
  const routeRow = (prefix: IpPrefix): Buffer => {
    const row = newRow(ROUTE_ROW_SIZE, system.initializeRoute.bind(system))
    writeRouteRow(row, luid, prefix)
    return row
  }
  const setMtu = (version: IpVersion, mtu: number): void => {
    const row = newRow(INTERFACE_ROW_SIZE, system.initializeInterface.bind(system))
    writeInterfaceKey(row, luid, version)
    const error = system.getInterface(row)
    // Where IPv6 is turned off, it needs no MTU.
    if (error === ERROR_NOT_FOUND && version === 6) return
    change(`the MTU of IPv${version}`, error)
    writeMtu(row, mtu)
    change(`MTU ${mtu} for IPv${version}`, system.setInterface(row))
  }
  return {
    setMtu(mtu): void {
      setMtu(4, mtu)
      if (mtu >= IPV6_MINIMUM_MTU) setMtu(6, mtu)
    },
    addAddress: address => change(`${address.address}/${address.length}`, system.createAddress(addressRow(address))),
    removeAddress: address => gone(`${address.address}/${address.length}`, system.deleteAddress(addressRow(address))),
    addRoute: prefix => change(`route ${prefix}`, system.createRoute(routeRow(prefix))),
    removeRoute: prefix => gone(`route ${prefix}`, system.deleteRoute(routeRow(prefix))),
  }
}

/** Somebody may have removed it before us. */
function gone(what: string, error: number): void {
  if (error !== 0 && error !== ERROR_NOT_FOUND) throw refused(what, error)
}

function refused(what: string, error: number): TunError {
  switch (error) {
    case ERROR_ACCESS_DENIED:
      return new TunError('no-rights', `${what} was refused (${errorName(error)}): start the terminal as administrator`)
    case ERROR_OBJECT_ALREADY_EXISTS:
      return new TunError('taken', `${what} exists already (${errorName(error)}): remove it, or use another`)
    default:
      return new TunError('system', `${what} was refused (${errorName(error)})`)
  }
}

function errorName(error: number): string {
  return ERROR_NAMES[error] ?? `error ${error} of Windows`
}

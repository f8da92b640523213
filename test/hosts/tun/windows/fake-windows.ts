/** Windows as <wintun.h> and the documentation of its functions describe it, as far as a TUN device sees it. */
import type { LocalAddress } from '../../../../src/hosts/tun/own-settings.ts'
import type { WindowsSystem } from '../../../../src/hosts/tun/windows/system.ts'

const ACCESS_DENIED = 5
const FILE_NOT_FOUND = 2
const HANDLE_EOF = 38
const INVALID_PARAMETER = 87
const BUFFER_OVERFLOW = 111
const NO_MORE_ITEMS = 259
const NOT_FOUND = 1168
const OBJECT_ALREADY_EXISTS = 5010

interface Adapter {
  name: string
  luid: bigint
  session: Session | undefined
}

interface Session {
  readEvent: bigint
  toRead: Uint8Array[]
  /** Packets that were received, and not released yet. */
  held: Set<bigint>
  allocated: Set<bigint>
  written: Uint8Array[]
  fault: number | undefined
}

interface Wait {
  events: bigint[]
  /** An event has ended it; its thread has not said so yet. */
  isEnding: boolean
  done: (error: Error | null, position: number) => void
}

export class FakeWindows implements WindowsSystem {
  readonly adapters = new Map<bigint, Adapter>()
  readonly sessions = new Map<bigint, Session>()
  /** Every event that is not closed, and whether it is set. */
  readonly events = new Map<bigint, boolean>()
  readonly memory = new Map<bigint, Buffer>()
  /** By their keys: as text, so that they can be compared. */
  readonly addresses = new Map<string, Buffer>()
  readonly routes = new Map<string, Buffer>()
  /** By the family's number. */
  readonly mtus = new Map<number, number>([
    [2, 65_535],
    [23, 65_535],
  ])
  readonly local: LocalAddress[] = []
  /** The answer of GetBestRoute2. */
  best: Buffer | undefined
  /** Numbers of errors, by the function that gives them. */
  readonly errors = new Map<string, number>()
  waits: Wait[] = []
  room = Number.POSITIVE_INFINITY
  #lastError = 0
  #next = 0x1000n

  createAdapter(name: string, _type: string, _guid: null): bigint | null {
    if (this.#fails('createAdapter')) return null
    const adapter = this.#handle()
    this.adapters.set(adapter, { name, luid: 0x35_0000_0000_0000n + adapter, session: undefined })
    return adapter
  }

  closeAdapter(adapter: bigint): void {
    if (this.adapters.get(adapter)?.session !== undefined) throw new Error('an adapter is closed before its session')
    if (!this.adapters.delete(adapter)) throw new Error('closed twice')
  }

  adapterLuid(adapter: bigint, luid: Buffer): void {
    luid.writeBigUInt64LE((this.adapters.get(adapter) as Adapter).luid)
  }

  startSession(adapter: bigint, capacity: number): bigint | null {
    if (capacity < 0x20000 || capacity > 0x4000000 || (capacity & (capacity - 1)) !== 0) {
      return this.#fail(INVALID_PARAMETER)
    }
    if (this.#fails('startSession')) return null
    const handle = this.#handle()
    const readEvent = this.#handle()
    this.events.set(readEvent, false)
    const session: Session = {
      readEvent,
      toRead: [],
      held: new Set(),
      allocated: new Set(),
      written: [],
      fault: undefined,
    }
    ;(this.adapters.get(adapter) as Adapter).session = session
    this.sessions.set(handle, session)
    return handle
  }

  endSession(handle: bigint): void {
    const session = this.#session(handle)
    if (this.waits.some(({ events }) => events.includes(session.readEvent)))
      throw new Error('ended while it is waited for')
    if (session.held.size > 0) throw new Error('packets were not released')
    this.events.delete(session.readEvent)
    this.sessions.delete(handle)
    for (const adapter of this.adapters.values()) if (adapter.session === session) adapter.session = undefined
  }

  readWaitEvent(session: bigint): bigint {
    return this.#session(session).readEvent
  }

  receivePacket(handle: bigint, size: Buffer): bigint | null {
    const session = this.#session(handle)
    if (session.fault !== undefined) return this.#fail(session.fault)
    const packet = session.toRead.shift()
    if (packet === undefined) return this.#fail(NO_MORE_ITEMS)
    size.writeUInt32LE(packet.length)
    const pointer = this.#allocate(Buffer.from(packet))
    session.held.add(pointer)
    return pointer
  }

  releaseReceivePacket(session: bigint, packet: bigint): void {
    if (!this.#session(session).held.delete(packet)) throw new Error('released what was not received')
    this.memory.delete(packet)
  }

  allocateSendPacket(handle: bigint, size: number): bigint | null {
    const session = this.#session(handle)
    if (session.fault !== undefined) return this.#fail(session.fault)
    if (session.written.length >= this.room) return this.#fail(BUFFER_OVERFLOW)
    const pointer = this.#allocate(Buffer.alloc(size))
    session.allocated.add(pointer)
    return pointer
  }

  sendPacket(handle: bigint, packet: bigint): void {
    const session = this.#session(handle)
    if (!session.allocated.delete(packet)) throw new Error('sent what was not allocated')
    session.written.push(this.memory.get(packet) as Buffer)
    this.memory.delete(packet)
  }

  lastError(): number {
    return this.#lastError
  }

  copyFrom(into: Buffer, packet: bigint, length: number): void {
    const bytes = this.memory.get(packet)
    if (bytes === undefined || length > bytes.length) throw new Error('read behind a packet')
    bytes.copy(into, 0, 0, length)
  }

  copyTo(packet: bigint, from: Uint8Array, length: number): void {
    const bytes = this.memory.get(packet)
    if (bytes === undefined || length > bytes.length) throw new Error('written behind a packet')
    bytes.set(from.subarray(0, length))
  }

  createEvent(): bigint | null {
    if (this.#fails('createEvent')) return null
    const event = this.#handle()
    this.events.set(event, false)
    return event
  }

  setEvent(event: bigint): void {
    if (!this.events.has(event)) throw new Error('an event that is closed was set')
    this.events.set(event, true)
    this.#endWaits()
  }

  closeHandle(handle: bigint): void {
    if (!this.events.delete(handle)) throw new Error('closed twice')
  }

  waitForAny(count: number, events: Buffer, done: Wait['done']): void {
    const handles = Array.from({ length: count }, (_, i) => events.readBigUInt64LE(8 * i))
    this.waits.push({ events: handles, isEnding: false, done })
    this.#endWaits()
  }

  aliasToLuid(alias: string, luid: Buffer): number {
    for (const adapter of this.adapters.values()) {
      if (adapter.name !== alias) continue
      luid.writeBigUInt64LE(adapter.luid)
      return 0
    }
    return FILE_NOT_FOUND
  }

  luidToAlias(luid: Buffer, alias: Buffer, length: number): number {
    const adapter = [...this.adapters.values()].find(({ luid: own }) => own === luid.readBigUInt64LE())
    if (adapter === undefined || alias.length < 2 * length) return INVALID_PARAMETER
    alias.write(`${adapter.name}\0`, 'utf16le')
    return 0
  }

  luidToIndex(_luid: Buffer, index: Buffer): number {
    index.writeUInt32LE(23)
    return 0
  }

  initializeAddress(row: Buffer): void {
    row.fill(0, 0, 80)
    row.fill(0xff, 52, 60)
  }

  createAddress(row: Buffer): number {
    return this.#create('createAddress', this.addresses, row, row.toString('hex', 0, 40))
  }

  deleteAddress(row: Buffer): number {
    return this.addresses.delete(row.toString('hex', 0, 40)) ? 0 : NOT_FOUND
  }

  initializeRoute(row: Buffer): void {
    row.fill(0, 0, 104)
    row.fill(0xff, 76, 84)
  }

  createRoute(row: Buffer): number {
    return this.#create('createRoute', this.routes, row, row.toString('hex', 0, 72))
  }

  deleteRoute(row: Buffer): number {
    return this.routes.delete(row.toString('hex', 0, 72)) ? 0 : NOT_FOUND
  }

  initializeInterface(row: Buffer): void {
    row.fill(0, 0, 168)
  }

  getInterface(row: Buffer): number {
    const mtu = this.mtus.get(row.readUInt16LE(0))
    if (mtu === undefined) return NOT_FOUND
    row.writeUInt32LE(64, 144)
    row.writeUInt32LE(mtu, 152)
    return 0
  }

  setInterface(row: Buffer): number {
    const family = row.readUInt16LE(0)
    const mtu = row.readUInt32LE(152)
    // As documented: the site prefix length of IPv4 is 0. And RFC 8200 §5.
    if (family === 2 && row.readUInt32LE(144) !== 0) return INVALID_PARAMETER
    if (family === 23 && mtu < 1280) return INVALID_PARAMETER
    this.mtus.set(family, mtu)
    return 0
  }

  bestRoute(_destination: Buffer, route: Buffer, _source: Buffer): number {
    if (this.best === undefined) return 1231
    this.best.copy(route)
    return 0
  }

  localAddresses(): LocalAddress[] {
    return this.local
  }

  /** The session of the adapter with this name. */
  session(name: string): Session {
    const session = [...this.adapters.values()].find(adapter => adapter.name === name)?.session
    if (session === undefined) throw new Error(`there is no session of ${name}`)
    return session
  }

  /** The system sends packets, and wakes whoever waits. */
  arrive(name: string, ...packets: Uint8Array[]): void {
    const session = this.session(name)
    session.toRead.push(...packets)
    this.setEvent(session.readEvent)
  }

  /** Somebody removes the adapter. */
  terminate(name: string): void {
    this.session(name).fault = HANDLE_EOF
    this.setEvent(this.session(name).readEvent)
  }

  #create(what: string, table: Map<string, Buffer>, row: Buffer, key: string): number {
    const error = this.errors.get(what)
    if (error !== undefined) return error
    if (table.has(key)) return OBJECT_ALREADY_EXISTS
    table.set(key, Buffer.from(row))
    return 0
  }

  #endWaits(): void {
    for (const wait of [...this.waits]) {
      const position = wait.events.findIndex(event => this.events.get(event))
      if (position === -1 || wait.isEnding) continue
      wait.isEnding = true
      // The read event is reset by the wait that it ends.
      if (position === 0) this.events.set(wait.events[0], false)
      setImmediate(() => {
        this.waits.splice(this.waits.indexOf(wait), 1)
        wait.done(null, position)
      })
    }
  }

  #session(handle: bigint): Session {
    const session = this.sessions.get(handle)
    if (session === undefined)
      throw new Error('a session that has ended is used: on Windows, that is the end of the process')
    return session
  }

  #allocate(bytes: Buffer): bigint {
    const pointer = this.#handle()
    this.memory.set(pointer, bytes)
    return pointer
  }

  #handle(): bigint {
    this.#next += 16n
    return this.#next
  }

  #fails(what: string): boolean {
    const error = this.errors.get(what)
    if (error !== undefined) this.#lastError = error
    return error !== undefined
  }

  #fail(error: number): null {
    this.#lastError = error
    return null
  }
}

export { ACCESS_DENIED }

/**
 * What a TUN device needs of Windows: Wintun (https://www.wintun.net), the IP Helper API and events. Tests put another in its place, which
 * does as <wintun.h> and the documentation of Windows say.
 *
 * Handles and pointers are numbers; `null` is NULL, and then `lastError` says why.
 */

import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadLibrary, type NativeLibrary } from '../../../net/libc.ts'
import { TunError } from '../errors.ts'
import { type LocalAddress, localAddresses } from '../own-settings.ts'

export interface WindowsSystem {
  // wintun.dll
  createAdapter(name: string, type: string, guid: null): bigint | null
  closeAdapter(adapter: bigint): void
  /** `luid`: room for 8 bytes. */
  adapterLuid(adapter: bigint, luid: Buffer): void
  startSession(adapter: bigint, capacity: number): bigint | null
  endSession(session: bigint): void
  readWaitEvent(session: bigint): bigint
  /** `size`: room for a 32-bit number. The packet is to be released. */
  receivePacket(session: bigint, size: Buffer): bigint | null
  releaseReceivePacket(session: bigint, packet: bigint): void
  /** The packet is to be sent. */
  allocateSendPacket(session: bigint, size: number): bigint | null
  sendPacket(session: bigint, packet: bigint): void

  // kernel32.dll
  lastError(): number
  copyFrom(into: Buffer, packet: bigint, length: number): void
  copyTo(packet: bigint, from: Uint8Array, length: number): void
  createEvent(): bigint | null
  setEvent(event: bigint): void
  closeHandle(handle: bigint): void
  /** `events`: `count` handles of 64 bits. Waits on a thread; `done` gets the position of the one that is set, or something beyond. */
  waitForAny(count: number, events: Buffer, done: (error: Error | null, position: number) => void): void

  // iphlpapi.dll: each gives the number of an error, or 0
  aliasToLuid(alias: string, luid: Buffer): number
  /** `alias`: room for UTF-16, `length` its characters. */
  luidToAlias(luid: Buffer, alias: Buffer, length: number): number
  luidToIndex(luid: Buffer, index: Buffer): number
  initializeAddress(row: Buffer): void
  createAddress(row: Buffer): number
  deleteAddress(row: Buffer): number
  initializeRoute(row: Buffer): void
  createRoute(row: Buffer): number
  deleteRoute(row: Buffer): number
  initializeInterface(row: Buffer): void
  getInterface(row: Buffer): number
  setInterface(row: Buffer): number
  bestRoute(destination: Buffer, route: Buffer, source: Buffer): number

  localAddresses(): LocalAddress[]
}

/** Only here, and not where Windows would look for it: the program runs as administrator, and a file that it loads can do anything. */
const WINTUN_DLL = fileURLToPath(new URL('../../../../wintun.dll', import.meta.url))
const INFINITE = 0xffff_ffff

let system: WindowsSystem | undefined

/** Throws TunError, which says what is missing. */
export function windowsSystem(): WindowsSystem {
  system ??= load()
  return system
}

function load(): WindowsSystem {
  if (!existsSync(WINTUN_DLL)) {
    const todo = `get it from https://www.wintun.net, and put the one for ${wintunFolder()} into ${dirname(WINTUN_DLL)}`
    throw new TunError('no-device', `wintun.dll is missing, with which Windows has TUN devices: ${todo}`)
  }
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    throw new TunError('unsupported', `TUN devices of Windows are built for x64 and arm64, and this is ${process.arch}`)
  }
  const wintun = library(WINTUN_DLL)
  const kernel = library('kernel32.dll')
  const ipHelper = library('iphlpapi.dll')
  const wait = kernel.func('uint32_t WaitForMultipleObjects(uint32_t count, void *handles, int all, uint32_t timeout)')
  const createEvent = kernel.func('void *CreateEventW(void *security, int manual, int initial, str16 name)')
  const bestRoute = ipHelper.func(
    'uint32_t GetBestRoute2(void *luid, uint32_t index, void *from, void *to, uint32_t options, void *route, void *source)',
  )
  const ofRow = (name: string) => ipHelper.func(`uint32_t ${name}(void *row)`)
  const initialize = (name: string) => ipHelper.func(`void ${name}(void *row)`)
  return {
    createAdapter: wintun.func('void *WintunCreateAdapter(str16 name, str16 type, void *guid)'),
    closeAdapter: wintun.func('void WintunCloseAdapter(void *adapter)'),
    adapterLuid: wintun.func('void WintunGetAdapterLUID(void *adapter, void *luid)'),
    startSession: wintun.func('void *WintunStartSession(void *adapter, uint32_t capacity)'),
    endSession: wintun.func('void WintunEndSession(void *session)'),
    readWaitEvent: wintun.func('void *WintunGetReadWaitEvent(void *session)'),
    receivePacket: wintun.func('void *WintunReceivePacket(void *session, void *size)'),
    releaseReceivePacket: wintun.func('void WintunReleaseReceivePacket(void *session, void *packet)'),
    allocateSendPacket: wintun.func('void *WintunAllocateSendPacket(void *session, uint32_t size)'),
    sendPacket: wintun.func('void WintunSendPacket(void *session, void *packet)'),

    lastError: kernel.func('uint32_t GetLastError()'),
    copyFrom: kernel.func('void RtlMoveMemory(void *into, void *from, size_t length)'),
    copyTo: kernel.func('void RtlMoveMemory(void *into, void *from, size_t length)'),
    // Whoever waits for it later finds it set, too.
    createEvent: () => createEvent(null, 1, 0, null),
    setEvent: kernel.func('int SetEvent(void *event)'),
    closeHandle: kernel.func('int CloseHandle(void *handle)'),
    waitForAny: (count, events, done) => wait.async(count, events, 0, INFINITE, done),

    aliasToLuid: ipHelper.func('uint32_t ConvertInterfaceAliasToLuid(str16 alias, void *luid)'),
    luidToAlias: ipHelper.func('uint32_t ConvertInterfaceLuidToAlias(void *luid, void *alias, size_t length)'),
    luidToIndex: ipHelper.func('uint32_t ConvertInterfaceLuidToIndex(void *luid, void *index)'),
    initializeAddress: initialize('InitializeUnicastIpAddressEntry'),
    createAddress: ofRow('CreateUnicastIpAddressEntry'),
    deleteAddress: ofRow('DeleteUnicastIpAddressEntry'),
    initializeRoute: initialize('InitializeIpForwardEntry'),
    createRoute: ofRow('CreateIpForwardEntry2'),
    deleteRoute: ofRow('DeleteIpForwardEntry2'),
    initializeInterface: initialize('InitializeIpInterfaceEntry'),
    getInterface: ofRow('GetIpInterfaceEntry'),
    setInterface: ofRow('SetIpInterfaceEntry'),
    bestRoute: (destination, route, source) => bestRoute(null, 0, null, destination, 0, route, source),

    localAddresses,
  }
}

/** What the archive of Wintun calls this kind of machine. */
function wintunFolder(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch
}

function library(name: string): NativeLibrary {
  const loaded = loadLibrary(name)
  if (typeof loaded === 'string') throw new TunError('unsupported', `TUN devices cannot be used here: ${loaded}`)
  return loaded
}

/**
 * What a TUN device needs of Linux: its file, a few functions of the C library, and a routing socket. Tests put another in its place, which does as the
 * manual pages say, or fails where they want.
 */

import { closeSync, constants, openSync } from 'node:fs'
import { loadLibrary, lastErrno as nativeErrno } from '../../../net/libc.ts'
import { readinessProblem, type Watch, type Watcher, watchReadable } from '../../../net/readiness.ts'
import { TunError } from '../errors.ts'
import { mayChangeNetwork, settle } from './device-state.ts'
import { type LinkEvents, LinkMonitor } from './link-monitor.ts'
import { RouteSocket, type Routes } from './route-socket.ts'

/** Those of the C library's names give what these do: a number below 0, and then `errno`, when they fail. */
export interface LinuxSystem {
  /** For reading and writing, without waiting. Throws as node:fs does. */
  open(file: string): number
  close(fd: number): void
  ioctl(fd: number, request: number, argument: Buffer): number
  /** The same, for requests whose argument is a number. */
  ioctlNumber(fd: number, request: number, argument: number): number
  read(fd: number, into: Buffer, length: number): number
  write(fd: number, bytes: Uint8Array, length: number): number
  /** Of the last call that has failed. */
  errno(): number
  watchReadable(fd: number, watcher: Watcher): Watch
  /** Tells when this interface, which is up, is taken down and up again. Undefined: that cannot be heard here. */
  watchLink(index: number, events: LinkEvents): Pick<LinkMonitor, 'close'> | undefined
  /** Throws TunError. */
  openRoutes(): Routes
  /** May this process change interfaces at all? */
  mayChangeNetwork(): boolean
  /** Sets what the kernel is to leave alone on this interface (device-state.ts), as far as this process may. */
  settle(name: string): void
}

let functions: Pick<LinuxSystem, 'ioctl' | 'ioctlNumber' | 'read' | 'write'> | undefined

/** Throws TunError where there is no such system. */
export function linuxSystem(): LinuxSystem {
  const problem = readinessProblem()
  if (problem !== undefined) throw new TunError('unsupported', `TUN devices cannot be used here: ${problem}`)
  functions ??= loadFunctions()
  return {
    ...functions,
    open: file => openSync(file, constants.O_RDWR | constants.O_NONBLOCK),
    close: closeSync,
    errno: nativeErrno,
    watchReadable,
    watchLink: (index, events) => LinkMonitor.open(index, events),
    openRoutes: () => new RouteSocket(),
    mayChangeNetwork,
    settle,
  }
}

function loadFunctions(): NonNullable<typeof functions> {
  const library = loadLibrary(null)
  if (typeof library === 'string') throw new TunError('unsupported', `TUN devices cannot be used here: ${library}`)
  return {
    ioctl: library.func('int ioctl(int fd, unsigned long request, void *argument)'),
    ioctlNumber: library.func('int ioctl(int fd, unsigned long request, unsigned long argument)'),
    read: library.func('int64 read(int fd, void *bytes, size_t length)'),
    write: library.func('int64 write(int fd, const void *bytes, size_t length)'),
  }
}

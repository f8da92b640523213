/**
 * What a TUN device needs of macOS: a few functions of the C library, and the programs `ifconfig` and `route`. Tests put another in its
 * place, which does as the manual pages say.
 */

import { loadLibrary, lastErrno as nativeErrno } from '../../../net/libc.ts'
import { readinessProblem, type Watch, type Watcher, watchReadable } from '../../../net/readiness.ts'
import { TunError } from '../errors.ts'
import { type LocalAddress, localAddresses } from '../own-settings.ts'
import { runTool } from '../run-tool.ts'

/** The functions give what those of their names do: a number below 0, and then `errno`, when they fail. */
export interface MacosSystem {
  socket(domain: number, type: number, protocol: number): number
  ioctl(fd: number, request: number, argument: Buffer): number
  connect(fd: number, address: Buffer, length: number): number
  /** `length`: a 32-bit number, of the room before and of the value after. */
  getsockopt(fd: number, level: number, option: number, value: Buffer, length: Buffer): number
  fcntl(fd: number, command: number, argument: number): number
  read(fd: number, into: Buffer, length: number): number
  write(fd: number, bytes: Buffer, length: number): number
  close(fd: number): number
  /** 0: there is none of this name. */
  ifNameToIndex(name: string): number
  /** Of the last call that has failed. */
  errno(): number
  watchReadable(fd: number, watcher: Watcher): Watch
  /** Runs a program. Returns what it prints. Throws TunError. */
  run(command: string, args: readonly string[]): string
  localAddresses(): LocalAddress[]
}

/** Throws TunError where there is no such system. */
export function macosSystem(): MacosSystem {
  const problem = readinessProblem()
  if (problem !== undefined) throw new TunError('unsupported', `TUN devices cannot be used here: ${problem}`)
  const library = loadLibrary(null)
  if (typeof library === 'string') throw new TunError('unsupported', `TUN devices cannot be used here: ${library}`)
  // The third argument of these two may be anything, and on ARM it is handed over in another way than the others.
  const ioctl = library.func('int ioctl(int fd, unsigned long request, ...)')
  const fcntl = library.func('int fcntl(int fd, int command, ...)')
  return {
    socket: library.func('int socket(int domain, int type, int protocol)'),
    ioctl: (fd, request, argument) => ioctl(fd, request, 'void *', argument),
    connect: library.func('int connect(int fd, const void *address, unsigned int length)'),
    getsockopt: library.func('int getsockopt(int fd, int level, int option, void *value, void *length)'),
    fcntl: (fd, command, argument) => fcntl(fd, command, 'int', argument),
    read: library.func('int64 read(int fd, void *bytes, size_t length)'),
    write: library.func('int64 write(int fd, const void *bytes, size_t length)'),
    close: library.func('int close(int fd)'),
    ifNameToIndex: library.func('unsigned int if_nametoindex(const char *name)'),
    errno: nativeErrno,
    watchReadable,
    run: runTool,
    localAddresses,
  }
}

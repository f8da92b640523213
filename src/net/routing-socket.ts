/**
 * A routing socket of Linux (rtnetlink(7)): by it a program asks and tells the kernel about interfaces, addresses and routes, and hears what changes there, whoever
 * changes it. Hearing takes no rights. What the messages mean is not known here.
 */

import { errorName, lastErrno, loadLibrary, type NativeFunction } from './libc.ts'

/** What can be heard: the bits of `nl_groups` (<linux/rtnetlink.h>). */
export const RouteGroup = {
  LINK: 0x1,
  IPV4_ADDRESS: 0x10,
  IPV4_ROUTE: 0x40,
  IPV6_ADDRESS: 0x100,
  IPV6_ROUTE: 0x400,
} as const

const AF_NETLINK = 16
/** SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK */
const SOCKET_KIND = 3 | 0o2004000
const NETLINK_ROUTE = 0
const SOL_NETLINK = 270

interface SocketFunctions {
  readonly socket: NativeFunction
  readonly bind: NativeFunction
  readonly setsockopt: NativeFunction
  readonly send: NativeFunction
  readonly recv: NativeFunction
  readonly close: NativeFunction
}

let functions: SocketFunctions | string | undefined

export class RoutingSocket {
  readonly fd: number
  readonly #functions: SocketFunctions

  /** `groups`: what it hears of; 0 is nothing but answers. Returns a sentence that says why there is no such socket. */
  static open(groups = 0): RoutingSocket | string {
    const native = (functions ??= loadFunctions())
    if (typeof native === 'string') return native
    const fd: number = native.socket(AF_NETLINK, SOCKET_KIND, NETLINK_ROUTE)
    if (fd === -1) return `a routing socket was refused (${errorName(lastErrno())})`
    // struct sockaddr_nl: the family, no port id of our own, and the groups.
    const address = new Uint8Array(12)
    const view = new DataView(address.buffer)
    view.setUint16(0, AF_NETLINK, true)
    view.setUint32(8, groups, true)
    if (groups === 0 || native.bind(fd, address, address.length) === 0) return new RoutingSocket(fd, native)
    const why = errorName(lastErrno())
    native.close(fd)
    return `a routing socket may hear nothing here (${why})`
  }

  private constructor(fd: number, native: SocketFunctions) {
    this.fd = fd
    this.#functions = native
  }

  /** Turns on an option of netlink(7). An old kernel that does not know it does with less. */
  turnOn(option: number): void {
    this.#functions.setsockopt(this.fd, SOL_NETLINK, option, Uint8Array.of(1, 0, 0, 0), 4)
  }

  /** 0, or the errno. */
  send(message: Uint8Array): number {
    return this.#functions.send(this.fd, message, message.length, 0) === message.length ? 0 : lastErrno()
  }

  /** The length of what one message of the kernel has put into `buffer`, cut off where that ends; or the errno, below 0. Does not wait. */
  receive(buffer: Uint8Array): number {
    const length = Number(this.#functions.recv(this.fd, buffer, buffer.length, 0))
    return length >= 0 ? length : -lastErrno()
  }

  /** Once only: the number of the descriptor may be somebody else's then. */
  close(): void {
    this.#functions.close(this.fd)
  }
}

function loadFunctions(): SocketFunctions | string {
  const library = loadLibrary(null)
  if (typeof library === 'string') return library
  return {
    socket: library.func('int socket(int domain, int type, int protocol)'),
    bind: library.func('int bind(int fd, const void *address, unsigned int length)'),
    setsockopt: library.func('int setsockopt(int fd, int level, int option, const void *value, unsigned int length)'),
    send: library.func('int64 send(int fd, const void *bytes, size_t length, int flags)'),
    recv: library.func('int64 recv(int fd, void *bytes, size_t length, int flags)'),
    close: library.func('int close(int fd)'),
  }
}

/**
 * Hears when an interface is taken down, and when it is up again, whoever does that (rtnetlink(7), RTNLGRP_LINK). With the link the kernel takes its routes and
 * its IPv6 addresses, and brings none of them back.
 */

import { DecodeError } from '../../../bytes/errors.ts'
import { lastErrno, loadLibrary, type NativeFunction } from '../../../net/libc.ts'
import { type Watch, watchReadable } from '../../../net/readiness.ts'
import { decodeMessages, type NetlinkMessage, readUint32, uint32 } from './netlink.ts'

const AF_NETLINK = 16
/** SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK */
const SOCKET_KIND = 3 | 0o2004000
const NETLINK_ROUTE = 0
const GROUP_LINK = 1
const NEW_LINK = 16
const IFF_UP = 1
const EAGAIN = 11
const RECEIVE_BYTES = 64 << 10

interface MonitorFunctions {
  readonly socket: NativeFunction
  readonly bind: NativeFunction
  readonly recv: NativeFunction
  readonly close: NativeFunction
}

export interface LinkEvents {
  onChange(isUp: boolean): void
  /** Asks the kernel. */
  isUpNow(): boolean
}

let functions: MonitorFunctions | undefined

export class LinkMonitor {
  readonly #functions: MonitorFunctions
  readonly #fd: number
  readonly #index: number
  readonly #buffer = new Uint8Array(RECEIVE_BYTES)
  readonly #watch: Watch
  readonly #events: LinkEvents
  #isUp = true

  /** For an interface that is up now. Undefined where the system has no such socket: then nothing is heard. */
  static open(index: number, events: LinkEvents): LinkMonitor | undefined {
    functions ??= loadFunctions()
    if (functions === undefined) return undefined
    const fd: number = functions.socket(AF_NETLINK, SOCKET_KIND, NETLINK_ROUTE)
    if (fd === -1) return undefined
    // struct sockaddr_nl: the family, no port id of our own, and the groups.
    const address = Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, ...uint32(GROUP_LINK))
    if (functions.bind(fd, address, address.length) === 0) return new LinkMonitor(functions, fd, index, events)
    functions.close(fd)
    return undefined
  }

  private constructor(native: MonitorFunctions, fd: number, index: number, events: LinkEvents) {
    this.#functions = native
    this.#fd = fd
    this.#index = index
    this.#events = events
    this.#watch = watchReadable(fd, { onReadable: () => this.#read(), onError: () => {} })
  }

  async close(): Promise<void> {
    await this.#watch.close()
    this.#functions.close(this.#fd)
  }

  #read(): void {
    for (;;) {
      const length: number = this.#functions.recv(this.#fd, this.#buffer, RECEIVE_BYTES, 0)
      if (length > 0) {
        this.#hear(this.#buffer.subarray(0, length))
        continue
      }
      if (lastErrno() === EAGAIN) return
      // More has happened than the kernel keeps (ENOBUFS): it has been down meanwhile, perhaps.
      this.#change(false)
      this.#change(this.#events.isUpNow())
      return
    }
  }

  #hear(bytes: Uint8Array): void {
    try {
      for (const message of decodeMessages(bytes)) if (this.#isAboutUs(message)) this.#change(isUp(message))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }

  /** The kernel tells of much more about a link, such as its carrier. */
  #change(up: boolean): void {
    if (up === this.#isUp) return
    this.#isUp = up
    this.#events.onChange(up)
  }

  #isAboutUs({ type, body }: NetlinkMessage): boolean {
    return type === NEW_LINK && readUint32(body, 4) === this.#index
  }
}

function isUp({ body }: NetlinkMessage): boolean {
  return (readUint32(body, 8) & IFF_UP) !== 0
}

function loadFunctions(): MonitorFunctions | undefined {
  const library = loadLibrary(null)
  if (typeof library === 'string') return undefined
  return {
    socket: library.func('int socket(int domain, int type, int protocol)'),
    bind: library.func('int bind(int fd, const void *address, unsigned int length)'),
    recv: library.func('int64 recv(int fd, void *bytes, size_t length, int flags)'),
    close: library.func('int close(int fd)'),
  }
}

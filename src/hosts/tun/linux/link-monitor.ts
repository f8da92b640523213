/**
 * Hears when an interface is taken down, and when it is up again, whoever does that (rtnetlink(7), RTNLGRP_LINK). With the link the kernel takes its routes and
 * its IPv6 addresses, and brings none of them back.
 */

import { DecodeError } from '../../../bytes/errors.ts'
import { type Watch, watchReadable } from '../../../net/readiness.ts'
import { RouteGroup, RoutingSocket } from '../../../net/routing-socket.ts'
import { decodeMessages, type NetlinkMessage, readUint32 } from './netlink.ts'

const NEW_LINK = 16
const IFF_UP = 1
const EAGAIN = 11
const RECEIVE_BYTES = 64 << 10

export interface LinkEvents {
  onChange(isUp: boolean): void
  /** Asks the kernel. */
  isUpNow(): boolean
}

export class LinkMonitor {
  readonly #socket: RoutingSocket
  readonly #index: number
  readonly #buffer = new Uint8Array(RECEIVE_BYTES)
  readonly #watch: Watch
  readonly #events: LinkEvents
  #isUp = true

  /** For an interface that is up now. Undefined where the system has no such socket: then nothing is heard. */
  static open(index: number, events: LinkEvents): LinkMonitor | undefined {
    const socket = RoutingSocket.open(RouteGroup.LINK)
    return typeof socket === 'string' ? undefined : new LinkMonitor(socket, index, events)
  }

  private constructor(socket: RoutingSocket, index: number, events: LinkEvents) {
    this.#socket = socket
    this.#index = index
    this.#events = events
    this.#watch = watchReadable(socket.fd, { onReadable: () => this.#read(), onError: () => {} })
  }

  async close(): Promise<void> {
    await this.#watch.close()
    this.#socket.close()
  }

  #read(): void {
    for (;;) {
      const length = this.#socket.receive(this.#buffer)
      if (length > 0) {
        this.#hear(this.#buffer.subarray(0, length))
        continue
      }
      if (length === -EAGAIN) return
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

/**
 * Interfaces, addresses and routes of this network namespace, through a routing socket (rtnetlink(7)).
 *
 * The kernel answers while a request is being sent, so that nothing here waits, and a change is there when the call returns.
 */

import { IpAddress, type IpVersion } from '../../../ip/address.ts'
import { IpPrefix } from '../../../ip/prefix.ts'
import { RoutingSocket } from '../../../net/routing-socket.ts'
import type { InterfaceAddress } from '../device.ts'
import { errnoName, TunError } from '../errors.ts'
import {
  decodeAnswer,
  decodeAttributes,
  decodeMessages,
  encodeAttribute,
  encodeMessage,
  NetlinkFlag,
  type NetlinkMessage,
  NetlinkType,
  readUint32,
  uint32,
} from './netlink.ts'

// <linux/rtnetlink.h>, <linux/if_link.h>, <linux/if_addr.h>, <linux/if_tun.h>
const NEW_LINK = 16
const GET_LINK = 18
const NEW_ADDRESS = 20
const DELETE_ADDRESS = 21
const GET_ADDRESS = 22
const NEW_ROUTE = 24
const DELETE_ROUTE = 25
const GET_ROUTE = 26

const AF_INET = 2
const AF_INET6 = 10
const FAMILY = { 4: AF_INET, 6: AF_INET6 } as const

const IFF_UP = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINKINFO = 18
const IFLA_AF_SPEC = 26
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const IFLA_INET6_ADDR_GEN_MODE = 8
const ADDR_GEN_MODE_NONE = 1
const IFLA_TUN_OWNER = 1
const IFLA_TUN_TYPE = 3
const IFLA_TUN_PERSIST = 6
const IFLA_TUN_MULTI_QUEUE = 7
const IFLA_TUN_NUM_QUEUES = 8

const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_FLAGS = 8
const IFA_F_NODAD = 2

const RTA_DST = 1
const RTA_OIF = 4
const RTA_PRIORITY = 6
const RTA_TABLE = 15
const TABLE_MAIN = 254
const SCOPE_UNIVERSE = 0
const SCOPE_LINK = 253
const TYPE_UNICAST = 1
const RTM_F_FIB_MATCH = 0x2000

/**
 * Who made a route, as `ip route` shows it ("proto 77"): the numbers up to 63 or so are taken (<linux/rtnetlink.h>). Routes that others have put
 * on the device stay as they are.
 */
const OUR_PROTOCOL = 77
/** Behind what the system has itself: of two routes for one prefix, its own wins. */
const OUR_METRIC = 30_000

const ENODEV = 19
const ESRCH = 3
const ENETUNREACH = 101
const EHOSTUNREACH = 113
const EACCES = 13
const EADDRNOTAVAIL = 99
const ENOENT = 2

const RECEIVE_BYTES = 64 << 10

/** What is known of an interface. */
export interface LinkState {
  readonly index: number
  readonly name: string
  readonly mtu: number
  readonly isUp: boolean
  /** Undefined: it is no TUN or TAP device. */
  readonly tun: TunState | undefined
}

interface TunState {
  readonly isTap: boolean
  /** The user that may attach without rights; undefined: nobody. */
  readonly owner: number | undefined
  readonly isPersistent: boolean
  readonly isMultiQueue: boolean
  readonly queues: number
}

/** What a routing socket does; a test has another. */
export type Routes = Pick<RouteSocket, keyof RouteSocket>

export class RouteSocket {
  readonly #socket: RoutingSocket
  readonly #buffer = new Uint8Array(RECEIVE_BYTES)
  #sequence = 0
  #isClosed = false

  /** Throws TunError where there is no such socket. */
  constructor() {
    const socket = RoutingSocket.open()
    if (typeof socket === 'string') throw new TunError('system', socket)
    this.#socket = socket
    // Errors in words (NETLINK_EXT_ACK), without the whole request (NETLINK_CAP_ACK), and dumps of what was asked for
    // (NETLINK_GET_STRICT_CHK). Old kernels know none of these, and do with less.
    for (const option of [11, 10, 12]) socket.turnOn(option)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.close()
  }

  // -- interfaces ----------------------------------------------------------------------------------------------

  /** Undefined when there is no such interface. Throws TunError. */
  link(which: string | number): LinkState | undefined {
    const byName = typeof which === 'string'
    const parts = [linkBody(byName ? 0 : which, 0, 0)]
    if (byName) parts.push(encodeAttribute(IFLA_IFNAME, text(which)))
    const found = this.#request(`interface ${which}`, GET_LINK, 0, parts, [ENODEV])
    return found.filter(({ type }) => type === NEW_LINK).map(decodeLink)[0]
  }

  /** Throws TunError. */
  setLink(index: number, change: { mtu?: number; up?: boolean }): void {
    const flags = change.up === true ? IFF_UP : 0
    const parts = [linkBody(index, flags, change.up === undefined ? 0 : IFF_UP)]
    if (change.mtu !== undefined) parts.push(encodeAttribute(IFLA_MTU, uint32(change.mtu)))
    const what = change.mtu === undefined ? `bringing it ${change.up ? 'up' : 'down'}` : `an MTU of ${change.mtu} bytes`
    this.#request(what, NEW_LINK, 0, parts)
  }

  /**
   * No link-local address of the kernel's own making: nobody at the other end of a tunnel answers there, and the router solicitations
   * that come with it would be the first packets in each tunnel. Where the kernel has no IPv6 there is nothing to stop.
   */
  stopLinkLocal(index: number): void {
    const mode = encodeAttribute(IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(ADDR_GEN_MODE_NONE))
    const specific = encodeAttribute(IFLA_AF_SPEC, encodeAttribute(AF_INET6, mode))
    this.#request('no link-local address', NEW_LINK, 0, [linkBody(index, 0, 0), specific], 'any')
  }

  // -- addresses -----------------------------------------------------------------------------------------------

  /** All addresses of this namespace with the index of their interface. Link-local ones are left out unless wanted. Throws TunError. */
  addresses(withLinkLocal = false): (InterfaceAddress & { readonly index: number })[] {
    const found = this.#request('the addresses', GET_ADDRESS, NetlinkFlag.DUMP, [addressBody(4, 0, 0, 0).fill(0)])
    const addresses: (InterfaceAddress & { index: number })[] = []
    for (const { type, body } of found) {
      if (type !== NEW_ADDRESS) continue
      const attributes = decodeAttributes(body, 8)
      const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)
      if (bytes === undefined || (body[0] !== AF_INET && body[0] !== AF_INET6)) continue
      const address = IpAddress.from(bytes.length === 4 ? 4 : 6, bytes)
      if (withLinkLocal || !address.isLinkLocal)
        addresses.push({ address, length: body[1], index: readUint32(body, 4) })
    }
    return addresses
  }

  /** Throws TunError. */
  addAddress(index: number, entry: InterfaceAddress): void {
    const flags = NetlinkFlag.CREATE | NetlinkFlag.EXCLUSIVE
    this.#request(describeAddress(entry), NEW_ADDRESS, flags, addressParts(index, entry))
  }

  /** One that is gone already is no failure. Throws TunError. */
  removeAddress(index: number, entry: InterfaceAddress): void {
    this.#request(describeAddress(entry), DELETE_ADDRESS, 0, addressParts(index, entry), [EADDRNOTAVAIL])
  }

  // -- routes --------------------------------------------------------------------------------------------------

  /** Our routes over this interface. Throws TunError. */
  routes(index: number): IpPrefix[] {
    return ([4, 6] as const).flatMap(version => {
      // In a strict dump the kernel sends only the routes of this table and interface; others are left out here.
      const parts = [routeBody(version, 0, 0), encodeAttribute(RTA_OIF, uint32(index))]
      const found = this.#request('the routes', GET_ROUTE, NetlinkFlag.DUMP, parts)
      return found.flatMap(message => {
        const route = decodeRoute(message)
        return route?.index === index && route.protocol === OUR_PROTOCOL ? [route.prefix] : []
      })
    })
  }

  /** Throws TunError. */
  addRoute(index: number, prefix: IpPrefix): void {
    const flags = NetlinkFlag.CREATE | NetlinkFlag.EXCLUSIVE
    this.#request(`a route to ${prefix}`, NEW_ROUTE, flags, routeParts(index, prefix))
  }

  /** One that is gone already is no failure. Throws TunError. */
  removeRoute(index: number, prefix: IpPrefix): void {
    this.#request(`a route to ${prefix}`, DELETE_ROUTE, 0, routeParts(index, prefix), [ESRCH])
  }

  /** The route by which this address is reached now; undefined: there is none. Throws TunError. */
  routeTo(address: IpAddress): { readonly prefix: IpPrefix; readonly index: number } | undefined {
    const body = routeBody(address.version, address.bytes.length * 8, 0)
    // The prefix is wanted that matches, not the single address that was asked for.
    new DataView(body.buffer).setUint32(8, RTM_F_FIB_MATCH, true)
    const parts = [body, encodeAttribute(RTA_DST, address.bytes)]
    const found = this.#request(`the route to ${address}`, GET_ROUTE, 0, parts, [
      ENETUNREACH,
      EHOSTUNREACH,
      EACCES,
      ENOENT,
      ESRCH,
    ])
    for (const message of found) {
      const route = decodeRoute(message)
      if (route !== undefined) return route
    }
    return undefined
  }

  // ------------------------------------------------------------------------------------------------------------

  /**
   * Sends one request and returns what comes back about it. `what` is for the sentence of the error; errors in `harmless` are none.
   */
  #request(
    what: string,
    type: number,
    flags: number,
    parts: readonly Uint8Array[],
    harmless: readonly number[] | 'any' = [],
  ): NetlinkMessage[] {
    // The number of the descriptor may be somebody else's by now.
    if (this.#isClosed) throw new TunError('system', `${what}: the device is closed`)
    const sequence = ++this.#sequence
    const request = encodeMessage(type, NetlinkFlag.REQUEST | NetlinkFlag.ACK | flags, sequence, ...parts)
    const refused = this.#socket.send(request)
    if (refused !== 0) {
      throw new TunError('system', `${what}: the routing socket took no request (${errnoName(refused)})`)
    }
    const messages: NetlinkMessage[] = []
    for (;;) {
      const length = this.#socket.receive(this.#buffer)
      if (length <= 0) throw new TunError('system', `${what}: no answer from the kernel (${errnoName(-length)})`)
      // A copy: what is returned is read after the next message has come.
      for (const message of decodeMessages(this.#buffer.slice(0, length))) {
        if (message.sequence !== sequence) continue
        if (message.type === NetlinkType.DONE) return messages
        if (message.type !== NetlinkType.ERROR) {
          messages.push(message)
          continue
        }
        const { errno, text } = decodeAnswer(message)
        if (errno === 0 || harmless === 'any' || harmless.includes(errno)) return messages
        throw TunError.fromErrno(what, errno, text)
      }
    }
  }
}

function linkBody(index: number, flags: number, change: number): Uint8Array {
  const body = new Uint8Array(16)
  const view = new DataView(body.buffer)
  view.setInt32(4, index, true)
  view.setUint32(8, flags, true)
  view.setUint32(12, change, true)
  return body
}

function decodeLink({ body }: NetlinkMessage): LinkState {
  const attributes = decodeAttributes(body, 16)
  const mtu = attributes.get(IFLA_MTU)
  const information = attributes.get(IFLA_LINKINFO)
  return {
    index: readUint32(body, 4),
    name: cString(attributes.get(IFLA_IFNAME)),
    mtu: mtu === undefined ? 0 : readUint32(mtu),
    isUp: (readUint32(body, 8) & IFF_UP) !== 0,
    tun: information === undefined ? undefined : decodeTun(decodeAttributes(information, 0)),
  }
}

function decodeTun(information: Map<number, Uint8Array>): TunState | undefined {
  if (cString(information.get(IFLA_INFO_KIND)) !== 'tun') return undefined
  const data = decodeAttributes(information.get(IFLA_INFO_DATA) ?? new Uint8Array(), 0)
  const owner = data.get(IFLA_TUN_OWNER)
  const queues = data.get(IFLA_TUN_NUM_QUEUES)
  return {
    isTap: data.get(IFLA_TUN_TYPE)?.[0] === 2,
    owner: owner === undefined ? undefined : readUint32(owner),
    isPersistent: data.get(IFLA_TUN_PERSIST)?.[0] === 1,
    isMultiQueue: data.get(IFLA_TUN_MULTI_QUEUE)?.[0] === 1,
    queues: queues === undefined ? 0 : readUint32(queues),
  }
}

function addressBody(version: IpVersion, length: number, flags: number, index: number): Uint8Array {
  const body = Uint8Array.of(FAMILY[version], length, flags, SCOPE_UNIVERSE, 0, 0, 0, 0)
  new DataView(body.buffer).setUint32(4, index, true)
  return body
}

function addressParts(index: number, { address, length }: InterfaceAddress): Uint8Array[] {
  // Nobody else is on this link, so there is nobody to ask whether the address is in use.
  const flags = address.version === 6 ? IFA_F_NODAD : 0
  const parts = [
    addressBody(address.version, length, flags, index),
    encodeAttribute(IFA_LOCAL, address.bytes),
    encodeAttribute(IFA_ADDRESS, address.bytes),
  ]
  if (flags !== 0) parts.push(encodeAttribute(IFA_FLAGS, uint32(flags)))
  return parts
}

function routeBody(version: IpVersion, length: number, type: number): Uint8Array {
  return Uint8Array.of(
    ...[FAMILY[version], length, 0, 0, type === 0 ? 0 : TABLE_MAIN, type === 0 ? 0 : OUR_PROTOCOL],
    ...[type === 0 ? 0 : version === 4 ? SCOPE_LINK : SCOPE_UNIVERSE, type, 0, 0, 0, 0],
  )
}

function routeParts(index: number, prefix: IpPrefix): Uint8Array[] {
  return [
    routeBody(prefix.version, prefix.length, TYPE_UNICAST),
    encodeAttribute(RTA_DST, prefix.address.bytes),
    encodeAttribute(RTA_OIF, uint32(index)),
    encodeAttribute(RTA_PRIORITY, uint32(OUR_METRIC)),
  ]
}

function decodeRoute({
  type,
  body,
}: NetlinkMessage): { prefix: IpPrefix; index: number; protocol: number } | undefined {
  if (type !== NEW_ROUTE || body.length < 12) return undefined
  const version = body[0] === AF_INET ? 4 : body[0] === AF_INET6 ? 6 : undefined
  if (version === undefined) return undefined
  const attributes = decodeAttributes(body, 12)
  const index = attributes.get(RTA_OIF)
  const table = attributes.get(RTA_TABLE)
  if (index === undefined || (table === undefined ? body[4] : readUint32(table)) !== TABLE_MAIN) return undefined
  const destination = attributes.get(RTA_DST)
  const address =
    destination === undefined
      ? IpAddress.unspecified(version)
      : IpAddress.from(destination.length === 4 ? 4 : 6, destination)
  return { prefix: IpPrefix.containing(address, body[1]), index: readUint32(index), protocol: body[5] }
}

function describeAddress({ address, length }: InterfaceAddress): string {
  return `the address ${address}/${length}`
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`)
}

function cString(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : new TextDecoder().decode(bytes).replace(/\0.*$/s, '')
}

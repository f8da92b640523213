/**
 * From the ranges that a proxy advertises to the routes that a system can have.
 *
 * The packets of the tunnel itself must never go into the tunnel. Usually a second route is made for that, to the proxy over the present
 * gateway; it is wrong as soon as the machine moves to another network, and it stays behind when the program is killed. Here the
 * proxy's address is cut out of the routes instead, so that the system's own routes lead there, whatever they are at the time:
 *
 *     advertised      0.0.0.0/0
 *     outside         192.0.2.1                                           the proxy
 *     installed       0.0.0.0/1, 128.0.0.0/2, …, 192.0.2.0/32, 192.0.2.2/31, …      all but that
 *
 * All of it is on the device and goes with it. A network that the system reaches over a more specific route of its own, such as the
 * local one, stays outside: the pieces are the largest blocks without the proxy, so each block that does not contain the proxy lies in one
 * piece, and the longer prefix wins. A local network that does contain the proxy is cut out as a whole.
 */

import { IpAddress, type IpVersion } from '../../ip/address.ts'
import { IpPrefix } from '../../ip/prefix.ts'
import { AddressRange, mergeRanges } from '../../ip/range.ts'

/** More routes than this are not made: a proxy could advertise ranges that are millions. */
export const MAX_ROUTES = 1024

export interface RoutePlan {
  readonly routes: readonly IpPrefix[]
  /** There would have been more than `MAX_ROUTES`. */
  readonly isCut: boolean
}

/** An address that must not go into the tunnel. */
export interface Outside {
  readonly address: IpAddress
  /** The network on whose route the system reaches it, unless that is the default route. */
  readonly network: IpPrefix | undefined
}

/** Multicast and broadcast are for the links that the machine is on (RFC 9484 §7.2), and so are link-local addresses and loopback. */
const ON_LINK = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/127',
  'fe80::/10',
  'ff00::/8',
].map(text => IpPrefix.parse(text))

/** These are cut out; the others are more specific in every system's own tables. */
const MULTICAST_V4 = IpPrefix.parse('224.0.0.0/4')

export function planRoutes(advertised: readonly AddressRange[], outside: readonly Outside[]): RoutePlan {
  const routes: IpPrefix[] = []
  for (const range of mergeRanges(advertised)) {
    const holes = [MULTICAST_V4.toRange(), ...outside.map(each => holeIn(range, each))]
    for (const part of withoutAll(range, mergeRanges(holes))) {
      for (const prefix of prefixesOf(part)) {
        if (ON_LINK.some(block => block.containsPrefix(prefix))) continue
        // A default route of the system's own, with a better metric, would win against one of ours.
        for (const route of prefix.length === 0 ? halves(prefix.version) : [prefix]) {
          if (routes.length === MAX_ROUTES) return { routes, isCut: true }
          routes.push(route)
        }
      }
    }
  }
  return { routes, isCut: false }
}

/** The network, where the range is wider than that. One that is part of the network is more specific, and meant. */
function holeIn(range: AddressRange, { address, network }: Outside): AddressRange {
  const wide = network?.toRange()
  const isWider = wide !== undefined && range.contains(wide.start) && range.contains(wide.end) && !range.equals(wide)
  return isWider ? wide : IpPrefix.single(address).toRange()
}

/** `holes` as `mergeRanges` gives them. */
function* withoutAll(range: AddressRange, holes: readonly AddressRange[]): Generator<AddressRange> {
  let start = range.start.toBigInt()
  const end = range.end.toBigInt()
  const make = (first: bigint, last: bigint) =>
    new AddressRange(IpAddress.fromBigInt(range.version, first), IpAddress.fromBigInt(range.version, last))
  for (const hole of holes) {
    if (!hole.overlaps(range)) continue
    if (hole.start.toBigInt() > start) yield make(start, hole.start.toBigInt() - 1n)
    start = hole.end.toBigInt() + 1n
  }
  if (start <= end) yield make(start, end)
}

/** The fewest prefixes that make up the range, ascending. */
function* prefixesOf(range: AddressRange): Generator<IpPrefix> {
  const bits = range.version === 4 ? 32 : 128
  const end = range.end.toBigInt()
  let start = range.start.toBigInt()
  while (start <= end) {
    // The largest block that begins here: as aligned as its first address, and not beyond the end.
    let free = 0
    while (free < bits && ((start >> BigInt(free)) & 1n) === 0n && start + (1n << BigInt(free + 1)) - 1n <= end) free++
    yield new IpPrefix(IpAddress.fromBigInt(range.version, start), bits - free)
    start += 1n << BigInt(free)
  }
}

function halves(version: IpVersion): IpPrefix[] {
  return (version === 4 ? ['0.0.0.0/1', '128.0.0.0/1'] : ['::/1', '8000::/1']).map(text => IpPrefix.parse(text))
}

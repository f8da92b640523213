import type { IpAddress, IpVersion } from './address.ts'
import { IpPrefix } from './prefix.ts'

/**
 * Which value belongs to an address: that of the longest prefix around it, as routers decide (RFC 1812 §5.2.4.3).
 *
 * One path-compressed binary trie for each IP version. A node stands for a prefix; its children lie inside it and
 * differ in the first bit after it. Chains of nodes with a single child are left out, so that n routes make at most
 * 2n - 1 nodes and a lookup among n host routes passes about log2(n) of them:
 *
 *                  10.0.0.0/8 → A
 *                 /              \
 *       10.1.0.0/24 → B      10.128.0.0/30  (a fork only, no value)
 *                             /          \
 *               10.128.0.1/32 → C    10.128.0.2/32 → D
 *
 * A value in the table is not undefined: that is what a failed lookup returns.
 */
export class RouteTable<T extends NonNullable<unknown>> {
  #root4: Node<T> | undefined
  #root6: Node<T> | undefined

  /** Routes the prefix to the value, in place of the value it had before. */
  add(prefix: IpPrefix, value: T): void {
    if (prefix.version === 4) this.#root4 = insert(this.#root4, prefix, value)
    else this.#root6 = insert(this.#root6, prefix, value)
  }

  /**
   * Forgets the route for exactly this prefix. With `value`, only while the route still leads there: whoever leaves
   * does not take away the route of whoever came after. True when there was such a route.
   */
  remove(prefix: IpPrefix, value?: T): boolean {
    const node = this.#find(prefix)
    if (node?.value === undefined || (value !== undefined && node.value !== value)) return false
    node.value = undefined
    if (prefix.version === 4) this.#root4 = prune(this.#root4, prefix)
    else this.#root6 = prune(this.#root6, prefix)
    return true
  }

  /** The value for exactly this prefix. */
  get(prefix: IpPrefix): T | undefined {
    return this.#find(prefix)?.value
  }

  /** The value of the longest prefix that contains the address, or undefined. */
  lookup(address: IpAddress): T | undefined {
    return this.lookupBytes(address.version, address.bytes, 0)
  }

  /** As `lookup`, for the address at `bytes[offset…]`, inside a packet say. Allocates nothing. */
  lookupBytes(version: IpVersion, bytes: Uint8Array, offset: number): T | undefined {
    let node = version === 4 ? this.#root4 : this.#root6
    let best: T | undefined
    // What a parent compared need not be compared again: the children share those bytes.
    let comparedBytes = 0
    while (node !== undefined) {
      const { wholeBytes, lastMask, address } = node
      for (let i = comparedBytes; i < wholeBytes; i++) if (bytes[offset + i] !== address[i]) return best
      if (lastMask !== 0 && (bytes[offset + wholeBytes] & lastMask) !== address[wholeBytes]) return best
      if (node.value !== undefined) best = node.value
      if (node.zero === undefined && node.one === undefined) return best
      comparedBytes = wholeBytes
      const bit = (bytes[offset + wholeBytes] >> node.bitShift) & 1
      node = bit === 0 ? node.zero : node.one
    }
    return best
  }

  /** All routes, IPv4 before IPv6, ascending, a prefix before those inside it. */
  *entries(): Generator<[IpPrefix, T]> {
    yield* walk(this.#root4)
    yield* walk(this.#root6)
  }

  /** How many routes there are. */
  get size(): number {
    let count = 0
    for (const _ of this.entries()) count++
    return count
  }

  #find(prefix: IpPrefix): Node<T> | undefined {
    let node = prefix.version === 4 ? this.#root4 : this.#root6
    while (node?.prefix.containsPrefix(prefix)) {
      if (node.prefix.length === prefix.length) return node
      node = bitAt(prefix.address, node.prefix.length) === 0 ? node.zero : node.one
    }
    return undefined
  }
}

class Node<T> {
  readonly prefix: IpPrefix
  value: T | undefined
  zero: Node<T> | undefined
  one: Node<T> | undefined

  // The prefix, spelled out for the lookup loop: bytes to compare, a mask for the bits after them, and
  // how far to shift that byte to see the bit in which the children differ.
  readonly address: Uint8Array
  readonly wholeBytes: number
  readonly lastMask: number
  readonly bitShift: number

  constructor(prefix: IpPrefix, value: T | undefined) {
    this.prefix = prefix
    this.value = value
    this.zero = undefined
    this.one = undefined
    this.address = prefix.address.bytes
    this.wholeBytes = prefix.length >> 3
    this.lastMask = (0xff00 >> (prefix.length & 7)) & 0xff
    this.bitShift = 7 - (prefix.length & 7)
  }
}

/** The trie `node` with the route added. */
function insert<T>(node: Node<T> | undefined, prefix: IpPrefix, value: T): Node<T> {
  if (node === undefined) return new Node(prefix, value)
  const shared = sharedLength(node.prefix, prefix)
  if (shared === node.prefix.length && shared === prefix.length) {
    node.value = value
    return node
  }
  if (shared === node.prefix.length) {
    if (bitAt(prefix.address, shared) === 0) node.zero = insert(node.zero, prefix, value)
    else node.one = insert(node.one, prefix, value)
    return node
  }
  if (shared === prefix.length) return adopt(new Node(prefix, value), node)
  const fork = new Node<T>(IpPrefix.containing(prefix.address, shared), undefined)
  return adopt(adopt(fork, node), new Node(prefix, value))
}

function adopt<T>(parent: Node<T>, child: Node<T>): Node<T> {
  if (bitAt(child.prefix.address, parent.prefix.length) === 0) parent.zero = child
  else parent.one = child
  return parent
}

/** The trie `node` without the nodes on the way to `prefix` that have neither a value nor two children. */
function prune<T>(node: Node<T> | undefined, prefix: IpPrefix): Node<T> | undefined {
  if (node === undefined) return undefined
  if (node.prefix.length < prefix.length) {
    if (bitAt(prefix.address, node.prefix.length) === 0) node.zero = prune(node.zero, prefix)
    else node.one = prune(node.one, prefix)
  }
  if (node.value !== undefined || (node.zero !== undefined && node.one !== undefined)) return node
  return node.zero ?? node.one
}

function* walk<T>(node: Node<T> | undefined): Generator<[IpPrefix, T]> {
  if (node === undefined) return
  if (node.value !== undefined) yield [node.prefix, node.value]
  yield* walk(node.zero)
  yield* walk(node.one)
}

/** The bit after the first `index` bits. */
function bitAt(address: IpAddress, index: number): number {
  return (address.bytes[index >> 3] >> (7 - (index & 7))) & 1
}

/** How many leading bits the two prefixes have in common. */
function sharedLength(a: IpPrefix, b: IpPrefix): number {
  const limit = Math.min(a.length, b.length)
  for (let i = 0; i * 8 < limit; i++) {
    const difference = a.address.bytes[i] ^ b.address.bytes[i]
    if (difference !== 0) return Math.min(limit, i * 8 + Math.clz32(difference) - 24)
  }
  return limit
}

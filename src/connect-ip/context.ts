/**
 * What the payload of a datagram means, RFC 9484 §5 and §6:
 *
 *   IP Proxying HTTP Datagram Payload {
 *     Context ID (i),
 *     Payload (..),
 *   }
 *
 * 0 is a whole IP packet. Other ids are for extensions: even ones are allocated by the client, odd ones by the proxy,
 * so that the two never choose the same one; none is ever allocated a second time on a tunnel.
 */

import { MAX_VARINT } from '../bytes/varint.ts'
import { ConnectIpError, excessiveLoad } from './errors.ts'

/** 62 bits. */
export type ContextId = bigint

const IP_PACKET_CONTEXT: ContextId = 0n

/** The bookkeeping of one tunnel. RFC 9484 defines no extension that allocates; one that does would use this. */
export class ContextIds {
  readonly #role: 'client' | 'proxy'
  readonly #maxPeerContexts: number
  #nextOwn: ContextId
  /** Allocated at some time, also when no longer in use: never to be allocated again. */
  readonly #peerAllocated = new Set<ContextId>()
  readonly #open = new Set<ContextId>([IP_PACKET_CONTEXT])

  constructor(role: 'client' | 'proxy', maxPeerContexts = 1024) {
    this.#role = role
    this.#maxPeerContexts = maxPeerContexts
    this.#nextOwn = role === 'client' ? 2n : 1n
  }

  /** A new id of ours: 2, 4, 6, … for a client, 1, 3, 5, … for a proxy. */
  allocate(): ContextId {
    if (this.#nextOwn > MAX_VARINT) throw new RangeError('all context ids of this tunnel have been used')
    const id = this.#nextOwn
    this.#nextOwn += 2n
    this.#open.add(id)
    return id
  }

  /** The peer has registered an id. Throws ConnectIpError when it was not the peer's to allocate. */
  registerPeer(id: ContextId): void {
    if (id <= 0n || id > MAX_VARINT)
      throw new ConnectIpError(`the peer allocated context id ${id}; expected 1 to 2^62-1`)
    const isClients = id % 2n === 0n
    if (isClients !== (this.#role === 'proxy')) {
      throw new ConnectIpError(`the peer allocated context id ${id}; clients allocate even ids and proxies odd ones`)
    }
    if (this.#peerAllocated.has(id)) throw new ConnectIpError(`the peer allocated context id ${id} a second time`)
    if (this.#peerAllocated.size >= this.#maxPeerContexts) {
      throw excessiveLoad(`the peer allocated more than ${this.#maxPeerContexts} context ids`)
    }
    this.#peerAllocated.add(id)
    this.#open.add(id)
  }

  /** The id means nothing any more. It is not allocated again. */
  close(id: ContextId): void {
    if (id !== IP_PACKET_CONTEXT) this.#open.delete(id)
  }

  /** May a datagram with this id be interpreted? Either side may use an id, whoever allocated it. */
  isOpen(id: ContextId): boolean {
    return this.#open.has(id)
  }
}

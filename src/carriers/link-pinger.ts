/**
 * ICMPv6 echo requests that the end of a tunnel sends itself: whether a link carries what it has to is the tunnel's business,
 * whatever the host behind it is. One at a time.
 */

import { isAddressAt } from '../connect-ip/link-scope.ts'
import type { Drop } from '../connect-ip/session.ts'
import type { IpAddress } from '../ip/address.ts'
import { decodeIcmpv6, Icmpv6Type, icmpv6EchoRequest } from '../ip/icmpv6.ts'
import { IPV6_HEADER_LENGTH, IPV6_SOURCE_OFFSET, ipv6NextHeader } from '../ip/ipv6.ts'
import { packetVersion } from '../ip/packet.ts'
import { IpProtocol } from '../ip/protocol.ts'

/** From which address pings are sent, and to which. */
export interface LinkEnds {
  readonly source: IpAddress
  readonly target: IpAddress
}

interface Ping {
  readonly target: IpAddress
  readonly data: Uint8Array
  settle(answered: boolean): void
}

export class LinkPinger {
  readonly #send: (packet: Uint8Array) => Drop | undefined
  readonly #identifier: number
  #sequence = 0
  #waiting: Ping | undefined

  /** `send`: into the tunnel. */
  constructor(send: (packet: Uint8Array) => Drop | undefined, identifier = Math.floor(Math.random() * 0x10000)) {
    this.#send = send
    this.#identifier = identifier
  }

  /** Is an echo request with so many bytes of data answered within `timeoutMs`? */
  ping({ source, target }: LinkEnds, size: number, timeoutMs: number): Promise<boolean> {
    const data = Uint8Array.from({ length: size }, (_, i) => i)
    return new Promise(resolve => {
      const settle = (answered: boolean): void => {
        clearTimeout(timer)
        this.#waiting = undefined
        resolve(answered)
      }
      const timer = setTimeout(() => settle(false), timeoutMs)
      this.#sequence = (this.#sequence + 1) & 0xffff
      this.#waiting = { target, data, settle }
      const fields = { source, destination: target, id: this.#identifier, seq: this.#sequence }
      const drop = this.#send(icmpv6EchoRequest(fields, data))
      if (drop?.icmp !== undefined) settle(false)
    })
  }

  /** Takes a packet out of the tunnel; true when it is about our ping, and for nobody else. */
  receive(packet: Uint8Array): boolean {
    const waiting = this.#waiting
    if (waiting === undefined || packetVersion(packet) !== 6 || ipv6NextHeader(packet) !== IpProtocol.ICMPV6)
      return false
    const { type, id, seq, data, quoted } = decodeOrNothing(packet)
    if (type === Icmpv6Type.ECHO_REPLY && this.#isOurs(id, seq)) {
      // Anyone on the link may answer a ping to all of them.
      const fromTarget = waiting.target.isMulticast || isAddressAt(waiting.target, packet, IPV6_SOURCE_OFFSET)
      if (!fromTarget) return false
      waiting.settle(data !== undefined && Buffer.compare(data, waiting.data) === 0)
      return true
    }
    const request = quoted?.subarray(IPV6_HEADER_LENGTH)
    if (request?.[0] !== Icmpv6Type.ECHO_REQUEST) return false
    if (!this.#isOurs((request[4] << 8) | request[5], (request[6] << 8) | request[7])) return false
    waiting.settle(false)
    return true
  }

  /** The tunnel has ended: nothing is waited for any more. */
  close(): void {
    this.#waiting?.settle(false)
  }

  #isOurs(identifier: number | undefined, sequence: number | undefined): boolean {
    return identifier === this.#identifier && sequence === this.#sequence
  }
}

/** The ICMPv6 message in the packet; what is none that can be read is the business of whoever it is for. */
function decodeOrNothing(packet: Uint8Array): Partial<ReturnType<typeof decodeIcmpv6>> {
  try {
    return decodeIcmpv6(packet)
  } catch {
    return {}
  }
}

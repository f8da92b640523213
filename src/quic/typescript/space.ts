/**
 * What each packet number space has of its own (RFC 9000 §12.3): keys, packets that came, and the CRYPTO stream of TLS.
 *
 *              Initial            Handshake             1-RTT
 *   keys from  connection id      TLS, ServerHello      TLS, Finished of the server
 *   until      the first Handshake packet    handshake confirmed      the end (they are updated)           RFC 9001 §4.9
 */

import type { PacketNumberSpace } from './packet-number-space.ts'
import type { OpeningKeys, SealingKeys } from './protection/packet-keys.ts'
import { ReceivedPackets } from './recovery/received-packets.ts'
import { CryptoStream } from './streams/crypto-stream.ts'

export class Space {
  readonly number: PacketNumberSpace
  readonly crypto = new CryptoStream()
  readonly received: ReceivedPackets
  /** Of Initial and Handshake packets. Those of 1-RTT packets change: see OneRttKeys. */
  sealing: SealingKeys | undefined
  opening: OpeningKeys | undefined
  /** The keys were thrown away. */
  isDiscarded = false
  /** The next packet is to be one that has to be acknowledged. */
  isPingDue = false
  /** A packet number that was taken, and then was there nothing to send with it. */
  spareNumber: number | undefined

  constructor(number: PacketNumberSpace, maxAckDelayMs: number) {
    this.number = number
    this.received = new ReceivedPackets(number, maxAckDelayMs)
  }

  discard(): void {
    this.sealing = undefined
    this.opening = undefined
    this.isDiscarded = true
    this.crypto.clear()
    this.received.clear()
  }
}

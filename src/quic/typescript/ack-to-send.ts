/** The ACK frame of a packet number space, as it is now. */

import { appendAck, shortestAckLength } from './frames/ack-frame.ts'
import { APPLICATION, type PacketNumberSpace } from './packet-number-space.ts'
import type { ReceivedPackets } from './recovery/received-packets.ts'
import type { SentContent } from './recovery/sent-packet.ts'
import { DEFAULT_TRANSPORT_PARAMETERS } from './transport-parameters.ts'
import type { WireWriter } from './wire-writer.ts'

/** Our ack_delay_exponent is the default one. */
const DELAY_UNIT_MS = 2 ** DEFAULT_TRANSPORT_PARAMETERS.ackDelayExponent / 1000

/** What belongs to the packet, if that has to be acknowledged. undefined: there was no room. */
export function writeAck(
  received: ReceivedPackets,
  out: WireWriter,
  space: PacketNumberSpace,
  now: number,
): SentContent | undefined {
  const ranges = received.ranges()
  // Initials and Handshake packets are acknowledged at once; their delay is not looked at (RFC 9000 §13.2.5).
  const delay = space === APPLICATION ? Math.round(received.ackDelay(now) / DELAY_UNIT_MS) : 0
  if (out.remaining < shortestAckLength(ranges, delay, received.ecn)) return undefined
  appendAck(out, ranges, delay, received.ecn)
  return received.onAckSent()
}

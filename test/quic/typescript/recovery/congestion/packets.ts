import { APPLICATION } from '../../../../../src/quic/typescript/packet-number-space.ts'
import type {
  CongestionController,
  ControllerOptions,
} from '../../../../../src/quic/typescript/recovery/congestion/controller.ts'
import { Rtt } from '../../../../../src/quic/typescript/recovery/rtt.ts'
import { SentPacket } from '../../../../../src/quic/typescript/recovery/sent-packet.ts'

export const SIZE = 1000

export function options(rttMs = 100): ControllerOptions {
  const rtt = new Rtt()
  rtt.onSample(rttMs, 0, 0)
  return { datagramSize: SIZE, rtt, random: () => 0.5 }
}

/** So many packets, all sent at `sentAt` and acknowledged at `now`. */
export function acked(
  controller: CongestionController,
  count: number,
  sentAt: number,
  isWindowUsed = true,
  now = sentAt,
): void {
  for (let i = 0; i < count; i++) {
    controller.onAcked(new SentPacket(APPLICATION, i, sentAt, SIZE, true, true), isWindowUsed, now)
  }
}

import type { PacketNumberSpace } from '../packet-number-space.ts'
import { SentPackets } from './sent-packets.ts'

/** What loss recovery keeps of one packet number space (RFC 9002 appendix A.3). Times in ms. */
export class RecoverySpace {
  readonly space: PacketNumberSpace
  readonly sent = new SentPackets()
  nextNumber = 0
  /** -1: nothing was acknowledged. */
  largestAcked = -1
  elicitingInFlight = 0
  lastElicitingAt = 0
  /** When the oldest packet counts as lost, if it is not acknowledged until then. */
  lossAt: number | undefined
  /** Ack-eliciting packets that are to be sent whatever the window says. */
  probesDue = 0
  /** Packets in a row that the peer need not acknowledge. */
  notElicitingInRow = 0
  isDiscarded = false

  constructor(space: PacketNumberSpace) {
    this.space = space
  }

  discard(): void {
    this.isDiscarded = true
    this.elicitingInFlight = 0
    this.lossAt = undefined
    this.probesDue = 0
  }
}

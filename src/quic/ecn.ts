/**
 * The ECN field, two bits of the IP header: a router that has a queue marks packets in place of dropping them (RFC 3168 §5).
 *
 *      6 bits    2 bits      00  Not-ECT   the sender does not know of ECN, or does not want it: drop the packet
 *    ┌─────────┬───────┐     10  ECT(0)    mark it
 *    │  DSCP   │  ECN  │     01  ECT(1)    mark it; of senders that react in another way (RFC 9331)
 *    └─────────┴───────┘     11  CE        it was marked: congestion experienced
 */

export type EcnCodepoint = 0 | 1 | 2 | 3

export const NOT_ECT = 0
export const ECT_1 = 1
export const ECT_0 = 2
export const CE = 3

/** What a link does to pings, computed: both directions of it in virtual time, without sockets. */
import { LinkDirection } from '../../../src/link/model/link-direction.ts'
import type { Profile } from '../../../src/link/profile/profile.ts'
import { percentile } from '../../../src/stats/statistics.ts'

/** A ping in a QUIC packet: 84 bytes of IPv4 and ICMP, and about 40 of QUIC, HTTP Datagram and AEAD tag. */
const PAYLOAD_BYTES = 124
/** One at a time, so that pings do not wait for each other. */
const APART_MS = 1000
const TRAINS = 400

export interface ExpectedPings {
  rttMs: { least: number; quartile: number; median: number }
  lossRate: number
  /** How many times fewer independent trials the losses of a train are worth, because they come in bursts. */
  designEffect: number
}

/** `count`: pings in one train. The same every time. */
export function expectedPings(profile: Profile, count: number): ExpectedPings {
  const up = new LinkDirection(profile.up, { seed: 'expected', purpose: 'up' })
  const down = new LinkDirection(profile.down, { seed: 'expected', purpose: 'down' })
  const total = TRAINS * count
  const rtts: number[] = []
  const answered = new Uint8Array(total)
  for (let i = 0; i < total; i++) {
    const sentMs = i * APART_MS
    up.enqueue(new Uint8Array(PAYLOAD_BYTES), i, sentMs)
    const arrivals: number[] = []
    up.release(sentMs + APART_MS / 2, (_payload, _tag, dueMs) => arrivals.push(dueMs))
    for (const arrivedMs of arrivals) down.enqueue(new Uint8Array(PAYLOAD_BYTES), i, arrivedMs)
    down.release(sentMs + APART_MS - 1, (_payload, tag, dueMs) => {
      if (answered[tag]++ === 0) rtts.push(dueMs - tag * APART_MS)
    })
  }
  const lost = Array.from({ length: TRAINS }, (_, train) => {
    return answered.subarray(train * count, (train + 1) * count).filter(each => each === 0).length
  })
  const lossRate = lost.reduce((sum, each) => sum + each, 0) / total
  const independent = count * lossRate * (1 - lossRate)
  const variance = lost.reduce((sum, each) => sum + (each - count * lossRate) ** 2, 0) / (TRAINS - 1)
  rtts.sort((a, b) => a - b)
  return {
    rttMs: { least: rtts[0], quartile: percentile(rtts, 0.25), median: percentile(rtts, 0.5) },
    lossRate,
    designEffect: independent > 0 ? Math.max(1, variance / independent) : 1,
  }
}

/** What a relay measurement is, on both sides of it. */

/** Everybody does the same. 20 pings a second of 1000 bytes are 160 kbit/s in each direction, and 32 Mbit/s of 200 students. */
export const RELAY_PLAN = {
  seconds: 30,
  pingsPerSecond: 20,
  payloadBytes: 1000,
  timeoutMs: 2000,
  /** Of one account: one, and one that was killed and that the proxy still takes for open. */
  tunnelsEach: 2,
} as const

/** Where the proxy is on this machine, whom to trust (PEM), and by what the proxy knows the account. */
export interface RelayOffer {
  port: number
  ca: string
  token: string
}

/** Of the last second: round trips of its pings in ms, null without any; data that came back, bit/s. */
export interface RelayReport {
  medianMs: number | null
  slowestMs: number | null
  bitsPerSecond: number
}

/** Of the whole: round trips in ms, and how many pings were sent. */
export interface RelayResult {
  rtts: number[]
  sent: number
}

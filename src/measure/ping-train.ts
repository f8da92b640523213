import type { Clock } from '../hosts/clock.ts'
import { PingError, type PingOptions, type PingResult } from '../hosts/userspace/pinger.ts'
import type { IpAddress } from '../ip/address.ts'
import { interarrivalJitter, type Summary, summarise } from './statistics.ts'

/** Whatever can send echo requests; a UserspaceHost, say. */
export interface PingSource {
  readonly clock: Clock
  ping(target: IpAddress, options?: PingOptions): Promise<PingResult>
}

export interface PingTrainOptions extends Omit<PingOptions, 'onDuplicate'> {
  /** How many echo requests; default 10. */
  count?: number
  /** From one request to the next, in ms; default 100. With 0, all are sent at once. */
  intervalMs?: number
  /** Called as each request ends, in the order in which they end; for progress displays. */
  onProgress?: (sequence: number, outcome: PingResult | PingError) => void
}

export interface PingTrainResult {
  sent: number
  received: number
  /** (sent - received) / sent: 0 … 1. */
  lossRatio: number
  /** Of the replies; undefined when there was none. */
  rttMs: Summary | undefined
  /** RFC 3550 §6.4.1, over the round-trip times in order of arrival. */
  jitterMs: number
  /** Further replies to requests that had been answered. */
  duplicates: number
  /** Replies that came after the reply to a later request (RFC 4737 §3, applied to the round trip). */
  reordered: number
  /** TTL or hop limit of the replies as they arrived: each value that was seen, once. */
  hopCounts: number[]
  /** Requests that ended otherwise than with a reply, by kind (see PingFailure). */
  failures: Partial<Record<PingError['kind'], number>>
  /** The first of them that was not a timeout: usually it explains the others. */
  firstError: PingError | undefined
}

/**
 * Sends `count` echo requests, one every `intervalMs` whether or not the previous ones were answered, and sums up what
 * came back. Ends when every request has, plus one more interval for duplicates of the last reply.
 *
 * The n-th request is due at start + n × interval, so a late timer delays one request and not all that follow.
 */
export async function pingTrain(
  host: PingSource,
  target: IpAddress,
  options: PingTrainOptions = {},
): Promise<PingTrainResult> {
  const { count = 10, intervalMs = 100, onProgress, ...pingOptions } = options
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`ping train of ${count}; expected 1 or more`)

  const { clock } = host
  const rtts: number[] = []
  const hopCounts = new Set<number>()
  const failures: PingTrainResult['failures'] = {}
  let firstError: PingError | undefined
  let duplicates = 0
  let reordered = 0
  let nextExpected = 0

  const sendOne = async (sequence: number): Promise<void> => {
    try {
      const result = await host.ping(target, { ...pingOptions, onDuplicate: () => duplicates++ })
      rtts.push(result.rttMs)
      hopCounts.add(result.hopCount)
      if (sequence >= nextExpected) nextExpected = sequence + 1
      else reordered++
      onProgress?.(sequence, result)
    } catch (error) {
      if (!(error instanceof PingError)) throw error
      failures[error.kind] = (failures[error.kind] ?? 0) + 1
      if (error.kind !== 'timeout') firstError ??= error
      onProgress?.(sequence, error)
    }
  }

  const start = clock.now()
  const pings: Promise<void>[] = []
  for (let sequence = 0; sequence < count; sequence++) {
    const wait = start + sequence * intervalMs - clock.now()
    if (wait > 0) await sleep(clock, wait)
    const ping = sendOne(sequence)
    // Awaited only after the last was sent: until then an error (in onProgress, say) must not count as unhandled.
    ping.catch(() => {})
    pings.push(ping)
  }
  await Promise.all(pings)
  if (intervalMs > 0) await sleep(clock, intervalMs)

  return {
    sent: count,
    received: rtts.length,
    lossRatio: (count - rtts.length) / count,
    rttMs: summarise(rtts),
    jitterMs: interarrivalJitter(rtts),
    duplicates,
    reordered,
    hopCounts: [...hopCounts],
    failures,
    firstError,
  }
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise(resolve => clock.setTimeout(resolve, ms))
}

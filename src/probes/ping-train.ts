import type { Clock } from '../hosts/clock.ts'
import { PingError, type PingOptions, type PingResult } from '../hosts/userspace/pinger.ts'
import type { IpAddress } from '../ip/address.ts'
import { interarrivalJitter, type Summary, summarise } from '../stats/statistics.ts'
import { ClockWatch } from './clock-watch.ts'
import { aborted, lossOf, type ProbeOutcome, type ProbeReport, sleep } from './report.ts'

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
  /** Ends the train early; it then resolves with the results so far, outcome 'aborted'. */
  signal?: AbortSignal
  /** Ends the train early when there was no reply for so long, outcome 'silent'; default never. More than `timeoutMs`. */
  giveUpAfterMs?: number
  /** Called as each request ends, in the order in which they end; for progress displays. */
  onProgress?: (sequence: number, outcome: PingResult | PingError) => void
}

/** What became of one request. */
export interface PingRecord {
  sequence: number
  /** From the beginning of the train, on the host's clock. */
  sentMs: number
  /** How much later than planned it was sent. */
  lateMs: number
  /** Undefined: no reply. */
  rttMs: number | undefined
  /** Why there was none; undefined when there was one. */
  failure: PingError['kind'] | undefined
  /** The clock jumped while it was on its way: neither its time nor its loss says anything about the network. */
  suspect: boolean
}

export interface PingTrainResult extends ProbeReport {
  probe: 'ping-train'
  /** In order of sending; requests in flight when the train ended early are not among them. */
  records: PingRecord[]
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
 * came back. Ends when every request has, plus one more interval for duplicates of the last reply; or early, see
 * ProbeOutcome.
 *
 * The n-th request is due at start + n × interval, so a late timer delays one request and not all that follow. Only after a
 * jump of the clock does the schedule move: what was missed meanwhile would otherwise be sent in one burst.
 */
export async function pingTrain(
  host: PingSource,
  target: IpAddress,
  options: PingTrainOptions = {},
): Promise<PingTrainResult> {
  const { count = 10, intervalMs = 100, onProgress, signal, giveUpAfterMs = Infinity, ...pingOptions } = options
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`ping train of ${count}; expected 1 or more`)

  const { clock } = host
  /** In order of their end. */
  const ended: PingRecord[] = []
  const endedAt = new Map<PingRecord, number>()
  const hopCounts = new Set<number>()
  const failures: PingTrainResult['failures'] = {}
  let firstError: PingError | undefined
  let duplicates = 0
  let reordered = 0
  let nextExpected = 0
  const startedMs = clock.now()
  let lastHeardMs = startedMs
  // Ends the waiting, for whatever reason; the first reason counts.
  const stop = new AbortController()
  let outcome: ProbeOutcome = 'complete'
  const end = (reason: ProbeOutcome) => {
    if (stop.signal.aborted) return
    outcome = reason
    stop.abort()
  }
  const onAbort = () => end('aborted')
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort)
  const watch = new ClockWatch(clock)

  const sendOne = async (sequence: number, dueMs: number): Promise<void> => {
    const sentMs = clock.now()
    const record: PingRecord = {
      sequence,
      sentMs: sentMs - startedMs,
      lateMs: sentMs - dueMs,
      rttMs: undefined,
      failure: undefined,
      suspect: false,
    }
    try {
      const result = await host.ping(target, { ...pingOptions, onDuplicate: () => duplicates++ })
      if (stop.signal.aborted) return
      record.rttMs = result.rttMs
      lastHeardMs = clock.now()
      hopCounts.add(result.hopCount)
      if (sequence >= nextExpected) nextExpected = sequence + 1
      else reordered++
      ended.push(record)
      onProgress?.(sequence, result)
    } catch (error) {
      if (!(error instanceof PingError)) throw error
      if (stop.signal.aborted) return
      record.failure = error.kind
      failures[error.kind] = (failures[error.kind] ?? 0) + 1
      if (error.kind !== 'timeout') firstError ??= error
      ended.push(record)
      onProgress?.(sequence, error)
      if (error.kind === 'closed') end('closed')
      else if (clock.now() - lastHeardMs >= giveUpAfterMs) end('silent')
    } finally {
      endedAt.set(record, clock.now())
    }
  }

  try {
    const pings: Promise<void>[] = []
    for (let sequence = 0; sequence < count; sequence++) {
      const dueMs = () => startedMs + watch.shiftMs + sequence * intervalMs
      for (let wait: number; (wait = dueMs() - clock.now()) > 0 && !stop.signal.aborted; watch.look()) {
        await sleep(clock, wait, stop.signal)
      }
      if (stop.signal.aborted) break
      const ping = sendOne(sequence, dueMs())
      // Awaited only after the last was sent: until then an error (in onProgress, say) must not count as unhandled.
      ping.catch(() => {})
      pings.push(ping)
    }
    await Promise.race([Promise.all(pings), aborted(stop.signal)])
    if (intervalMs > 0) await sleep(clock, intervalMs, stop.signal)
  } finally {
    watch.stop()
    signal?.removeEventListener('abort', onAbort)
    // From here on, what comes in is not counted any more.
    stop.abort()
  }

  for (const record of ended) record.suspect = watch.isSuspect(startedMs + record.sentMs, endedAt.get(record)!)
  const judged = ended.filter(record => !record.suspect)
  const rtts = judged.flatMap(({ rttMs }) => (rttMs === undefined ? [] : [rttMs]))
  return {
    probe: 'ping-train',
    outcome,
    startedMs,
    durationMs: clock.now() - startedMs,
    sent: ended.length,
    received: ended.filter(({ rttMs }) => rttMs !== undefined).length,
    ...lossOf(judged.length, rtts.length),
    clockJumps: watch.jumps,
    suspect: ended.length - judged.length,
    records: ended.toSorted((a, b) => a.sequence - b.sequence),
    rttMs: summarise(rtts),
    jitterMs: interarrivalJitter(rtts),
    duplicates,
    reordered,
    hopCounts: [...hopCounts],
    failures,
    firstError,
  }
}

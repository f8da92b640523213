import { DecodeError } from '../bytes/errors.ts'
import type { UdpBinding, UdpDatagram } from '../hosts/userspace/udp-ports.ts'
import type { UserspaceHost } from '../hosts/userspace/userspace-host.ts'
import type { IpAddress } from '../ip/address.ts'
import { type Summary, summarise } from '../stats/statistics.ts'
import { ClockWatch } from './clock-watch.ts'
import { RttEstimator } from './congestion-window.ts'
import { lossOf, type ProbeOutcome, type ProbeReport, sleep, sourceFor } from './report.ts'
import {
  type DataSegment,
  decodeSegment,
  encodeRequest,
  LONGEST_RESPONSE,
  SEGMENT_HEADER_LENGTH,
  SEGMENTS_A_REQUEST,
  SHORTEST_SEGMENT,
  segmentCount,
  segmentDataLength,
} from './request-packets.ts'
import { REQUEST_PORT } from './request-responder.ts'

export interface RequestResponseOptions {
  host: UserspaceHost
  /** A host with a RequestResponder (request-responder.ts). */
  destination: IpAddress
  /** Default 5003. */
  destinationPort?: number
  /** How many requests. */
  count: number
  /** Data in each response, in bytes: 0 … 16 MiB. */
  responseLength: number
  /** Whole IP packets of the response, in bytes; default 1200. */
  packetLength?: number
  /**
   * From one request to the next, in ms, whether or not the previous ones were answered; completion times then count from when
   * the request was *due*. Without it, each request waits for the response to the one before.
   */
  intervalMs?: number
  /** How long a response may take, in ms; default 10 000. */
  timeoutMs?: number
  signal?: AbortSignal
  /** As each request ends. */
  onProgress?: (record: RequestRecord) => void
  /** Makes the token that responses must show; default random. */
  random?: { float(): number }
}

export interface RequestRecord {
  index: number
  /** When it should have been sent and when it was, from the beginning, ms. */
  dueMs: number
  sentMs: number
  /** From `dueMs` to the first segment, and to the last. Undefined: not within the timeout. */
  firstByteMs: number | undefined
  completionMs: number | undefined
  /** How often segments had to be asked for again. */
  retransmissions: number
  /** The clock jumped meanwhile. */
  suspect: boolean
}

export interface RequestResponseResult extends ProbeReport {
  probe: 'request-response'
  /** In order of sending; requests not ended when the run ended early are not among them. */
  records: RequestRecord[]
  completionMs: Summary | undefined
  firstByteMs: Summary | undefined
  retransmissions: number
  /** Segments that came twice, and datagrams that made no sense or were forged. */
  duplicates: number
  badSegments: number
  /** With outcome 'refused': what the ICMP error said. */
  error: string | undefined
}

/**
 * Asks for responses of a given length and measures how long they take. Up to 64 segments are asked for at once, the next
 * 64 when those are there; what does not come within the retransmission timeout (RFC 6298) is asked for again. So a response of
 * up to 64 packets takes one round trip and the time on the bottleneck, plus a timeout for each loss of what is asked for: it is
 * latency that this measures, not throughput.
 */
export async function runRequestResponse(options: RequestResponseOptions): Promise<RequestResponseResult> {
  const { host, destination, count, intervalMs, signal, onProgress, timeoutMs = 10_000 } = options
  const { destinationPort = REQUEST_PORT, packetLength = 1200, responseLength } = options
  const segmentLength = packetLength - (destination.version === 4 ? 28 : 48) - SEGMENT_HEADER_LENGTH
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`${count} requests; expected 1 or more`)
  if (!(Number.isInteger(responseLength) && responseLength >= 0 && responseLength <= LONGEST_RESPONSE)) {
    throw new RangeError(`responses of ${responseLength} bytes; expected 0 to ${LONGEST_RESPONSE}`)
  }
  if (!(Number.isInteger(packetLength) && segmentLength >= SHORTEST_SEGMENT && packetLength <= 65_000)) {
    const shortest = packetLength - segmentLength + SHORTEST_SEGMENT
    throw new RangeError(`response packets of ${packetLength} bytes; expected ${shortest} to 65000`)
  }

  const { clock } = host
  const source = sourceFor(host, destination)
  const token = Math.floor((options.random?.float() ?? Math.random()) * 2 ** 32)
  const rtt = new RttEstimator()
  const exchanges = new Map<number, Exchange>()
  const ended: RequestRecord[] = []
  let duplicates = 0
  let badSegments = 0
  let error: string | undefined
  const stop = new AbortController()
  let outcome: ProbeOutcome = 'complete'
  const end = (reason: ProbeOutcome) => {
    if (stop.signal.aborted) return
    outcome = reason
    stop.abort()
    for (const exchange of exchanges.values()) exchange.close()
  }
  const onAbort = () => end('aborted')
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort)

  const receive = (datagram: UdpDatagram): void => {
    const segment = segmentOf(datagram)
    const isOurs = datagram.source.equals(destination) && datagram.sourcePort === destinationPort
    if (segment === undefined || !isOurs || segment.token !== token || segment.id >= count) {
      badSegments++
      return
    }
    const result = exchanges.get(segment.id)?.receive(segment) ?? 'duplicate'
    if (result === 'duplicate') duplicates++
    if (result === 'bad') badSegments++
  }

  const startedMs = clock.now()
  const watch = new ClockWatch(clock)
  let binding: UdpBinding | undefined
  const ask = async (index: number, dueMs: number): Promise<void> => {
    const sentMs = clock.now()
    const exchange = new Exchange({
      clock,
      rtt,
      timeoutMs,
      responseLength,
      segmentLength,
      send: (first, wanted) => {
        const payload = encodeRequest({ id: index, token, responseLength, segmentLength, first, wanted })
        const addressing = { source, sourcePort: binding!.port, destination, destinationPort }
        if (!host.udp.send(addressing, payload)) end('closed')
      },
    })
    exchanges.set(index, exchange)
    exchange.start()
    await exchange.done
    exchanges.delete(index)
    watch.look()
    if (stop.signal.aborted) return
    const since = (ms: number | undefined) => (ms === undefined ? undefined : ms - dueMs)
    const record: RequestRecord = {
      index,
      dueMs: dueMs - startedMs,
      sentMs: sentMs - startedMs,
      firstByteMs: since(exchange.firstByteMs),
      completionMs: since(exchange.completedMs),
      retransmissions: exchange.retransmissions,
      suspect: watch.isSuspect(dueMs, clock.now()),
    }
    ended.push(record)
    onProgress?.(record)
  }

  try {
    binding = host.udp.bind(0, receive, (report, about) => {
      if (!about.equals(destination)) return
      error = `${report.text}, says ${report.from}`
      if (report.kind === 'destination-unreachable' || report.kind === 'packet-too-big') end('refused')
    })
    const running: Promise<void>[] = []
    for (let index = 0; index < count && !stop.signal.aborted; index++) {
      if (intervalMs === undefined) {
        await ask(index, clock.now())
        continue
      }
      const dueMs = () => startedMs + watch.shiftMs + index * intervalMs
      for (let wait: number; (wait = dueMs() - clock.now()) > 0 && !stop.signal.aborted; watch.look()) {
        await sleep(clock, wait, stop.signal)
      }
      if (stop.signal.aborted) break
      const asked = ask(index, dueMs())
      // Awaited below; until then an error (in onProgress, say) must not count as unhandled.
      asked.catch(() => {})
      running.push(asked)
    }
    await Promise.all(running)
  } finally {
    stop.abort()
    watch.stop()
    binding?.close()
    signal?.removeEventListener('abort', onAbort)
  }

  const judged = ended.filter(record => !record.suspect)
  const completions = judged.flatMap(({ completionMs }) => (completionMs === undefined ? [] : [completionMs]))
  return {
    probe: 'request-response',
    outcome,
    startedMs,
    durationMs: clock.now() - startedMs,
    sent: ended.length,
    received: ended.filter(({ completionMs }) => completionMs !== undefined).length,
    ...lossOf(judged.length, completions.length),
    clockJumps: watch.jumps,
    suspect: ended.length - judged.length,
    records: ended.toSorted((a, b) => a.index - b.index),
    completionMs: summarise(completions),
    firstByteMs: summarise(judged.flatMap(({ firstByteMs }) => (firstByteMs === undefined ? [] : [firstByteMs]))),
    retransmissions: ended.reduce((sum, { retransmissions }) => sum + retransmissions, 0),
    duplicates,
    badSegments,
    error,
  }
}

function segmentOf({ payload }: UdpDatagram): DataSegment | undefined {
  try {
    return decodeSegment(payload)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return undefined
  }
}

interface ExchangeOptions {
  clock: UserspaceHost['clock']
  rtt: RttEstimator
  timeoutMs: number
  responseLength: number
  segmentLength: number
  send: (first: number, wanted: [number, number]) => void
}

/** One request, until its response is complete or it has taken too long. */
class Exchange {
  /** Resolves in either case; see `completedMs`. */
  readonly done: Promise<void>
  firstByteMs: number | undefined
  completedMs: number | undefined
  retransmissions = 0
  readonly #options: ExchangeOptions
  readonly #arrived: Uint8Array
  #missing: number
  /** All before this one have arrived. */
  #lowest = 0
  /** The segments that were asked for last: from … to - 1. */
  #askedTo = 0
  #askedAtMs = 0
  #isFirstAsking = true
  #progressMs: number
  readonly #deadlineMs: number
  #timer: unknown
  #isClosed = false
  #finish: () => void = () => {}

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.#missing = segmentCount(options.responseLength, options.segmentLength)
    this.#arrived = new Uint8Array(this.#missing)
    this.#progressMs = options.clock.now()
    this.#deadlineMs = this.#progressMs + options.timeoutMs
    this.done = new Promise(resolve => {
      this.#finish = resolve
    })
  }

  /** Not in the constructor: over a link in memory the response comes before the sending returns. */
  start(): void {
    this.#ask()
    this.#armTimer()
  }

  receive({ index, data }: DataSegment): 'new' | 'duplicate' | 'bad' {
    const { clock, rtt, responseLength, segmentLength } = this.#options
    const isLengthRight = data.length === segmentDataLength(responseLength, segmentLength, index)
    if (index >= this.#arrived.length || !isLengthRight) return 'bad'
    if (this.#arrived[index] === 1) return 'duplicate'
    const nowMs = clock.now()
    rtt.onProgress()
    if (this.#isFirstAsking) rtt.sample(nowMs - this.#askedAtMs)
    // One sample an asking: the segments behind the first one wait for each other.
    this.#isFirstAsking = false
    this.#arrived[index] = 1
    this.#missing--
    this.#progressMs = nowMs
    this.firstByteMs ??= nowMs
    if (this.#missing === 0) {
      this.completedMs = nowMs
      this.close()
      return 'new'
    }
    while (this.#arrived[this.#lowest] === 1) this.#lowest++
    if (this.#lowest >= this.#askedTo) {
      this.#isFirstAsking = true
      this.#ask()
    }
    return 'new'
  }

  /** Ends it as it is. */
  close(): void {
    this.#options.clock.clearTimeout(this.#timer)
    this.#isClosed = true
    this.#finish()
  }

  /** For what is missing of the next 64 segments. */
  #ask(): void {
    const wanted: [number, number] = [0, 0]
    const first = this.#lowest
    this.#askedTo = Math.min(first + SEGMENTS_A_REQUEST, this.#arrived.length)
    for (let index = first; index < this.#askedTo; index++) {
      const bit = index - first
      if (this.#arrived[index] === 0) wanted[bit >>> 5] |= 1 << (bit & 31)
    }
    this.#askedAtMs = this.#progressMs = this.#options.clock.now()
    this.#options.send(first, wanted)
  }

  #armTimer(): void {
    const { clock, rtt } = this.#options
    if (this.#isClosed) return
    const dueMs = Math.min(this.#progressMs + rtt.rtoMs, this.#deadlineMs)
    this.#timer = clock.setTimeout(
      () => {
        const nowMs = clock.now()
        if (nowMs >= this.#deadlineMs) return this.close()
        if (nowMs >= this.#progressMs + rtt.rtoMs) {
          // Karn's algorithm: which asking a segment answers is not known any more.
          this.#isFirstAsking = false
          this.retransmissions++
          rtt.backOff()
          this.#ask()
        }
        this.#armTimer()
      },
      Math.max(1, dueMs - clock.now()),
    )
  }
}

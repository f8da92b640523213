/** What loss recovery has done in a recorded run (record-run.ts), from the sender's qlog. */

/** Bytes of a file; what is handed in is no longer, either. */
export const MAX_RUN_BYTES = 128 * 1024

interface Event {
  time: number
  name: string
  data: Record<string, unknown>
}

/** It is no such file: one sentence. */
export class RunError extends Error {
  override name = 'RunError'
}

export interface RunFigures {
  /** Packets that were declared lost, and by which threshold. */
  lost: number
  byPackets: number
  byTime: number
  /** How often the probe timeout has rung, and how many probes were sent then. */
  ptos: number
  probes: number
  /** The first packet that was lost, and the largest one that the ACK before that has acknowledged. */
  firstLost: number
  decidedBy: number
  /** The window before and after it, in bytes. */
  windowBefore: number
  windowAfter: number
  /** The first recovery period: when it began, how long it lasted, and the smoothed round trip then; in ms. */
  recoveryAt: number
  recoveryMs: number
  smoothedRtt: number
  /** The window's course. */
  windows: readonly { atMs: number; window: number }[]
  endMs: number
}

/** Throws RunError. */
export function figuresOf(qlog: string): RunFigures {
  const events = eventsOf(qlog)
  const losses = events.filter(({ name, data }) => name === 'recovery:packet_lost' && typeOf(data) === '1RTT')
  const lostBy = (trigger: string) => losses.filter(({ data }) => data.trigger === trigger).length
  const rung = events.filter(
    ({ name, data }) =>
      name === 'recovery:loss_timer_updated' && data.event_type === 'expired' && data.timer_type === 'pto',
  )
  const states = events.filter(({ name }) => name === 'recovery:congestion_state_updated')
  const began = states.findIndex(({ data }) => data.new === 'recovery')
  const [begin, end] = [states[began], states[began + 1]]
  const byPackets = lostBy('reordering_threshold')
  const byTime = lostBy('time_threshold')
  if (byPackets === 0 || byTime === 0 || rung.length === 0 || begin === undefined || end === undefined) {
    throw new RunError(
      'a run in which nothing was lost by one of the thresholds, or the probe timeout has not rung, or no recovery period has ended',
    )
  }
  const first = losses[0]!
  const before = events.slice(0, events.indexOf(first))
  const ack = before.findLast(({ name, data }) => name === 'transport:packet_received' && largestAcked(data) >= 0)
  const windows = seriesOf(events, 'congestion_window').map(({ atMs, value }) => ({ atMs, window: value }))
  const upTo = (series: readonly { atMs: number; value: number }[]) => series.findLast(({ atMs }) => atMs < begin.time)
  return {
    lost: losses.length,
    byPackets,
    byTime,
    ptos: rung.length,
    probes: events.filter(({ data }) => data.trigger === 'pto_probe').length,
    firstLost: numberOf(first.data),
    decidedBy: ack === undefined ? -1 : largestAcked(ack.data),
    windowBefore: windows.findLast(({ atMs }) => atMs < begin.time)?.window ?? 0,
    windowAfter: windows.find(({ atMs }) => atMs >= begin.time)?.window ?? 0,
    recoveryAt: begin.time,
    recoveryMs: end.time - begin.time,
    smoothedRtt: upTo(seriesOf(events, 'smoothed_rtt'))?.value ?? 0,
    windows,
    endMs: events.at(-1)!.time,
  }
}

function eventsOf(qlog: string): Event[] {
  if (qlog.length > MAX_RUN_BYTES) throw new RunError(`more than ${MAX_RUN_BYTES} bytes`)
  const events: Event[] = []
  for (const line of qlog.split('\n')) {
    if (line.trim() === '') continue
    const value = parsed(line.replace('\u001e', ''))
    if (typeof value !== 'object' || value === null) throw new RunError('a line that is no JSON object')
    const { time, name, data } = value as Partial<Event>
    if (typeof time !== 'number' || typeof name !== 'string' || typeof data !== 'object' || data === null) continue
    events.push({ time, name, data })
  }
  if (events.length === 0) throw new RunError('no events')
  return events
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new RunError('a line that is no JSON')
  }
}

function headerOf(data: Record<string, unknown>): Record<string, unknown> {
  const { header } = data
  return typeof header === 'object' && header !== null ? (header as Record<string, unknown>) : {}
}

function typeOf(data: Record<string, unknown>): unknown {
  return headerOf(data).packet_type
}

function numberOf(data: Record<string, unknown>): number {
  const { packet_number } = headerOf(data)
  return typeof packet_number === 'number' ? packet_number : -1
}

/** Of a 1-RTT packet with an ACK frame; -1: it has none. */
function largestAcked(data: Record<string, unknown>): number {
  if (typeOf(data) !== '1RTT' || !Array.isArray(data.frames)) return -1
  const ranges = data.frames.flatMap((frame: { acked_ranges?: unknown } | null) => frame?.acked_ranges ?? [])
  return Math.max(-1, ...ranges.flat().filter((one: unknown): one is number => typeof one === 'number'))
}

function seriesOf(events: readonly Event[], metric: string): { atMs: number; value: number }[] {
  return events.flatMap(({ name, time, data }) => {
    const value = name === 'recovery:metrics_updated' ? data[metric] : undefined
    return typeof value === 'number' ? [{ atMs: time, value }] : []
  })
}

/**
 * `netem check`: does an emulated link do what its profile says?
 *
 * Numbered datagrams go through the emulator (a process of its own) in both directions at once, and arrive where they were
 * sent, so that one clock measures one-way delays. What is expected comes from the same profile in virtual time, without
 * sockets and clocks: many runs, from whose spread follows how far a measurement may be off. The long-run loss is also
 * compared with its formula, where there is one.
 */

import type { Socket } from 'node:dgram'
import { startEmulatorProcess } from '../link/emulator-process.ts'
import { LinkDirection, UDP_WIRE_OVERHEAD } from '../link/link-direction.ts'
import { expectedLoss } from '../link/loss.ts'
import { DIRECTIONS, type Direction, type Impairment, type Profile } from '../link/profile.ts'
import { traceRate } from '../link/trace.ts'
import { bindUdp, EmulatorError, type SocketAddress } from '../link/udp-socket.ts'
import { type Acceptance, acceptPercentile, acceptRate } from '../measure/acceptance.ts'
import { percentile } from '../measure/statistics.ts'
import { bitrate, percent } from './netem-show.ts'

export interface CheckOptions {
  /** In each direction. */
  packets: number
  seed: string
  json: boolean
  signal: AbortSignal
}

/** One measured value beside the expected one. */
interface Line {
  direction: Direction
  name: string
  /** 'too-few': so few packets that nothing could have been refused. */
  verdict: Acceptance['verdict']
  measured: string
  expected: string
  /** What the true value may be. */
  interval: string
}

const PAYLOAD_BYTES = 100
const FLOOD_PAYLOAD_BYTES = 1200
/** Of what the link's rate carries: so little that its queue stays empty. */
const TRICKLE_LOAD = 0.25
const MIN_SPACING_MS = 1
const FLOOD_LOAD = 1.3
const FLOOD_MS = 4_000
/** Before the queue is full and the flow steady. */
const FLOOD_SKIP_MS = 1_500
/** Faster than this a flow through node:dgram says more about this machine. */
const FASTEST_FLOOD = 100e6
const SIMULATED_RUNS = 40
/** A design effect estimated from 40 runs can be 1.7 times too small (three standard deviations). */
const DESIGN_EFFECT_MARGIN = 1.7
/** How much later than in virtual time these percentiles may be: sockets, wake-ups, other programs on this machine. */
const LATE_MS = { p10: 2, p50: 5 } as const
/** A loss of so much is put down to a busy machine and not to the link. */
const STRAY_LOSS = 0.001
const RATE_TOLERANCE = 0.05
const HELLO_ATTEMPTS = 200

/** Prints a line for each thing that was measured. Whether all of them agree. Rejects with EmulatorError. */
export async function checkProfile(profile: Profile, options: CheckOptions): Promise<boolean> {
  const client = await bindUdp({ host: '127.0.0.1', port: 0 })
  const server = await bindUdp({ host: '127.0.0.1', port: 0 })
  // A datagram that is refused is one that does not arrive; that is measured.
  for (const socket of [client, server]) socket.on('error', () => {})
  const start = () => startEmulatorProcess({ profile, seed: options.seed, to: local(server), startTimeline: false })
  let link: Awaited<ReturnType<typeof start>> | undefined
  try {
    link = await start()
    const died = new Promise<never>((_, reject) => link?.once('died', reject))
    died.catch(() => {})
    const stopped = new Promise<never>((_, reject) => {
      const stop = (): void => reject(new EmulatorError('stopped before the measurement was complete'))
      if (options.signal.aborted) stop()
      options.signal.addEventListener('abort', stop, { once: true })
    })
    stopped.catch(() => {})
    if (!options.json) console.log(`${profile.name}: ${profile.title}`)
    const lines = await Promise.race([measure(profile, client, server, link.address, options), died, stopped])
    progress('')
    for (const line of lines)
      console.log(options.json ? JSON.stringify({ profile: profile.name, ...line }) : text(line))
    const { timing, outside } = await link.counters()
    const busy = timing.overdue + (outside.kernelDrops ?? 0)
    if (!options.json && profile.timeline.length > 0) console.log('  (as it is before its timeline begins)')
    if (busy > 0)
      console.error(
        `  this machine was busy: ${timing.overdue} packets overdue, ${outside.kernelDrops} dropped by the kernel`,
      )
    return lines.every(({ verdict }) => verdict !== 'refused')
  } finally {
    progress('')
    client.close()
    server.close()
    await link?.close()
  }
}

async function measure(
  profile: Profile,
  client: Socket,
  server: Socket,
  linkAddress: SocketAddress,
  options: CheckOptions,
): Promise<Line[]> {
  const back = await introduce(client, server, linkAddress, options.signal)
  const send: Record<Direction, (payload: Uint8Array) => void> = {
    up: payload => client.send(payload, linkAddress.port, linkAddress.host),
    down: payload => server.send(payload, back.port, back.host),
  }
  const receiver: Record<Direction, Socket> = { up: server, down: client }
  const lines: Line[] = []

  const spacingMs = Math.max(MIN_SPACING_MS, ...DIRECTIONS.map(direction => trickleSpacing(profile[direction])))
  const pace = { spacingMs, packets: options.packets, payloadBytes: PAYLOAD_BYTES, signal: options.signal }
  const settleMs = Math.max(...DIRECTIONS.map(direction => longestDelay(profile[direction]))) + 200
  const arrivals = await Promise.all(
    DIRECTIONS.map((direction, i) =>
      paced(send[direction], receiver[direction], {
        ...pace,
        settleMs,
        onProgress: i === 0 ? done => progress(`  ${profile.name}: ${done} of ${options.packets} packets`) : undefined,
      }),
    ),
  )
  for (const [i, direction] of DIRECTIONS.entries()) {
    lines.push(...judge(direction, profile[direction], arrivals[i], { ...pace, seed: options.seed }))
  }
  for (const direction of DIRECTIONS) {
    const rate = meanRate(profile[direction])
    if (rate === undefined || rate > FASTEST_FLOOD) continue
    progress(`  ${profile.name}: rate ${direction}`)
    lines.push(await judgeRate(direction, profile[direction], rate, send[direction], receiver[direction], options))
  }
  return lines
}

/** Until the emulator knows the client. Where the server sends to afterwards. */
async function introduce(
  client: Socket,
  server: Socket,
  to: SocketAddress,
  signal: AbortSignal,
): Promise<SocketAddress> {
  return new Promise((resolve, reject) => {
    let attempts = 0
    const timer = setInterval(() => {
      // More than one, because the link may lose it.
      if (signal.aborted || ++attempts > HELLO_ATTEMPTS) {
        clearInterval(timer)
        reject(new EmulatorError('not one datagram came through the link: is it an outage?'))
      } else client.send(new Uint8Array(PAYLOAD_BYTES), to.port, to.host)
    }, 20)
    server.once('message', (_, from) => {
      clearInterval(timer)
      // What else is under way must not be taken for a measurement.
      setTimeout(() => resolve({ host: from.address, port: from.port }), 300)
    })
  })
}

// -- what arrives ----------------------------------------------------------------------------------------------------

interface Arrivals {
  offered: number
  /** One-way, of the first copy of each datagram, in ms. */
  delays: number[]
  duplicates: number
  corrupted: number
  /** Later than one that was sent after it (RFC 4737). */
  reordered: number
}

/** Counts what arrives; the same for real and for simulated datagrams. */
class Collector {
  readonly delays: number[] = []
  duplicates = 0
  corrupted = 0
  reordered = 0
  readonly #seen: Uint8Array
  #newest = -1

  constructor(packets: number) {
    this.#seen = new Uint8Array(packets)
  }

  add(payload: Uint8Array, arrivedMs: number, sentMs: (sequence: number) => number): void {
    const { sequence, intact } = readNumber(payload)
    if (sequence >= this.#seen.length) return
    if (!intact) this.corrupted++
    if (this.#seen[sequence] === 1) {
      this.duplicates++
      return
    }
    this.#seen[sequence] = 1
    this.delays.push(arrivedMs - sentMs(sequence))
    if (sequence < this.#newest) this.reordered++
    else this.#newest = sequence
  }
}

/** The sequence number again and again: one bit that is wrong then does no harm, and is noticed. */
function writeNumber(sequence: number, length: number): Uint8Array {
  const payload = new Uint8Array(length)
  const view = new DataView(payload.buffer)
  for (let at = 0; at + 4 <= length; at += 4) view.setUint32(at, sequence)
  return payload
}

function readNumber(payload: Uint8Array): { sequence: number; intact: boolean } {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const [first, second, third] = [0, 4, 8].map(at => view.getUint32(at))
  const sequence = first === second || first === third ? first : second
  for (let at = 0; at + 4 <= payload.length; at += 4) {
    if (view.getUint32(at) !== sequence) return { sequence, intact: false }
  }
  return { sequence, intact: true }
}

interface Pace {
  packets: number
  spacingMs: number
  payloadBytes: number
}

function paced(
  send: (payload: Uint8Array) => void,
  receiver: Socket,
  options: Pace & {
    settleMs: number
    signal: AbortSignal
    onProgress?: (done: number) => void
    onArrival?: (payload: Uint8Array, nowMs: number) => void
  },
): Promise<Arrivals> {
  const collector = new Collector(options.packets)
  const sentMs = new Float64Array(options.packets)
  const onMessage = (payload: Uint8Array): void => {
    const now = performance.now()
    if (payload.length !== options.payloadBytes) return
    options.onArrival?.(payload, now)
    collector.add(payload, now, sequence => sentMs[sequence])
  }
  receiver.on('message', onMessage)
  return new Promise(resolve => {
    const began = performance.now()
    let next = 0
    const timer = setInterval(() => {
      while (next < options.packets && performance.now() - began >= next * options.spacingMs) {
        const payload = writeNumber(next, options.payloadBytes)
        sentMs[next++] = performance.now()
        send(payload)
      }
      if (next % 200 < 2) options.onProgress?.(next)
      if (next < options.packets && !options.signal.aborted) return
      clearInterval(timer)
      setTimeout(() => {
        receiver.off('message', onMessage)
        resolve({ ...collector, offered: next })
      }, options.settleMs)
    }, 1)
  })
}

/** The same in virtual time. */
function simulate(
  impairment: Impairment,
  pace: Pace,
  seed: string,
  onArrival?: (payload: Uint8Array, ms: number) => void,
): Arrivals {
  const link = new LinkDirection(impairment, { seed, purpose: 'expectation' })
  const collector = new Collector(pace.packets)
  const deliver = (payload: Uint8Array, _tag: number, dueMs: number): void => {
    onArrival?.(payload, dueMs)
    collector.add(payload, dueMs, sequence => sequence * pace.spacingMs)
  }
  for (let i = 0; i < pace.packets; i++) {
    link.enqueue(writeNumber(i, pace.payloadBytes), 0, i * pace.spacingMs)
    link.release(i * pace.spacingMs, deliver)
  }
  for (let due = link.nextDueMs(); due !== undefined; due = link.nextDueMs()) link.release(due, deliver)
  return { ...collector, offered: pace.packets }
}

// -- verdicts --------------------------------------------------------------------------------------------------------

function judge(direction: Direction, impairment: Impairment, got: Arrivals, pace: Pace & { seed: string }): Line[] {
  const runs = Array.from({ length: SIMULATED_RUNS }, (_, i) =>
    simulate(impairment, pace, `${pace.seed} expected ${i}`),
  )
  const lines: Line[] = []
  const rate = (name: string, count: (arrivals: Arrivals) => number, formula?: number): void => {
    const rates = runs.map(run => count(run) / run.offered)
    const mean = formula ?? rates.reduce((sum, each) => sum + each, 0) / runs.length
    // A chance that the profile does not have needs no line of its own, except the loss.
    if (mean === 0 && count(got) === 0 && name !== 'loss') return
    const variance = rates.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (runs.length - 1)
    const independent = (mean * (1 - mean)) / pace.packets
    const designEffect = independent > 0 ? Math.max(1, (variance / independent) * DESIGN_EFFECT_MARGIN) : 1
    // A mean of simulated runs is itself only known to three of its standard errors.
    const unsure = formula === undefined ? 3 * Math.sqrt(variance / runs.length) : 0
    const expected = { min: Math.max(0, mean - unsure), max: Math.min(1, mean + unsure + STRAY_LOSS) }
    const result = acceptRate({ successes: count(got), n: got.offered, expected, designEffect, name })
    lines.push(line(direction, name, result, percent(mean), percent))
  }
  rate('loss', arrivals => arrivals.offered - arrivals.delays.length, longRunLoss(impairment))
  rate('duplicates', ({ duplicates }) => duplicates)
  rate('corrupted', ({ corrupted }) => corrupted)
  rate('reordered', ({ reordered }) => reordered)
  if (got.delays.length > 0) {
    for (const [name, fraction] of [
      ['p10', 0.1],
      ['p50', 0.5],
    ] as const) {
      const simulated = runs.map(run =>
        percentile(
          run.delays.toSorted((a, b) => a - b),
          fraction,
        ),
      )
      const expected = { min: Math.min(...simulated) - 0.01, max: Math.max(...simulated) + LATE_MS[name] }
      const result = acceptPercentile({ values: got.delays, fraction, expected })
      const middle = percentile(
        simulated.toSorted((a, b) => a - b),
        0.5,
      )
      lines.push(line(direction, `delay ${name}`, result, milliseconds(middle), milliseconds))
    }
  }
  return lines
}

/** A queue's overflow would come on top: at a trickle there is none. */
function longRunLoss({ loss, duplicate }: Impairment): number | undefined {
  // netem decides about a duplicate before the loss, and one of the two copies may survive.
  return duplicate.rate === 0 ? expectedLoss(loss) : undefined
}

async function judgeRate(
  direction: Direction,
  impairment: Impairment,
  rate: number,
  send: (payload: Uint8Array) => void,
  receiver: Socket,
  { signal, seed }: CheckOptions,
): Promise<Line> {
  const spacingMs = ((FLOOD_PAYLOAD_BYTES + UDP_WIRE_OVERHEAD) * 8000) / (rate * FLOOD_LOAD)
  const pace = { packets: Math.ceil(FLOOD_MS / spacingMs), spacingMs, payloadBytes: FLOOD_PAYLOAD_BYTES }
  const measured = new Throughput()
  await paced(send, receiver, { ...pace, settleMs: 500, signal, onArrival: (payload, ms) => measured.add(payload, ms) })
  const simulated = new Throughput()
  simulate(impairment, pace, `${seed} expected`, (payload, ms) => simulated.add(payload, ms))
  const expected = simulated.bitsPerSecond()
  const got = measured.bitsPerSecond()
  return {
    direction,
    name: 'rate',
    verdict: Math.abs(got - expected) <= expected * RATE_TOLERANCE ? 'accepted' : 'refused',
    measured: bitrate(rounded(got)),
    expected: bitrate(rounded(expected)),
    interval: `within ${percent(RATE_TOLERANCE)}`,
  }
}

/** Of frames, as netem and tbf count them, in the steady part of a flood. */
class Throughput {
  #firstMs: number | undefined
  #bits = 0
  #lastMs = 0

  add(payload: Uint8Array, atMs: number): void {
    this.#firstMs ??= atMs + FLOOD_SKIP_MS
    if (atMs < this.#firstMs || atMs > this.#firstMs + FLOOD_MS - 2 * FLOOD_SKIP_MS) return
    this.#bits += (payload.length + UDP_WIRE_OVERHEAD) * 8
    this.#lastMs = atMs
  }

  bitsPerSecond(): number {
    return this.#firstMs === undefined || this.#bits === 0 ? 0 : (this.#bits * 1000) / (this.#lastMs - this.#firstMs)
  }
}

function meanRate({ rate, trace }: Impairment): number | undefined {
  return trace === undefined ? rate?.bitsPerSecond : traceRate(trace, 0, trace.periodMs)
}

function trickleSpacing(impairment: Impairment): number {
  const rate = meanRate(impairment)
  return rate === undefined ? 0 : ((PAYLOAD_BYTES + UDP_WIRE_OVERHEAD) * 8000) / (rate * TRICKLE_LOAD)
}

/** Nearly: the tail of a pareto distribution is longer. */
function longestDelay({ delayMs, jitterMs }: Impairment): number {
  return delayMs + 4 * jitterMs
}

// -- text ------------------------------------------------------------------------------------------------------------

function line(
  direction: Direction,
  name: string,
  { verdict, measured, interval, leastSampleSize }: Acceptance,
  expected: string,
  format: (value: number) => string,
): Line {
  const low = Number.isFinite(interval.low) ? format(interval.low) : '...'
  const high = Number.isFinite(interval.high) ? format(interval.high) : '...'
  const truth = `true value ${low} to ${high}`
  const hint = verdict === 'too-few' ? `; --packets ${leastSampleSize} to check it` : ''
  return { direction, name, verdict, measured: format(measured), expected, interval: truth + hint }
}

const VERDICTS = { accepted: 'ok  ', refused: 'FAIL', 'too-few': '?   ' } as const

function text({ direction, name, verdict, measured, expected, interval }: Line): string {
  const values = `${measured.padStart(11)}  expected ${expected.padStart(11)}`
  return `  ${VERDICTS[verdict]} ${direction.padEnd(4)} ${name.padEnd(10)} ${values}  ${interval}`
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(2)} ms`
}

function rounded(value: number): number {
  return Number(value.toPrecision(3))
}

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`)
}

function local(socket: Socket): SocketAddress {
  const { address, port } = socket.address()
  return { host: address, port }
}

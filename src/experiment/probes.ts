/**
 * The probes that an experiment can run, with their options and with what they report.
 *
 * A probe measures from all clients of the testbed at once and reports one set of numbers: rates are added up, delays are
 * pooled.
 */

import type { z } from 'zod'
import type { MasqueClient } from '../client/client.ts'
import { choice, integer, table } from '../config/fields.ts'
import type { FlowSummary } from '../hosts/userspace/flow.ts'
import { runGreedyFlow } from '../probes/greedy-flow.ts'
import { runPacedFlow } from '../probes/paced-flow.ts'
import { type PingTrainResult, pingTrain } from '../probes/ping-train.ts'
import { runRequestResponse } from '../probes/request-response.ts'
import { summarise } from '../stats/statistics.ts'
import type { Testbed } from '../testbed/testbed.ts'
import { type Measure, type RunResult, sampleOf } from './measure.ts'
import type { Parameters } from './parameters.ts'

/** What a probe works with. */
export interface ProbeContext {
  bed: Testbed
  clients: readonly MasqueClient[]
  parameters: Parameters
  durationMs: number
  signal?: AbortSignal
}

export type ProbeOptions = Readonly<Record<string, unknown>>

export interface Sample {
  name: string
  title: string
  unit: string
}

export interface Probe {
  title: string
  options: z.ZodType<ProbeOptions>
  measures: readonly Measure[]
  samples: readonly Sample[]
  run(context: ProbeContext, options: never): Promise<RunResult>
}

const ping = {
  title: 'echo train: pings at a steady rate from each client to the library',
  options: table({
    interval_ms: integer(1, 60_000, 'milliseconds').default(20).describe('From one ping to the next (ms).'),
    size: integer(0, 60_000, 'bytes')
      .default(56)
      .describe('Data in each ping (bytes); 28 (IPv6: 48) more make the packet.'),
    timeout_ms: integer(10, 600_000, 'milliseconds').default(3_000).describe('When a ping counts as lost (ms).'),
  }),
  measures: [
    { name: 'rtt_min_ms', title: 'RTT, least', unit: 'ms', better: 'less' },
    { name: 'rtt_p50_ms', title: 'RTT, median', unit: 'ms', better: 'less', headline: true },
    { name: 'rtt_p95_ms', title: 'RTT, 95th percentile', unit: 'ms', better: 'less', headline: true },
    { name: 'rtt_p99_ms', title: 'RTT, 99th percentile', unit: 'ms', better: 'less' },
    { name: 'jitter_ms', title: 'jitter (RFC 3550)', unit: 'ms', better: 'less' },
    { name: 'loss_percent', title: 'pings lost', unit: '%', better: 'less', headline: true },
    { name: 'reordered_percent', title: 'replies reordered (RFC 4737)', unit: '%', better: 'less' },
    { name: 'sent', title: 'pings sent', unit: '' },
  ],
  samples: [{ name: 'rtt_ms', title: 'round-trip time', unit: 'ms' }],
  async run(context, options: { interval_ms: number; size: number; timeout_ms: number }): Promise<RunResult> {
    const rtts: number[] = []
    const count = Math.max(1, Math.floor(context.durationMs / options.interval_ms))
    const trains = await Promise.all(
      context.clients.map(client =>
        pingTrain(client.host, context.bed.library, {
          count,
          intervalMs: options.interval_ms,
          size: options.size,
          timeoutMs: options.timeout_ms,
          signal: context.signal,
          onProgress: (_, outcome) => {
            if ('rttMs' in outcome) rtts.push(outcome.rttMs)
          },
        }),
      ),
    )
    const sum = (read: (train: PingTrainResult) => number) => trains.reduce((total, train) => total + read(train), 0)
    const sent = sum(train => train.sent)
    const received = sum(train => train.received)
    const rtt = summarise(rtts)
    return {
      measurements: {
        rtt_min_ms: rtt?.min ?? null,
        rtt_p50_ms: rtt?.p50 ?? null,
        rtt_p95_ms: rtt?.p95 ?? null,
        rtt_p99_ms: rtt?.p99 ?? null,
        jitter_ms: received === 0 ? null : sum(train => train.jitterMs) / trains.length,
        loss_percent: percent(sent - received, sent),
        reordered_percent: percent(
          sum(train => train.reordered),
          received,
        ),
        sent,
      },
      samples: { rtt_ms: sampleOf(rtts) },
    }
  },
} satisfies Probe

const setup = {
  title: 'set-up: new tunnels, one after the other',
  options: table({
    count: integer(1, 10_000, 'a number of tunnels').default(10).describe('How many tunnels are opened and closed.'),
  }),
  measures: [
    { name: 'handshake_p50_ms', title: 'QUIC handshake, median', unit: 'ms', better: 'less', headline: true },
    { name: 'session_p50_ms', title: 'CONNECT-IP session, median', unit: 'ms', better: 'less', headline: true },
    { name: 'total_p50_ms', title: 'until the tunnel is up, median', unit: 'ms', better: 'less' },
    { name: 'failed_percent', title: 'tunnels not opened', unit: '%', better: 'less' },
  ],
  samples: [
    { name: 'handshake_ms', title: 'QUIC handshake', unit: 'ms' },
    { name: 'session_ms', title: 'CONNECT-IP session', unit: 'ms' },
  ],
  async run({ bed, signal }, options: { count: number }): Promise<RunResult> {
    const handshakes: number[] = []
    const sessions: number[] = []
    const totals: number[] = []
    for (let i = 0; i < options.count; i++) {
      signal?.throwIfAborted()
      const client = bed.addClient()
      try {
        const { handshakeMs, sessionMs } = await client.connect()
        handshakes.push(handshakeMs)
        sessions.push(sessionMs)
        totals.push(handshakeMs + sessionMs)
      } catch {
        // Counted below: what is left of `count`.
      }
      await client.close()
    }
    return {
      measurements: {
        handshake_p50_ms: summarise(handshakes)?.p50 ?? null,
        session_p50_ms: summarise(sessions)?.p50 ?? null,
        total_p50_ms: summarise(totals)?.p50 ?? null,
        failed_percent: percent(options.count - totals.length, options.count),
      },
      samples: { handshake_ms: sampleOf(handshakes), session_ms: sampleOf(sessions) },
    }
  },
} satisfies Probe

/** Ids of the flows to the library: one for each client, apart from what others might use. */
const FIRST_FLOW = 1000

const flow = {
  title: 'paced flow: UDP packets at a steady rate, one way',
  options: table({
    direction: choice(['up', 'down']).default('up').describe('From the clients (up) or to them (down).'),
    settle_ms: integer(0, 60_000, 'milliseconds')
      .default(1_000)
      .describe('Wait for what is late, after the last packet (ms).'),
  }),
  measures: [
    { name: 'goodput_mbps', title: 'goodput of the flow', unit: 'Mbit/s', better: 'more', headline: true },
    { name: 'offered_mbps', title: 'offered', unit: 'Mbit/s' },
    { name: 'first_share_percent', title: "the first client's share of the goodput", unit: '%' },
    { name: 'loss_percent', title: 'packets lost', unit: '%', better: 'less', headline: true },
    { name: 'delay_p50_ms', title: 'one-way delay, median', unit: 'ms', better: 'less', headline: true },
    { name: 'delay_p95_ms', title: 'one-way delay, 95th percentile', unit: 'ms', better: 'less' },
    { name: 'delay_p99_ms', title: 'one-way delay, 99th percentile', unit: 'ms', better: 'less' },
    { name: 'jitter_ms', title: 'jitter (RFC 3550)', unit: 'ms', better: 'less' },
    { name: 'reordered_percent', title: 'packets reordered (RFC 4737)', unit: '%', better: 'less' },
    { name: 'duplicates', title: 'duplicates', unit: '', better: 'less' },
  ],
  samples: [],
  async run(context, options: { direction: 'up' | 'down'; settle_ms: number }): Promise<RunResult> {
    const packetLength = Number(context.parameters.packet_size)
    const packetsPerSecond = Number(context.parameters.packets_per_second)
    const send = options.direction === 'up' ? flowUp : flowDown
    const flows = await Promise.all(
      context.clients.map((client, i) =>
        send(context, client, { flowId: FIRST_FLOW + i, packetLength, packetsPerSecond, settleMs: options.settle_ms }),
      ),
    )
    const total = (read: (each: FlowCount) => number) => flows.reduce((sum, each) => sum + read(each), 0)
    const received = total(({ sink }) => sink.received)
    // Percentiles of several flows cannot be pooled from their summaries: the median of theirs, all being alike.
    const delay = (of: 'p50' | 'p95' | 'p99') => median(flows.flatMap(({ sink }) => sink.delayMs?.[of] ?? []))
    return {
      measurements: {
        goodput_mbps: total(({ sink }) => sink.bitsPerSecond) / 1e6,
        first_share_percent: percent(
          (flows[0] as FlowCount).sink.bitsPerSecond,
          total(({ sink }) => sink.bitsPerSecond),
        ),
        offered_mbps: (total(each => each.sent) * payloadLength(packetLength) * 8) / context.durationMs / 1000,
        loss_percent: percent(
          total(({ sink }) => sink.lost),
          total(each => each.sent),
        ),
        delay_p50_ms: delay('p50'),
        delay_p95_ms: delay('p95'),
        delay_p99_ms: delay('p99'),
        jitter_ms: received === 0 ? null : total(({ sink }) => sink.jitterMs) / flows.length,
        reordered_percent: percent(
          total(({ sink }) => sink.reordered),
          received,
        ),
        duplicates: total(({ sink }) => sink.duplicates),
      },
      samples: {},
    }
  },
} satisfies Probe

interface FlowCount {
  sent: number
  sink: FlowSummary
}

interface FlowPlan {
  flowId: number
  packetLength: number
  packetsPerSecond: number
  settleMs: number
}

async function flowUp(
  { bed, durationMs, signal }: ProbeContext,
  client: MasqueClient,
  plan: FlowPlan,
): Promise<FlowCount> {
  const { sent, sink, sinkError } = await runPacedFlow({
    ...plan,
    host: client.host,
    destination: bed.library,
    durationMs,
    signal,
    fetchSink: sent => bed.sink(plan.flowId, sent),
  })
  if (sink === undefined) throw new Error(`the library could not say what arrived: ${sinkError}`)
  return { sent, sink }
}

async function flowDown({ bed, durationMs }: ProbeContext, client: MasqueClient, plan: FlowPlan): Promise<FlowCount> {
  const { settleMs, ...flow } = plan
  const address = client.info.assigned.find(prefix => prefix.version === 4)?.address
  const sink = client.host.flowSink(plan.flowId)
  if (address === undefined || sink === undefined) throw new Error('the client has no IPv4 address, or too many flows')
  sink.reset()
  const { sent } = await bed.sendFlow({ ...flow, destination: String(address), durationMs })
  await new Promise(resolve => setTimeout(resolve, settleMs))
  return { sent, sink: sink.summary(sent) }
}

const greedy = {
  title: 'greedy flow: as much as the path takes, with a window as TCP has it, from each client to the library',
  options: table({
    max_window: integer(10, 16_384, 'packets').default(4096).describe('Packets under way at most.'),
    flows: integer(1, 16, 'a number of flows').default(1).describe('Flows at once in the tunnel of each client.'),
  }),
  measures: [
    { name: 'goodput_mbps', title: 'goodput of the greedy flow', unit: 'Mbit/s', better: 'more', headline: true },
    { name: 'rtt_p50_ms', title: 'RTT of the greedy flow, median', unit: 'ms', better: 'less', headline: true },
    { name: 'rtt_p95_ms', title: 'RTT of the greedy flow, 95th percentile', unit: 'ms', better: 'less' },
    { name: 'loss_percent', title: 'packets of the greedy flow lost', unit: '%', better: 'less' },
    { name: 'loss_events', title: 'times the window was halved', unit: '' },
    { name: 'timeouts', title: 'timeouts', unit: '', better: 'less' },
  ],
  samples: [],
  async run(context, options: { max_window: number; flows: number }): Promise<RunResult> {
    const flows = await Promise.all(
      context.clients
        .flatMap(({ host }) => Array.from({ length: options.flows }, () => host))
        .map((host, i) =>
          runGreedyFlow({
            host,
            destination: context.bed.library,
            packetLength: Number(context.parameters.packet_size),
            durationMs: context.durationMs,
            flowId: FIRST_FLOW + i,
            maxWindow: options.max_window,
            signal: context.signal,
          }),
        ),
    )
    const total = (read: (flow: (typeof flows)[number]) => number) => flows.reduce((sum, each) => sum + read(each), 0)
    const sent = total(each => each.sent)
    return {
      measurements: {
        goodput_mbps: total(each => each.goodputBitsPerSecond) / 1e6,
        rtt_p50_ms: median(flows.flatMap(each => each.rttMs?.p50 ?? [])),
        rtt_p95_ms: median(flows.flatMap(each => each.rttMs?.p95 ?? [])),
        loss_percent: percent(sent - total(each => each.received), sent),
        loss_events: total(each => each.lossEvents),
        timeouts: total(each => each.timeouts),
      },
      samples: {},
    }
  },
} satisfies Probe

const request = {
  title: 'request and response: a small question and an answer of some length, again and again for the duration',
  options: table({
    response_bytes: integer(0, 16_777_216, 'bytes').default(20_000).describe('Length of a response (bytes).'),
    interval_ms: integer(1, 600_000, 'milliseconds').default(200).describe('From one request to the next (ms).'),
    timeout_ms: integer(10, 600_000, 'milliseconds').default(10_000).describe('When a request counts as failed (ms).'),
  }),
  measures: [
    {
      name: 'completion_p50_ms',
      title: 'until the response is there, median',
      unit: 'ms',
      better: 'less',
      headline: true,
    },
    {
      name: 'completion_p95_ms',
      title: 'until the response is there, 95th percentile',
      unit: 'ms',
      better: 'less',
      headline: true,
    },
    { name: 'first_byte_p50_ms', title: 'until the first byte is there, median', unit: 'ms', better: 'less' },
    { name: 'failed_percent', title: 'requests without a response', unit: '%', better: 'less' },
    { name: 'retransmissions', title: 'segments asked for again', unit: '', better: 'less' },
  ],
  samples: [{ name: 'completion_ms', title: 'completion time', unit: 'ms' }],
  async run(context, options: { response_bytes: number; interval_ms: number; timeout_ms: number }): Promise<RunResult> {
    const results = await Promise.all(
      context.clients.map(client =>
        runRequestResponse({
          host: client.host,
          destination: context.bed.library,
          count: Math.max(1, Math.floor(context.durationMs / options.interval_ms)),
          responseLength: options.response_bytes,
          intervalMs: options.interval_ms,
          timeoutMs: options.timeout_ms,
          packetLength: Number(context.parameters.packet_size),
          signal: context.signal,
        }),
      ),
    )
    const records = results.flatMap(result => result.records).filter(record => !record.suspect)
    const completions = records.flatMap(record => record.completionMs ?? [])
    const completion = summarise(completions)
    return {
      measurements: {
        completion_p50_ms: completion?.p50 ?? null,
        completion_p95_ms: completion?.p95 ?? null,
        first_byte_p50_ms: median(records.flatMap(record => record.firstByteMs ?? [])),
        failed_percent: percent(records.length - completions.length, records.length),
        retransmissions: results.reduce((sum, result) => sum + result.retransmissions, 0),
      },
      samples: { completion_ms: sampleOf(completions) },
    }
  },
} satisfies Probe

/** By the name in `[probe.NAME]`, in the order in which they run. */
const PROBES = { setup, ping, flow, request, greedy } satisfies Record<string, Probe>
export type ProbeName = keyof typeof PROBES
export const PROBE_NAMES = Object.keys(PROBES) as ProbeName[]

export function probe(name: ProbeName): Probe {
  return PROBES[name]
}

/** The measure or sample behind a column of the results, `ping.rtt_p95_ms`. */
export function measureOf(column: string): Measure | undefined {
  const [probeName, ...rest] = column.split('.')
  const found: Probe | undefined = PROBES[probeName as ProbeName]
  const name = rest.join('.')
  return found?.measures.find(each => each.name === name) ?? found?.samples.find(each => each.name === name)
}

function percent(part: number, whole: number): number | null {
  return whole === 0 ? null : (100 * part) / whole
}

function median(values: readonly number[]): number | null {
  return summarise(values)?.p50 ?? null
}

/** UDP payload of an IPv4 packet. */
function payloadLength(packetLength: number): number {
  return packetLength - 28
}

/**
 * The probes that an experiment can run, with their options and with what they report.
 *
 * A probe measures from all clients of the testbed at once and reports one set of numbers: rates are added up, delays are
 * pooled.
 */

import type { z } from 'zod'
import type { MasqueClient } from '../client/client.ts'
import { integer, table } from '../config/fields.ts'
import { type PingTrainResult, pingTrain } from '../measure/ping-train.ts'
import { summarise } from '../measure/statistics.ts'
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

/** By the name in `[probe.NAME]`, in the order in which they run. */
export const PROBES = { setup, ping } satisfies Record<string, Probe>
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

/**
 * A profile, measured through the tunnel: pings and a paced flow at the same time, for some seconds from the beginning of its timeline.
 * What the student writes into report.toml, and what the check compares it with.
 *
 *     npx tsx labs/lab-04-impairment/measure.ts lte
 *
 * Each run is recorded in exercises/measured.toml, so that the report can be compared with it.
 */
import { appendFileSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { MasqueClient } from '../../src/client/client.ts'
import type { Profile } from '../../src/link/profile/profile.ts'
import { runPacedFlow } from '../../src/probes/paced-flow.ts'
import { pingTrain } from '../../src/probes/ping-train.ts'
import { percentileOf } from '../../src/stats/statistics.ts'
import { Testbed } from '../../src/testbed/testbed.ts'

export const SECONDS = 15
export const MEASURED = 'measured.toml'
const PING_EVERY_MS = 50
const PACKET = 1000
/** Little enough for every shipped profile: it measures the link and does not fill it. */
const PACKETS_PER_SECOND = 25

export interface ProfileFigures {
  rtt: { medianMs: number; p95Ms: number; jitterMs: number }
  loss: { sent: number; lost: number }
  goodput: { offeredKbit: number; receivedKbit: number }
  /** Each ping: when it was sent, and its round trip; undefined: lost. */
  pings: { sentMs: number; rttMs: number | undefined }[]
}

export async function measureProfile(
  profile: Profile | string,
  seed: string,
  options: {
    signal?: AbortSignal
    onProgress?: (done: number, total: number) => void
    /** Is told of the tunnel. */
    onTunnel?: (client: MasqueClient) => void
  } = {},
): Promise<ProfileFigures> {
  const { signal, onProgress, onTunnel } = options
  // The timeline begins with the measurement, not with the handshake: so two measurements see the same phases.
  const bed = await Testbed.start({
    profile,
    seed,
    startTimeline: false,
    idleTimeoutMs: 60_000,
    ...(signal && { signal }),
  })
  try {
    const count = (SECONDS * 1000) / PING_EVERY_MS
    let done = 0
    const [train, flow] = await bed.whileAlive(async () => {
      await bed.setProfile(profile)
      await bed.link.beginTimeline()
      onTunnel?.(bed.client)
      const host = bed.client.host
      return await Promise.all([
        pingTrain(host, bed.library, {
          count,
          intervalMs: PING_EVERY_MS,
          timeoutMs: 3000,
          ...(signal && { signal }),
          onProgress: () => onProgress?.(++done, count),
        }),
        runPacedFlow({
          host,
          destination: bed.library,
          packetLength: PACKET,
          packetsPerSecond: PACKETS_PER_SECOND,
          durationMs: SECONDS * 1000,
          flowId: 1,
          settleMs: 2000,
          ...(signal && { signal }),
          fetchSink: sent => bed.sink(1, sent),
        }),
      ])
    })
    const rtts = train.records.flatMap(({ rttMs }) => rttMs ?? [])
    return {
      rtt: { medianMs: percentileOf(rtts, 0.5), p95Ms: percentileOf(rtts, 0.95), jitterMs: train.jitterMs },
      loss: { sent: train.sent, lost: train.sent - train.received },
      goodput: {
        offeredKbit: flow.offeredBitsPerSecond / 1000,
        receivedKbit: (flow.offeredBitsPerSecond / 1000) * (flow.received / Math.max(1, flow.sent)),
      },
      pings: train.records.map(({ sentMs, rttMs }) => ({ sentMs, rttMs })),
    }
  } finally {
    await bed.close()
  }
}

/** As it goes into report.toml. */
function asToml({ rtt, loss, goodput }: ProfileFigures): string {
  const number = (value: number) => Number(value.toPrecision(4))
  return `[rtt]
median_ms = ${number(rtt.medianMs)}
p95_ms = ${number(rtt.p95Ms)}
jitter_ms = ${number(rtt.jitterMs)}

[loss]
sent = ${loss.sent}
lost = ${loss.lost}
# low_percent and high_percent: the interval of Wilson at 95 %. Your function from task 1 knows it.

[goodput]
offered_kbit = ${number(goodput.offeredKbit)}
received_kbit = ${number(goodput.receivedKbit)}
`
}

if (import.meta.url === pathToFileURL(resolve(process.argv[1] ?? '')).href) {
  const [profile = 'lte', seed = String(Date.now())] = process.argv.slice(2)
  try {
    console.error(`measuring '${profile}' for ${SECONDS} s, and some seconds around that ...`)
    const figures = asToml(await measureProfile(profile, seed))
    const heading = `profile = ${JSON.stringify(profile)}\n`
    console.log(`${heading}\n${figures}`)
    const exercises = fileURLToPath(new URL('./exercises/', import.meta.url))
    mkdirSync(exercises, { recursive: true })
    const record = join(exercises, MEASURED)
    appendFileSync(record, `\n[[run]]\n${heading}${figures.replaceAll('\n[', '\n[run.').replace('[rtt]', '[run.rtt]')}`)
    console.error(`recorded in ${record}`)
    process.exit(0)
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
}

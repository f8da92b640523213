/**
 * Out of the house: the profile `handover-wifi-lte`, with its waiting left out. Two tunnels are on the same link at the same time; one moves in the moment
 * when the Wi-Fi is gone, the other one two seconds earlier. What the questions of `handover` are about.
 *
 *     0      1.5 s                  4.5 s         6.5 s                   9 s
 *     Wi-Fi  |  gets weaker         |             | gone: LTE             |
 *                                   one moves     the other one moves
 */
import type { MasqueClient } from '../../src/client/client.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import type { Profile } from '../../src/link/profile/profile.ts'
import { type PingTrainResult, pingTrain } from '../../src/probes/ping-train.ts'
import { percentileOf } from '../../src/stats/statistics.ts'
import { Testbed } from '../../src/testbed/testbed.ts'

export const TASK = 'handover'
export const PROFILE = 'handover-wifi-lte'
export const INTERVAL_MS = 20
const BEFORE_MS = 1500
const EARLIER_MS = 2000
const AFTER_MS = 2500
const PING_TIMEOUT_MS = 2000
/** What was under way at a move, and what the first packets behind it need. */
const AROUND_MS = { before: 100, after: 1500 }

/** What one of the tunnels has heard of its move. */
interface Heard {
  /** From the challenge to its answer. */
  pathMs: number
  /** The longest time between two replies around the move. */
  silenceMs: number
  /** Pings around the move that had no reply. */
  missing: number
  /** The session and the addresses inside are the same as before. */
  kept: boolean
}

export interface Handover {
  atOnce: Heard
  earlier: Heard
  /** Of the tunnel that moves last: pings while the Wi-Fi got weaker, and those without a reply. */
  fading: { sent: number; missing: number }
  wifiP50Ms: number
  lteP50Ms: number
}

export interface HandoverOptions {
  seed: string
  signal?: AbortSignal
  onProgress?: (doneMs: number, totalMs: number, state: string) => void
  /** Is told of each tunnel. */
  onTunnel?: (title: string, client: MasqueClient) => void
}

/** Takes a quarter of a minute. Rejects with what a testbed or a client rejects with, and leaves nothing open. */
export async function measureHandover({
  seed,
  signal,
  onProgress = () => {},
  onTunnel = () => {},
}: HandoverOptions): Promise<Handover> {
  const { profile, fadesAtMs, goneAtMs } = withoutWaiting(loadProfile(PROFILE))
  const bed = await Testbed.start({
    profile: { ...profile, timeline: [] },
    seed,
    startTimeline: false,
    clients: 2,
    ...(signal && { signal }),
  })
  const totalMs = goneAtMs + AFTER_MS
  const timers: NodeJS.Timeout[] = []
  try {
    const [last, first] = bed.clients as [MasqueClient, MasqueClient]
    onTunnel('moves two seconds earlier', first)
    onTunnel('moves when the Wi-Fi is gone', last)
    const second = bed.link.secondAddress
    if (second === undefined) throw new Error(`the profile ${PROFILE} has no second attachment`)
    await bed.setProfile(profile)
    const gone = new Promise<void>(resolve => bed.link.once('address-change', () => resolve()))
    await bed.link.beginTimeline()
    const begunAt = performance.now()
    const elapsed = () => performance.now() - begunAt
    const at = (ms: number) =>
      new Promise<void>(resolve => timers.push(setTimeout(resolve, Math.max(0, ms - elapsed()))))
    timers.push(
      setInterval(() => {
        const state = elapsed() < fadesAtMs ? 'Wi-Fi' : elapsed() < goneAtMs ? 'Wi-Fi, weaker and weaker' : 'LTE'
        onProgress(Math.min(elapsed(), totalMs), totalMs, state)
      }, 200),
    )
    const through = async (client: MasqueClient, moment: Promise<void>): Promise<Told> => {
      const train = pingTrain(client.host, bed.library, {
        count: Math.ceil(totalMs / INTERVAL_MS),
        intervalMs: INTERVAL_MS,
        timeoutMs: PING_TIMEOUT_MS,
        ...(signal && { signal }),
      })
      const before = session(client)
      await moment
      const movedAt = client.host.clock.now()
      const result = await client.migrate({ remote: second })
      if (!result.moved) throw new Error(`the tunnel has not moved: ${result.why}`)
      return { train: await train, movedAt, pathMs: result.ms, kept: session(client) === before }
    }
    const [atOnce, earlier] = await bed.whileAlive(() =>
      Promise.all([through(last, gone), through(first, at(goneAtMs - EARLIER_MS))]),
    )
    signal?.throwIfAborted()
    const fading = recordsOf(atOnce, fadesAtMs - goneAtMs, -AROUND_MS.before)
    return {
      atOnce: heard(atOnce),
      earlier: heard(earlier),
      fading: { sent: fading.length, missing: missingOf(fading) },
      wifiP50Ms: medianOf(recordsOf(atOnce, -goneAtMs, fadesAtMs - goneAtMs)),
      lteP50Ms: medianOf(recordsOf(atOnce, AROUND_MS.after, Number.POSITIVE_INFINITY)),
    }
  } finally {
    for (const timer of timers) clearTimeout(timer)
    await bed.close()
  }
}

/** By the names that measured.toml has. */
export function figuresOf({ atOnce, earlier, fading, wifiP50Ms, lteP50Ms }: Handover): Record<string, number> {
  return {
    interval_ms: INTERVAL_MS,
    wifi_p50_ms: wifiP50Ms,
    lte_p50_ms: lteP50Ms,
    fading_sent: fading.sent,
    fading_missing: fading.missing,
    silence_ms: atOnce.silenceMs,
    path_ms: atOnce.pathMs,
    missing: atOnce.missing,
    earlier_silence_ms: earlier.silenceMs,
    earlier_path_ms: earlier.pathMs,
    earlier_missing: earlier.missing,
  }
}

// ---------------------------------------------------------------------------------------------------------------------

interface Told {
  train: PingTrainResult
  /** On the host's clock. */
  movedAt: number
  pathMs: number
  kept: boolean
}

/** The same, with all that happens moved to the front. */
function withoutWaiting(profile: Profile): { profile: Profile; fadesAtMs: number; goneAtMs: number } {
  const starts = profile.timeline.map(({ atMs }) => atMs)
  const by = Math.min(...starts) - BEFORE_MS
  const timeline = profile.timeline.map(phase => ({ ...phase, atMs: phase.atMs - by }))
  return { profile: { ...profile, timeline }, fadesAtMs: BEFORE_MS, goneAtMs: Math.max(...starts) - by }
}

/** Pings that were sent from `fromMs` to `toMs` after the move. */
function recordsOf({ train, movedAt }: Told, fromMs: number, toMs: number) {
  return train.records.filter(({ sentMs }) => {
    const ms = train.startedMs + sentMs - movedAt
    return ms >= fromMs && ms < toMs
  })
}

type Records = ReturnType<typeof recordsOf>

const missingOf = (records: Records) => records.filter(({ rttMs }) => rttMs === undefined).length

const medianOf = (records: Records) =>
  percentileOf(
    records.flatMap(({ rttMs }) => rttMs ?? []),
    0.5,
  )

function heard(told: Told): Heard {
  const { pathMs, kept } = told
  const around = recordsOf(told, -AROUND_MS.before, AROUND_MS.after)
  const replies = around.flatMap(({ sentMs, rttMs }) => (rttMs === undefined ? [] : [sentMs + rttMs]))
  replies.sort((a, b) => a - b)
  const silenceMs = Math.max(0, ...replies.slice(1).map((reply, i) => reply - replies[i]!))
  return { pathMs, silenceMs, missing: missingOf(around), kept }
}

function session(client: MasqueClient): string {
  return client.connected ? `${client.tunnel?.quic?.id} ${client.info.assigned.join(', ')}` : 'none'
}

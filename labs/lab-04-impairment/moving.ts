/**
 * Three ways in which the outside of a tunnel changes, and what its inside hears of it: pings every 10 ms, over two emulated paths. What the
 * check of `migration` compares with the student's predictions.
 *
 *     npx tsx labs/lab-04-impairment/moving.ts 60      # over paths with a round trip of 60 ms
 *
 * Each run is recorded in exercises/measured.toml, for the questions about it.
 */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { connectByHttp3 } from '../../src/carriers/h3/client-connection.ts'
import { makeTestCertificates, type TestCertificates } from '../../src/cert/make-certificates.ts'
import type { MasqueClient } from '../../src/client/client.ts'
import { defaultClientConfig } from '../../src/client/config.ts'
import { quicSettings } from '../../src/config/sections.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { type PingRecord, pingTrain } from '../../src/probes/ping-train.ts'
import { newTestClient, startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import { type PathName, TwoPaths } from '../../src/testbed/two-paths.ts'
import { Cleanup } from '../kit/check/cleanup.ts'
import { type OwnRun, recordRun } from '../kit/check/own-runs.ts'

export const INTERVAL_MS = 10
export const IDLE_MS = 2000
/** The longest that the client waits until it connects anew: its first knock. */
export const PAUSE_MS = 25
export const TASK = 'migration'

const TARGET = IpAddress.parse('10.90.0.1')
/** Pings before something happens, so that both sides know the round trip. */
const BEFORE = 50
/** Replies to pings that were sent behind it. */
const AFTER = 50
/** Who has had none of them until then has not come back. A reconnect over 500 ms takes 4.5 s. */
const LONGEST_MS = 15_000
const PING_TIMEOUT_MS = 2000

/** What the inside has heard of one event. */
interface Heard {
  /** The longest time between two replies around the event. */
  silenceMs: number
  /** Pings without a reply, of those that were sent before the last one that had one. */
  lost: number
}

export interface Moving {
  rttMs: number
  /** `pathMs`: from the challenge to its answer. `kept`: the session and the addresses inside are the same as before. */
  move: Heard & { pathMs: number; kept: boolean }
  rebind: Heard & { kept: boolean }
  /** `noticedMs`: from the last reply until the client took its session for lost. `kept`: it got the same addresses again. */
  reconnect: Heard & { noticedMs: number; kept: boolean }
}

export interface MeasureOptions {
  signal?: AbortSignal
  /** What happens now. */
  onStep?: (text: string) => void
  /** Is told of each tunnel. */
  onTunnel?: (title: string, client: MasqueClient) => void
}

/** Takes six seconds and some. Rejects with what a client rejects with, and leaves nothing open. */
export async function measureMoving(rttMs: number, options: MeasureOptions = {}): Promise<Moving> {
  const { signal, onStep = () => {}, onTunnel = () => {} } = options
  const files = new Cleanup()
  try {
    const certificates = await makeTestCertificates(files.scratch())
    const each = <T>(text: string, measure: (place: Place) => Promise<T>) => {
      signal?.throwIfAborted()
      onStep(text)
      return withPlace(certificates, rttMs, signal, place => {
        onTunnel(text, place.client)
        return measure(place)
      })
    }
    return {
      rttMs,
      move: await each('the client moves', move),
      rebind: await each('a NAT forgets', rebind),
      reconnect: await each('the network is gone, and nobody moves', reconnect),
    }
  } finally {
    await files.run()
  }
}

/** By the names that measured.toml has. */
export function figuresOf({ rttMs, move, rebind, reconnect }: Moving): Record<string, number> {
  return {
    rtt_ms: rttMs,
    interval_ms: INTERVAL_MS,
    move_silence_ms: move.silenceMs,
    move_lost: move.lost,
    move_path_ms: move.pathMs,
    rebind_silence_ms: rebind.silenceMs,
    rebind_lost: rebind.lost,
    reconnect_silence_ms: reconnect.silenceMs,
    reconnect_lost: reconnect.lost,
    reconnect_noticed_ms: reconnect.noticedMs,
  }
}

// ---------------------------------------------------------------------------------------------------------------------

/** A client with a tunnel over the first of two paths. */
interface Place {
  client: MasqueClient
  paths: TwoPaths
  /** Which path a new connection takes. */
  use(path: PathName): void
  signal: AbortSignal | undefined
}

async function withPlace<T>(
  certificates: TestCertificates,
  rttMs: number,
  signal: AbortSignal | undefined,
  measure: (place: Place) => Promise<T>,
): Promise<T> {
  const cleanup = new Cleanup()
  try {
    // On any engine as many round trips.
    const proxy = await startTestProxy(certificates, { limits: { earlySettings: false } })
    cleanup.defer(() => proxy.close())
    const paths = await TwoPaths.open(proxy.address, rttMs)
    cleanup.defer(() => paths.close())
    let path: PathName = 'first'
    const quic = { ...defaultClientConfig({}).quic, idleTimeoutMs: IDLE_MS }
    const connect = connectByHttp3(quicSettings(quic))
    const client = newTestClient(
      certificates,
      paths.first,
      {
        quic,
        reconnect: { enabled: true, knockMs: PAUSE_MS, initialDelayMs: PAUSE_MS, maxDelayMs: PAUSE_MS },
        // Who moves, and when, is said here.
        migration: { enabled: false },
      },
      // A real machine asks its routes; here it is one of two addresses of the link.
      { connect: options => connect({ ...options, remote: paths[path] }) },
    )
    cleanup.defer(() => client.close())
    await client.connect()
    const use = (next: PathName) => {
      path = next
    }
    return await measure({ client, paths, use, signal })
  } finally {
    await cleanup.run()
  }
}

async function move(place: Place): Promise<Moving['move']> {
  const { client, paths } = place
  const before = session(client)
  let pathMs = Number.NaN
  const { silenceMs, lost } = await pingsAround(place, async () => {
    paths.cut('first')
    const result = await client.migrate({ remote: paths.second })
    if (!result.moved) throw new Error(`the tunnel has not moved: ${result.why}`)
    pathMs = result.ms
  })
  return { silenceMs, lost, pathMs, kept: session(client) === before }
}

async function rebind(place: Place): Promise<Moving['rebind']> {
  const before = session(place.client)
  const { silenceMs, lost } = await pingsAround(place, async () => place.paths.rebind())
  return { silenceMs, lost, kept: session(place.client) === before }
}

async function reconnect(place: Place): Promise<Moving['reconnect']> {
  const { client, paths } = place
  const before = addresses(client)
  let lostAt = Number.NaN
  client.once('down', () => {
    lostAt = client.host.clock.now()
  })
  const { silenceMs, lost, silentFrom } = await pingsAround(place, async () => {
    const back = new Promise<void>(resolve => client.once('up', () => resolve()))
    place.use('second')
    paths.cut('first')
    await back
  })
  return { silenceMs, lost, noticedMs: lostAt - silentFrom, kept: addresses(client) === before }
}

/** Which tunnel it is: a reconnect makes another one. */
function session(client: MasqueClient): string {
  return `${client.tunnel?.quic?.id} ${addresses(client)}`
}

function addresses(client: MasqueClient): string {
  return client.connected ? client.info.assigned.map(String).join(', ') : 'none'
}

/**
 * Pings until `event` is over and some that were sent behind it have had their replies, however long that takes; LONGEST_MS at most. `silentFrom`:
 * when the last reply before the silence came, on the host's clock.
 */
async function pingsAround(
  { client, signal }: Place,
  event: () => Promise<unknown>,
): Promise<Heard & { silentFrom: number }> {
  const { clock } = client.host
  const enough = new AbortController()
  let ended = 0
  let repliesAfter = 0
  let begin = (): void => {}
  const begun = new Promise<void>(resolve => {
    begin = resolve
  })
  let overAt = Number.POSITIVE_INFINITY
  const train = pingTrain(client.host, TARGET, {
    count: BEFORE + Math.ceil(LONGEST_MS / INTERVAL_MS),
    intervalMs: INTERVAL_MS,
    timeoutMs: PING_TIMEOUT_MS,
    signal: signal ? AbortSignal.any([signal, enough.signal]) : enough.signal,
    onProgress: (_, outcome) => {
      if (++ended === BEFORE) begin()
      if ('rttMs' in outcome && clock.now() - outcome.rttMs >= overAt && ++repliesAfter === AFTER) enough.abort()
    },
  })
  // A train that ends early is no event to wait for; nor is an event that never ends.
  await Promise.race([begun, train])
  const beganAt = clock.now()
  const happened = event().then(() => {
    overAt = clock.now()
  })
  // Whoever comes second is heard by nobody any more.
  happened.catch(() => {})
  await Promise.race([happened, train])
  const { records, startedMs } = await train
  signal?.throwIfAborted()
  const heard = heardAround(records, beganAt - startedMs, overAt - startedMs)
  if (heard === undefined) {
    throw new Error(
      `no ping has come back within ${LONGEST_MS / 1000} s, so there is no silence to measure: the machine is perhaps too busy, so measure again when it is not`,
    )
  }
  return { ...heard, silentFrom: startedMs + heard.silentFromMs }
}

/**
 * What the pings say about an event: of the gaps between two replies the longest one, from the last reply before the event to the first one whose ping was
 * sent when the event was over. Gaps elsewhere are not its doing. Undefined when there is no such reply. All times from the beginning of the train.
 */
export function heardAround(
  records: readonly Pick<PingRecord, 'sequence' | 'sentMs' | 'rttMs'>[],
  beganMs: number,
  overMs: number,
): (Heard & { silentFromMs: number }) | undefined {
  const replies = records
    .flatMap(({ sequence, sentMs, rttMs }) => (rttMs === undefined ? [] : [{ sequence, sentMs, atMs: sentMs + rttMs }]))
    .toSorted((a, b) => a.atMs - b.atMs)
  const from = replies.findLastIndex(({ atMs }) => atMs <= beganMs)
  const to = replies.findIndex(({ sentMs }) => sentMs >= overMs)
  if (from < 0 || to < 0) return undefined
  const gaps = replies.slice(from, to).map(({ atMs }, i) => ({ atMs, ms: replies[from + i + 1]!.atMs - atMs }))
  const longest = gaps.reduce((most, gap) => (gap.ms > most.ms ? gap : most))
  // Pings behind the last reply may still have theirs: they are not lost.
  const lastSequence = Math.max(...replies.map(({ sequence }) => sequence))
  return { silenceMs: longest.ms, lost: lastSequence + 1 - replies.length, silentFromMs: longest.atMs }
}

/** Nobody notices later that a session is dead than in its silence: a run that says so has measured something else. */
export const WHOLE = {
  run: (run: OwnRun): boolean => run.reconnect_noticed_ms! <= run.reconnect_silence_ms!,
  says: 'its reconnect_noticed_ms is more than its reconnect_silence_ms, so it ended before the client was back. Take it out of measured.toml, and measure again',
}

/** Keeps the run, if it is whole. */
export function recordMoving(context: Parameters<typeof recordRun>[0], measured: Moving): void {
  const figures = figuresOf(measured)
  if (!Object.values(figures).every(Number.isFinite) || !WHOLE.run(figures)) {
    throw new Error(
      'the run is not recorded, since the client was not back before it ended: the machine is perhaps too busy, so measure again when it is not',
    )
  }
  recordRun(context, TASK, figures)
}

if (import.meta.url === pathToFileURL(resolve(process.argv[1] ?? '')).href) {
  const rttMs = Number(process.argv[2] ?? 60)
  try {
    if (!(rttMs >= 10 && rttMs <= 500)) {
      throw new Error(`a round trip of ${process.argv[2]} ms: expected a number of ms from 10 to 500`)
    }
    const measured = await measureMoving(rttMs, { onStep: text => console.error(`${text} ...`) })
    const exercises = fileURLToPath(new URL('./exercises/', import.meta.url))
    mkdirSync(exercises, { recursive: true })
    const figures = figuresOf(measured)
    for (const [name, value] of Object.entries(figures)) console.log(`${name} = ${Number(value.toPrecision(4))}`)
    recordMoving({ exercises, mode: 'live' }, measured)
    console.error(`recorded in ${join(exercises, 'measured.toml')}`)
    process.exit(0)
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
}

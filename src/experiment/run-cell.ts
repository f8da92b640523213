/** One run for real: a testbed with the cell's parameters, the probes on it, and the link's own counters beside them. */

import type { Encapsulation, SendQueueName } from '../config/sections.ts'
import type { Impairment, Profile } from '../link/profile/profile.ts'
import { pingTrain } from '../probes/ping-train.ts'
import type { EngineName } from '../quic/quic.ts'
import { Testbed } from '../testbed/testbed.ts'
import { ConditionsRecorder } from './conditions.ts'
import { controlPath, type ExperimentDefinition, profilePath } from './definition.ts'
import type { PlannedRun } from './matrix.ts'
import type { RunResult } from './measure.ts'
import { controlsOf, type Parameters } from './parameters.ts'
import { type ProbeContext, probe } from './probes.ts'
import type { RunContext, RunFunction } from './runner.ts'

const WARM_UP_INTERVAL_MS = 50
/** A tunnel's opening on a link that is down half of the time needs more than one try. */
const OPEN_ATTEMPTS = 3
/** Queue of a link whose rate a parameter sets. */
const QUEUE_PACKETS = 100
/** What a token bucket may send at once: one packet of Ethernet's size, so that the rate is smooth. */
const BURST_BYTES = 1600

export interface RunCellOptions {
  loadProfile: (nameOrFile: string) => Profile
}

/** Measures on a testbed of its own for each run: nothing is carried over from one to the next. */
export function runOnTestbed(definition: ExperimentDefinition, { loadProfile }: RunCellOptions): RunFunction {
  return async (run, context) => {
    const { parameters } = run.cell
    const base = loadProfile(profilePath(definition.file, String(parameters.profile)))
    const bed = await openBed(withParameters(base, parameters), definition, run, context)
    try {
      return await bed.whileAlive(() => measure(bed, definition, run, context))
    } finally {
      await bed.close()
    }
  }
}

async function openBed(
  profile: Profile,
  definition: ExperimentDefinition,
  run: PlannedRun,
  context: RunContext,
): Promise<Testbed> {
  const { parameters } = run.cell
  // Without default, so that runs from before there was this parameter are still the same runs.
  const queue = (parameters.queue ?? 'fifo') as SendQueueName
  const fec = Number(parameters.fec ?? 0)
  const controls = controlsOf(parameters.congestion_control).map(name => controlPath(definition.file, name))
  const quic = parameters.engine === undefined ? {} : { engine: parameters.engine as EngineName }
  const bed = await Testbed.start({
    profile,
    seed: run.seed,
    encapsulation: parameters.encapsulation as Encapsulation,
    congestionControl: controls,
    client: { tunnel: { queue, fec }, quic },
    server: { tunnel: { queue, fec: fec > 0 }, quic },
    maxUdpPayload: Number(parameters.max_udp_payload),
    idleTimeoutMs: Number(parameters.idle_timeout_ms),
    clients: Number(parameters.clients),
    connect: false,
    signal: context.signal,
    onProgress: text => context.onStep(text),
  })
  try {
    context.onStep('opening the tunnels')
    await bed.whileAlive(() => openTunnels(bed, controls.length > 1))
    return bed
  } catch (error) {
    await bed.close()
    throw error
  }
}

/** `inOrder`: which connection is whose matters to the proxy, so that none may be a second attempt. */
async function openTunnels({ clients }: Testbed, inOrder: boolean): Promise<void> {
  if (!inOrder) return void (await Promise.all(clients.map(openTunnel)))
  for (const client of clients) await client.connect()
}

async function openTunnel(client: Testbed['client']): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.connect()
      return
    } catch (error) {
      if (attempt === OPEN_ATTEMPTS) throw error
    }
  }
}

async function measure(
  bed: Testbed,
  definition: ExperimentDefinition,
  run: PlannedRun,
  context: RunContext,
): Promise<RunResult> {
  await warmUp(bed, definition.warmUpMs, context)
  const probing: ProbeContext = {
    bed,
    clients: [...bed.clients],
    parameters: run.cell.parameters,
    durationMs: definition.durationMs,
    signal: context.signal,
  }
  const measurements: Record<string, number | null> = {}
  const samples: Record<string, readonly number[]> = {}
  const runProbe = async ({ name, options }: ExperimentDefinition['probes'][number]): Promise<void> => {
    context.onStep(name)
    const result = await probe(name).run(probing, options as never)
    for (const [key, value] of Object.entries(result.measurements)) measurements[`${name}.${key}`] = value
    for (const [key, values] of Object.entries(result.samples)) samples[`${name}.${key}`] = values
  }
  const conditions = await ConditionsRecorder.start(bed)
  if (definition.together) {
    context.onStep(definition.probes.map(each => each.name).join(' and '))
    await Promise.all(definition.probes.map(runProbe))
  } else {
    for (const each of definition.probes) await runProbe(each)
  }
  for (const [key, value] of Object.entries(await conditions.stop())) measurements[`conditions.${key}`] = value
  return { measurements, samples }
}

/** Pings that nobody counts: code gets compiled, windows open, the link's timeline begins. */
async function warmUp(bed: Testbed, durationMs: number, context: RunContext): Promise<void> {
  if (durationMs <= 0) return
  context.onStep('warming up')
  const count = Math.ceil(durationMs / WARM_UP_INTERVAL_MS)
  await Promise.all(
    bed.clients.map(client =>
      pingTrain(client.host, bed.library, {
        count,
        intervalMs: WARM_UP_INTERVAL_MS,
        timeoutMs: durationMs,
        signal: context.signal,
      }),
    ),
  )
}

/** The profile with what rtt_ms, loss_percent and rate_mbps put in the place of its own values. */
export function withParameters(profile: Profile, parameters: Parameters): Profile {
  const change: Partial<Impairment> = {}
  if (parameters.rtt_ms !== undefined) change.delayMs = Number(parameters.rtt_ms) / 2
  if (parameters.loss_percent !== undefined) {
    change.loss = { model: 'random', rate: Number(parameters.loss_percent) / 100, correlation: 0 }
  }
  if (parameters.rate_mbps !== undefined) {
    const bitsPerSecond = Number(parameters.rate_mbps) * 1e6
    change.rate = { bitsPerSecond, limit: { packets: QUEUE_PACKETS }, burstBytes: BURST_BYTES }
    change.trace = undefined
  }
  if (Object.keys(change).length === 0) return profile
  return { ...profile, up: { ...profile.up, ...change }, down: { ...profile.down, ...change } }
}

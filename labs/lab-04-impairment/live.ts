/** What the live checks have in common: a testbed that is closed with the check, profiles with a few changes, pings. */
import { CLEAN, type Impairment, type Profile } from '../../src/link/profile/profile.ts'
import { type PingRecord, pingTrain } from '../../src/probes/ping-train.ts'
import { Testbed, type TestbedOptions } from '../../src/testbed/testbed.ts'
import { watchTunnel } from '../kit/check/window-recorder.ts'
import type { CheckContext } from '../kit/lab/types.ts'

export interface LinkChange {
  up?: Partial<Impairment>
  down?: Partial<Impairment>
}

/** A link that does nothing but what is said here. */
export function linkWith(name: string, { up = {}, down = {} }: LinkChange): Profile {
  return {
    name,
    title: name,
    about: '',
    source: 'labs/lab-04-impairment',
    up: { ...CLEAN, ...up },
    down: { ...CLEAN, ...down },
    timeline: [],
  }
}

/** Server, link and clients, in three processes. The window of the first client, which has its tunnel in datagrams, can be watched. */
export async function startTestbed(
  context: Pick<CheckContext, 'signal' | 'defer' | 'do' | 'mode' | 'show'>,
  options: Omit<TestbedOptions, 'signal'>,
): Promise<Testbed> {
  const name = typeof options.profile === 'string' ? options.profile : options.profile.name
  return await context.do(`start a proxy, the link (${name}) and a client`, async () => {
    const bed = await Testbed.start({ ...options, signal: context.signal })
    context.defer(() => bed.close())
    watchTunnel(context, 'in datagrams', bed.client)
    return bed
  })
}

export interface PingPlan {
  count: number
  intervalMs: number
  timeoutMs: number
}

/** One ping in each interval through the tunnel of `client`, whatever becomes of those before. */
export async function pings(
  context: Pick<CheckContext, 'signal'>,
  bed: Testbed,
  client: Testbed['client'],
  plan: PingPlan,
  onEnd: () => void = () => {},
): Promise<PingRecord[]> {
  const { records } = await bed.whileAlive(() =>
    pingTrain(client.host, bed.library, { ...plan, signal: context.signal, onProgress: onEnd }),
  )
  return records
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

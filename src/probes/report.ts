import type { Clock } from '../hosts/clock.ts'
import type { Host } from '../hosts/host.ts'
import type { IpAddress } from '../ip/address.ts'
import { type Interval, wilson } from '../stats/intervals.ts'
import type { ClockJump } from './clock-watch.ts'

/**
 *   complete   all that was to be measured was
 *   aborted    the AbortSignal ended it; the results so far are there
 *   silent     the peer has not been heard for `giveUpAfterMs`; likewise
 *   refused    an ICMP error said that the packets cannot get there, or that nobody takes them; likewise
 *   closed     the host was closed meanwhile; likewise
 */
export type ProbeOutcome = 'complete' | 'aborted' | 'silent' | 'refused' | 'closed'

/** What all probes report. Counts belong to it, so that whoever reads a rate can tell what it is worth. */
export interface ProbeReport {
  probe: 'ping-train' | 'paced-flow' | 'greedy-flow' | 'request-response'
  outcome: ProbeOutcome
  /** On the host's clock, ms. */
  startedMs: number
  durationMs: number
  /** Packets (or requests) whose fate is known, so without those in flight when it ended early. */
  sent: number
  received: number
  /** Of those sent that can be judged (see `clockJumps`): 0 … 1; 0 when there are none. */
  lossRatio: number
  /** Wilson's interval for it at 95 %. For independent losses; with bursts it is too narrow (docs/measurement.md). */
  lossInterval: Interval
  /** When the clock and the schedule went apart. Samples across such a jump are marked `suspect`, and no statistic uses them. */
  clockJumps: ClockJump[]
  /** How many samples are marked. */
  suspect: number
}

/** Loss ratio and its interval. */
export function lossOf(sent: number, received: number): Pick<ProbeReport, 'lossRatio' | 'lossInterval'> {
  const lost = Math.max(0, sent - received)
  return { lossRatio: sent === 0 ? 0 : lost / sent, lossInterval: wilson(lost, Math.max(sent, lost)) }
}

/** The address of the host that can reach the destination. Throws Error when there is none of its IP version. */
export function sourceFor(host: Host, destination: IpAddress): IpAddress {
  const source = host.addresses.find(own => own.version === destination.version && !own.isLinkLocal)
  if (source !== undefined) return source
  const own = host.addresses.length === 0 ? 'no address' : `only ${host.addresses.join(', ')}`
  throw new Error(`no IPv${destination.version} address to reach ${destination} from; the host has ${own}`)
}

/** Waits, but no longer than until the signal aborts. Does not reject: the caller looks at the signal. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve()
    const end = () => {
      clock.clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.setTimeout(end, ms)
    signal?.addEventListener('abort', end)
  })
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

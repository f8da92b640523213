/**
 * An impairment profile: what a link does to the packets that cross it.
 *
 * Plain data in netem's vocabulary (tc-netem(8)). One profile drives two backends, the userspace emulator and the kernel's
 * `tc netem`, so everything that either of them needs is here and nothing that only one of them could do.
 *
 * Units everywhere: milliseconds, bit/s, bytes; probabilities and correlations are numbers from 0 to 1.
 */

/** `up` is client to server, `down` is server to client. */
export type Direction = 'up' | 'down'
export const DIRECTIONS: readonly Direction[] = ['up', 'down']

/** Where the client is attached: 0 is where it starts, 1 is the second attachment of a handover profile. */
export type Attachment = 0 | 1

export const DISTRIBUTIONS = ['uniform', 'normal', 'pareto', 'paretonormal'] as const
export type Distribution = (typeof DISTRIBUTIONS)[number]

export type LossModel =
  | { model: 'none' }
  /** Each packet on its own; with a correlation, a loss depends on the one before as netem's `loss random P CORR` does. */
  | { model: 'random'; rate: number; correlation: number }
  /**
   * Gilbert–Elliott: a good and a bad state. Per packet: p is the chance to go from good to bad, r from bad to good;
   * 1-h is the loss in the bad state, 1-k the loss in the good one.
   */
  | { model: 'gemodel'; p: number; r: number; oneMinusH: number; oneMinusK: number }
  /** netem's four states: 1 good, 2 good within a burst, 3 lost within a burst, 4 lost alone. pXY: from state X to Y. */
  | { model: 'state'; p13: number; p31: number; p32: number; p23: number; p14: number }

/** How often something happens, and how much each decision depends on the one before (0 not at all, 1 wholly). */
export interface Chance {
  rate: number
  correlation: number
}

/** How much a queue holds; what does not fit any more is dropped at the tail. */
export type QueueLimit = { packets: number } | { bytes: number }

/** A token bucket (tc-tbf(8)) behind a first-in first-out queue. */
export interface Rate {
  bitsPerSecond: number
  limit: QueueLimit
  burstBytes: number
}

/** Delivery opportunities in Mahimahi's format: at each of them the link can carry 1500 bytes. */
export interface Trace {
  /** The file's name, without its folder. */
  name: string
  /** When, in ms from the start of the trace; ascending, the same ms more than once for more than one packet. */
  opportunitiesMs: Float64Array
  /** The trace begins again after this time: its last opportunity. */
  periodMs: number
}

/** A trace at work, with the queue in front of it. */
export interface TraceLink extends Trace {
  limit: QueueLimit
}

/** Everything that is done to the packets of one direction, in this order of keys. */
export interface Impairment {
  /** One-way. */
  delayMs: number
  jitterMs: number
  delayCorrelation: number
  distribution: Distribution
  /**
   * Jitter does not change the order: a packet whose delay would let it overtake waits for the one before it. In the kernel:
   * netem's own `rate`, set so high that it does nothing else.
   */
  keepOrder: boolean
  loss: LossModel
  duplicate: Chance
  /** These go out at once, ahead of the delayed ones; only each `gap`th packet (and later ones) can. Gap 0: no reordering. */
  reorder: Chance & { gap: number }
  /** One bit of the packet is turned over. */
  corrupt: Chance
  /** At most one of `rate` and `trace` is there. */
  rate?: Rate
  trace?: TraceLink
  /** An outage: nothing passes. */
  down: boolean
}

/** A link that does nothing to a packet. */
export const CLEAN: Impairment = {
  delayMs: 0,
  jitterMs: 0,
  delayCorrelation: 0,
  distribution: 'uniform',
  keepOrder: false,
  loss: { model: 'none' },
  duplicate: { rate: 0, correlation: 0 },
  reorder: { rate: 0, correlation: 0, gap: 0 },
  corrupt: { rate: 0, correlation: 0 },
  down: false,
}

/** How many packets the delay stage holds at most (netem's `limit`, the same in both backends). More are dropped. */
export const DELAY_LIMIT_PACKETS = 65_536

interface PhaseBase {
  /** From the beginning of the timeline. */
  atMs: number
  /** How long it lasts; Infinity: until the timeline ends (or, with repeatMs, begins again). */
  durationMs: number
  direction: Direction | 'both'
  /** undefined: both attachments. */
  attachment?: Attachment
}

/** Numbers of an impairment that can change little by little. */
export interface Levels {
  delayMs?: number
  jitterMs?: number
  /** Loss of the model `random`. */
  lossRate?: number
  bitsPerSecond?: number
}

/** Nothing passes for `durationMs`. */
export interface OutagePhase extends PhaseBase {
  kind: 'outage'
  /** UDP alone is blocked: all that the emulator has. netem cannot tell it from the rest, which is blocked with it. */
  only?: 'udp'
}

/** Other values for `durationMs`. */
export interface SetPhase extends PhaseBase {
  kind: 'set'
  change: Partial<Impairment>
}

/** In a straight line from the values before to `to`; they stay there when the ramp is over. */
export interface RampPhase extends PhaseBase {
  kind: 'ramp'
  to: Levels
}

/** To `to` and back as a cosine, once in each period, for `durationMs`. */
export interface OscillationPhase extends PhaseBase {
  kind: 'oscillation'
  periodMs: number
  to: Levels
}

/**
 * The client's address changes. `nat-rebind`: the server sees another source port, and what it sends to the old one is
 * lost. `handover`: the client's other attachment goes dead and attachment `to` carries its packets.
 */
export interface AddressChangePhase extends PhaseBase {
  kind: 'address-change'
  change: AddressChange
  to: Attachment
}

export type AddressChange = 'nat-rebind' | 'handover'

export type Phase = OutagePhase | SetPhase | RampPhase | OscillationPhase | AddressChangePhase

export interface Profile {
  name: string
  title: string
  about: string
  /** Where its numbers come from. */
  source: string
  up: Impairment
  down: Impairment
  /** The second attachment, for a handover. */
  second?: { up: Impairment; down: Impairment }
  /** In the order of the file; where two phases touch the same value at the same time, the later one in the file holds. */
  timeline: readonly Phase[]
  /** The timeline begins again after this time. */
  repeatMs?: number
  file?: string
}

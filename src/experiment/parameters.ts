/** What an experiment can vary: the parameters of one run, their units, limits and defaults. */

import { z } from 'zod'
import { choice, integer, text } from '../config/fields.ts'
import { CONGESTION_CONTROLS, ENCAPSULATIONS, fecGroupField, SEND_QUEUES } from '../config/sections.ts'

/** What stands between two congestion controls. */
const AND = '+'

/** The one or two that a value of `congestion_control` names. */
export function controlsOf(value: ParameterValue | undefined): string[] {
  return String(value ?? '').split(AND)
}

function congestionControls() {
  const error = `${CONGESTION_CONTROLS.join(', ')}, or a file that ends with .ts; or two of them with a ${AND} between`
  const isKnown = (name: string) => /.\.ts$/.test(name) || CONGESTION_CONTROLS.some(known => known === name)
  return z
    .string({ error })
    .refine(value => controlsOf(value).length <= 2 && controlsOf(value).every(isKnown), { error })
}

export type ParameterValue = string | number

/** The values of one run: every parameter that has a default, and those without that the experiment names. */
export type Parameters = Readonly<Record<string, ParameterValue>>

export interface ParameterSpec {
  /** As a figure's axis calls it. */
  title: string
  unit: string
  about: string
  /** undefined: the profile says, or the configuration. */
  default?: ParameterValue
  /** One value, as zod checks it in the file. */
  field: z.ZodType<ParameterValue>
}

const number = (minimum: number, maximum: number, what: string) => {
  const error = `${what} from ${minimum} to ${maximum}`
  return z.number({ error }).min(minimum, { error }).max(maximum, { error })
}

/** By the key that the experiment file uses. */
export const PARAMETERS = {
  profile: {
    title: 'link profile',
    unit: '',
    about: 'The link: a profile of netem/profiles by its name, or a profile file (relative to the experiment file).',
    default: 'clean',
    field: text('the name of a link profile, or a file that ends with .toml'),
  },
  rtt_ms: {
    title: 'round-trip time of the link',
    unit: 'ms',
    about: "Delay of the link, half of it in each direction, in the place of the profile's own (ms).",
    field: number(0, 20_000, 'milliseconds'),
  },
  loss_percent: {
    title: 'loss in each direction',
    unit: '%',
    about: "Random loss in each direction, in the place of the profile's own loss (per cent).",
    field: number(0, 100, 'per cent'),
  },
  rate_mbps: {
    title: 'rate of the link',
    unit: 'Mbit/s',
    about:
      "Rate of the link in each direction, in the place of the profile's own (Mbit/s); the queue holds 100 packets.",
    field: number(0.01, 10_000, 'Mbit/s'),
  },
  encapsulation: {
    title: 'encapsulation',
    unit: '',
    about: 'How IP packets travel in QUIC.',
    default: 'datagram',
    field: choice(ENCAPSULATIONS),
  },
  congestion_control: {
    title: 'congestion control',
    unit: '',
    about:
      "QUIC's congestion control, of both sides: one of these, or a file with one of your own (relative to the experiment file). Two of them (cubic+bbr): the clients have the one and the other in turn, and so has the proxy towards them.",
    default: 'cubic',
    field: congestionControls(),
  },
  engine: {
    title: 'QUIC engine',
    unit: '',
    about:
      'The QUIC engine of both sides; as MASQUE_QUIC says without it. A congestion control of your own needs typescript.',
    field: choice(['quiche', 'typescript']),
  },
  queue: {
    title: 'send queue',
    unit: '',
    about: 'The order in which packets leave that wait for QUIC, on both sides; fifo without it.',
    field: choice(SEND_QUEUES),
  },
  fec: {
    title: 'packets in a group of FEC',
    unit: '',
    about: 'Forward error correction: packets in a group, of both directions; 0: none.',
    field: fecGroupField(),
  },
  max_udp_payload: {
    title: 'largest UDP payload',
    unit: 'bytes',
    about: 'The largest UDP payload that QUIC sends (bytes).',
    default: 1400,
    field: integer(1200, 65_527, 'bytes'),
  },
  idle_timeout_ms: {
    title: 'idle timeout',
    unit: 'ms',
    about: "QUIC's idle timeout (ms).",
    default: 30_000,
    field: integer(100, 3_600_000, 'milliseconds'),
  },
  clients: {
    title: 'clients',
    unit: '',
    about: 'How many clients there are, each with a tunnel and with the probes of its own.',
    default: 1,
    field: integer(1, 200, 'a number of clients'),
  },
  packet_size: {
    title: 'IP packet',
    unit: 'bytes',
    about: 'Length of the IP packets that the probes `flow` and `greedy` send (bytes).',
    default: 1200,
    field: integer(72, 65_535, 'bytes'),
  },
  packets_per_second: {
    title: 'packets of the flow',
    unit: '1/s',
    about: 'What the probe `flow` sends a second.',
    default: 200,
    field: number(1, 100_000, 'packets a second'),
  },
} satisfies Record<string, ParameterSpec>

export type ParameterName = keyof typeof PARAMETERS
export const PARAMETER_NAMES = Object.keys(PARAMETERS) as ParameterName[]

export function parameterSpec(name: string): ParameterSpec {
  return PARAMETERS[name as ParameterName]
}

/** A value as people read it: `20 ms`, `loss-1`. */
export function describeValue(name: string, value: ParameterValue): string {
  const { unit } = parameterSpec(name)
  return unit === '' ? String(value) : `${value} ${unit}`
}

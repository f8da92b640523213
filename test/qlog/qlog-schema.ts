/** What the drafts' CDDL demands of records, as far as we write them, as schemas; and a file taken apart by RFC 7464. For tests. */

import { expect } from 'chai'
import { z } from 'zod'

const uint = z.int().min(0)
const raw = z.strictObject({ length: uint.optional(), payload_length: uint.optional() })

/** draft-ietf-quic-qlog-main-schema-02, QlogFileSeq. */
const header = z.strictObject({
  qlog_version: z.literal('0.3'),
  qlog_format: z.literal('JSON-SEQ'),
  title: z.string(),
  trace: z.strictObject({
    title: z.string(),
    vantage_point: z.strictObject({ name: z.string(), type: z.enum(['client', 'server']) }),
    common_fields: z.strictObject({
      group_id: z.string(),
      protocol_type: z.array(z.string()).min(1),
      time_format: z.literal('relative'),
      reference_time: z.number(),
    }),
  }),
})

const ends = {
  ip_version: z.enum(['v4', 'v6']),
  src_ip: z.string(),
  dst_ip: z.string(),
  protocol: z.string(),
  src_port: uint,
  dst_port: uint,
}
const initiator = z.enum(['local', 'remote'])
const frame = z.discriminatedUnion('frame_type', [
  z.strictObject({ frame_type: z.literal('data'), raw: raw.optional() }),
  z.strictObject({
    frame_type: z.literal('headers'),
    headers: z.array(z.strictObject({ name: z.string(), value: z.string().optional() })),
    number_of_headers: uint,
    raw: raw.optional(),
  }),
  z.strictObject({
    frame_type: z.literal('settings'),
    settings: z.array(z.strictObject({ name: z.string(), name_bytes: uint.optional(), value: uint })),
    raw: raw.optional(),
  }),
  z.strictObject({ frame_type: z.literal('goaway'), id: uint, raw: raw.optional() }),
  z.strictObject({
    frame_type: z.enum(['reserved', 'unknown']),
    frame_type_bytes: uint.optional(),
    raw: raw.optional(),
  }),
])
const skipped = { skipped_before: uint.optional() }
const capsule = z.looseObject({ capsule_type: z.string(), raw: raw.optional() })
const withFrame = z.strictObject({ stream_id: uint, frame, ...skipped })
const withCapsule = z.strictObject({ stream_id: uint, capsule, ...skipped })
const datagram = z.strictObject({ quarter_stream_id: uint, raw, ...skipped })

/** By name: draft-ietf-quic-qlog-quic-events-02 and draft-ietf-quic-qlog-h3-events. */
const EVENTS: Record<string, z.ZodType> = {
  'connectivity:connection_started': z.strictObject(ends),
  'connectivity:connection_state_updated': z.strictObject({ new: z.literal('handshake_complete') }),
  'connectivity:path_assigned': z.strictObject({ path_id: z.string(), ...ends, ...skipped }),
  'connectivity:connection_closed': z.strictObject({
    owner: initiator,
    application_code: uint.optional(),
    connection_code: uint.optional(),
    reason: z.string(),
    trigger: z.enum(['clean', 'idle_timeout', 'error', 'application']),
    skipped: z.strictObject({ packets: uint, others: uint }).optional(),
  }),
  'recovery:metrics_updated': z.strictObject({ smoothed_rtt: z.number().min(0), congestion_window: uint, ...skipped }),
  'loglevel:warning': z.strictObject({ message: z.string() }),
  'http3:stream_type_set': z.strictObject({
    initiator,
    stream_id: uint,
    stream_type: z.enum(['control', 'push', 'reserved', 'unknown', 'qpack_encode', 'qpack_decode']),
    stream_type_bytes: uint.optional(),
    ...skipped,
  }),
  'http3:parameters_set': z.strictObject({
    initiator,
    max_field_section_size: uint.optional(),
    extended_connect: uint.optional(),
    h3_datagram: uint.optional(),
    ...skipped,
  }),
  'http3:frame_created': withFrame,
  'http3:frame_parsed': withFrame,
  'http3:datagram_created': datagram,
  'http3:datagram_parsed': datagram,
  'http:capsule_created': withCapsule,
  'http:capsule_parsed': withCapsule,
}

export interface QlogEvent {
  readonly time: number
  readonly name: string
  // biome-ignore lint/suspicious/noExplicitAny: the schemas above have looked at it
  readonly data: any
}

/** The header and the events of a whole file. Throws where something is not as the drafts want it. */
export function parseQlog(file: string): { header: z.output<typeof header>; events: QlogEvent[] } {
  const [nothing, ...texts] = file.split('\u001e')
  expect(nothing, 'a file begins with a record separator').to.equal('')
  const [first, ...records] = texts.map(text => {
    if (!/^[^\n]+\n$/.test(text)) throw new Error(`a record does not end with its only line feed: ${text}`)
    return JSON.parse(text)
  })
  let before = 0
  for (const { time, name, data, ...rest } of records) {
    if (time < before) throw new Error(`time goes back: from ${before} to ${time}`)
    before = time
    const schema = EVENTS[name]
    if (schema === undefined || Object.keys(rest).length > 0) throw new Error(`no such event: ${name}`)
    const problem = schema.safeParse(data).error
    if (problem !== undefined) throw new Error(`${name}: ${problem.message}: ${JSON.stringify(data)}`)
  }
  return { header: header.parse(first), events: records }
}

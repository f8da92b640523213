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

// -- of an engine that tells

const hex = z.string().regex(/^([0-9a-f]{2})*$/)
const packetType = z.enum(['initial', 'handshake', '0RTT', '1RTT', 'retry', 'version_negotiation', 'unknown'])
const packetHeader = z.strictObject({ packet_type: packetType, packet_number: uint.optional() })
const numbered = z.strictObject({ packet_type: z.enum(['initial', 'handshake', '1RTT']), packet_number: uint })
const streamType = z.enum(['bidirectional', 'unidirectional'])
const space = z.enum(['initial', 'handshake', 'application_data'])
const of = <Name extends string>(name: Name, fields: Record<string, z.ZodType> = {}) =>
  z.strictObject({ frame_type: z.literal(name), ...fields })
/** `$QuicFrame` of draft-ietf-quic-qlog-quic-events-02, and datagrams as later drafts have them. */
const quicFrame = z.discriminatedUnion('frame_type', [
  of('ping'),
  of('ack', {
    ack_delay: z.number().min(0),
    acked_ranges: z.array(z.array(uint).min(1).max(2)).min(1).max(32),
    number_of_ranges: uint.optional(),
    ect0: uint.optional(),
    ect1: uint.optional(),
    ce: uint.optional(),
  }),
  of('reset_stream', { stream_id: uint, error_code: uint, final_size: uint }),
  of('stop_sending', { stream_id: uint, error_code: uint }),
  of('crypto', { offset: uint, length: uint }),
  of('new_token', { token: z.strictObject({ type: z.literal('resumption'), length: uint }) }),
  of('stream', { stream_id: uint, offset: uint, length: uint, fin: z.literal(true).optional() }),
  of('max_data', { maximum: uint }),
  of('max_stream_data', { stream_id: uint, maximum: uint }),
  of('max_streams', { stream_type: streamType, maximum: uint }),
  of('data_blocked', { limit: uint }),
  of('stream_data_blocked', { stream_id: uint, limit: uint }),
  of('streams_blocked', { stream_type: streamType, limit: uint }),
  of('new_connection_id', {
    sequence_number: uint,
    retire_prior_to: uint,
    connection_id_length: uint,
    connection_id: hex,
  }),
  of('retire_connection_id', { sequence_number: uint }),
  of('path_challenge', { data: hex }),
  of('path_response', { data: hex }),
  of('connection_close', {
    error_space: z.enum(['transport', 'application']),
    raw_error_code: uint,
    reason: z.string(),
    trigger_frame_type: uint.optional(),
  }),
  of('handshake_done'),
  of('datagram', { length: uint }),
])
const frames = z.array(quicFrame).max(32)
const key = {
  key_type: z.string().regex(/^(client|server)_(initial|handshake|1rtt)_secret$/),
  generation: uint.optional(),
  trigger: z.enum(['tls', 'remote_update', 'local_update']),
  ...skipped,
}
const state = z.enum([
  'attempted',
  'handshake_started',
  'handshake_complete',
  'handshake_confirmed',
  'closing',
  'draining',
  'closed',
])
const positive = z.number().min(0)
const isNotEmpty = (data: object): boolean => Object.keys(data).length > 0

const capsule = z.looseObject({ capsule_type: z.string(), raw: raw.optional() })
const withFrame = z.strictObject({ stream_id: uint, frame, ...skipped })
const withCapsule = z.strictObject({ stream_id: uint, capsule, ...skipped })
const datagram = z.strictObject({ quarter_stream_id: uint, raw, ...skipped })

/** By name: draft-ietf-quic-qlog-quic-events-02 and draft-ietf-quic-qlog-h3-events. */
const EVENTS: Record<string, z.ZodType> = {
  'connectivity:connection_started': z.strictObject(ends),
  'connectivity:connection_state_updated': z.strictObject({ old: state.optional(), new: state, ...skipped }),
  'connectivity:path_assigned': z.strictObject({ path_id: z.string(), ...ends, ...skipped }),
  'connectivity:connection_closed': z.strictObject({
    owner: initiator,
    application_code: uint.optional(),
    connection_code: uint.optional(),
    reason: z.string(),
    trigger: z.enum(['clean', 'idle_timeout', 'error', 'application']),
    skipped: z
      .strictObject({
        packets: uint,
        others: uint,
        transport: uint.optional(),
        recovery: uint.optional(),
        timers: uint.optional(),
      })
      .optional(),
  }),
  'recovery:metrics_updated': z
    .strictObject({
      min_rtt: positive.optional(),
      smoothed_rtt: positive.optional(),
      latest_rtt: positive.optional(),
      rtt_variance: positive.optional(),
      pto_count: uint.optional(),
      congestion_window: uint.optional(),
      bytes_in_flight: uint.optional(),
      ssthresh: uint.optional(),
      pacing_rate: uint.optional(),
      ...skipped,
    })
    .refine(isNotEmpty),
  'recovery:congestion_state_updated': z.strictObject({
    old: z.string().optional(),
    new: z.string().min(1),
    trigger: z.enum(['persistent_congestion', 'ECN']).optional(),
    ...skipped,
  }),
  'recovery:loss_timer_updated': z.strictObject({
    timer_type: z.enum(['ack', 'pto']),
    packet_number_space: space,
    event_type: z.enum(['set', 'expired', 'cancelled']),
    delta: z.number().optional(),
    ...skipped,
  }),
  'recovery:packet_lost': z.strictObject({
    header: numbered,
    trigger: z.enum(['reordering_threshold', 'time_threshold']),
    ...skipped,
  }),
  'transport:version_information': z.strictObject({
    server_versions: z.array(hex).min(1).optional(),
    client_versions: z.array(hex).min(1).optional(),
    chosen_version: hex,
    ...skipped,
  }),
  'transport:parameters_set': z.strictObject({
    owner: initiator,
    original_destination_connection_id: hex.optional(),
    initial_source_connection_id: hex.optional(),
    retry_source_connection_id: hex.optional(),
    disable_active_migration: z.boolean().optional(),
    max_idle_timeout: uint.optional(),
    max_udp_payload_size: uint.optional(),
    ack_delay_exponent: uint.optional(),
    max_ack_delay: uint.optional(),
    active_connection_id_limit: uint.optional(),
    initial_max_data: uint.optional(),
    initial_max_stream_data_bidi_local: uint.optional(),
    initial_max_stream_data_bidi_remote: uint.optional(),
    initial_max_stream_data_uni: uint.optional(),
    initial_max_streams_bidi: uint.optional(),
    initial_max_streams_uni: uint.optional(),
    max_datagram_frame_size: uint.optional(),
    ...skipped,
  }),
  'transport:packet_sent': z.strictObject({
    header: numbered,
    frames,
    number_of_frames: uint.optional(),
    raw,
    trigger: z.literal('pto_probe').optional(),
    ...skipped,
  }),
  'transport:packet_received': z.strictObject({
    header: packetHeader,
    frames: frames.optional(),
    number_of_frames: uint.optional(),
    raw,
    ...skipped,
  }),
  'transport:packet_buffered': z.strictObject({
    header: packetHeader,
    raw,
    trigger: z.literal('keys_unavailable'),
    ...skipped,
  }),
  'transport:packet_dropped': z.strictObject({
    header: packetHeader,
    raw,
    trigger: z.enum([
      'key_unavailable',
      'unknown_connection_id',
      'payload_decrypt_error',
      'unexpected_packet',
      'unexpected_source_connection_id',
      'unsupported_version',
      'duplicate',
      'invalid_initial',
    ]),
    ...skipped,
  }),
  // The drafts demand a key, and have it written in hex: of none there are no digits.
  'security:key_updated': z.strictObject({ ...key, new: z.literal('') }),
  'security:key_retired': z.strictObject(key),
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

/**
 * qlog: what happens on a connection, as records that tools such as qvis read.
 *
 * A file is a JSON text sequence (RFC 7464): each record stands between a record separator and a line feed, so that one that was cut short
 * spoils none of the others. The first says what the file is, each of the others is an event:
 *
 *   RS { "qlog_version": "0.3", "qlog_format": "JSON-SEQ", "trace": { … } } LF
 *   RS { "time": 12.5, "name": "http3:frame_parsed", "data": { … } } LF
 *
 * The file's form is that of draft-ietf-quic-qlog-main-schema-02, version 0.3, which is the latest that qvis reads; events of QUIC have the names
 * of that version (draft-ietf-quic-qlog-quic-events-02), and events of HTTP those of today's draft-ietf-quic-qlog-h3-events, for older ones
 * know neither HTTP Datagrams nor capsules.
 */

const RECORD_SEPARATOR = '\u001e'

export interface QlogHeader {
  /** What has written it: name and version. */
  readonly application: string
  /** Whose view it is. */
  readonly vantagePoint: 'client' | 'server'
  /** The connection's name in the log. */
  readonly groupId: string
  /** Of the time 0, in ms since 1970. */
  readonly referenceTime: number
}

export function headerRecord({ application, vantagePoint, groupId, referenceTime }: QlogHeader): Uint8Array {
  return record({
    qlog_version: '0.3',
    qlog_format: 'JSON-SEQ',
    title: `connection ${groupId}`,
    trace: {
      // Above, of the file: what qvis shows of several files, it calls by this one.
      title: `connection ${groupId}`,
      vantage_point: { name: application, type: vantagePoint },
      common_fields: {
        group_id: groupId,
        protocol_type: ['QUIC', 'HTTP/3'],
        time_format: 'relative',
        reference_time: referenceTime,
      },
    },
  })
}

/** `time`: ms since the reference time; to the microsecond. */
export function eventRecord(time: number, name: string, data: object): Uint8Array {
  return record({ time: Math.round(time * 1000) / 1000, name, data })
}

function record(value: object): Uint8Array {
  return Buffer.from(`${RECORD_SEPARATOR}${JSON.stringify(value)}\n`)
}

/** What has happened to connections lately. Texts are made when somebody reads it: what clients do must stay cheap. */

import type { HttpServerConnection } from '../carriers/http-connection.ts'
import type { IpAddress } from '../ip/address.ts'
import type { EventFeed } from './event-feed.ts'
import type { ConnectionLogEntry, LogFilter } from './status.ts'

/** Entries that are kept, about 150 bytes each; the oldest goes first. */
export const CONNECTION_LOG_LENGTH = 2000

interface LogRecord {
  readonly seq: number
  readonly at: number
  readonly event: ConnectionLogEntry['event']
  readonly connection: Pick<HttpServerConnection, 'id' | 'remote'>
  readonly identity: string | undefined
  readonly detail: string | readonly IpAddress[]
}

export class ConnectionLog {
  readonly #feed: EventFeed
  /** A ring, in which the entry number `seq` has the place `seq % CONNECTION_LOG_LENGTH`. */
  readonly #records: LogRecord[] = []
  #lastSeq = 0

  constructor(feed: EventFeed) {
    this.#feed = feed
  }

  add(
    event: ConnectionLogEntry['event'],
    { id, remote }: Pick<HttpServerConnection, 'id' | 'remote'>,
    identity: string | undefined,
    detail: string | readonly IpAddress[],
  ): void {
    const record = { seq: ++this.#lastSeq, at: Date.now(), event, connection: { id, remote }, identity, detail }
    this.#records[record.seq % CONNECTION_LOG_LENGTH] = record
    if (this.#feed.listening) this.#feed.publish({ type: 'connection', data: toEntry(record) })
  }

  /** Newest first, those that fit. */
  *entries(fits: LogFilter = () => true): Generator<ConnectionLogEntry> {
    const oldest = Math.max(1, this.#lastSeq - CONNECTION_LOG_LENGTH + 1)
    for (let seq = this.#lastSeq; seq >= oldest; seq--) {
      const record = this.#records[seq % CONNECTION_LOG_LENGTH]
      if (fits(record)) yield toEntry(record)
    }
  }
}

function toEntry({ seq, at, connection, event, identity, detail }: LogRecord): ConnectionLogEntry {
  return {
    seq,
    at: new Date(at).toISOString(),
    event,
    id: connection.id,
    remote: `${connection.remote.host}:${connection.remote.port}`,
    identity,
    detail: String(detail),
  }
}

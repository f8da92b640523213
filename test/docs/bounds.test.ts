import { expect } from 'chai'
import { MAX_CAPTURE_INTERFACES, MAX_CAPTURE_LENGTH, MAX_CAPTURE_WAITING } from '../../src/capture/capture.ts'
import { H1_INTERIM_RESPONSES } from '../../src/carriers/h1/client-connection.ts'
import { H1_FIELDS, H1_HEAD_SIZE } from '../../src/carriers/h1/messages.ts'
import { H2_HEADER_LIST_SIZE } from '../../src/carriers/h2/headers.ts'
import { H2_STREAMS } from '../../src/carriers/h2/server-connection.ts'
import { H2_LIMITS, H2_WINDOW } from '../../src/carriers/h2/transport.ts'
import { WAITING_STREAM_LIMITS } from '../../src/carriers/h3/webtransport/session-streams.ts'
import { REQUESTS } from '../../src/carriers/request-rate.ts'
import { CLOSE_MS } from '../../src/carriers/tcp/connection.ts'
import { MAX_CAPSULES_WAITING } from '../../src/carriers/tunnel.ts'
import { DEFAULT_MAX_ENTRIES } from '../../src/connect-ip/address-entry.ts'
import { DEFAULT_CAPSULE_LIMITS } from '../../src/connect-ip/capsule.ts'
import { FEC_DECODER_LIMITS } from '../../src/connect-ip/fec/decoder.ts'
import { DEFAULT_LIMITS, DEFAULT_MAX_FIELD_SECTION_SIZE } from '../../src/http3/connection.ts'
import { maxEncodedLength } from '../../src/http3/qpack/decoder.ts'
import { NAT_IDLE_MS, NAT_MAX_MAPPINGS } from '../../src/link/emulator/nat-table.ts'
import { DELAY_LIMIT_PACKETS } from '../../src/link/profile/profile.ts'
import { CAPSULE_EVENT_LIMITS } from '../../src/live/capsule-event.ts'
import { SAMPLE_LIMITS } from '../../src/live/packet-sample.ts'
import { LINES, MAX_TEXT } from '../../src/log/log-budget.ts'
import {
  MAX_EARLY_LENGTH,
  MAX_QLOG_LENGTH,
  QLOG_EVENTS_A_SECOND,
  QLOG_PACKETS_A_SLICE,
  QLOG_RECOVERY_A_SLICE,
} from '../../src/qlog/connection-log.ts'
import { MAX_QLOG_ENTRIES } from '../../src/qlog/http3-fields.ts'
import { MAX_WATCHED_STREAMS } from '../../src/qlog/http3-watcher.ts'
import { MAX_QLOG_FILES, MAX_QLOG_WAITING } from '../../src/qlog/qlog-folder.ts'
import { QUEUE_LIMITS } from '../../src/queue/discipline.ts'
import { FQ_QUEUES } from '../../src/queue/fq-codel.ts'
import { INBOX_ROOM } from '../../src/quic/inbox.ts'
import { KEPT_TOKENS } from '../../src/quic/kept-tokens.ts'
import { NEW_TOKENS } from '../../src/quic/new-token.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../src/quic/quic.ts'
import { RESETS } from '../../src/quic/reset-answers.ts'
import { LONGEST_RESET } from '../../src/quic/typescript/stateless-reset.ts'
import { ADDRESS_MEMORY_LIMITS } from '../../src/server/address-memory.ts'
import { EVENT_STREAM_LIMITS } from '../../src/server/api/event-stream.ts'
import { REQUEST_LIMITS } from '../../src/server/api/guards.ts'
import { API_LIMITS } from '../../src/server/api-server.ts'
import { LINK_CHANGE_LIMITS } from '../../src/server/attached-link.ts'
import { BUDGET_LIMITS } from '../../src/server/budgets.ts'
import { CLIENT_NETWORK_LIMITS } from '../../src/server/client-networks.ts'
import { defaultServerConfig } from '../../src/server/config.ts'
import { CONNECTION_LOG_LENGTH } from '../../src/server/connection-log.ts'
import { KEPT_LEASES_LIMITS } from '../../src/server/kept-leases.ts'
import { LOOKUP_LIMITS } from '../../src/server/name-resolver.ts'
import { STATS_SAMPLES } from '../../src/server/performance-log.ts'
import { MAX_TICKET_KEPT } from '../../src/tls/client-resumption.ts'
import { MAX_CERTIFICATES } from '../../src/tls/messages/certificate.ts'
import { HandshakeType, MAX_MESSAGE_LENGTH } from '../../src/tls/messages/handshake-message.ts'
import { TICKET_LIFETIME_SECONDS } from '../../src/tls/server-context.ts'
import { MAX_TICKETS_TRIED } from '../../src/tls/server-resumption.ts'
import { MOST_COMPARISONS } from '../../src/tls/x509/name-constraints.ts'
import { MAX_RSA_BITS, MAX_SIGNATURES } from '../../src/tls/x509/verify-chain.ts'
import { read } from './repository.ts'

const KIB = 1024
const MIB = 1024 * KIB
const quic = DEFAULT_QUIC_SETTINGS
const { limits, tunnel } = defaultServerConfig({ tls: { certificate: '', key: '' } })
const grouped = (number: number): string => String(number).replace(/(?=\d{3}$)/, ' ')

/** By the beginning of a row of the table: how its second cell has to begin. */
const EXPECTED: [row: string, bound: string][] = [
  [
    'QUIC connections; from one address',
    `\`limits.max_connections\` ${limits.maxConnections}; \`limits.max_connections_per_address\` ${limits.maxConnectionsPerAddress}`,
  ],
  [
    'TCP connections; from one address; a TLS handshake',
    `as many as of QUIC, counted apart; \`limits.tunnel_timeout_ms\` ${limits.tunnelTimeoutMs / 1000} s`,
  ],
  ['HTTP/2: streams open at once', `${H2_STREAMS}; ${REQUESTS.perSecond} a second, bursts of ${REQUESTS.burst},`],
  [
    'HTTP/1.1: a head; its fields',
    `${H1_HEAD_SIZE / KIB} KiB; ${H1_FIELDS}; 1; ${H1_INTERIM_RESPONSES}; ${CLOSE_MS} ms`,
  ],
  ['HTTP/2: a head, as decoded', `${H2_HEADER_LIST_SIZE / KIB} KiB; ${H2_LIMITS.maxHeaderListPairs}`],
  ['HTTP/2: data sent ahead', `${H2_WINDOW / KIB} KiB; ${H2_WINDOW / KIB} KiB`],
  [
    'HTTP/2: invalid frames',
    `${H2_LIMITS.maxSessionInvalidFrames}; ${H2_LIMITS.maxSessionRejectedStreams}; ${H2_LIMITS.maxSettings}; ${H2_LIMITS.maxSessionMemory} MB`,
  ],
  [
    'TLS of the engine in TypeScript',
    `${MAX_MESSAGE_LENGTH[HandshakeType.client_hello] / KIB} KiB; ${MAX_MESSAGE_LENGTH[HandshakeType.certificate] / KIB} KiB; ${MAX_CERTIFICATES}; ${MAX_SIGNATURES}; ${MOST_COMPARISONS} pairs; ${MAX_RSA_BITS} bits; ${MAX_TICKETS_TRIED}.`,
  ],
  ['… life of a ticket', `${TICKET_LIFETIME_SECONDS / 3600} h,`],
  ['… a ticket that a client keeps', `${MAX_TICKET_KEPT / KIB} KiB;`],
  ['a connection that has no tunnel', `\`limits.tunnel_timeout_ms\` ${limits.tunnelTimeoutMs / 1000} s`],
  [
    'addresses of lost tunnels that are kept',
    `\`tunnel.lease_grace_ms\` ${tunnel.leaseGraceMs / 1000} s; ${KEPT_LEASES_LIMITS.each}; ${KEPT_LEASES_LIMITS.total},`,
  ],
  [
    'answers to packets with a connection id that nobody has',
    `${RESETS.perSecond} a second, bursts of ${RESETS.burst}, for all addresses together; each smaller than what it answers, and at most ${LONGEST_RESET} bytes`,
  ],
  [
    'life of a token for the next connection',
    `${NEW_TOKENS.lifetimeMs / 3_600_000} h; ${NEW_TOKENS.remembered} in as long a time`,
  ],
  ['… that a client keeps: servers', `${KEPT_TOKENS.servers}; ${KEPT_TOKENS.length};`],
  ['a connection on which nothing arrives', `\`quic.idle_timeout_ms\` ${quic.idleTimeoutMs / 1000} s`],
  ['streams open at once', `${quic.maxStreamsBidi} bidirectional, ${quic.maxStreamsUni} unidirectional`],
  [
    'unread stream data',
    `${quic.streamWindow / KIB} KiB; ${quic.connectionWindow / KIB} KiB; both growing to ${quic.maxConnectionWindow / KIB} KiB`,
  ],
  ['QUIC packets that were read and wait for their turn', `${INBOX_ROOM / MIB} MiB, in pieces of`],
  ['QUIC datagrams that wait', `\`quic.datagram_queue\` ${quic.datagramQueue}`],
  [
    'packets in the send queue of a tunnel',
    `${QUEUE_LIMITS.packets} packets and ${QUEUE_LIMITS.bytes / MIB} MiB; ${FQ_QUEUES},`,
  ],
  [
    'FEC: groups that a tunnel’s decoder remembers',
    `${FEC_DECODER_LIMITS.groups}; ${FEC_DECODER_LIMITS.bytes / KIB} KiB,`,
  ],
  [
    'a capture (`--pcap`)',
    `${MAX_CAPTURE_LENGTH / MIB} MiB, then it ends with a warning; ${MAX_CAPTURE_WAITING / MIB} MiB, then packets are left out and counted; ${MAX_CAPTURE_INTERFACES},`,
  ],
  [
    'the live view, all tunnels together',
    `${SAMPLE_LIMITS.perSecond} a second in each direction; ${SAMPLE_LIMITS.bytes}; ${CAPSULE_EVENT_LIMITS.perSecond} a second, the rest is counted; ${CAPSULE_EVENT_LIMITS.kept}; ${CAPSULE_EVENT_LIMITS.entries}.`,
  ],
  [
    'qlog (`--qlog`)',
    `${MAX_QLOG_FILES}, of connections whose handshake was done; ${MAX_QLOG_LENGTH / MIB} MiB, of which the end of the connection is always a part; ${MAX_QLOG_WAITING / KIB} KiB; ${QLOG_EVENTS_A_SECOND}, the others are counted; ${QLOG_PACKETS_A_SLICE} (losses and changes of the window among them), ${QLOG_RECOVERY_A_SLICE}, ${MAX_EARLY_LENGTH / KIB} KiB; ${MAX_QLOG_ENTRIES}; ${MAX_WATCHED_STREAMS}.`,
  ],
  [
    'HTTP/3: request streams open at once',
    `${DEFAULT_LIMITS.maxRequestStreams}, as QUIC lets through; ${REQUESTS.perSecond} a second, bursts of ${REQUESTS.burst},`,
  ],
  [
    'field section, as decoded',
    `${DEFAULT_MAX_FIELD_SECTION_SIZE / KIB} KiB; ${grouped(maxEncodedLength(DEFAULT_MAX_FIELD_SECTION_SIZE))} bytes;`,
  ],
  [
    'datagrams held for a stream that is not known yet',
    `${DEFAULT_LIMITS.maxHeldDatagrams}, and ${DEFAULT_LIMITS.maxHeldDatagramBytes / KIB} KiB`,
  ],
  [
    'streams held for a WebTransport session that is not there yet',
    `${WAITING_STREAM_LIMITS.streams}; ${WAITING_STREAM_LIMITS.bytesEach / KIB} KiB`,
  ],
  [
    'control capsule; DATAGRAM capsule',
    `${DEFAULT_CAPSULE_LIMITS.maxControlLength / KIB} KiB; 64 KiB and a context id`,
  ],
  ['capsules of one tunnel that the peer does not read', `${MAX_CAPSULES_WAITING / KIB} KiB;`],
  ['entries of one capsule', `${DEFAULT_MAX_ENTRIES}`],
  [
    'networks behind clients',
    `${CLIENT_NETWORK_LIMITS.perTunnel}; ${CLIENT_NETWORK_LIMITS.perIdentity}; ${CLIENT_NETWORK_LIMITS.inAll} ranges`,
  ],
  [
    'requests that wait for an answer',
    `${BUDGET_LIMITS.pendingRequests.each}; ${BUDGET_LIMITS.pendingRequests.inAll};`,
  ],
  [
    'capsules sent ahead of the answer',
    `64 KiB; ${BUDGET_LIMITS.capsulesAhead.each / KIB} KiB; ${BUDGET_LIMITS.capsulesAhead.inAll / MIB} MiB`,
  ],
  [
    'identities whose last addresses are remembered',
    `${ADDRESS_MEMORY_LIMITS.identities}; ${ADDRESS_MEMORY_LIMITS.addressesEach}`,
  ],
  ['connection log of the API', `${CONNECTION_LOG_LENGTH} entries;`],
  [
    'REST API: connections',
    `${API_LIMITS.connections}; ${API_LIMITS.connectionsPerAddress}; ${API_LIMITS.connectionsPerLoopbackAddress}; ${API_LIMITS.headBytes / KIB} KiB; ` +
      `${API_LIMITS.headMs / 1000} s; ${API_LIMITS.requestMs / 1000} s; ${API_LIMITS.stillMs / 1000} s; ${API_LIMITS.keepAliveMs / 1000} s`,
  ],
  ['… fields of a head', `${REQUEST_LIMITS.fields}; ${REQUEST_LIMITS.target}; none`],
  [
    '… requests of one address to one part of it',
    `${REQUEST_LIMITS.perWindow} in ${REQUEST_LIMITS.windowMs / 1000} s; ${REQUEST_LIMITS.perWindowOnLoopback} in ${REQUEST_LIMITS.windowMs / 1000} s. ` +
      `The answer to more comes after ${REQUEST_LIMITS.tooOftenMs / 1000} s, and ends the connection; ${REQUEST_LIMITS.sentAhead},`,
  ],
  ['samples for `/api/v1/stats`', `${STATS_SAMPLES},`],
  [
    'changes of an attached link',
    `${LINK_CHANGE_LIMITS.delayMs / 1000} s; ${LINK_CHANGE_LIMITS.jitterMs / 1000} s; ${LINK_CHANGE_LIMITS.rateKbit / 1e6} Gbit/s; ` +
      `${LINK_CHANGE_LIMITS.profileName} characters, of those that are shipped; ${LINK_CHANGE_LIMITS.waiting},`,
  ],
  [
    'listeners to `/api/v1/events`',
    `${EVENT_STREAM_LIMITS.listeners}; ${EVENT_STREAM_LIMITS.perAddress}; ${EVENT_STREAM_LIMITS.perLoopbackAddress}; ` +
      `${EVENT_STREAM_LIMITS.waitingBytes / KIB} KiB, then it loses events, and hears how many; ${EVENT_STREAM_LIMITS.stalledMs / 1000} s`,
  ],
  ['looking up a name', `5 s; ${LOOKUP_LIMITS.each}; ${LOOKUP_LIMITS.inAll}`],
  [
    'datagrams on the emulator’s link',
    `${grouped(DELAY_LIMIT_PACKETS)}; ${NAT_MAX_MAPPINGS}; ${NAT_IDLE_MS / 60_000} min`,
  ],
  [
    'log lines that peers cause',
    `${LINES.all.perSecond} a second, bursts of ${LINES.all.burst}; ${LINES.address.perSecond}, ${LINES.address.burst}; ` +
      `${LINES.connection.perSecond}, ${LINES.connection.burst}; ${MAX_TEXT} characters`,
  ],
]

describe('the bounds in docs/security.md', () => {
  const rows = read('docs/security.md')
    .split('\n')
    .filter(line => line.startsWith('| '))
    .map(line => line.split('|').map(cell => cell.trim().replaceAll("'", '’')))

  for (const [name, bound] of EXPECTED) {
    it(`are those of the program: ${name}`, () => {
      const found = rows.filter(([, what]) => what.startsWith(name)).map(([, , value]) => value)
      expect(found).to.have.length(1)
      expect(found[0].slice(0, bound.length)).to.equal(bound)
    })
  }
})

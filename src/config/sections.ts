/** Sections that the server's and the client's configuration have in common. */
import { z } from 'zod'
import { MAX_FEC_GROUP, MIN_FEC_GROUP } from '../connect-ip/fec/datagram.ts'
import { DEFAULT_QUIC_SETTINGS, ENGINE_CHOICES, type EngineChoice, type QuicSettings } from '../quic/quic.ts'
import { choice, flag, integer, table, text } from './fields.ts'

export const ENCAPSULATIONS = ['datagram', 'stream-per-packet', 'single-stream'] as const
/** How IP packets travel: QUIC datagrams, a new stream for each packet, or capsules on the request stream. */
export type Encapsulation = (typeof ENCAPSULATIONS)[number]

const LINK_PROBES = ['require', 'auto', 'off'] as const
/**
 * What comes of the test whether the tunnel carries the 1280 bytes that IPv6 needs. `require`: no answer ends the tunnel, as
 * RFC 9484 §7.2 says. `auto`: only when small packets are answered and large ones are not.
 */
export type LinkProbe = (typeof LINK_PROBES)[number]

/** The RFC binds endpoints that act as routers, which a proxy does; and widespread proxies ignore pings to ff02::1. */
export const linkProbe = (byDefault: LinkProbe) =>
  choice(LINK_PROBES)
    .default(byDefault)
    .describe(
      'Test by ping whether the tunnel carries the 1280 bytes that IPv6 needs (RFC 9484 §7.2), and end it if not: require (also when ' +
        'the peer answers no ping at all), auto (only when small pings are answered and large ones are not), off.',
    )

export const SEND_QUEUES = ['fifo', 'codel', 'fq-codel'] as const
/** In which order packets leave that wait for QUIC: see queue/. */
export type SendQueueName = (typeof SEND_QUEUES)[number]

export const sendQueueField = () =>
  choice(SEND_QUEUES)
    .default('fifo')
    .describe(
      'The order in which packets leave that wait for QUIC to send them: fifo (as they came), codel (RFC 8289: some are dropped when all wait ' +
        'for long), fq-codel (RFC 8290: flows take turns, too). Where packets travel in QUIC datagrams; elsewhere it is always fifo.',
    )

/** 0: none. One packet in a group would go twice. */
export const fecGroupField = () => {
  const error = `0, or a number of packets from ${MIN_FEC_GROUP} to ${MAX_FEC_GROUP}`
  return z.int({ error }).refine(size => size === 0 || (size >= MIN_FEC_GROUP && size <= MAX_FEC_GROUP), { error })
}

export const CONGESTION_CONTROLS = ['reno', 'cubic', 'bbr'] as const
export type CongestionControl = (typeof CONGESTION_CONTROLS)[number]

export interface QuicOptions {
  engine: EngineChoice
  congestionControl: CongestionControl
  idleTimeoutMs: number
  /** Of a client; undefined: a third of the idle timeout. */
  keepAliveMs?: number
  /** Bytes of one UDP payload: as much is tried. */
  maxUdpPayload: number
  /** Datagrams. */
  datagramQueue: number
  /** A file path. */
  keyLog?: string
}

/** A path in a configuration file; what it is relative to is the file's own directory. */
export const path = () => text('the path of a file')

export const quicSection = table({
  engine: choice(ENGINE_CHOICES)
    .default('auto')
    .describe(
      'What speaks QUIC: quiche (a library with a binary for common systems), typescript (the engine in src/quic/typescript, to read and to change; ' +
        'experimental), or auto: quiche where its binary loads, else typescript. With auto MASQUE_QUIC decides, if it is set.',
    ),
  congestion_control: choice(CONGESTION_CONTROLS).default('cubic').describe('Congestion control algorithm of QUIC.'),
  idle_timeout_ms: integer(100, 3_600_000, 'milliseconds')
    .default(30_000)
    .describe('A connection on which nothing arrives for this long is closed (RFC 9000 §10.1).'),
  keep_alive_ms: integer(0, 3_600_000, 'milliseconds')
    .optional()
    .describe(
      'A client sends a PING this often, so that a quiet tunnel is not taken for a dead one; 0 never. Default: a third of idle_timeout_ms.',
    ),
  max_udp_payload: integer(1200, 65_527, 'bytes')
    .default(1400)
    .describe(
      'Largest UDP payload that is tried, in bytes; from 1200 upwards the path is probed for what it carries (RFC 8899). An IPv6 ' +
        'tunnel needs 1314, for packets of 1280 bytes and what goes around them.',
    ),
  datagram_queue: integer(1, 65_536, 'a number of datagrams')
    .default(1024)
    .describe('How many QUIC datagrams may wait in each direction; what comes on top is dropped and counted.'),
  key_log: path()
    .optional()
    .describe('File to which TLS secrets are appended so that Wireshark can decrypt a capture. For the lab only.'),
})

export function toQuicOptions(
  section: z.output<typeof quicSection>,
  resolvePath: (path: string) => string,
): QuicOptions {
  return {
    engine: section.engine,
    congestionControl: section.congestion_control,
    idleTimeoutMs: section.idle_timeout_ms,
    ...(section.keep_alive_ms !== undefined && { keepAliveMs: section.keep_alive_ms }),
    maxUdpPayload: section.max_udp_payload,
    datagramQueue: section.datagram_queue,
    ...(section.key_log !== undefined && { keyLog: resolvePath(section.key_log) }),
  }
}

/** The section as the QUIC endpoint takes it. The key log may also come from SSLKEYLOGFILE, which browsers and curl use. */
export function quicSettings(options: QuicOptions): QuicSettings {
  const keyLog = options.keyLog ?? (process.env.SSLKEYLOGFILE || undefined)
  return { ...DEFAULT_QUIC_SETTINGS, ...options, ...(keyLog !== undefined && { keyLog }) }
}

export const allowExposedKey = () =>
  flag()
    .default(false)
    .describe(
      'Accept a private key that everybody on this machine may read, on a file system that keeps no modes (a Windows drive under WSL, exFAT).',
    )

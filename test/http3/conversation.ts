/** Helpers for tests: two HTTP/3 connections that talk in memory, and bytes written as hex. */
import { encodeVarint, varintLength } from '../../src/bytes/varint.ts'
import type { Header } from '../../src/http/header.ts'
import { H3Connection, type H3ConnectionOptions, type H3Event } from '../../src/http3/connection.ts'
import { errorName } from '../../src/http3/error-codes.ts'
import type { H3Output } from '../../src/http3/events.ts'
import { encodeFrame, FrameType } from '../../src/http3/frames.ts'
import { encodeFieldSection } from '../../src/http3/qpack/encoder.ts'

export const NOTHING = new Uint8Array(0)

export const CONNECT_IP: Header[] = [
  [':method', 'CONNECT'],
  [':protocol', 'connect-ip'],
  [':scheme', 'https'],
  [':authority', 'proxy.example:4433'],
  [':path', '/.well-known/masque/ip/*/*/'],
  ['capsule-protocol', '?1'],
]

export const GET: Header[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'proxy.example:4433'],
  [':path', '/'],
]

export const OK: Header[] = [
  [':status', '200'],
  ['capsule-protocol', '?1'],
]

/** Bytes from hex digits; spaces are ignored. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16))
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

export function bytes(...parts: (number[] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(part => [...part]))
}

export function varint(value: number | bigint): Uint8Array {
  const out = new Uint8Array(varintLength(value))
  encodeVarint(value, out, 0)
  return out
}

export function frame(type: number, payload: number[] | Uint8Array = []): Uint8Array {
  return encodeFrame(type, Uint8Array.from(payload))
}

export function headersFrame(headers: readonly Header[]): Uint8Array {
  return encodeFrame(FrameType.HEADERS, encodeFieldSection(headers))
}

/** The first bytes of a control stream: its type, and SETTINGS with the given identifiers and values. */
export function controlStream(...settings: [id: number | bigint, value: number | bigint][]): Uint8Array {
  return bytes(
    [0x00],
    frame(FrameType.SETTINGS, bytes(...settings.flatMap(([id, value]) => [varint(id), varint(value)]))),
  )
}

/** A started connection whose own SETTINGS are already out of the way. */
export function connection(role: 'client' | 'server', options: Partial<H3ConnectionOptions> = {}): H3Connection {
  const h3 = new H3Connection({ role, peerMaxDatagramFrameSize: 1200, ...options })
  h3.start()
  h3.takeOutput()
  return h3
}

/** A started client that has the SETTINGS of a server with Extended CONNECT and datagrams. */
export function readyClient(options: Partial<H3ConnectionOptions> = {}): H3Connection {
  const h3 = connection('client', options)
  h3.receiveStream(3, controlStream([0x08, 1], [0x33, 1]), false)
  return h3
}

/** The names of the errors among events, e.g. `connection H3_ID_ERROR`. */
export function errors(events: readonly H3Event[]): string[] {
  return events.flatMap(event => {
    if (event.type === 'connection-error') return [`connection ${errorName(event.code)}`]
    if (event.type === 'stream-error') return [`stream ${event.streamId} ${errorName(event.code)}`]
    return []
  })
}

/** Output other than stream bytes, as text, e.g. `reset 0 H3_MESSAGE_ERROR`. */
export function commands(output: readonly H3Output[]): string[] {
  return output.flatMap(item => {
    if (item.type === 'stream') return []
    if (item.type === 'close') return [`close ${errorName(item.code)}`]
    return [`${item.type} ${item.streamId} ${errorName(item.code)}`]
  })
}

/** A client and a server joined by streams that lose nothing. */
export class Conversation {
  readonly client: H3Connection
  readonly server: H3Connection
  /** What each side was told, in order. */
  readonly heardByClient: H3Event[] = []
  readonly heardByServer: H3Event[] = []

  constructor(options: { client?: Partial<H3ConnectionOptions>; server?: Partial<H3ConnectionOptions> } = {}) {
    this.client = new H3Connection({ role: 'client', peerMaxDatagramFrameSize: 1200, ...options.client })
    this.server = new H3Connection({ role: 'server', peerMaxDatagramFrameSize: 1200, ...options.server })
    this.client.start()
    this.server.start()
    this.deliver()
  }

  /** Carries output to the other side until both are silent. */
  deliver(): void {
    for (;;) {
      const fromClient = this.client.takeOutput()
      const fromServer = this.server.takeOutput()
      if (fromClient.length + fromServer.length === 0) return
      for (const output of fromClient) this.heardByServer.push(...carry(output, this.server))
      for (const output of fromServer) this.heardByClient.push(...carry(output, this.client))
    }
  }
}

function carry(output: H3Output, receiver: H3Connection): H3Event[] {
  switch (output.type) {
    case 'stream':
      return receiver.receiveStream(output.streamId, output.data, output.fin)
    case 'reset':
      return receiver.receiveReset(output.streamId, output.code)
    case 'stop-sending':
      return receiver.receiveStopSending(output.streamId, output.code)
    case 'close':
      return []
  }
}

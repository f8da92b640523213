/** Two ends of streams without packets: frames go from one to the other as the test says. */

import { DEFAULT_QUIC_SETTINGS, type QuicSettings } from '../../../../src/quic/quic.ts'
import type { AckFrame } from '../../../../src/quic/typescript/frames/ack-frame.ts'
import type { FrameVisitor, StreamKind } from '../../../../src/quic/typescript/frames/frame-visitor.ts'
import { readFrames } from '../../../../src/quic/typescript/frames/read-frames.ts'
import { APPLICATION } from '../../../../src/quic/typescript/packet-number-space.ts'
import type { SentContent } from '../../../../src/quic/typescript/recovery/sent-packet.ts'
import { Streams } from '../../../../src/quic/typescript/streams/streams.ts'
import { TransportError } from '../../../../src/quic/typescript/transport-error.ts'
import { WireWriter } from '../../../../src/quic/typescript/wire-writer.ts'

/** Of the TransportError that is thrown; undefined: none is. */
export function codeOf(action: () => void): number | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    if (error instanceof TransportError) return error.code
    throw error
  }
}

/** What was in a packet, in words. */
export interface Frame {
  readonly type: string
  readonly args: readonly unknown[]
}

/** Everything that comes, in words. */
export class FrameList implements FrameVisitor {
  readonly frames: Frame[] = []

  #note(type: string, ...args: unknown[]): void {
    this.frames.push({ type, args })
  }
  onStream(streamId: number, offset: number, data: Uint8Array, fin: boolean): void {
    this.#note('STREAM', streamId, offset, data.slice(), fin)
  }
  onResetStream(...args: number[]): void {
    this.#note('RESET_STREAM', ...args)
  }
  onStopSending(...args: number[]): void {
    this.#note('STOP_SENDING', ...args)
  }
  onMaxData(maximum: number): void {
    this.#note('MAX_DATA', maximum)
  }
  onMaxStreamData(...args: number[]): void {
    this.#note('MAX_STREAM_DATA', ...args)
  }
  onMaxStreams(kind: StreamKind, maximum: number): void {
    this.#note('MAX_STREAMS', kind, maximum)
  }
  onDataBlocked(limit: number): void {
    this.#note('DATA_BLOCKED', limit)
  }
  onStreamDataBlocked(...args: number[]): void {
    this.#note('STREAM_DATA_BLOCKED', ...args)
  }
  onStreamsBlocked(kind: StreamKind, limit: number): void {
    this.#note('STREAMS_BLOCKED', kind, limit)
  }
  onCrypto(offset: number, data: Uint8Array): void {
    this.#note('CRYPTO', offset, data.slice())
  }
  onDatagram(data: Uint8Array): void {
    this.#note('DATAGRAM', data.slice())
  }
  onPing(): void {}
  onAck(_frame: AckFrame): void {}
  onNewToken(): void {}
  onNewConnectionId(): void {}
  onRetireConnectionId(): void {}
  onPathChallenge(): void {}
  onPathResponse(): void {}
  onConnectionClose(): void {}
  onHandshakeDone(): void {}
}

export interface Sent {
  readonly frames: readonly Frame[]
  readonly content: readonly SentContent[]
  acked(): void
  lost(): void
}

/** One end. */
export class End {
  readonly streams: Streams
  now = 0
  readonly #role: 'client' | 'server'

  constructor(role: 'client' | 'server', settings: Partial<QuicSettings> = {}) {
    this.#role = role
    this.streams = new Streams(role, { ...DEFAULT_QUIC_SETTINGS, ...settings }, () => 100)
  }

  /** A packet of what is to be sent; undefined: nothing is. */
  send(room = 1200): Sent | undefined {
    const out = new WireWriter(new Uint8Array(room))
    const content: SentContent[] = []
    if (!this.streams.wantsToSend || !this.streams.writeFrames(out, content)) return undefined
    const list = new FrameList()
    readFrames(out.bytes.subarray(0, out.offset), APPLICATION, this.#role, list)
    return {
      frames: list.frames,
      content,
      acked: () => {
        for (const each of content) each.onAcked(this.now)
      },
      lost: () => {
        for (const each of content) each.onLost(this.now)
      },
    }
  }

  receive(frames: readonly Frame[]): void {
    for (const { type, args } of frames) {
      const [a, b, c, d] = args as [number, number, number, boolean]
      const { streams } = this
      if (type === 'STREAM') streams.onStream(a, b, args[2] as Uint8Array, d, this.now)
      else if (type === 'RESET_STREAM') streams.onResetStream(a, b, c, this.now)
      else if (type === 'STOP_SENDING') streams.onStopSending(a, b)
      else if (type === 'MAX_DATA') streams.onMaxData(a)
      else if (type === 'MAX_STREAM_DATA') streams.onMaxStreamData(a, b)
      else if (type === 'MAX_STREAMS') streams.onMaxStreams(args[0] as StreamKind, b)
      else if (type === 'STREAM_DATA_BLOCKED') streams.onStreamDataBlocked(a)
    }
  }

  /** What the application hears now. */
  hear(): string[] {
    const events: string[] = []
    this.streams.handOut(
      {
        onStreamData: (id, data, fin) => events.push(`${id} ${Buffer.from(data).toString()}${fin ? ' end' : ''}`),
        onStreamReset: (id, code) => events.push(`${id} reset ${code}`),
        onStopSending: (id, code) => events.push(`${id} stop ${code}`),
      },
      this.now,
    )
    return events
  }
}

export function connected(settings: Partial<QuicSettings> = {}): { client: End; server: End; exchange(): void } {
  const client = new End('client', settings)
  const server = new End('server', settings)
  client.streams.onPeerLimits(server.streams.ourLimits)
  server.streams.onPeerLimits(client.streams.ourLimits)
  /** All that both have to say arrives, and is acknowledged. */
  const exchange = (): void => {
    for (;;) {
      const there = client.send()
      if (there !== undefined) {
        server.receive(there.frames)
        there.acked()
      }
      const back = server.send()
      if (back !== undefined) {
        client.receive(back.frames)
        back.acked()
      }
      if (there === undefined && back === undefined) return
    }
  }
  return { client, server, exchange }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/**
 * Two ends of a connection after its handshake, without encryption: loss recovery, streams and datagrams, over a link in virtual time.
 * So what the tests say about a lossy link does not depend on the machine, nor on the rest of the engine.
 */

import { type CongestionControl, DEFAULT_QUIC_SETTINGS, type QuicSettings } from '../../../../src/quic/quic.ts'
import type { AckFrame } from '../../../../src/quic/typescript/frames/ack-frame.ts'
import { appendAck } from '../../../../src/quic/typescript/frames/ack-frame.ts'
import type { FrameVisitor, StreamKind } from '../../../../src/quic/typescript/frames/frame-visitor.ts'
import { appendPing } from '../../../../src/quic/typescript/frames/ping-frame.ts'
import { ACK_ELICITING, readFrames } from '../../../../src/quic/typescript/frames/read-frames.ts'
import { APPLICATION } from '../../../../src/quic/typescript/packet-number-space.ts'
import type {
  CongestionController,
  ControllerOptions,
} from '../../../../src/quic/typescript/recovery/congestion/controller.ts'
import { LossRecovery } from '../../../../src/quic/typescript/recovery/loss-recovery.ts'
import { ReceivedPackets } from '../../../../src/quic/typescript/recovery/received-packets.ts'
import { type SentContent, SentPacket } from '../../../../src/quic/typescript/recovery/sent-packet.ts'
import { Datagrams } from '../../../../src/quic/typescript/streams/datagrams.ts'
import { Streams } from '../../../../src/quic/typescript/streams/streams.ts'
import { WireWriter } from '../../../../src/quic/typescript/wire-writer.ts'
import { seeded } from '../virtual-network.ts'

export const DATAGRAM_SIZE = 1200
/** Of header, packet number and tag, which are not there. */
const OVERHEAD = 30

interface Packet {
  readonly number: number
  readonly payload: Uint8Array
}

export class Peer implements FrameVisitor {
  readonly role: 'client' | 'server'
  readonly recovery: LossRecovery
  readonly received = new ReceivedPackets(APPLICATION, 25)
  readonly streams: Streams
  readonly datagrams: Datagrams
  packetsSent = 0
  bytesSent = 0
  #now = 0
  #pingDue = false

  constructor(
    role: 'client' | 'server',
    options: {
      settings?: Partial<QuicSettings>
      congestion?: CongestionControl | ((options: ControllerOptions) => CongestionController)
      random: () => number
    },
  ) {
    const settings = { ...DEFAULT_QUIC_SETTINGS, ...options.settings }
    this.role = role
    this.recovery = new LossRecovery({
      role,
      congestionControl: options.congestion ?? settings.congestionControl,
      randomBytes: length => Uint8Array.from({ length }, () => options.random() * 256),
    })
    this.recovery.handshakeConfirmed = true
    this.recovery.hasHandshakeKeys = true
    this.streams = new Streams(role, settings, () => this.recovery.rtt.smoothed)
    this.datagrams = new Datagrams(settings.datagramQueue)
  }

  ping(): void {
    this.#pingDue = true
  }

  /** The next packet; undefined: none now. */
  send(now: number): Packet | undefined {
    this.#now = now
    const { recovery, received, streams, datagrams } = this
    const hasContent = this.#pingDue || datagrams.waiting > 0 || streams.wantsToSend
    const isProbe = recovery.probesDue(APPLICATION) > 0
    const mayElicit = isProbe || (hasContent && recovery.maySend(DATAGRAM_SIZE, now))
    const isAckDue = received.ackDueAt !== undefined && received.ackDueAt <= now
    if (!isAckDue && !mayElicit) return undefined
    const out = new WireWriter(new Uint8Array(DATAGRAM_SIZE - OVERHEAD))
    const content: SentContent[] = []
    let ackContent: SentContent | undefined
    if (received.isAckPossible) {
      appendAck(out, received.ranges(), Math.round(received.ackDelay(now) * 1000) >> 3)
      ackContent = received.onAckSent()
    }
    const afterAck = out.offset
    if (mayElicit) {
      while (datagrams.writeFrame(out)) {}
      streams.writeFrames(out, content)
      this.#pingDue = false
    }
    if (out.offset === afterAck && (mayElicit || recovery.shouldPing(APPLICATION))) appendPing(out)
    const eliciting = out.offset > afterAck
    if (eliciting && ackContent !== undefined) content.push(ackContent)
    const number = recovery.nextPacketNumber(APPLICATION)
    const bytes = out.offset + OVERHEAD
    recovery.onSent(new SentPacket(APPLICATION, number, now, bytes, eliciting, eliciting, content))
    this.packetsSent++
    this.bytesSent += bytes
    return { number, payload: out.bytes.slice(0, out.offset) }
  }

  receive(packet: Packet, now: number): void {
    this.#now = now
    if (this.received.isDuplicate(packet.number)) return
    const summary = readFrames(packet.payload, APPLICATION, this.role === 'client' ? 'server' : 'client', this)
    this.received.onReceived(packet.number, (summary & ACK_ELICITING) !== 0, now)
  }

  deadline(): number {
    return Math.min(
      this.recovery.deadline() ?? Number.POSITIVE_INFINITY,
      this.received.ackDueAt ?? Number.POSITIVE_INFINITY,
    )
  }

  onAck(frame: AckFrame): void {
    this.recovery.onAck(APPLICATION, frame, (frame.delay * 8) / 1000, this.#now)
  }
  onStream(streamId: number, offset: number, data: Uint8Array, fin: boolean): void {
    this.streams.onStream(streamId, offset, data, fin, this.#now)
  }
  onResetStream(streamId: number, code: number, finalSize: number): void {
    this.streams.onResetStream(streamId, code, finalSize, this.#now)
  }
  onStopSending(streamId: number, code: number): void {
    this.streams.onStopSending(streamId, code)
  }
  onMaxData(maximum: number): void {
    this.streams.onMaxData(maximum)
  }
  onMaxStreamData(streamId: number, maximum: number): void {
    this.streams.onMaxStreamData(streamId, maximum)
  }
  onMaxStreams(kind: StreamKind, maximum: number): void {
    this.streams.onMaxStreams(kind, maximum)
  }
  onStreamDataBlocked(streamId: number): void {
    this.streams.onStreamDataBlocked(streamId)
  }
  onDatagram(data: Uint8Array): void {
    this.datagrams.receive(data)
  }
  onPing(): void {}
  onDataBlocked(): void {}
  onStreamsBlocked(): void {}
  onCrypto(): void {}
  onNewToken(): void {}
  onNewConnectionId(): void {}
  onRetireConnectionId(): void {}
  onPathChallenge(): void {}
  onPathResponse(): void {}
  onConnectionClose(): void {}
  onHandshakeDone(): void {}
}

export interface LinkOptions {
  delayMs: number
  /** Each packet waits up to so much longer, so that packets overtake each other. */
  jitterMs?: number
  /** 0 to 1. */
  loss?: number
  duplicate?: number
  /** In bytes per ms. */
  rate?: number
  /** Of the bottleneck, in bytes. */
  buffer?: number
  /** Nothing arrives from one time to another, in ms. */
  outage?: readonly [number, number]
}

interface Arrival {
  readonly at: number
  readonly order: number
  readonly packet: Packet
  readonly to: 0 | 1
}

export class Simulation {
  readonly peers: readonly [Peer, Peer]
  /** Called after anything has happened at an end: reads, writes. */
  onTurn: (peer: Peer, now: number) => void = () => {}
  /** When something is to happen at an end, at the latest. */
  wakeAt = Number.POSITIVE_INFINITY
  now = 0
  readonly #link: LinkOptions
  readonly #random: () => number
  /** Sorted by time. */
  readonly #onTheWay: Arrival[] = []
  #order = 0
  /** When the bottleneck of each direction is free again. */
  readonly #freeAt = [0, 0]
  readonly #looked: [number, number] = [0, 0]

  constructor(
    link: LinkOptions,
    seed: number,
    options: {
      settings?: Partial<QuicSettings>
      congestion?: CongestionControl | ((options: ControllerOptions) => CongestionController)
    } = {},
  ) {
    this.#link = link
    this.#random = seeded(seed)
    this.peers = [
      new Peer('client', { ...options, random: this.#random }),
      new Peer('server', { ...options, random: this.#random }),
    ]
    const [client, server] = this.peers
    client.streams.onPeerLimits(server.streams.ourLimits)
    server.streams.onPeerLimits(client.streams.ourLimits)
  }

  /** Until `isDone`, or until `limit` ms. False: the limit was reached. */
  run(isDone: () => boolean, limit: number): boolean {
    for (;;) {
      for (const side of [0, 1] as const) this.#turn(side)
      if (isDone()) return true
      const next = Math.min(this.#onTheWay[0]?.at ?? Number.POSITIVE_INFINITY, this.wakeAt, ...this.#deadlines())
      if (!(next <= limit)) return false
      this.now = Math.max(this.now, next)
      while (this.#onTheWay.length > 0 && this.#onTheWay[0].at <= this.now) {
        const { packet, to } = this.#onTheWay.shift()!
        this.peers[to].receive(packet, this.now)
      }
      for (const peer of this.peers) {
        const at = peer.recovery.deadline()
        if (at !== undefined && at <= this.now) peer.recovery.onDeadline(this.now)
      }
    }
  }

  #deadlines(): number[] {
    return this.peers.map((peer, side) => {
      const at = peer.deadline()
      // A deadline that has passed and to which nothing happens would be waited for without end.
      if (at > this.now) this.#looked[side] = 0
      else if (++this.#looked[side] > 1000) throw new Error(`a deadline at ${at} leads to nothing at ${this.now}`)
      return at
    })
  }

  #turn(side: 0 | 1): void {
    const peer = this.peers[side]
    this.onTurn(peer, this.now)
    for (let packet = peer.send(this.now); packet !== undefined; packet = peer.send(this.now))
      this.#transmit(packet, side)
  }

  #transmit(packet: Packet, from: 0 | 1): void {
    const {
      delayMs,
      jitterMs = 0,
      loss = 0,
      duplicate = 0,
      rate,
      buffer = Number.POSITIVE_INFINITY,
      outage,
    } = this.#link
    if (outage !== undefined && this.now >= outage[0] && this.now < outage[1]) return
    if (this.#random() < loss) return
    let left = this.now
    if (rate !== undefined) {
      const free = Math.max(this.#freeAt[from], this.now)
      const bytes = packet.payload.length + OVERHEAD
      if ((free - this.now) * rate + bytes > buffer) return
      this.#freeAt[from] = free + bytes / rate
      left = this.#freeAt[from]
    }
    const copies = this.#random() < duplicate ? 2 : 1
    for (let i = 0; i < copies; i++) {
      this.#put({
        at: left + delayMs + this.#random() * jitterMs,
        order: this.#order++,
        packet,
        to: from === 0 ? 1 : 0,
      })
    }
  }

  #put(arrival: Arrival): void {
    const queue = this.#onTheWay
    let i = queue.length
    while (
      i > 0 &&
      (queue[i - 1].at > arrival.at || (queue[i - 1].at === arrival.at && queue[i - 1].order > arrival.order))
    )
      i--
    queue.splice(i, 0, arrival)
  }
}

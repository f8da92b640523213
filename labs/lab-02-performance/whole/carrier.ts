/**
 * A carrier whose packets wait in a queue for a student's pump, and leave as a student's `PacketSender` says. Capsules and the end of the
 * tunnel stay those of the carrier below.
 */
import { varintLength } from '../../../src/bytes/varint.ts'
import type { Carrier, CarrierHandler, SendResult } from '../../../src/carriers/carrier.ts'
import { PACKET_STREAM_TYPE } from '../../../src/carriers/h3/packet-streams.ts'
import type { H3ServerConnection } from '../../../src/carriers/h3/server-connection.ts'
import { format } from '../../kit/check/format.ts'
import type { StudentObject } from '../../kit/student-code/types.ts'
import { PartError, type Parts } from './parts.ts'
import type { PumpRunner } from './pump.ts'

const MOST_ACTIONS = 8
const MOST_BYTES = 4096
const CONTEXT_ID_LENGTH = 1

export interface SenderFigures {
  /** Packets that the sender refused although the tunnel takes them, and the largest MTU it named. */
  tooBig: number
  namedMtu: number
  /** Actions that QUIC could not carry out: a datagram too long, no stream left. */
  refused: number
}

export interface StudentCarrierOptions {
  inner: Carrier
  connection: H3ServerConnection
  /** Of the request. */
  streamId: number
  parts: Pick<Parts, 'sender'>
  pump: PumpRunner
}

export class StudentCarrier implements Carrier {
  readonly figures: SenderFigures = { tooBig: 0, namedMtu: 0, refused: 0 }
  readonly #inner: Carrier
  readonly #connection: H3ServerConnection
  readonly streamId: number
  /** As the pump knows it. */
  readonly queue: number
  readonly #parts: Pick<Parts, 'sender'>
  readonly #pump: PumpRunner
  /** Made when the first packet is sent. */
  #sender: StudentObject | undefined
  /** The length of datagrams that the sender was told last. */
  #told = 0
  /** Streams that the sender has opened and not ended: its numbers, and QUIC's. */
  readonly #streams = new Map<number, number>()

  constructor({ inner, connection, streamId, parts, pump }: StudentCarrierOptions) {
    this.#inner = inner
    this.#connection = connection
    this.streamId = streamId
    this.#parts = parts
    this.#pump = pump
    this.queue = pump.add(packets => this.#prepare(packets))
  }

  get connectionId(): string {
    return this.#connection.id
  }

  sendPacket(packet: Uint8Array): SendResult {
    return this.#pump.offer(this.queue, new Uint8Array(packet)) ? 'sent' : 'dropped'
  }

  /** The sender is told the length of datagrams once more, before its next packet. */
  tellAgain(): void {
    this.#told = 0
  }

  /** Asks the sender about some packets at once; returns what sends each of them. */
  async #prepare(packets: readonly Uint8Array[]): Promise<(() => void)[]> {
    const { quic } = this.#connection
    if (quic.closed) return []
    const { maxDatagramLength } = quic
    if (this.#sender === undefined) {
      const options = { requestStream: this.streamId, maxDatagramLength }
      this.#sender = await this.#parts.sender.create('send-packet.ts', 'PacketSender', options)
    } else if (maxDatagramLength !== this.#told) await this.#sender.call('onMaxDatagramLength', maxDatagramLength)
    this.#told = maxDatagramLength
    const waiting = quic.streamBuffered(this.streamId)
    const outcomes = await this.#sender.batch(
      'sendPacket',
      packets.map(packet => [packet, waiting]),
    )
    return outcomes.map(outcome => {
      if (!outcome.ok) throw outcome.error
      const actions = outcome.value
      if (!Array.isArray(actions) || actions.length > MOST_ACTIONS) {
        throw new PartError({ expected: 'sendPacket() to return a list of a few actions', found: format(actions) })
      }
      return () => {
        if (quic.closed) return
        for (const action of actions) this.#perform(action)
        this.#connection.flush()
      }
    })
  }

  /** What comes from the sandbox may be anything: nothing is done that would reach beyond this one connection. */
  #perform(action: Record<string, unknown> | undefined): void {
    const { quic, h3 } = this.#connection
    const { type, stream, streamType, data, fin, mtu } = action ?? {}
    const bytes = data instanceof Uint8Array && data.length <= MOST_BYTES ? data : undefined
    if (type === 'drop') return
    if (type === 'too-big') {
      this.figures.tooBig++
      this.figures.namedMtu = Math.max(this.figures.namedMtu, Number(mtu) || 0)
    } else if (type === 'datagram' && bytes) {
      if (quic.sendDatagram(bytes) !== 'sent') this.figures.refused++
    } else if (type === 'open-stream' && typeof stream === 'number' && streamType === PACKET_STREAM_TYPE) {
      if (quic.canOpenStream('uni')) this.#streams.set(stream, h3.openExtensionStream(PACKET_STREAM_TYPE))
      else this.figures.refused++
    } else if (type === 'write' && stream === 'request' && bytes) {
      quic.streamSend(this.streamId, bytes, fin === true)
    } else if (type === 'write' && typeof stream === 'number' && bytes) {
      const id = this.#streams.get(stream)
      if (id !== undefined) h3.sendRaw(id, bytes, fin === true)
      if (fin === true) this.#streams.delete(stream)
    } else {
      throw new PartError({ expected: 'sendPacket() to return actions of start/send-packet.ts', found: format(action) })
    }
  }

  // -- as below --------------------------------------------------------------------------------------------------------

  get encapsulation(): Carrier['encapsulation'] {
    return this.#inner.encapsulation
  }

  /** That of datagrams, whatever encapsulation the client has asked for: the ids in front of the packet take a few bytes. */
  get mtu(): number {
    return Math.max(0, this.#connection.quic.maxDatagramLength - varintLength(this.streamId / 4) - CONTEXT_ID_LENGTH)
  }

  get mtuSettled(): boolean {
    return this.#connection.quic.pathMtuSettled
  }

  get handler(): CarrierHandler {
    return this.#inner.handler
  }

  get writable(): boolean {
    return this.#inner.writable
  }

  get capsulesWaiting(): number {
    return this.#inner.capsulesWaiting
  }

  sendCapsules(bytes: Uint8Array): void {
    this.#inner.sendCapsules(bytes)
  }

  end(): void {
    this.#inner.end()
  }

  abort(reason: Parameters<Carrier['abort']>[0]): string {
    return this.#inner.abort(reason)
  }
}

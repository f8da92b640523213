/**
 * Records a session for task 11: a client that does a few things which depend on the student's name, a proxy, and between
 * them a relay that sees every UDP packet.
 *
 *     client ------ relay ------ proxy        in the file:  192.0.2.10:50000      198.51.100.20:443
 *
 * The file has addresses that are kept for documentation, and the port by which Wireshark knows QUIC.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeSettings } from '../../src/http3/settings.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { icmpEchoRequest } from '../../src/ip/icmp.ts'
import { encodeIpv4 } from '../../src/ip/ipv4.ts'
import { IpProtocol } from '../../src/ip/protocol.ts'
import { encodeUdp } from '../../src/ip/udp.ts'
import { UdpRelay } from '../../src/testbed/udp-relay.ts'
import { Seeded } from '../kit/check/seeded.ts'
import type { CheckContext } from '../kit/lab/types.ts'
import { encodeAddresses } from './checks/addresses.ts'
import { encodeCapsule } from './checks/capsules.ts'
import { frame, section } from './checks/http3.ts'
import { encoded } from './checks/varint.ts'
import { AUTHORITY, PATH, startNetwork, Wire } from './network.ts'
import { type CapturedPacket, encodePcapng } from './pcapng.ts'

export const CLIENT = { host: '192.0.2.10', port: 50_000 } as const
const PROXY = { host: '198.51.100.20', port: 443 } as const

/** What is asked about the session. */
export interface Facts {
  /** On which the CONNECT-IP request is. */
  streamId: number
  /** SETTINGS_MAX_FIELD_SECTION_SIZE, as the client announces it; and as the proxy does. */
  clientFieldSectionSize: number
  proxyFieldSectionSize: number | undefined
  assigned: IpAddress
  pinged: IpAddress
  /** Of the one datagram that is not an IP packet. */
  contextId: number
  /** DATAGRAM frames, by their sender. */
  datagramsSent: number
  datagramsReceived: number
  /** In the CONNECTION_CLOSE frame of the client. */
  errorCode: number
}

export interface Recording {
  facts: Facts
  /** For Wireshark. */
  pcapng: Uint8Array
  keyLog: string
  /** What is in the packets, decrypted: for those who have no Wireshark. */
  text: string
}

const PATIENCE_MS = 8000
const ERROR_CODES = [0x102, 0x104, 0x107, 0x108, 0x10b, 0x10c, 0x10f] as const

/** What the client is going to do. */
function planFor(name: string) {
  const random = new Seeded(name, 'capture')
  return {
    random,
    /** Plain requests before that for the tunnel, each on a stream of its own. */
    requestsBefore: random.int(1, 4),
    clientFieldSectionSize: random.int(1000, 15_000),
    pings: random.int(3, 9),
    /** Even: allocated by the client. Not 0. */
    contextId: 2 * random.int(1, 8000),
    errorCode: random.pick(ERROR_CODES),
  }
}

export async function record(
  name: string,
  context: Pick<CheckContext, 'scratch' | 'defer' | 'signal'>,
): Promise<Recording> {
  const plan = planFor(name)
  const { random } = plan
  const network = await startNetwork(context, random)
  const relay = await UdpRelay.open(network)
  const packets = new Packets(relay)
  context.defer(() => relay.close())
  const keyLogFile = join(await context.scratch(), `session-${performance.now()}.keys`)
  const wire = await Wire.connect(
    { ...relay.address, certificates: network.certificates },
    { keyLog: keyLogFile, signal: context.signal },
  )
  context.defer(() => wire.close(0x100))
  const session = new RecordedSession(wire)

  const settings = frame(0x04n, Uint8Array.from([0x06, ...encoded(BigInt(plan.clientFieldSectionSize)), 0x33, 0x01]))
  session.send(2, Uint8Array.from([0x00, ...settings]))
  await session.until('SETTINGS of the proxy', () => session.stream(3).length > 2)
  for (let i = 0; i < plan.requestsBefore; i++) {
    const headers = section([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':authority', AUTHORITY],
      [':path', `/${random.word(6)}`],
    ])
    session.send(4 * i, frame(0x01n, headers), true)
    await session.until('a response', () => session.ended(4 * i))
  }

  const streamId = 4 * plan.requestsBefore
  const request = section([
    [':method', 'CONNECT'],
    [':protocol', 'connect-ip'],
    [':scheme', 'https'],
    [':authority', AUTHORITY],
    [':path', PATH],
    ['capsule-protocol', '?1'],
  ])
  session.send(streamId, frame(0x01n, request))
  await session.until('the response to the tunnel', () => session.stream(streamId).length > 2)
  const before = session.stream(streamId).length
  const entry = { requestId: 1n, version: 4, address: new Uint8Array(4), prefixLength: 32 } as const
  session.send(streamId, frame(0x00n, encodeCapsule(0x02n, encodeAddresses([entry]))))
  const assigned = () => findAssigned(session.stream(streamId).subarray(before))
  await session.until('an address', () => assigned() !== undefined)

  const quarter = encoded(BigInt(streamId / 4))
  const unknownAt = random.int(1, plan.pings)
  for (let sequence = 1; sequence <= plan.pings; sequence++) {
    if (sequence === unknownAt) {
      session.sendDatagram(Uint8Array.from([...quarter, ...encoded(BigInt(plan.contextId)), ...random.bytes(12)]))
    }
    const fields = { source: assigned()!, destination: network.library, id: random.int(0, 0xffff), seq: sequence }
    session.sendDatagram(Uint8Array.from([...quarter, 0, ...icmpEchoRequest(fields, random.bytes(16))]))
    await session.until('an answer to a ping', () => session.datagramsReceived === sequence)
  }
  session.close(plan.errorCode)
  await wire.closed()
  await packets.settled()

  const keyLog = readFileSync(keyLogFile, 'utf8')
  return {
    facts: {
      streamId,
      clientFieldSectionSize: plan.clientFieldSectionSize,
      proxyFieldSectionSize: fieldSectionSize(session.stream(3)),
      assigned: assigned()!,
      pinged: network.library,
      contextId: plan.contextId,
      datagramsSent: plan.pings + 1,
      datagramsReceived: session.datagramsReceived,
      errorCode: plan.errorCode,
    },
    pcapng: encodePcapng(packets.all, keyLog),
    keyLog,
    text: session.text(name),
  }
}

/** The client's end, and a list of all that was sent and received in it. */
class RecordedSession {
  datagramsReceived = 0
  readonly #wire: Wire
  readonly #streams = new Map<number, { bytes: Uint8Array; ended: boolean }>()
  readonly #lines: string[] = []

  constructor(wire: Wire) {
    this.#wire = wire
  }

  /** What has been received on a stream. */
  stream(id: number): Uint8Array {
    return this.#streams.get(id)?.bytes ?? new Uint8Array(0)
  }

  ended(id: number): boolean {
    return this.#streams.get(id)?.ended === true
  }

  send(streamId: number, data: Uint8Array, fin = false): void {
    this.#note('client to proxy', `STREAM, stream id ${streamId}${fin ? ', end of stream' : ''}`, data)
    this.#wire.sendStream(streamId, data, fin)
  }

  sendDatagram(data: Uint8Array): void {
    this.#note('client to proxy', 'DATAGRAM', data)
    this.#wire.sendDatagram(data)
  }

  close(code: number): void {
    const bytes = Uint8Array.from([0x1d, ...encoded(BigInt(code)), 0])
    this.#note('client to proxy', 'CONNECTION_CLOSE: type, error code, length of the reason phrase', bytes)
    this.#wire.close(code)
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!holds()) {
      const event = await this.#wire.next(deadline - performance.now())
      if (event === undefined) throw new Error(`the recording waits for ${what}, which does not come`)
      if (event.type === 'ended') throw new Error(`while the recording waits for ${what}, the proxy ${event.what}`)
      if (event.type === 'datagram') {
        this.datagramsReceived++
        this.#note('proxy to client', 'DATAGRAM', event.data)
        continue
      }
      const { streamId, data, fin } = event
      this.#note('proxy to client', `STREAM, stream id ${streamId}${fin ? ', end of stream' : ''}`, data)
      const bytes = Uint8Array.from([...this.stream(streamId), ...data])
      this.#streams.set(streamId, { bytes, ended: fin || this.ended(streamId) })
    }
  }

  text(name: string): string {
    return `${[
      `The recorded session of "${name}", decrypted.`,
      '',
      'QUIC frames with something for HTTP/3 or above, in the order in which the client saw them. The same is in',
      'session.pcapng, where Wireshark shows it with all the rest: handshake, acknowledgements, packet numbers.',
      '',
      ...this.#lines,
    ].join('\n')}\n`
  }

  #note(direction: string, what: string, bytes: Uint8Array): void {
    const rows: string[] = []
    for (let at = 0; at < bytes.length; at += 16) {
      const digits = Array.from(bytes.subarray(at, at + 16), byte => byte.toString(16).padStart(2, '0')).join(' ')
      rows.push(`    ${at.toString(16).padStart(4, '0')}  ${digits}`)
    }
    this.#lines.push(`${direction}: ${what}`, ...rows, '')
  }
}

/** Keeps a copy, with the time, of every UDP packet that a relay passes on. */
class Packets {
  readonly all: CapturedPacket[] = []
  #lastAt = 0

  constructor(relay: UdpRelay) {
    relay.passes = (payload, from) => {
      this.#keep(from === 'client' ? CLIENT : PROXY, from === 'client' ? PROXY : CLIENT, payload)
      return true
    }
  }

  /** Resolves when no packet has passed for a moment: the last one has been kept then. */
  async settled(): Promise<void> {
    do await new Promise(resolve => setTimeout(resolve, 20))
    while (performance.now() - this.#lastAt < 20)
  }

  #keep(from: typeof CLIENT | typeof PROXY, to: typeof CLIENT | typeof PROXY, payload: Uint8Array): void {
    this.#lastAt = performance.now()
    const [source, destination] = [IpAddress.parse(from.host), IpAddress.parse(to.host)]
    const udp = encodeUdp({ source, sourcePort: from.port, destination, destinationPort: to.port }, payload)
    const bytes = encodeIpv4({ source, destination, protocol: IpProtocol.UDP, ttl: 64 }, udp)
    this.all.push({ at: performance.timeOrigin + this.#lastAt, bytes })
  }
}

/** The address in the first ADDRESS_ASSIGN capsule with an entry for request 1; our proxy sends one frame a capsule or more. */
function findAssigned(stream: Uint8Array): IpAddress | undefined {
  // Type 0x01, length 7, Request ID 1, version 4, address, prefix length 32.
  for (let at = 0; at + 9 <= stream.length; at++) {
    const [type, length, requestId, version] = stream.subarray(at)
    if (type === 0x01 && length >= 7 && requestId === 1 && version === 4 && stream[at + 8] === 32) {
      return IpAddress.from(4, stream.slice(at + 4, at + 8))
    }
  }
  return undefined
}

/** What the proxy announces on its control stream: stream type, frame type, length, settings. */
function fieldSectionSize(control: Uint8Array): number | undefined {
  const length = control[2]
  const size = decodeSettings(control.subarray(3, 3 + length)).maxFieldSectionSize
  return Number.isFinite(size) ? size : undefined
}

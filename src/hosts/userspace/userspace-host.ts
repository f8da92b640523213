import { DecodeError, TruncatedError } from '../../bytes/errors.ts'
import { compareBytes, IpAddress, type IpVersion } from '../../ip/address.ts'
import { ipv6HeaderProblem } from '../../ip/header-problem.ts'
import {
  decodeIcmp,
  type IcmpMessage,
  IcmpType,
  IcmpUnreachable,
  icmpDestinationUnreachable,
  icmpEchoReply,
  icmpEchoRequest,
  icmpParameterProblem,
} from '../../ip/icmp.ts'
import { mayReportOn } from '../../ip/icmp-error.ts'
import {
  decodeIcmpv6,
  Icmpv6ParameterProblem,
  Icmpv6Type,
  Icmpv6Unreachable,
  icmpv6DestinationUnreachable,
  icmpv6EchoReply,
  icmpv6EchoRequest,
  icmpv6ParameterProblem,
} from '../../ip/icmpv6.ts'
import { IPV4_HEADER_LENGTH, ipv4FragmentOffset, ipv4MoreFragments } from '../../ip/ipv4.ts'
import { inspectIpv4Options } from '../../ip/ipv4-options.ts'
import { IPV6_HEADER_LENGTH, ipv6NextHeader } from '../../ip/ipv6.ts'
import {
  DESTINATION_OFFSET,
  destinationOf,
  hopCountOf,
  packetVersion,
  payloadOffset,
  protocolOf,
  sourceOf,
  validatePacket,
} from '../../ip/packet.ts'
import { IpProtocol } from '../../ip/protocol.ts'
import { TokenBucket } from '../../ip/token-bucket.ts'
import { decodeUdp, encodeUdpPacket, UDP_HEADER_LENGTH, verifyUdpChecksum } from '../../ip/udp.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Host, HostConfiguration } from '../host.ts'
import { FLOW_PORT, FlowSink, flowIdAt } from './flow.ts'
import { icmpErrorReport, readQuotedPacket } from './icmp-error-report.ts'
import { type EchoMessage, type PingCounters, PingError, Pinger, type PingOptions, type PingResult } from './pinger.ts'
import { type UdpAddressing, type UdpDatagram, UdpPorts } from './udp-ports.ts'

export const ECHO_PORT = 7
export const DISCARD_PORT = 9

/** All nodes on the link, RFC 4291 §2.7.1. Every IPv6 host is in this group. */
const ALL_NODES = IpAddress.parse('ff02::1')

/** Every sink takes some 20 KB; whoever invents flow ids must not fill the memory. */
const MAXIMUM_FLOWS = 256

/** How many forged source addresses (see PingOptions.source) are remembered, so that ICMP errors to them are seen. */
const REMEMBERED_FORGED_SOURCES = 16

/** The largest IPv4 packet, and the largest payload of an IPv6 packet: both lengths are 16-bit fields. */
const LARGEST = 65535
const ICMP_HEADER_LENGTH = 8

export interface UserspaceHostOptions {
  addresses?: readonly IpAddress[]
  /** Default the machine's. */
  clock?: Clock
  /** Identifier of the echo requests, 0 … 65535; default random, so that two hosts with one address do not collide. */
  echoIdentifier?: number
  /** UDP port for flows (see flow.ts); default 5001. 0: none. */
  flowPort?: number
  /**
   * Check the UDP checksum of flow packets too; default true. It costs more than everything else that is done for such a
   * packet (see flow.ts), and can be spared where the carrier protects every bit, as QUIC does.
   */
  verifyFlowChecksums?: boolean
  /** ICMP errors per second, and as many in a burst; default 100. */
  icmpErrorsPerSecond?: number
}

/**
 *   malformed    the IP, UDP or ICMP header makes no sense
 *   not-ours     another destination than one of the addresses
 *   bad-source   a source that cannot be answered: multicast, broadcast, unspecified, loopback
 *   header       an IPv4 option or IPv6 extension header that a host may not pass over
 *   fragment     reassembly is not supported
 *   checksum     the UDP, ICMP or ICMPv6 checksum is wrong
 *   unhandled    a protocol or ICMP message that nothing here is for
 *   port         a UDP port that no one listens on
 *   flow-limit   one flow more than the host has sinks for
 */
export type HostDropReason =
  | 'malformed'
  | 'not-ours'
  | 'bad-source'
  | 'header'
  | 'fragment'
  | 'checksum'
  | 'unhandled'
  | 'port'
  | 'flow-limit'

export interface HostCounters {
  /** IP packets, whatever became of them. */
  received: number
  /** Packets made here, except those of flows, which their source counts. */
  sent: number
  dropped: Record<HostDropReason, number>
  echoRequestsAnswered: number
  udpEchoed: number
  /** What port 9 swallowed. */
  discarded: number
  discardedBytes: number
  flowPackets: number
  icmpErrorsReceived: number
  icmpErrorsSent: number
  /** Not sent, because of the rate limit or because no error may be sent about that packet. */
  icmpErrorsSuppressed: number
}

/**
 * An IP host in userspace: needs no device and no rights, and runs wherever Node does.
 *
 * It answers pings in both IP versions, UDP echo (RFC 862, port 7) and discard (RFC 863, port 9), takes measured
 * flows (flow.ts), says "port unreachable" for other UDP ports; and it pings, and sends and receives UDP itself.
 * What a real host does beyond that (TCP, reassembly, neighbour discovery, multicast groups) it does not.
 */
export class UserspaceHost implements Host {
  send: (packet: Uint8Array) => void = () => {}
  readonly clock: Clock
  readonly udp: UdpPorts
  readonly counters: HostCounters = {
    received: 0,
    sent: 0,
    dropped: {
      malformed: 0,
      'not-ours': 0,
      'bad-source': 0,
      header: 0,
      fragment: 0,
      checksum: 0,
      unhandled: 0,
      port: 0,
      'flow-limit': 0,
    },
    echoRequestsAnswered: 0,
    udpEchoed: 0,
    discarded: 0,
    discardedBytes: 0,
    flowPackets: 0,
    icmpErrorsReceived: 0,
    icmpErrorsSent: 0,
    icmpErrorsSuppressed: 0,
  }

  #addresses: readonly IpAddress[] = []
  #forgedSources: IpAddress[] = []
  readonly #pinger: Pinger
  readonly #flows = new Map<number, FlowSink>()
  readonly #flowPort: number
  readonly #verifyFlowChecksums: boolean
  readonly #icmpErrorBucket: TokenBucket
  #closed = false

  constructor(options: UserspaceHostOptions = {}) {
    this.clock = options.clock ?? systemClock
    this.#pinger = new Pinger(this.clock, options.echoIdentifier ?? Math.floor(Math.random() * 0x10000))
    this.#flowPort = options.flowPort ?? FLOW_PORT
    this.#verifyFlowChecksums = options.verifyFlowChecksums ?? true
    const icmpErrorsPerSecond = options.icmpErrorsPerSecond ?? 100
    this.#icmpErrorBucket = new TokenBucket({
      perSecond: icmpErrorsPerSecond,
      burst: icmpErrorsPerSecond,
      now: () => this.clock.now(),
    })
    this.udp = new UdpPorts((addressing, payload) => this.#sendUdp(addressing, payload))
    this.udp.bind(ECHO_PORT, datagram => this.#echo(datagram))
    this.udp.bind(DISCARD_PORT, datagram => this.#discard(datagram))
    this.configure({ addresses: options.addresses ?? [] })
  }

  get addresses(): readonly IpAddress[] {
    return this.#addresses
  }

  /** Everything that this host sends goes over its one link, and what is too large for that comes back as an ICMP error. */
  configure({ addresses }: Pick<HostConfiguration, 'addresses'>): void {
    this.#addresses = [...addresses]
  }

  get pingCounters(): Readonly<PingCounters> {
    return this.#pinger.counters
  }

  /**
   * Sends one ICMP or ICMPv6 echo request and waits for the reply. Any number may wait at the same time. Rejects with
   * PingError, whose `kind` says what happened instead.
   */
  async ping(target: IpAddress, options: PingOptions = {}): Promise<PingResult> {
    if (this.#closed) throw new PingError('closed', target, 'the host is closed')
    const { version } = target
    const size = options.size ?? 56
    const largest = version === 4 ? LARGEST - IPV4_HEADER_LENGTH - ICMP_HEADER_LENGTH : LARGEST - ICMP_HEADER_LENGTH
    if (!Number.isInteger(size) || size < 0 || size > largest) {
      throw new PingError('too-large', target, `size of ${size} bytes; expected 0 to ${largest}`)
    }
    const { hopCount } = options
    if (hopCount !== undefined && !(Number.isInteger(hopCount) && hopCount >= 0 && hopCount <= 255)) {
      throw new RangeError(`ping ${target}: hop count ${hopCount}; expected 0 to 255`)
    }
    const source = options.source ?? this.#sourceFor(target)
    if (source?.version !== version) {
      const own = this.#addresses.length === 0 ? 'no address' : `only ${this.#addresses.join(', ')}`
      throw new PingError('no-source', target, `no IPv${version} address to send from; the host has ${own}`)
    }
    if (!this.#isOwn(source)) this.#rememberForged(source)
    return this.#pinger.ping(target, options, ({ identifier: id, sequence: seq, data }) => {
      const fields = { source, destination: target, id, seq, hopCount }
      this.#transmit(version === 4 ? icmpEchoRequest(fields, data) : icmpv6EchoRequest(fields, data))
    })
  }

  /** The sinks of the flows that have come in, by flow id. */
  get flows(): ReadonlyMap<number, FlowSink> {
    return this.#flows
  }

  /** The sink of this flow, which is made if the flow has not begun. Undefined when there are too many flows. */
  flowSink(flowId: number): FlowSink | undefined {
    let sink = this.#flows.get(flowId)
    if (sink === undefined && this.#flows.size < MAXIMUM_FLOWS) {
      sink = new FlowSink(flowId)
      this.#flows.set(flowId, sink)
    }
    return sink
  }

  /** Makes room for another flow. Should the flow go on, a new sink begins with it. */
  forgetFlow(flowId: number): void {
    this.#flows.delete(flowId)
  }

  close(): void {
    this.#closed = true
    this.#pinger.close()
    this.udp.clear()
  }

  receive(packet: Uint8Array): void {
    if (this.#closed) return
    this.counters.received++
    const version = packetVersion(packet)
    if (version === 0 || validatePacket(packet) !== undefined) return this.#drop('malformed')
    if (!this.#isForUs(packet, version)) return this.#receiveForForgedSource(packet, version)
    if (this.#flowPort !== 0 && this.#receiveFlow(packet, version)) return

    const source = sourceOf(packet)
    if (!canBeAnswered(source)) return this.#drop('bad-source')
    const protocol = protocolOf(packet)
    if (protocol === -1) return this.#drop('malformed')
    if (version === 4 ? this.#hasOptionProblem(packet) : this.#hasHeaderProblem(packet)) return
    if (isFragment(packet, version)) return this.#drop('fragment')
    if (protocol === IpProtocol.UDP) return this.#receiveUdp(packet, source)
    if (protocol === (version === 4 ? IpProtocol.ICMP : IpProtocol.ICMPV6)) return this.#receiveIcmp(packet, source)
    this.#drop('unhandled')
    // RFC 1122 §3.2.2.1; what IPv6 has instead, `#hasHeaderProblem` has said already.
    if (version === 4)
      this.#sendError(packet, from => icmpDestinationUnreachable(packet, IcmpUnreachable.PROTOCOL, from))
  }

  /** RFC 1122 §3.2.2.5 and §3.3.5: options that make no sense, and a route that ends elsewhere, which no host travels on. */
  #hasOptionProblem(packet: Uint8Array): boolean {
    const finding = inspectIpv4Options(packet)
    if (finding === undefined || (finding.kind === 'source-route' && finding.travelled)) return false
    this.#drop('header')
    this.#sendError(packet, from =>
      finding.kind === 'malformed'
        ? icmpParameterProblem(packet, finding.pointer, from)
        : icmpDestinationUnreachable(packet, IcmpUnreachable.SOURCE_ROUTE_FAILED, from),
    )
    return true
  }

  /** RFC 8200 §4: extension headers, options and upper layers that are not known here. */
  #hasHeaderProblem(packet: Uint8Array): boolean {
    const problem = ipv6HeaderProblem(packet, UPPER_LAYERS_V6)
    if (problem === undefined) return false
    this.#drop(problem.code === Icmpv6ParameterProblem.NEXT_HEADER ? 'unhandled' : 'header')
    const { code, pointer } = problem
    if (code === undefined) return true
    this.#sendError(packet, from => icmpv6ParameterProblem(packet, code, pointer, from), problem.evenToMulticast)
    return true
  }

  /** A ping with a forged source: what comes back about it, an ICMP error or even a reply, is wanted, and nothing else. */
  #receiveForForgedSource(packet: Uint8Array, version: IpVersion): void {
    const offset = DESTINATION_OFFSET[version]
    const isForged = this.#forgedSources.some(forged => forged.version === version && isAt(packet, offset, forged))
    const type = isForged && !isFragment(packet, version) ? icmpTypeOf(packet, version) : -1
    if (type === -1 || type === IcmpType.ECHO_REQUEST || type === Icmpv6Type.ECHO_REQUEST) return this.#drop('not-ours')
    this.#receiveIcmp(packet, sourceOf(packet))
  }

  /** The fast path: is it the packet of a flow, and nothing unusual about it? Then it is dealt with. Allocates nothing. */
  #receiveFlow(packet: Uint8Array, version: IpVersion): boolean {
    let udp: number
    if (version === 4) {
      // No options, and not a fragment.
      if (packet[0] !== 0x45 || packet[9] !== IpProtocol.UDP) return false
      if ((packet[6] & 0x3f) !== 0 || packet[7] !== 0) return false
      udp = IPV4_HEADER_LENGTH
    } else {
      if (ipv6NextHeader(packet) !== IpProtocol.UDP) return false
      udp = IPV6_HEADER_LENGTH
    }
    const udpLength = packet.length - udp
    if (udpLength < UDP_HEADER_LENGTH) return false
    if (((packet[udp + 2] << 8) | packet[udp + 3]) !== this.#flowPort) return false
    if (((packet[udp + 4] << 8) | packet[udp + 5]) !== udpLength) return false
    const payload = udp + UDP_HEADER_LENGTH
    const payloadLength = packet.length - payload
    const flowId = flowIdAt(packet, payload, payloadLength)
    if (flowId === -1) return false

    if (this.#verifyFlowChecksums && !verifyUdpChecksum(packet, udp)) {
      this.#drop('checksum')
      return true
    }
    const sink = this.flowSink(flowId)
    if (sink === undefined) this.#drop('flow-limit')
    else if (sink.receive(packet, payload, payloadLength, this.clock.now() * 1000)) this.counters.flowPackets++
    else this.#drop('malformed')
    return true
  }

  #receiveUdp(packet: Uint8Array, source: IpAddress): void {
    const offset = payloadOffset(packet)
    let datagram: ReturnType<typeof decodeUdp>
    try {
      datagram = decodeUdp(packet, offset)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      return this.#drop('malformed')
    }
    if (!verifyUdpChecksum(packet, offset)) return this.#drop('checksum')
    const { sourcePort, destinationPort, payload } = datagram
    const handler = this.udp.handlerOf(destinationPort)
    if (handler === undefined) {
      this.#drop('port')
      return this.#sendPortUnreachable(packet)
    }
    const destination = destinationOf(packet)
    handler({ source, sourcePort, destination, destinationPort, payload, hopCount: hopCountOf(packet) })
  }

  #receiveIcmp(packet: Uint8Array, source: IpAddress): void {
    let message: IcmpMessage
    try {
      message = source.version === 4 ? decodeIcmp(packet) : decodeIcmpv6(packet)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      return this.#drop(error instanceof TruncatedError ? 'malformed' : 'checksum')
    }
    const { ECHO_REQUEST, ECHO_REPLY } = source.version === 4 ? IcmpType : Icmpv6Type
    if (message.type === ECHO_REQUEST) return this.#answerEcho(packet, source, message)
    if (message.type === ECHO_REPLY) return this.#pinger.receiveReply(echoOf(message), source, hopCountOf(packet))
    if (message.quoted === undefined) return this.#drop('unhandled')
    this.#receiveIcmpError(message, source)
  }

  #answerEcho(request: Uint8Array, source: IpAddress, { id = 0, seq = 0, data = EMPTY }: IcmpMessage): void {
    const asked = destinationOf(request)
    // RFC 4443 §4.2: the reply to a multicast request comes from one of the host's own addresses.
    const from = asked.isMulticast ? this.#sourceFor(source) : asked
    if (from === undefined) return this.#drop('not-ours')
    this.counters.echoRequestsAnswered++
    const fields = { source: from, destination: source, id, seq }
    this.#transmit(source.version === 4 ? icmpEchoReply(fields, data) : icmpv6EchoReply(fields, data))
  }

  #receiveIcmpError(message: IcmpMessage, from: IpAddress): void {
    const report = icmpErrorReport(message, from)
    const quoted = readQuotedPacket(message.quoted ?? EMPTY)
    if (report === undefined || quoted === undefined) return this.#drop('malformed')
    this.counters.icmpErrorsReceived++
    const { protocol, destination, upperLayer: bytes } = quoted
    const firstPort = (bytes[0] << 8) | bytes[1]
    const secondPort = (bytes[2] << 8) | bytes[3]
    if (protocol === IpProtocol.UDP) return this.udp.errorHandlerOf(firstPort)?.(report, destination, secondPort)
    const isRequest =
      (protocol === IpProtocol.ICMP && bytes[0] === IcmpType.ECHO_REQUEST) ||
      (protocol === IpProtocol.ICMPV6 && bytes[0] === Icmpv6Type.ECHO_REQUEST)
    if (!isRequest) return
    const identifier = (bytes[4] << 8) | bytes[5]
    const sequence = (bytes[6] << 8) | bytes[7]
    this.#pinger.receiveError(identifier, sequence, destination, report)
  }

  #echo(datagram: UdpDatagram): void {
    const { source, sourcePort, destination, destinationPort, payload } = datagram
    // One forged packet from port 7 to port 7 would keep two echo services busy with each other for ever.
    if (sourcePort === ECHO_PORT || sourcePort === 0) return this.#drop('bad-source')
    const from = destination.isMulticast ? undefined : destination
    const reply = { source: from, sourcePort: destinationPort, destination: source, destinationPort: sourcePort }
    if (this.#sendUdp(reply, payload)) this.counters.udpEchoed++
  }

  #discard(datagram: UdpDatagram): void {
    this.counters.discarded++
    this.counters.discardedBytes += datagram.payload.length
  }

  #sendUdp(addressing: UdpAddressing, payload: Uint8Array): boolean {
    const { destination } = addressing
    const source = addressing.source ?? this.#sourceFor(destination)
    if (this.#closed || source?.version !== destination.version) return false
    const room = destination.version === 4 ? LARGEST - IPV4_HEADER_LENGTH : LARGEST
    if (UDP_HEADER_LENGTH + payload.length > room) return false
    this.#transmit(encodeUdpPacket({ ...addressing, source }, payload))
    return true
  }

  #sendPortUnreachable(offending: Uint8Array): void {
    this.#sendError(offending, from =>
      from.version === 4
        ? icmpDestinationUnreachable(offending, IcmpUnreachable.PORT, from)
        : icmpv6DestinationUnreachable(offending, Icmpv6Unreachable.PORT, from),
    )
  }

  /** Sends the ICMP error about a packet for this host, where one may be sent. `make` gets the address that it comes from. */
  #sendError(offending: Uint8Array, make: (from: IpAddress) => Uint8Array, evenToMulticast = false): void {
    const asked = destinationOf(offending)
    const from = asked.isMulticast ? this.#sourceFor(sourceOf(offending)) : asked
    // In this order, so that packets that get no error anyway do not use up the allowance.
    if (from === undefined || !mayReportOn(offending, evenToMulticast) || !this.#icmpErrorBucket.take()) {
      this.counters.icmpErrorsSuppressed++
      return
    }
    this.counters.icmpErrorsSent++
    this.#transmit(make(from))
  }

  #transmit(packet: Uint8Array): void {
    this.counters.sent++
    this.send(packet)
  }

  #drop(reason: HostDropReason): void {
    this.counters.dropped[reason]++
  }

  #isOwn(address: IpAddress): boolean {
    return this.#addresses.some(own => own.equals(address))
  }

  /** The address to reach `target` from: of its version, and link-local if and only if the target is, where possible. */
  #sourceFor(target: IpAddress): IpAddress | undefined {
    const candidates = this.#addresses.filter(own => own.version === target.version)
    const onLink = target.isLinkLocal || (target.version === 6 && target.isMulticast)
    return candidates.find(own => own.isLinkLocal === onLink) ?? candidates[0]
  }

  #isForUs(packet: Uint8Array, version: IpVersion): boolean {
    const offset = DESTINATION_OFFSET[version]
    for (const own of this.#addresses) if (own.version === version && isAt(packet, offset, own)) return true
    if (version === 6 && packet[offset] === 0xff) return isAt(packet, offset, ALL_NODES)
    return false
  }

  #rememberForged(source: IpAddress): void {
    if (this.#forgedSources.some(known => known.equals(source))) return
    this.#forgedSources = [source, ...this.#forgedSources.slice(0, REMEMBERED_FORGED_SOURCES - 1)]
  }
}

const EMPTY = new Uint8Array(0)

const UPPER_LAYERS_V6 = [IpProtocol.UDP, IpProtocol.ICMPV6]

function echoOf({ id = 0, seq = 0, data = EMPTY }: IcmpMessage): EchoMessage {
  return { identifier: id, sequence: seq, data }
}

function isAt(packet: Uint8Array, offset: number, address: IpAddress): boolean {
  return compareBytes(packet, offset, address.bytes, 0, address.bytes.length) === 0
}

/** The type of the ICMP or ICMPv6 message in the packet, or -1 when there is none. */
function icmpTypeOf(packet: Uint8Array, version: IpVersion): number {
  if (protocolOf(packet) !== (version === 4 ? IpProtocol.ICMP : IpProtocol.ICMPV6)) return -1
  return packet[payloadOffset(packet)] ?? -1
}

/** RFC 1122 §3.2.1.3: a host drops what does not come from one other host. */
function canBeAnswered(source: IpAddress): boolean {
  return !(source.isMulticast || source.isBroadcast || source.isUnspecified || source.isLoopback)
}

/** Is it a part of a packet? An IPv6 fragment that is all of its packet (RFC 6946, "atomic") is none. */
function isFragment(packet: Uint8Array, version: IpVersion): boolean {
  if (version === 4) return ipv4MoreFragments(packet) || ipv4FragmentOffset(packet) !== 0
  // The chain of extension headers is known to be in order, up to the upper layer.
  const end = payloadOffset(packet)
  let nextHeader = ipv6NextHeader(packet)
  let at = IPV6_HEADER_LENGTH
  while (at < end) {
    // Fragment offset (13 bits), two reserved bits, more fragments (1 bit).
    if (nextHeader === IpProtocol.IPV6_FRAG && (((packet[at + 2] << 8) | packet[at + 3]) & 0xfff9) !== 0) return true
    let length = (packet[at + 1] + 1) * 8
    if (nextHeader === IpProtocol.AH) length = (packet[at + 1] + 2) * 4
    if (nextHeader === IpProtocol.IPV6_FRAG) length = 8
    nextHeader = packet[at]
    at += length
  }
  return false
}

/**
 * A captured packet, field by field, for the byte view: link layer, IP, what it carries, and what of QUIC is not encrypted.
 *
 * It is made for packets that are wrong as well: what a header says is shown, and where the bytes end before it does, that is said.
 */
import { IpAddress } from '../../../src/ip/address.ts'
import { internetChecksum } from '../../../src/ip/checksum.ts'
import { ipv4TotalLength } from '../../../src/ip/ipv4.ts'
import { describePacket, destinationOf, packetVersion, sourceOf } from '../../../src/ip/packet.ts'
import { IpProtocol, protocolName } from '../../../src/ip/protocol.ts'
import type { ViewField } from '../byte-view.ts'

/** Numbers of IANA's "Link-Layer Types", as far as they can be read here. */
export const LinkType = { ETHERNET: 1, RAW: 101, LINUX_SLL: 113, IPV4: 228, IPV6: 229, LINUX_SLL2: 276 } as const

export interface Dissection {
  fields: readonly ViewField[]
  /** One line about it. */
  summary: string
  /** There is QUIC in it: all but a part of its header is encrypted. */
  isQuic: boolean
}

/**
 * Undefined: the packet begins with a link layer that is not known here. `flows`: the ends between which there is QUIC; those of a long
 * header are added, for the short headers that follow look like anything.
 */
export function dissect(linkType: number, bytes: Uint8Array, flows: Set<string>): Dissection | undefined {
  const fields = new FieldList(bytes, flows)
  switch (linkType) {
    case LinkType.RAW:
    case LinkType.IPV4:
    case LinkType.IPV6:
      fields.ip()
      break
    case LinkType.ETHERNET:
      fields.ethernet()
      break
    case LinkType.LINUX_SLL:
      fields.linuxCooked()
      break
    case LinkType.LINUX_SLL2:
      fields.linuxCooked2()
      break
    default:
      return undefined
  }
  return { fields: fields.all, summary: fields.summary, isQuic: fields.foundQuic }
}

const ETHERTYPES = new Map([
  [0x0800, 'IPv4'],
  [0x86dd, 'IPv6'],
  [0x0806, 'ARP'],
])
const VLAN = 0x8100
/** Tags and extension headers that are followed. More of them have no use. */
const MOST_HEADERS = 8

const TCP_FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR']
const ICMP_ECHO = { [IpProtocol.ICMP]: [8, 0], [IpProtocol.ICMPV6]: [128, 129] } as const
const ICMP_TYPES: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  [IpProtocol.ICMP]: {
    0: 'echo reply',
    3: 'destination unreachable',
    5: 'redirect',
    8: 'echo request',
    11: 'time exceeded',
    12: 'parameter problem',
  },
  [IpProtocol.ICMPV6]: {
    1: 'destination unreachable',
    2: 'packet too big',
    3: 'time exceeded',
    4: 'parameter problem',
    128: 'echo request',
    129: 'echo reply',
    133: 'router solicitation',
    134: 'router advertisement',
    135: 'neighbor solicitation',
    136: 'neighbor advertisement',
  },
}

class FieldList {
  readonly all: ViewField[] = []
  summary = ''
  foundQuic = false
  readonly #bytes: Uint8Array
  readonly #flows: Set<string>
  #at = 0
  /** Said once: what would follow is not there either. */
  #isCut = false
  #source = ''
  #destination = ''
  /** Where the packet ends: behind it there may be padding. */
  #end: number

  constructor(bytes: Uint8Array, flows: Set<string>) {
    this.#bytes = bytes
    this.#flows = flows
    this.#end = bytes.length
  }

  // -- link layers -----------------------------------------------------------------------------------------------------

  /** IEEE 802.3, with VLAN tags if there are any. */
  ethernet(): void {
    this.#take('Destination MAC', 6, macText)
    this.#take('Source MAC', 6, macText)
    let type = this.#number('EtherType', 2, etherTypeText)
    for (let tags = 0; type === VLAN && tags < MOST_HEADERS; tags++) {
      this.#number('VLAN tag', 2, tag => `VLAN ${tag & 0x0fff}`)
      type = this.#number('EtherType', 2, etherTypeText)
    }
    this.#etherPayload(type)
  }

  /** What `tcpdump -i any` wrote in earlier days. */
  linuxCooked(): void {
    this.#number('Packet Type', 2)
    this.#number('ARPHRD Type', 2)
    this.#number('Address Length', 2)
    this.#take('Address', 8)
    this.#etherPayload(this.#number('Protocol', 2, etherTypeText))
  }

  /** What `tcpdump -i any` writes today. */
  linuxCooked2(): void {
    const type = this.#number('Protocol', 2, etherTypeText)
    this.#take('Reserved', 2)
    this.#number('Interface Index', 4)
    this.#number('ARPHRD Type', 2)
    this.#number('Packet Type', 1)
    this.#number('Address Length', 1)
    this.#take('Address', 8)
    this.#etherPayload(type)
  }

  #etherPayload(type: number): void {
    if (type === 0x0800 || type === 0x86dd) return this.ip()
    this.summary = ETHERTYPES.get(type) ?? `EtherType 0x${type.toString(16)}`
    this.#rest('Payload')
  }

  // -- IP --------------------------------------------------------------------------------------------------------------

  ip(): void {
    const packet = this.#bytes.subarray(this.#at)
    this.summary = summaryOf(packet)
    if (packet.length === 0) return
    const version = packet[0] >> 4
    if (version === 4) this.#ipv4(packet)
    else if (version === 6) this.#ipv6()
    else this.#rest('not IP', `version ${version}`)
    // Ethernet fills short packets up.
    this.#end = this.#bytes.length
    this.#rest('behind the packet', 'padding?')
  }

  /** RFC 791 §3.1. */
  #ipv4(packet: Uint8Array): void {
    const headerLength = (packet[0] & 0x0f) * 4
    const checksumIsRight =
      packet.length >= headerLength && headerLength >= 20 && internetChecksum(packet, 0, headerLength) === 0
    this.#number('Version, IHL', 1, () => `4, ${headerLength} bytes`)
    this.#number('DSCP, ECN', 1, value => `${value >> 2}, ${value & 0b11}`)
    const total = this.#number('Total Length', 2)
    // Where the network card cuts a long packet into several, a capture may see it before, with a length of 0.
    if (total >= headerLength) this.#endsAt(this.#at - 4 + total)
    this.#number('Identification', 2)
    const fragment = this.#number('Flags, Fragment Offset', 2, value => {
      const flags = [value & 0x4000 ? 'DF' : '', value & 0x2000 ? 'MF' : ''].filter(Boolean).join(' ')
      return `${flags || 'none'}, ${(value & 0x1fff) * 8}`
    })
    this.#number('Time to Live', 1)
    const protocol = this.#number('Protocol', 1, protocolText)
    this.#number('Header Checksum', 2, () => (checksumIsRight ? 'right' : 'wrong'))
    this.#addresses(4)
    if (headerLength > 20) this.#take('Options', headerLength - 20)
    if ((fragment & 0x1fff) !== 0) return this.#rest('Fragment')
    this.#upper(protocol)
  }

  /** RFC 8200 §3, §4. */
  #ipv6(): void {
    this.#number('Version, Class, Flow', 4, value => `6, ${(value >>> 20) & 0xff}, ${value & 0xfffff}`)
    const length = this.#number('Payload Length', 2)
    let next = this.#number('Next Header', 1, protocolText)
    this.#number('Hop Limit', 1)
    this.#addresses(16)
    if (length > 0) this.#endsAt(this.#at + length)
    for (let headers = 0; EXTENSIONS.has(next) && headers < MOST_HEADERS && !this.#isCut; headers++) {
      const name = EXTENSIONS.get(next) ?? ''
      const isFragment = next === IpProtocol.IPV6_FRAG
      next = this.#number('Next Header', 1, protocolText)
      if (isFragment) {
        this.#take('Reserved', 1)
        const offset = this.#number('Fragment Offset, M', 2, value => `${value & 0xfff8}, ${value & 1}`)
        this.#number('Identification', 4)
        if ((offset & 0xfff8) !== 0) return this.#rest('Fragment')
        continue
      }
      const extensionLength = this.#number('Hdr Ext Len', 1, value => `${(value + 1) * 8} bytes`)
      this.#take(name, extensionLength * 8 + 6)
    }
    this.#upper(next)
  }

  #addresses(length: 4 | 16): void {
    this.#source = hexOf(this.#take('Source Address', length, addressText))
    this.#destination = hexOf(this.#take('Destination Address', length, addressText))
  }

  #endsAt(end: number): void {
    this.#end = Math.max(this.#at, Math.min(this.#end, end))
  }

  #upper(protocol: number): void {
    switch (protocol) {
      case IpProtocol.ICMP:
      case IpProtocol.ICMPV6:
        return this.#icmp(protocol)
      case IpProtocol.UDP:
        return this.#udp()
      case IpProtocol.TCP:
        return this.#tcp()
      default:
        return this.#rest('Payload')
    }
  }

  // -- inside of IP ----------------------------------------------------------------------------------------------------

  /** RFC 792, RFC 4443 §2.1. */
  #icmp(protocol: typeof IpProtocol.ICMP | typeof IpProtocol.ICMPV6): void {
    const type = this.#number('Type', 1, value => withName(value, ICMP_TYPES[protocol][value]))
    this.#number('Code', 1)
    this.#number('Checksum', 2, hexText)
    if ((ICMP_ECHO[protocol] as readonly number[]).includes(type)) {
      this.#number('Identifier', 2)
      this.#number('Sequence Number', 2)
      return this.#rest('Data')
    }
    this.#take('Rest of Header', 4)
    this.#rest('Message Body')
  }

  /** RFC 768. */
  #udp(): void {
    const start = this.#at
    const source = `${this.#source} ${this.#number('Source Port', 2)}`
    const destination = `${this.#destination} ${this.#number('Destination Port', 2)}`
    const length = this.#number('Length', 2)
    this.#number('Checksum', 2, value => (value === 0 ? 'none' : hexText(value)))
    if (length >= 8) this.#endsAt(start + length)
    const payload = this.#bytes.subarray(this.#at, this.#end)
    const flow = [source, destination].sort().join(' ')
    if (isQuicLongHeader(payload)) {
      this.#flows.add(flow)
      return this.#quicLongHeader()
    }
    if (payload.length > 0 && payload[0] >> 6 === 1 && this.#flows.has(flow)) return this.#quicShortHeader()
    this.#rest('Data')
  }

  /** RFC 9293 §3.1. */
  #tcp(): void {
    this.#number('Source Port', 2)
    this.#number('Destination Port', 2)
    this.#number('Sequence Number', 4)
    this.#number('Acknowledgment Number', 4)
    const offset = this.#number('Data Offset, Flags', 2, value => {
      const flags = TCP_FLAGS.filter((_, bit) => value & (1 << bit))
      return `${(value >> 12) * 4} bytes, ${flags.join(' ') || 'none'}`
    })
    this.#number('Window', 2)
    this.#number('Checksum', 2, hexText)
    this.#number('Urgent Pointer', 2)
    const headerLength = (offset >> 12) * 4
    if (headerLength > 20) this.#take('Options', headerLength - 20)
    this.#rest('Data')
  }

  /** RFC 9000 §17.2. The version and the connection ids can be read by everybody (RFC 8999). */
  #quicLongHeader(): void {
    this.foundQuic = true
    const type = (this.#bytes[this.#at] >> 4) & 0b11
    this.#number('QUIC: first byte', 1, () => `long header, ${LONG_TYPES[type]}`)
    const version = this.#number('Version', 4, value => (value === 0 ? 'negotiation' : `QUIC version ${value}`))
    const destination = this.#number('DCID Length', 1)
    this.#take('Destination CID', destination)
    const source = this.#number('SCID Length', 1)
    this.#take('Source CID', source)
    this.#nameQuic(version === 0 ? 'Version Negotiation' : LONG_TYPES[type])
    if (version === 0) return this.#rest('Supported Versions')
    if (type === RETRY) return this.#rest('Retry Token, Tag')
    this.#rest('encrypted', 'length, packet number, frames')
  }

  /** RFC 9000 §17.3.1. How long its connection id is, only its receiver knows. */
  #quicShortHeader(): void {
    this.foundQuic = true
    this.#number('QUIC: first byte', 1, value => `short header, spin bit ${(value >> 5) & 1}`)
    this.#nameQuic('1-RTT')
    this.#rest('encrypted', 'connection id, packet number, frames')
  }

  /** In front of the ports: in a narrow window the end is cut off. */
  #nameQuic(type: string): void {
    this.summary = this.summary.replace(/ UDP (\d+ → \d+)$/, ` QUIC ${type} $1`)
  }

  // -- fields ----------------------------------------------------------------------------------------------------------

  /** A field of so many bytes; 0 bytes are none. Where so many are not there, what is left is said to be cut off. */
  #take(name: string, length: number, text: (bytes: Uint8Array) => string = bytesText): Uint8Array {
    const bytes = this.#bytes.subarray(this.#at, Math.min(this.#end, this.#at + length))
    if (length > 0 && (bytes.length > 0 || !this.#isCut)) {
      const reference = bytes.length < length ? `cut off: ${bytes.length} of ${length} bytes` : text(bytes)
      this.all.push({ name, length: bytes.length, reference, student: '' })
      if (bytes.length < length) this.#isCut = true
    }
    this.#at += bytes.length
    return bytes
  }

  /** A number of up to 4 bytes; 0 where it is cut off. */
  #number(name: string, length: number, text: (value: number) => string = String): number {
    let value = 0
    this.#take(name, length, bytes => {
      for (const byte of bytes) value = value * 256 + byte
      return text(value)
    })
    return value
  }

  #rest(name: string, text?: string): void {
    const length = this.#end - this.#at
    if (length > 0) this.#take(name, length, bytes => text ?? bytesText(bytes))
  }
}

const EXTENSIONS = new Map<number, string>([
  [IpProtocol.HOPOPT, 'Hop-by-Hop Options'],
  [IpProtocol.IPV6_ROUTE, 'Routing Header'],
  [IpProtocol.IPV6_FRAG, 'Fragment Header'],
  [IpProtocol.IPV6_OPTS, 'Destination Options'],
])

const LONG_TYPES = ['Initial', '0-RTT', 'Handshake', 'Retry']
const RETRY = 3

/** Version 1 or a negotiation of versions, with the two upper bits that QUIC sets: nothing else in UDP begins so by chance. */
function isQuicLongHeader(payload: Uint8Array): boolean {
  if (payload.length < 7 || (payload[0] & 0x80) === 0) return false
  const version = payload.subarray(1, 5)
  const isVersion1 = (payload[0] & 0x40) !== 0 && version.every((byte, i) => byte === [0, 0, 0, 1][i])
  return isVersion1 || (version.every(byte => byte === 0) && payload.length >= 7 + payload[5])
}

/** Without what the line has no room for: its length is said beside it. */
function summaryOf(packet: Uint8Array): string {
  const length = packetVersion(packet) === 4 && packet.length >= 20 ? ipv4TotalLength(packet) : packet.length
  const text = describePacket(packet.subarray(0, length))
  const malformed = /^malformed packet \((.*)\), \d+ bytes$/.exec(text)
  if (malformed === null) return text.replace(/, \d+ bytes, (TTL|hop limit) \d+$/, '')
  const version = packetVersion(packet)
  if (version === 0 || packet.length < (version === 4 ? 20 : 40)) return malformed[1]
  return `IPv${version} ${sourceOf(packet)} → ${destinationOf(packet)} (${malformed[1]})`
}

function protocolText(protocol: number): string {
  const name = protocolName(protocol)
  return name.startsWith('protocol ') ? String(protocol) : withName(protocol, name)
}

function withName(value: number, name: string | undefined): string {
  return name === undefined ? String(value) : `${value}: ${name}`
}

function etherTypeText(type: number): string {
  return ETHERTYPES.get(type) ?? (type === VLAN ? 'VLAN' : hexText(type))
}

function hexText(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`
}

function bytesText({ length }: Uint8Array): string {
  return `${length} ${length === 1 ? 'byte' : 'bytes'}`
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function macText(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(':')
}

function addressText(bytes: Uint8Array): string {
  return IpAddress.from(bytes.length === 4 ? 4 : 6, bytes).toString()
}

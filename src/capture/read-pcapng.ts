/**
 * Reads a pcapng file (draft-ietf-opsawg-pcapng; pcapng.ts has its figures): what `--pcap` has written, and what Wireshark, tshark and
 * tcpdump have. Sans-IO.
 *
 * The file is a stranger's: no length in it is believed before it has been seen that so much is there, and nothing is copied. What stands
 * before the first thing that is wrong is given out, for a program that was killed leaves half a block at the end.
 */

import { BlockType, BYTE_ORDER_MAGIC, Direction, Option, SECRETS_TLS_KEY_LOG } from './pcapng.ts'

/** Packets that are given out; those behind them are counted. */
export const MAX_READ_PACKETS = 10_000
/** So begins why a file was not read to its end, when no more of it is there. */
export const ENDS_INSIDE = 'it ends inside of a block'
/** Interfaces of a section that are known; packets of further ones are not given out. */
export const MAX_READ_INTERFACES = 4096

/** It is no pcapng file. The message says what was found, and what to do. */
export class PcapngError extends Error {
  override name = 'PcapngError'
}

export interface PcapngInterface {
  /** What packets begin with: the number of IANA's "Link-Layer Types" (https://www.tcpdump.org/linktypes.html). */
  readonly linkType: number
  /** As it stands in the file: control characters, too. */
  readonly name: string | undefined
}

export interface ReadPacket {
  readonly from: PcapngInterface
  /** µs since 1970. Undefined: the file does not say. */
  readonly timeUs: number | undefined
  readonly direction: Direction | undefined
  /** What was kept of it: a view of the file. */
  readonly bytes: Uint8Array
  /** What it had on the wire. */
  readonly length: number
}

export interface PcapngFile {
  readonly packets: readonly ReadPacket[]
  /** Further packets that are in the file. */
  readonly furtherPackets: number
  /** TLS secrets are in it. */
  readonly hasSecrets: boolean
  /** Why it was not read to its end: half a sentence. */
  readonly endedBy: string | undefined
}

/** As much as there is. Throws PcapngError for what is no pcapng file. */
export function readPcapng(file: Uint8Array, maxPackets: number = MAX_READ_PACKETS): PcapngFile {
  const problem = foreign(file)
  if (problem !== undefined) throw new PcapngError(problem)
  const reader = new SectionReader(maxPackets)
  let at = 0
  let endedBy: string | undefined
  while (at < file.length) {
    const block = blockAt(file, at, reader.isLittleEndian)
    endedBy = typeof block === 'string' ? block : reader.take(block)
    if (typeof block === 'string' || endedBy !== undefined) {
      endedBy = `${endedBy}, at byte ${at}`
      break
    }
    at += block.length
  }
  const { packets, furtherPackets, hasSecrets } = reader
  return { packets, furtherPackets, hasSecrets, endedBy }
}

// -- what it is instead ------------------------------------------------------------------------------------------------

const START_OF_PCAP = ['d4c3b2a1', 'a1b2c3d4', '4d3cb2a1', 'a1b23c4d']

function foreign(file: Uint8Array): string | undefined {
  const start = Buffer.from(file.subarray(0, 4)).toString('hex')
  if (start === '0a0d0d0a') return undefined
  if (START_OF_PCAP.includes(start)) {
    return 'a capture in the older format pcap, and pcapng is expected: "editcap -F pcapng OLD NEW" makes one of it'
  }
  if (start.startsWith('1f8b')) return 'a compressed file, and pcapng is expected: "gunzip" it first'
  if (start === '') return 'an empty file, and pcapng is expected: has the program that writes it ended?'
  return `no pcapng file, for it begins with ${start} instead of 0a0d0d0a: name one that --pcap FILE or "tshark -w FILE" has written`
}

// -- blocks (§3.1) -----------------------------------------------------------------------------------------------------

interface ReadBlock {
  readonly type: number
  /** Of all of it, in bytes. */
  readonly length: number
  readonly body: DataView
  readonly isLittleEndian: boolean
}

/** Type, and the length twice. */
const FRAME_LENGTH = 12

/** The block at this place, or what is wrong with it. */
function blockAt(file: Uint8Array, at: number, sectionIsLittleEndian: boolean): ReadBlock | string {
  const view = new DataView(file.buffer, file.byteOffset + at, file.length - at)
  if (view.byteLength < FRAME_LENGTH) return ENDS_INSIDE
  let isLittleEndian = sectionIsLittleEndian
  // The type of a section's first block reads the same in both byte orders, of which the magic behind it tells.
  if (view.getUint32(0) === BlockType.SECTION_HEADER) {
    isLittleEndian = view.getUint32(8, true) === BYTE_ORDER_MAGIC
    if (!isLittleEndian && view.getUint32(8) !== BYTE_ORDER_MAGIC) return 'it has a section without a byte order'
  }
  const length = view.getUint32(4, isLittleEndian)
  if (length < FRAME_LENGTH || length % 4 !== 0) return `it has a block of ${length} bytes`
  if (length > view.byteLength) return ENDS_INSIDE
  const again = view.getUint32(length - 4, isLittleEndian)
  if (again !== length) return `it has a block of ${length} bytes at whose end stands ${again}`
  const body = new DataView(view.buffer, view.byteOffset + 8, length - FRAME_LENGTH)
  return { type: view.getUint32(0, isLittleEndian), length, body, isLittleEndian }
}

/** Bytes of a body before its packet, its secrets or its options. */
const FIXED_LENGTH = { section: 16, interface: 8, enhanced: 20, simple: 4, secrets: 8 } as const

class SectionReader {
  readonly packets: ReadPacket[] = []
  furtherPackets = 0
  hasSecrets = false
  isLittleEndian = true
  readonly #maxPackets: number
  #interfaces: KnownInterface[] = []

  constructor(maxPackets: number) {
    this.#maxPackets = maxPackets
  }

  /** Takes the next block. Returns what is wrong with it: then nothing behind it can be relied on. */
  take(block: ReadBlock): string | undefined {
    switch (block.type) {
      case BlockType.SECTION_HEADER:
        return this.#section(block)
      case BlockType.INTERFACE_DESCRIPTION:
        return this.#interface(block)
      case BlockType.ENHANCED_PACKET:
        return this.#enhancedPacket(block)
      case BlockType.SIMPLE_PACKET:
        return this.#simplePacket(block)
      case BlockType.DECRYPTION_SECRETS:
        return this.#secrets(block)
      default:
        // "Block types that are not understood are skipped" (§3.1).
        return undefined
    }
  }

  /** §4.1. */
  #section({ body, isLittleEndian }: ReadBlock): string | undefined {
    if (body.byteLength < FIXED_LENGTH.section) return 'it has a section header that is too short'
    const major = body.getUint16(4, isLittleEndian)
    if (major !== 1) return `it has a section in version ${major} of pcapng, and 1 is expected`
    this.isLittleEndian = isLittleEndian
    // Interfaces are numbered anew in each section.
    this.#interfaces = []
    return undefined
  }

  /** §4.2. */
  #interface({ body, isLittleEndian }: ReadBlock): string | undefined {
    if (body.byteLength < FIXED_LENGTH.interface) return 'it has an interface description that is too short'
    if (this.#interfaces.length >= MAX_READ_INTERFACES) return `it has more than ${MAX_READ_INTERFACES} interfaces`
    const options = optionsOf(body, FIXED_LENGTH.interface, isLittleEndian)
    const name = options.get(Option.IF_NAME)
    const resolution = options.get(Option.IF_TSRESOL)?.[0] ?? 6
    const offset = options.get(Option.IF_TSOFFSET)
    this.#interfaces.push({
      linkType: body.getUint16(0, isLittleEndian),
      name: name && new TextDecoder().decode(name),
      snapLength: body.getUint32(4, isLittleEndian),
      // The upper bit says whether it is a power of 2 or of 10.
      ticksPerSecond: resolution & 0x80 ? 2n ** BigInt(resolution & 0x7f) : 10n ** BigInt(resolution),
      offsetSeconds: offset?.length === 8 ? viewOf(offset).getBigInt64(0, isLittleEndian) : 0n,
    })
    return undefined
  }

  /** §4.3. */
  #enhancedPacket({ body, isLittleEndian }: ReadBlock): string | undefined {
    if (body.byteLength < FIXED_LENGTH.enhanced) return 'it has a packet block that is too short'
    const captured = body.getUint32(12, isLittleEndian)
    if (captured > body.byteLength - FIXED_LENGTH.enhanced) return 'it has a packet that is longer than its block'
    const from = this.#interfaces[body.getUint32(0, isLittleEndian)]
    if (from === undefined || this.packets.length >= this.#maxPackets) return this.#count()
    const ticks = (BigInt(body.getUint32(4, isLittleEndian)) << 32n) | BigInt(body.getUint32(8, isLittleEndian))
    const options = optionsOf(body, FIXED_LENGTH.enhanced + padded(captured), isLittleEndian)
    const flags = options.get(Option.EPB_FLAGS)
    this.packets.push({
      from,
      timeUs: Number((ticks * 1_000_000n) / from.ticksPerSecond + from.offsetSeconds * 1_000_000n),
      direction: directionIn(flags?.length === 4 ? viewOf(flags).getUint32(0, isLittleEndian) : 0),
      bytes: bytesIn(body, FIXED_LENGTH.enhanced, captured),
      length: body.getUint32(16, isLittleEndian),
    })
    return undefined
  }

  /** §4.4: of the first interface, without a time; its captured length is not stated. */
  #simplePacket({ body, isLittleEndian }: ReadBlock): string | undefined {
    if (body.byteLength < FIXED_LENGTH.simple) return 'it has a packet block that is too short'
    const [from] = this.#interfaces
    if (from === undefined || this.packets.length >= this.#maxPackets) return this.#count()
    const length = body.getUint32(0, isLittleEndian)
    const room = body.byteLength - FIXED_LENGTH.simple
    const captured = Math.min(length, from.snapLength === 0 ? room : from.snapLength)
    if (captured > room) return 'it has a packet that is longer than its block'
    const bytes = bytesIn(body, FIXED_LENGTH.simple, captured)
    this.packets.push({ from, timeUs: undefined, direction: undefined, bytes, length })
    return undefined
  }

  /** §4.7. There are those of other protocols, too. */
  #secrets({ body, isLittleEndian }: ReadBlock): string | undefined {
    if (body.byteLength < FIXED_LENGTH.secrets) return 'it has a block of secrets that is too short'
    if (body.getUint32(0, isLittleEndian) === SECRETS_TLS_KEY_LOG) this.hasSecrets = true
    return undefined
  }

  #count(): undefined {
    this.furtherPackets++
  }
}

interface KnownInterface extends PcapngInterface {
  readonly snapLength: number
  readonly ticksPerSecond: bigint
  readonly offsetSeconds: bigint
}

// -- options (§3.5) ----------------------------------------------------------------------------------------------------

/** Options behind the first bytes of a body, by their code: of several, the first. What is wrong with them ends them. */
function optionsOf(body: DataView, from: number, isLittleEndian: boolean): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>()
  let at = from
  while (at + 4 <= body.byteLength) {
    const code = body.getUint16(at, isLittleEndian)
    const length = body.getUint16(at + 2, isLittleEndian)
    at += 4
    if (code === Option.END || length > body.byteLength - at) break
    if (!options.has(code)) options.set(code, bytesIn(body, at, length))
    at += padded(length)
  }
  return options
}

function directionIn(flags: number): Direction | undefined {
  const direction = flags & 0b11
  return direction === Direction.INBOUND || direction === Direction.OUTBOUND ? direction : undefined
}

function bytesIn(view: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, length)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4
}

/** A capture in words: what there is to know of the file, a line for each packet, and each packet byte by byte. */
import { Direction } from '../../../src/capture/pcapng.ts'
import { ENDS_INSIDE, MAX_READ_PACKETS, type ReadPacket } from '../../../src/capture/read-pcapng.ts'
import { columns, cutAt } from '../../../src/text/columns.ts'
import type { Marks } from '../../kit/lab/marks.ts'
import type { Line } from '../../kit/lab/text.ts'
import { type ByteView, byteViewLines, type FieldSpan, MOST_BYTES } from '../byte-view.ts'
import { dissect } from './fields.ts'
import { type CaptureFile, readCaptureFile } from './file.ts'

const MIB = 2 ** 20

export interface PacketRow {
  /** Seconds since the first packet; '' where the file does not say. */
  time: string
  /** As seen by who wrote the file. */
  direction: 'in' | 'out' | ''
  /** Without anything that a terminal would obey. */
  from: string
  /** In bytes; of one that is not kept whole, both: `96/1500`. */
  length: string
  summary: string
}

export interface CapturePages {
  /** Sentences: how much was read, and what cannot be shown and why. */
  notes: readonly string[]
  rows: readonly PacketRow[]
  /** The packet of a row. */
  view(index: number): ByteView
}

/** Reads the file. Throws CaptureFileError. */
export function openCapture(file: string): CapturePages {
  return capturePages(readCaptureFile(file))
}

export function capturePages(file: CaptureFile): CapturePages {
  const { packets } = file
  const flows = new Set<string>()
  const unknown = new Map<number, number>()
  const start = packets.find(({ timeUs }) => timeUs !== undefined)?.timeUs ?? 0
  let quicPackets = 0
  const rows = packets.map((packet): PacketRow => {
    const { bytes, length, from, timeUs, direction } = packet
    const found = dissect(from.linkType, bytes, flows)
    if (found === undefined) unknown.set(from.linkType, (unknown.get(from.linkType) ?? 0) + 1)
    if (found?.isQuic) quicPackets++
    return {
      time: timeUs === undefined ? '' : ((timeUs - start) / 1e6).toFixed(6),
      direction: direction === undefined ? '' : direction === Direction.INBOUND ? 'in' : 'out',
      from: harmless(from.name ?? ''),
      length: bytes.length === length ? String(length) : `${bytes.length}/${length}`,
      summary: found?.summary ?? `link type ${from.linkType}`,
    }
  })
  return {
    rows,
    notes: notesOn(file, quicPackets, unknown),
    view: index => viewOf(packets[index], rows[index], flows),
  }
}

function notesOn(file: CaptureFile, quicPackets: number, unknown: ReadonlyMap<number, number>): string[] {
  const { packets, furtherPackets, hasSecrets, endedBy, length, readLength } = file
  const notes: string[] = []
  if (packets.length === 0) {
    notes.push('There is no packet in it: send something through the tunnel while it is captured.')
  }
  if (readLength < length) {
    const [read, whole] = [Math.floor(readLength / MIB), Math.ceil(length / MIB)]
    notes.push(`Of its ${whole} MiB only the first ${read} were read: "editcap -r FILE PART 1-1000" cuts a part out.`)
  }
  // Where reading has stopped in its midst, a block is cut off, and nothing is wrong with it.
  if (endedBy !== undefined && (readLength === length || !endedBy.startsWith(ENDS_INSIDE))) {
    notes.push(`It is cut off or damaged, and was read as far as that: ${endedBy}.`)
  }
  if (furtherPackets > 0) {
    notes.push(
      packets.length >= MAX_READ_PACKETS
        ? `At most ${MAX_READ_PACKETS} packets are shown, and there are ${furtherPackets} more: "editcap -r FILE PART 10001-20000" cuts a part out.`
        : `${packetsAre(furtherPackets)} not shown, from an interface that the file does not describe.`,
    )
  }
  for (const [linkType, count] of [...unknown].slice(0, 3)) {
    notes.push(
      `${packetsAre(count)} of link type ${linkType}, and Ethernet, raw IP and Linux "cooked" are read here: what --pcap FILE writes is raw IP, and Wireshark reads the others.`,
    )
  }
  if (quicPackets > 0) {
    notes.push(
      hasSecrets
        ? `${packetsAre(quicPackets)} QUIC's, encrypted but for the beginning of the header. The TLS secrets are in the file: Wireshark shows with them what is inside, as docs/wireshark.md does step by step.`
        : `${packetsAre(quicPackets)} QUIC's, encrypted but for the beginning of the header, and the TLS secrets are not in the file. What is inside of the tunnel, --pcap FILE captures; with --pcap-outer --pcap-secrets as well, Wireshark decrypts the rest.`,
    )
  }
  return notes
}

function packetsAre(count: number): string {
  return count === 1 ? '1 packet is' : `${count} packets are`
}

function viewOf({ bytes, from }: ReadPacket, row: PacketRow, flows: Set<string>): ByteView {
  const fields = dissect(from.linkType, bytes, flows)?.fields
  return {
    title: shortened(row.summary),
    bytes: [...bytes.subarray(0, MOST_BYTES)],
    length: bytes.length,
    fields: fields ?? [{ name: 'Packet', length: bytes.length, reference: row.summary, student: '' }],
    onlyReading: 'reading',
  }
}

// -- lines -------------------------------------------------------------------------------------------------------------

/** ` 12   0.238934 out    84  10.89.0.2 → 10.90.0.1 ICMP echo request seq 2` */
export function rowLine(pages: CapturePages, index: number, width: number): Line {
  const { time, direction, length, summary } = pages.rows[index]
  const number = String(index + 1).padStart(String(pages.rows.length).length)
  const front = `${number} ${time.padStart(11)} ${direction.padEnd(3)} ${length.padStart(5)}  `
  // Of a ping, its number counts.
  const text = shortened(summary).replace(/ id \d+ seq /, ' seq ')
  return [{ text: cutTo(`${front}${text}`, width) }]
}

/** Over those lines. */
export function headLine({ rows }: CapturePages): Line {
  const number = '#'.padStart(String(rows.length).length)
  return [{ text: `${number} ${'seconds'.padStart(11)} ${'dir'} ${'bytes'}  packet`, style: 'muted' }]
}

export interface PacketLineOptions {
  width: number
  marks: Marks
  byteRows: number
}

/** The packet of a row in the byte view, and where it is from. */
export function packetLines(pages: CapturePages, index: number, options: PacketLineOptions): FieldSpan[][] {
  const { time, direction, from, length } = pages.rows[index]
  const position = `${index + 1} of ${pages.rows.length}`
  const [title, ...rest] = byteViewLines(pages.view(index), { ...options, position, rows: Number.POSITIVE_INFINITY })
  const where = [time && `at ${time} s`, direction, from, `${length} bytes`].filter(Boolean).join(', ')
  return [title, [{ text: cutTo(where, options.width), style: 'muted' }], ...rest]
}

/** The addresses tell the version of IP. */
function shortened(summary: string): string {
  return summary.replace(/^IPv[46] /, '')
}

function cutTo(text: string, width: number): string {
  return columns(text) <= width ? text : `${cutAt(text, Math.max(0, width - 1))[0]}…`
}

/** Names are a stranger's: no control characters, nothing that turns the direction of writing, and a bounded length. */
function harmless(name: string): string {
  const [head, tail] = cutAt(
    name
      .slice(0, 200)
      .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
      .trim(),
    40,
  )
  return tail === '' ? head : `${head}…`
}

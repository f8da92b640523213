/**
 * A capture of what passes, for Wireshark: `--pcap FILE`.
 *
 * Inside, the IP packets of all tunnels, on one interface of the file for each tunnel end, which bears its name in the log and the API. If
 * asked, outside, the UDP packets of QUIC, as they were on the wire but for their IP and UDP headers, which are made here; and the TLS secrets
 * that decrypt them.
 */

import { closeSync, writeSync } from 'node:fs'
import type { PacketTap } from '../carriers/tunnel.ts'
import { IpAddress } from '../ip/address.ts'
import { encodeUdpPacket } from '../ip/udp.ts'
import type { UdpTap } from '../quic/io.ts'
import type { SocketAddress } from '../quic/quic.ts'
import { BatchedFile, type FileWriter } from './batched-file.ts'
import { CaptureError, fileWriter, openCaptureFile, reasonOf } from './open-file.ts'
import {
  BlockType,
  Direction,
  decryptionSecrets,
  enhancedPacket,
  interfaceDescription,
  interfaceStatistics,
  sectionHeader,
} from './pcapng.ts'

/** Bytes of one file, and of packets that wait for the disk. */
export const MAX_CAPTURE_LENGTH = 1 << 30
export const MAX_CAPTURE_WAITING = 4 << 20

/** Interfaces in a file. The last one is for all tunnels that come later. */
export const MAX_CAPTURE_INTERFACES = 1024

/** With secrets, packets wait for those of their handshake, in ms. */
const HANDSHAKE_MS = 2000

const SECTION_MAGIC = Uint8Array.of(0x0a, 0x0d, 0x0d, 0x0a)

export interface CaptureOptions {
  readonly file: string
  /** The UDP packets of QUIC, too. */
  readonly outer?: boolean
  /** The TLS secrets of QUIC, too. */
  readonly secrets?: boolean
  /** What writes it, for the file's header: name and version. */
  readonly application: string
  /** For tests, in the place of the file. */
  readonly writer?: FileWriter
  /** For tests: µs since 1970. */
  readonly nowUs?: () => number
}

/** What has passed on one interface, and what of it is in the file. */
class CaptureInterface {
  readonly name: string
  readonly description: string | undefined
  /** Its number: undefined until its description is in the file. */
  id: number | undefined
  received = 0
  dropped = 0
  /** Since the last packet that is in the file. */
  droppedLately = 0

  constructor(name: string, description?: string) {
    this.name = name
    this.description = description
  }
}

export class Capture {
  readonly file: string
  readonly outer: boolean
  readonly secrets: boolean
  /** Hears the one sentence, when the capture ends before its time. */
  warn: (sentence: string) => void = () => {}
  readonly #out: BatchedFile
  readonly #nowUs: () => number
  readonly #startUs: number
  readonly #interfaces: CaptureInterface[] = []
  /** Of those, in the file. */
  #described = 0
  /** For QUIC endpoints: without what is not wanted. */
  readonly quic: UdpTap
  /** Addresses of UDP packets, by their text: there are few, and each has many packets. */
  readonly #addresses = new Map<string, IpAddress>()
  #packets = 0
  /** Packets that were taken, and then could not be written. */
  #lost = 0
  #endedWhy: string | undefined
  #closed: Promise<void> | undefined

  /** Begins the file. Throws CaptureError when that cannot be. */
  constructor(options: CaptureOptions) {
    const { file, outer = false, secrets = false, application, writer, nowUs = wallClockUs } = options
    this.file = file
    this.outer = outer
    this.secrets = secrets
    this.#nowUs = nowUs
    this.#startUs = nowUs()
    const comment = secrets ? 'TLS secrets are in this file: whoever has it can read what it holds.' : undefined
    const header = sectionHeader({ application, comment })
    if (writer !== undefined) writer.write(header, () => {})
    this.#out = new BatchedFile({
      writer: writer ?? begin(file, header),
      length: header.length,
      maxLength: MAX_CAPTURE_LENGTH,
      maxWaiting: MAX_CAPTURE_WAITING,
      ...(secrets && { batchMs: HANDSHAKE_MS }),
      onEnded: why => {
        this.#endedWhy = why
        this.warn(`the capture ${file} ends here, and the tunnels go on: ${why}`)
      },
      onLost: records => {
        this.#lost += records.filter(isPacket).length
      },
    })
    this.quic = { ...(outer && this.#tapUdp()), ...(secrets && { keys: lines => this.#keys(lines) }) }
  }

  /** Packets that are in the file, when it is closed, and those that were left out. */
  get counters(): { packets: number; leftOut: number } {
    const dropped = this.#interfaces.reduce((sum, each) => sum + each.dropped, 0)
    return { packets: this.#packets - this.#lost, leftOut: dropped + this.#lost }
  }

  /** Why the capture has ended before its time. */
  get endedWhy(): string | undefined {
    return this.#endedWhy
  }

  /** `name`: CONNECTION/STREAM, as in the log. */
  tunnel(name: string): PacketTap {
    const to = this.#interfaceFor(name)
    return {
      sent: packet => this.#add(to, Direction.OUTBOUND, packet),
      received: packet => this.#add(to, Direction.INBOUND, packet),
    }
  }

  #interfaceFor(tunnel: string): CaptureInterface {
    if (this.#interfaces.length === MAX_CAPTURE_INTERFACES) return this.#interfaces[MAX_CAPTURE_INTERFACES - 1]
    const isLast = this.#interfaces.length === MAX_CAPTURE_INTERFACES - 1
    return this.#addInterface(new CaptureInterface(isLast ? 'other tunnels' : `tunnel ${tunnel}`))
  }

  #tapUdp(): UdpTap {
    const description = 'UDP packets of QUIC; their IP and UDP headers were not captured but made'
    const to = this.#addInterface(new CaptureInterface('udp', description))
    return {
      sent: (payload, { local, remote }) => this.#addUdp(to, Direction.OUTBOUND, payload, local, remote),
      received: (payload, { local, remote }) => this.#addUdp(to, Direction.INBOUND, payload, remote, local),
    }
  }

  #addUdp(
    to: CaptureInterface,
    direction: Direction,
    payload: Uint8Array,
    from: SocketAddress,
    at: SocketAddress,
  ): void {
    if (this.#out.ended) return this.#leaveOut(to)
    const source = this.#addressOf(from.host)
    const destination = this.#addressOf(at.host)
    const packet = encodeUdpPacket({ source, sourcePort: from.port, destination, destinationPort: at.port }, payload)
    this.#add(to, direction, packet)
  }

  /** In front of the packets that wait: they are of the same handshake, and a reader goes through the file once. */
  #keys(lines: Uint8Array): void {
    if (lines.length > 0) this.#out.append(decryptionSecrets(lines), { first: true })
  }

  /** Figures at the end, and the end of the file. Idempotent; never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  #close(): Promise<void> {
    const endUs = this.#nowUs()
    for (const { id: interfaceId, received, dropped } of this.#interfaces) {
      if (interfaceId === undefined) continue
      this.#out.append(interfaceStatistics({ interfaceId, startUs: this.#startUs, endUs, received, dropped }))
    }
    return this.#out.close()
  }

  #addInterface(added: CaptureInterface): CaptureInterface {
    this.#interfaces.push(added)
    return added
  }

  #add(to: CaptureInterface, direction: Direction, bytes: Uint8Array): void {
    if (this.#out.ended || !this.#write(to, direction, bytes)) return this.#leaveOut(to)
    to.received++
    this.#packets++
    to.droppedLately = 0
  }

  #leaveOut(to: CaptureInterface): void {
    to.received++
    to.dropped++
    to.droppedLately++
  }

  #write(to: CaptureInterface, direction: Direction, bytes: Uint8Array): boolean {
    // Interfaces have no numbers but the order of their descriptions in the file, which may have no room for one.
    if (to.id === undefined) {
      if (!this.#out.append(interfaceDescription(to))) return false
      to.id = this.#described++
    }
    const timeUs = this.#nowUs()
    const dropped = to.droppedLately
    return this.#out.append(enhancedPacket({ interfaceId: to.id, timeUs, direction, bytes, dropped }))
  }

  #addressOf(text: string): IpAddress {
    let address = this.#addresses.get(text)
    if (address === undefined) {
      // A zone is this machine's affair.
      address = IpAddress.parse(text.replace(/%.*$/, ''))
      if (this.#addresses.size >= MAX_CAPTURE_INTERFACES) this.#addresses.clear()
      this.#addresses.set(text, address)
    }
    return address
  }
}

function isPacket(block: Uint8Array): boolean {
  return new DataView(block.buffer, block.byteOffset).getUint32(0, true) === BlockType.ENHANCED_PACKET
}

/** The header stands in the file before anything else happens: a disk that takes nothing is known at once. */
function begin(file: string, header: Uint8Array): FileWriter {
  const descriptor = openCaptureFile(file, SECTION_MAGIC)
  try {
    writeSync(descriptor, header)
  } catch (cause) {
    closeSync(descriptor)
    throw new CaptureError(`${file}: the capture cannot be written: ${reasonOf(cause as NodeJS.ErrnoException)}`, {
      cause,
    })
  }
  return fileWriter(descriptor)
}

/** µs since 1970, never going back. */
function wallClockUs(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000)
}

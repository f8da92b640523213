/**
 * A capture file that Wireshark opens and decrypts: pcapng, with the TLS secrets inside.
 *
 *   +----------------------+
 *   | Section Header Block |   byte order, version
 *   | Interface Desc.      |   link type 101: packets begin with the IP header; time in microseconds
 *   | Decryption Secrets   |   the key log, as SSLKEYLOGFILE has it
 *   | Enhanced Packet ...  |   one for each packet
 *   +----------------------+
 *
 * Each block has its type, its total length, a body padded to 4 bytes, and its total length again, so that a reader can go
 * both ways. Numbers are little-endian here; the byte-order magic says so.
 * Source: draft-ietf-opsawg-pcapng, §4.1, §4.2, §4.3, §4.7.
 *
 * `src/capture/pcapng.ts` writes the same blocks with options in them: who wrote the file, the interface's name, each packet's direction.
 * This one does without, so that a student who looks at the file's bytes meets nothing but what is drawn above.
 */

const SECTION_HEADER = 0x0a0d0d0a
const INTERFACE_DESCRIPTION = 0x00000001
const ENHANCED_PACKET = 0x00000006
const DECRYPTION_SECRETS = 0x0000000a

const BYTE_ORDER_MAGIC = 0x1a2b3c4d
const LINKTYPE_RAW = 101
/** "TLSK": a TLS key log. */
const TLS_KEY_LOG = 0x544c534b
const SNAP_LENGTH = 65_535

export interface CapturedPacket {
  /** Milliseconds since 1970. */
  at: number
  /** From the IP header on. */
  bytes: Uint8Array
}

/** The whole file. */
export function encodePcapng(packets: readonly CapturedPacket[], keyLog: string): Uint8Array {
  const secrets = new TextEncoder().encode(keyLog)
  return concat([
    block(SECTION_HEADER, u32(BYTE_ORDER_MAGIC), u16(1), u16(0), u32(0xffffffff), u32(0xffffffff)),
    block(INTERFACE_DESCRIPTION, u16(LINKTYPE_RAW), u16(0), u32(SNAP_LENGTH)),
    block(DECRYPTION_SECRETS, u32(TLS_KEY_LOG), u32(secrets.length), secrets),
    ...packets.map(({ at, bytes }) => {
      const microseconds = BigInt(Math.round(at * 1000))
      const [high, low] = [Number(microseconds >> 32n), Number(microseconds & 0xffffffffn)]
      return block(ENHANCED_PACKET, u32(0), u32(high), u32(low), u32(bytes.length), u32(bytes.length), bytes)
    }),
  ])
}

function block(type: number, ...parts: Uint8Array[]): Uint8Array {
  const body = concat(parts)
  const padding = new Uint8Array((4 - (body.length % 4)) % 4)
  const length = u32(12 + body.length + padding.length)
  return concat([u32(type), length, body, padding, length])
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8)
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8, value >> 16, value >> 24)
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/**
 * STREAM frames of one byte at every second offset: the most that a receiver can be made to remember for a byte of its
 * flow-control windows.
 */

import type { SocketAddress } from '../../src/quic/quic.ts'
import { RawPackets } from './raw-packets.ts'

const PIECES_A_PACKET = 140

/** Sends the pieces of these streams, each up to `window` bytes, on the connection whose secrets are in the key log. */
export async function sendOneBytePieces(options: {
  to: SocketAddress
  keyLog: string
  connectionId: Uint8Array
  streams: readonly number[]
  window: number
}): Promise<{ packets: number }> {
  const raw = new RawPackets(options)
  const frames: Buffer[] = []
  for (const streamId of options.streams) {
    for (let offset = 1; offset < options.window; offset += 2) {
      const frame = Buffer.alloc(8)
      frame[0] = 0x0e // STREAM with offset and length
      frame[1] = streamId
      frame.writeUInt32BE(0x80000000 + offset, 2)
      frame[6] = 1
      frames.push(frame)
      if (frames.length === PIECES_A_PACKET) await raw.send(...frames.splice(0))
    }
  }
  if (frames.length > 0) await raw.send(...frames)
  raw.close()
  return { packets: raw.sent }
}

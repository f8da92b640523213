/**
 * STREAM frames of one byte at every second offset: the most that a receiver can be made to remember for a byte of its
 * flow-control windows. No QUIC library sends such frames, so the packets are written here, with the keys of a connection.
 */

import { createCipheriv } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import type { SocketAddress } from '../../src/quic/quic.ts'
import { headerMask, trafficKeys } from './client-hello.ts'

const PIECES_A_PACKET = 140

/** Sends the pieces of these streams, each up to `window` bytes, on the connection whose secrets are in the key log. */
export async function sendOneBytePieces(options: {
  to: SocketAddress
  keyLog: string
  connectionId: Uint8Array
  streams: readonly number[]
  window: number
}): Promise<{ packets: number }> {
  const secret = /^CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)$/m.exec(readFileSync(options.keyLog, 'utf8'))?.[1]
  if (secret === undefined) throw new Error(`${options.keyLog} has no CLIENT_TRAFFIC_SECRET_0`)
  const keys = trafficKeys(Buffer.from(secret, 'hex'))
  const socket = createSocket('udp4')
  let packetNumber = 0x10000
  const send = async (frames: Buffer[]): Promise<void> => {
    const header = Buffer.alloc(1 + options.connectionId.length + 4)
    header[0] = 0x43 // a short header, a packet number of four bytes
    header.set(options.connectionId, 1)
    header.writeUInt32BE(packetNumber, 1 + options.connectionId.length)
    const nonce = Buffer.from(keys.iv)
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ packetNumber) >>> 0, 8)
    packetNumber++
    const cipher = createCipheriv('aes-128-gcm', keys.key, nonce)
    cipher.setAAD(header)
    const packet = Buffer.concat([header, cipher.update(Buffer.concat(frames)), cipher.final(), cipher.getAuthTag()])
    const mask = headerMask(keys, packet, 1 + options.connectionId.length)
    packet[0] ^= mask[0] & 0x1f
    for (let i = 0; i < 4; i++) packet[1 + options.connectionId.length + i] ^= mask[1 + i]
    await new Promise(resolve => socket.send(packet, options.to.port, options.to.host, resolve))
    // The receiver's socket has to keep up.
    if (packetNumber % 50 === 0) await new Promise(resolve => setTimeout(resolve, 5))
  }
  const frames: Buffer[] = []
  for (const streamId of options.streams) {
    for (let offset = 1; offset < options.window; offset += 2) {
      const frame = Buffer.alloc(8)
      frame[0] = 0x0e // STREAM with offset and length
      frame[1] = streamId
      frame.writeUInt32BE(0x80000000 + offset, 2)
      frame[6] = 1
      frames.push(frame)
      if (frames.length === PIECES_A_PACKET) await send(frames.splice(0))
    }
  }
  if (frames.length > 0) await send(frames)
  socket.close()
  return { packets: packetNumber - 0x10000 }
}

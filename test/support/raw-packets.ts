/**
 * Packets of frames that no QUIC library sends: written here, with the keys of a connection that a library has made.
 */

import { createCipheriv } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import type { SocketAddress } from '../../src/quic/quic.ts'
import { headerMask, trafficKeys } from './client-hello.ts'

export class RawPackets {
  /** Not the client's: to the server, the client has moved. */
  readonly socket: Socket = createSocket('udp4')
  sent = 0
  readonly #to: SocketAddress
  readonly #connectionId: Uint8Array
  readonly #keys: ReturnType<typeof trafficKeys>
  /** The client itself does not come that far. */
  #packetNumber = 0x10000

  /** Of the client whose secrets are in the key log; `connectionId` is the server's. */
  constructor(options: { to: SocketAddress; keyLog: string; connectionId: Uint8Array }) {
    const secret = /^CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)$/m.exec(readFileSync(options.keyLog, 'utf8'))?.[1]
    if (secret === undefined) throw new Error(`${options.keyLog} has no CLIENT_TRAFFIC_SECRET_0`)
    this.#to = options.to
    this.#connectionId = options.connectionId
    this.#keys = trafficKeys(Buffer.from(secret, 'hex'))
  }

  async send(...frames: Uint8Array[]): Promise<void> {
    const header = Buffer.alloc(1 + this.#connectionId.length + 4)
    header[0] = 0x43 // a short header, a packet number of four bytes
    header.set(this.#connectionId, 1)
    header.writeUInt32BE(this.#packetNumber, 1 + this.#connectionId.length)
    const nonce = Buffer.from(this.#keys.iv)
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ this.#packetNumber) >>> 0, 8)
    this.#packetNumber++
    const cipher = createCipheriv('aes-128-gcm', this.#keys.key, nonce)
    cipher.setAAD(header)
    const packet = Buffer.concat([header, cipher.update(Buffer.concat(frames)), cipher.final(), cipher.getAuthTag()])
    const mask = headerMask(this.#keys, packet, 1 + this.#connectionId.length)
    packet[0] ^= mask[0] & 0x1f
    for (let i = 0; i < 4; i++) packet[1 + this.#connectionId.length + i] ^= mask[1 + i]
    await new Promise(resolve => this.socket.send(packet, this.#to.port, this.#to.host, resolve))
    // The receiver's socket has to keep up.
    if (++this.sent % 50 === 0) await new Promise(resolve => setTimeout(resolve, 5))
  }

  close(): void {
    this.socket.close()
  }
}

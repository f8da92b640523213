/**
 * A QUIC client that gets no further than its ClientHello, written from RFC 9001 and RFC 8446 alone, so that a test can
 * put into that message, or leave out of it, what no TLS library would.
 */

import { createCipheriv, createDecipheriv, createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'
import type { SocketAddress } from '../../src/quic/quic.ts'

/** RFC 9001 §5.2. */
const INITIAL_SALT = Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex')
const TAG_LENGTH = 16

export interface Keys {
  key: Buffer
  iv: Buffer
  hp: Buffer
}

/** Sends one Initial with a ClientHello and returns the code of the transport CONNECTION_CLOSE that answers it. */
export async function sendClientHello(to: SocketAddress, options: { alpn?: string }): Promise<number> {
  const dcid = randomBytes(8)
  const scid = randomBytes(8)
  const secret = hmac(INITIAL_SALT, dcid)
  const socket = await bindUdp(LOOPBACK)
  const answer = new Promise<number>(resolve => {
    socket.on('message', packet => resolve(closeCode(open(packet, keysFor(secret, 'server in')))))
  })
  const hello = clientHello(scid, options.alpn)
  const crypto = Buffer.concat([Buffer.of(0x06, 0x00), varint2(hello.length), hello])
  const packet = seal(
    keysFor(secret, 'client in'),
    dcid,
    scid,
    Buffer.concat([crypto, Buffer.alloc(1162 - crypto.length)]),
  )
  socket.send(packet, to.port, to.host)
  return answer.finally(() => socket.close())
}

/** What a client's first packet says in the open, as text: among other things the name of the server, if it sends one. */
export function initialText(packet: Buffer): string {
  const dcid = packet.subarray(6, 6 + packet[5])
  return open(packet, keysFor(hmac(INITIAL_SALT, dcid), 'client in')).toString('latin1')
}

// -- TLS 1.3: RFC 8446 §4.1.2 ----------------------------------------------------------------------------------------

function clientHello(scid: Buffer, alpn: string | undefined): Buffer {
  const { publicKey } = generateKeyPairSync('x25519')
  const point = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)
  const extensions = [
    extension(0x000a, vector(2, Buffer.of(0x00, 0x1d))), // supported_groups: x25519
    extension(0x000d, vector(2, Buffer.of(0x04, 0x03, 0x08, 0x04))), // signature_algorithms
    extension(0x002b, vector(1, Buffer.of(0x03, 0x04))), // supported_versions: TLS 1.3
    extension(0x0033, vector(2, Buffer.of(0x00, 0x1d), vector(2, point))), // key_share
    extension(0x0039, Buffer.of(0x0f, scid.length), scid), // quic_transport_parameters: initial_source_connection_id
    ...(alpn === undefined ? [] : [extension(0x0010, vector(2, vector(1, Buffer.from(alpn))))]),
  ]
  const body = Buffer.concat([
    Buffer.of(0x03, 0x03),
    randomBytes(32),
    vector(1),
    vector(2, Buffer.of(0x13, 0x01)), // TLS_AES_128_GCM_SHA256
    vector(1, Buffer.of(0)),
    vector(2, ...extensions),
  ])
  return Buffer.concat([Buffer.of(0x01), vector(3, body)])
}

function extension(type: number, ...content: Buffer[]): Buffer {
  return Buffer.concat([Buffer.of(type >> 8, type & 0xff), vector(2, ...content)])
}

/** A length of so many bytes, and what has it. */
function vector(lengthBytes: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const length = Buffer.alloc(lengthBytes)
  length.writeUIntBE(body.length, 0, lengthBytes)
  return Buffer.concat([length, body])
}

// -- QUIC packet protection: RFC 9001 §5 -----------------------------------------------------------------------------

function seal(keys: Keys, dcid: Buffer, scid: Buffer, payload: Buffer): Buffer {
  const header = Buffer.concat([
    Buffer.of(0xc0, 0, 0, 0, 1, dcid.length),
    dcid,
    Buffer.of(scid.length),
    scid,
    Buffer.of(0),
    varint2(1 + payload.length + TAG_LENGTH),
    Buffer.of(0), // packet number 0
  ])
  const cipher = createCipheriv('aes-128-gcm', keys.key, keys.iv)
  cipher.setAAD(header)
  const sealed = Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()])
  const packet = Buffer.concat([header, sealed])
  const mask = headerMask(keys, packet, header.length - 1)
  packet[0] ^= mask[0] & 0x0f
  packet[header.length - 1] ^= mask[1]
  return packet
}

/** The frames of the first packet in a datagram, which is an Initial. */
function open(packet: Buffer, keys: Keys): Buffer {
  const scidAt = 6 + packet[5]
  const lengthAt = scidAt + 1 + packet[scidAt] + 1 // and an empty token
  const length = packet.readUInt16BE(lengthAt) & 0x3fff
  const numberAt = lengthAt + 2
  const mask = headerMask(keys, packet, numberAt)
  packet[0] ^= mask[0] & 0x0f
  const numberLength = (packet[0] & 0x03) + 1
  for (let i = 0; i < numberLength; i++) packet[numberAt + i] ^= mask[1 + i]
  const nonce = Buffer.from(keys.iv)
  for (let i = 0; i < numberLength; i++) nonce[12 - numberLength + i] ^= packet[numberAt + i]
  const end = numberAt + length
  const decipher = createDecipheriv('aes-128-gcm', keys.key, nonce)
  decipher.setAAD(packet.subarray(0, numberAt + numberLength))
  decipher.setAuthTag(packet.subarray(end - TAG_LENGTH, end))
  return Buffer.concat([decipher.update(packet.subarray(numberAt + numberLength, end - TAG_LENGTH)), decipher.final()])
}

/** The error code of a CONNECTION_CLOSE (RFC 9000 §19.19), which stands alone or behind an ACK of one range. */
function closeCode(frames: Buffer): number {
  let at = 0
  const next = (): number => {
    const size = 1 << (frames[at] >> 6)
    const value = size === 1 ? frames[at] & 0x3f : frames.readUIntBE(at, size) & (2 ** Math.min(size * 8 - 2, 30) - 1)
    at += size
    return value
  }
  let type = next()
  if (type === 0x02) {
    for (let i = 0; i < 4; i++) next()
    type = next()
  }
  if (type !== 0x1c) throw new Error(`expected CONNECTION_CLOSE, got frame type 0x${type.toString(16)}`)
  return next()
}

export function headerMask(keys: Keys, packet: Buffer, numberAt: number): Buffer {
  const cipher = createCipheriv('aes-128-ecb', keys.hp, null)
  return cipher.update(packet.subarray(numberAt + 4, numberAt + 20))
}

function keysFor(secret: Buffer, label: string): Keys {
  return trafficKeys(expand(secret, label, 32))
}

/** The keys that belong to a traffic secret of AES-128-GCM with SHA-256. */
export function trafficKeys(own: Buffer): Keys {
  return { key: expand(own, 'quic key', 16), iv: expand(own, 'quic iv', 12), hp: expand(own, 'quic hp', 16) }
}

/** HKDF-Expand-Label for outputs of up to 32 bytes (RFC 8446 §7.1, RFC 5869 §2.3). */
function expand(secret: Buffer, label: string, length: number): Buffer {
  const info = Buffer.concat([Buffer.of(0, length), vector(1, Buffer.from(`tls13 ${label}`)), vector(1)])
  return hmac(secret, Buffer.concat([info, Buffer.of(1)])).subarray(0, length)
}

function hmac(key: Buffer, data: Buffer): Buffer {
  return createHmac('sha256', key).update(data).digest()
}

function varint2(value: number): Buffer {
  return Buffer.of(0x40 | (value >> 8), value & 0xff)
}

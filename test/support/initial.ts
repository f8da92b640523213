import { randomBytes } from 'node:crypto'
import type { EngineConnection } from '../../src/quic/engine.ts'
import { DEFAULT_QUIC_SETTINGS, type SocketAddress } from '../../src/quic/quic.ts'
import { TypescriptEngine } from '../../src/quic/typescript/engine.ts'
import { appendLongHeader, finishLongHeader } from '../../src/quic/typescript/packets/long-header.ts'
import { initialKeys } from '../../src/quic/typescript/protection/initial-keys.ts'
import { WireWriter } from '../../src/quic/typescript/wire-writer.ts'

const DATAGRAM_LENGTH = 1200
const TAG_LENGTH = 16
const PACKET_NUMBER_LENGTH = 4
const NO_TOKEN = new Uint8Array(0)

/** The first datagram of a client that never says more: a QUIC Initial of 1200 bytes with a ClientHello in it. `token`: from NEW_TOKEN. */
export function loneInitial(from: SocketAddress, to: SocketAddress, token?: Uint8Array): Uint8Array {
  return nextDatagram(newClient(from, to, token))
}

/** The Initial of a client that has got this answer, a Retry, to its first one: it has a token in it. */
export async function initialWithToken(
  from: SocketAddress,
  to: SocketAddress,
  exchange: (first: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const connection = newClient(from, to)
  const retry = await exchange(nextDatagram(connection))
  connection.receive(Uint8Array.from(retry), { local: from, remote: to }, performance.now())
  return nextDatagram(connection)
}

function newClient(local: SocketAddress, remote: SocketAddress, token?: Uint8Array): EngineConnection {
  const settings = { ...DEFAULT_QUIC_SETTINGS, alpn: [...DEFAULT_QUIC_SETTINGS.alpn] }
  const engine = new TypescriptEngine({ role: 'client', settings, tls: {}, peerCertificate: 'none' })
  const dial = { id: randomBytes(8), path: { local, remote }, serverName: 'localhost' }
  return engine.connect({ ...dial, ...(token !== undefined && { token }) })
}

function nextDatagram(connection: EngineConnection): Uint8Array {
  const datagram = new Uint8Array(1500)
  const sent = connection.send(datagram, performance.now())
  return datagram.subarray(0, sent?.length)
}

/** An Initial of 1200 bytes. `from`: whose keys; `original`: the id from which they come. The payload is cut short, or padded. */
export function sealInitial(
  from: 'client' | 'server',
  original: Uint8Array,
  dcid: Uint8Array,
  scid: Uint8Array,
  payload: Uint8Array,
  packetNumber = 0,
): Uint8Array {
  const to = new WireWriter(new Uint8Array(DATAGRAM_LENGTH))
  const lengthOffset = appendLongHeader(to, 'initial', dcid, scid, NO_TOKEN, packetNumber, PACKET_NUMBER_LENGTH)
  const headerLength = to.offset
  const payloadLength = DATAGRAM_LENGTH - TAG_LENGTH - headerLength
  to.write(payload.subarray(0, payloadLength))
  to.zeros(DATAGRAM_LENGTH - TAG_LENGTH - to.offset)
  finishLongHeader(to.bytes, lengthOffset, PACKET_NUMBER_LENGTH + payloadLength + TAG_LENGTH)
  initialKeys(from, original).sealing.seal(to.bytes, headerLength, payloadLength, packetNumber, PACKET_NUMBER_LENGTH)
  return to.bytes
}

/**
 * Valid first packets of clients, in stock: making one takes longer than sending it. Each has a Destination Connection ID of its own and the keys
 * that follow from it; the ClientHello is the same in all of them, which a server cannot know before it has opened the packet.
 */

import { randomBytes } from 'node:crypto'
import { DEFAULT_QUIC_SETTINGS } from '../src/quic/quic.ts'
import { TypescriptEngine } from '../src/quic/typescript/engine.ts'
import { appendLongHeader, finishLongHeader } from '../src/quic/typescript/packets/long-header.ts'
import type { LongHeaderPacket } from '../src/quic/typescript/packets/packet.ts'
import { readPacket } from '../src/quic/typescript/packets/read-packet.ts'
import { initialKeys } from '../src/quic/typescript/protection/initial-keys.ts'
import { WireWriter } from '../src/quic/typescript/wire-writer.ts'

const ID_LENGTH = 8
const TAG_LENGTH = 16
const PACKET_NUMBER_LENGTH = 4
const DATAGRAM_LENGTH = 1200
const NO_TOKEN = new Uint8Array(0)

export function makeInitials(count: number): Uint8Array[] {
  const { payload, scid } = firstPacket()
  return Array.from({ length: count }, () => {
    const dcid = randomBytes(ID_LENGTH)
    // The ClientHello, and as much of the padding behind it as there is room for.
    return sealInitial('client', dcid, dcid, scid, payload)
  })
}

/** What a client of ours says first, without its protection. */
function firstPacket(): { payload: Uint8Array; scid: Uint8Array } {
  const engine = new TypescriptEngine({
    role: 'client',
    settings: DEFAULT_QUIC_SETTINGS,
    tls: {},
    peerCertificate: 'any',
  })
  const nowhere = { host: '127.0.0.1', port: 1 }
  const path = { local: nowhere, remote: nowhere }
  const connection = engine.connect({ id: randomBytes(ID_LENGTH), path, serverName: 'localhost' })
  const datagram = new Uint8Array(DATAGRAM_LENGTH)
  connection.send(datagram, 0)
  const { dcid, scid, start, packetNumberOffset, end } = readPacket(datagram, 0, ID_LENGTH) as LongHeaderPacket
  const { opening } = initialKeys('server', dcid)
  const opened = opening.open(datagram, start, packetNumberOffset, end, -1)
  if (opened === undefined) throw new Error('the first packet of a client of ours cannot be opened')
  return { payload: opened.payload, scid }
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

/**
 * Valid first packets of clients, in stock: making one takes longer than sending it. Each has a Destination Connection ID of its own and the keys
 * that follow from it; the ClientHello is the same in all of them, which a server cannot know before it has opened the packet.
 */

import { randomBytes } from 'node:crypto'
import type { LongHeaderPacket } from '../src/quic/typescript/packets/packet.ts'
import { readPacket } from '../src/quic/typescript/packets/read-packet.ts'
import { initialKeys } from '../src/quic/typescript/protection/initial-keys.ts'
import { loneInitial, sealInitial } from '../test/support/initial.ts'

const ID_LENGTH = 8
const NOWHERE = { host: '127.0.0.1', port: 1 }

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
  const datagram = loneInitial(NOWHERE, NOWHERE)
  const { dcid, scid, start, packetNumberOffset, end } = readPacket(datagram, 0, ID_LENGTH) as LongHeaderPacket
  const { opening } = initialKeys('server', dcid)
  const opened = opening.open(datagram, start, packetNumberOffset, end, -1)
  if (opened === undefined) throw new Error('the first packet of a client of ours cannot be opened')
  return { payload: opened.payload, scid }
}

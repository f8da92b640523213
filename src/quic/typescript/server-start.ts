/**
 * How a server's end of a connection begins: with a client's Initial, by whose Destination Connection ID the keys are made (RFC 9001 §5.2). Whether
 * the packet is what it looks like is known only when it was opened.
 */

import type { UdpPath } from '../engine.ts'
import type { ConnectionParts } from './connection-parts.ts'
import { INITIAL } from './packet-number-space.ts'
import type { LongHeaderPacket } from './packets/packet.ts'
import { Paths } from './paths.ts'
import { ACTIVE_CONNECTION_IDS, PeerConnectionIds } from './peer-connection-ids.ts'
import { initialKeys } from './protection/initial-keys.ts'
import type { FirstPackets } from './receive-packet.ts'
import { VERSION_1, versionOf } from './version.ts'

export class ServerStart implements FirstPackets {
  readonly #parts: ConnectionParts
  readonly #udp: UdpPath
  readonly #isAddressValidated: boolean
  readonly #startTls: (originalId: Uint8Array) => void

  /** `startTls`: makes the server's end of TLS, which has to know by what id the client called us first. */
  constructor(
    parts: ConnectionParts,
    options: { udp: UdpPath; isAddressValidated: boolean; startTls: (originalId: Uint8Array) => void },
  ) {
    this.#parts = parts
    this.#udp = options.udp
    this.#isAddressValidated = options.isAddressValidated
    this.#startTls = options.startTls
  }

  begin({ version, dcid, scid }: LongHeaderPacket): void {
    const parts = this.#parts
    parts.version = versionOf(version) ?? VERSION_1
    const { sealing, opening } = initialKeys('server', dcid, parts.version)
    parts.spaces[INITIAL].sealing = sealing
    parts.spaces[INITIAL].opening = opening
    const clientId = Uint8Array.from(scid)
    parts.handshake.expected.initialSource = clientId
    parts.peerIds = new PeerConnectionIds(clientId, ACTIVE_CONNECTION_IDS)
    parts.paths = new Paths('server', this.#udp, parts.peerIds, this.#isAddressValidated, parts.randomBytes)
    this.#startTls(Uint8Array.from(dcid))
  }

  giveUp(): void {
    this.#parts.peerIds = undefined
    this.#parts.paths = undefined
  }
}

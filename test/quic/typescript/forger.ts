import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { QuicEngine, UdpPath } from '../../../src/quic/engine.ts'
import { appendLongHeader, finishLongHeader } from '../../../src/quic/typescript/packets/long-header.ts'
import { readPacket } from '../../../src/quic/typescript/packets/read-packet.ts'
import { appendShortHeader } from '../../../src/quic/typescript/packets/short-header.ts'
import { SealingKeys } from '../../../src/quic/typescript/protection/packet-keys.ts'
import { WireWriter } from '../../../src/quic/typescript/wire-writer.ts'
import { scratchFolder } from '../../support/scratch.ts'
import { CLIENT_ADDRESS, type End, SERVER_ADDRESS, VirtualNetwork } from './virtual-network.ts'

const ID_LENGTH = 8
/** Far above what the honest end has used. */
const FIRST_NUMBER = 100_000

let folder: string | undefined

/**
 * A peer that sends whatever the test likes: two honest ends shake hands, then it takes the place of one of them, with its keys. Of that
 * one nothing more is heard.
 */
export class Forger {
  readonly network: VirtualNetwork
  readonly victim: End
  /** What the victim has sent since then. */
  readonly answers: Uint8Array[] = []
  readonly #role: 'client' | 'server'
  readonly #keys: SealingKeys
  readonly #path: UdpPath
  /** By which the victim is called now. */
  dcid: Uint8Array
  nextNumber = FIRST_NUMBER

  /** `role`: in whose place it sends. */
  constructor(engines: { client: QuicEngine; server: QuicEngine }, role: 'client' | 'server') {
    const { client, server } = { client: CLIENT_ADDRESS, server: SERVER_ADDRESS }
    this.#role = role
    this.#path = role === 'client' ? { local: server, remote: client } : { local: client, remote: server }
    const network = new VirtualNetwork(engines)
    folder ??= scratchFolder('masque-forger-')
    const secrets = join(folder, 'keys')
    network.client.connection.logKeys(secrets)
    let dcid = new Uint8Array(ID_LENGTH)
    network.tamper = (packet, to) => {
      const header = readPacket(packet, 0, ID_LENGTH)
      if (to !== role && header?.type === '1-rtt') dcid = Uint8Array.from(header.dcid)
      return [packet]
    }
    const isThere = () => network.client.established && network.server?.established === true
    if (!network.run(isThere)) throw new Error('no handshake')
    // Until all is acknowledged.
    network.run(() => false, 2000)
    network.tamper = (packet, to) => {
      if (to === role) this.answers.push(packet)
      return []
    }
    this.network = network
    this.victim = role === 'client' ? network.server! : network.client
    this.dcid = dcid
    this.#keys = new SealingKeys(0x1301, secretOf(readFileSync(secrets, 'utf8'), role))
    rmSync(secrets)
  }

  /** A 1-RTT packet with these frames. */
  send(frames: Uint8Array | ((to: WireWriter) => void), bits = 0): void {
    const number = this.nextNumber++
    const to = new WireWriter(new Uint8Array(20_000))
    appendShortHeader(to, this.dcid, 0, 0, number, 4)
    to.bytes[0] ^= bits
    const headerLength = to.offset
    if (typeof frames === 'function') frames(to)
    else to.write(frames)
    const length = this.#keys.seal(to.bytes, headerLength, to.offset - headerLength, number, 4)
    this.inject(to.bytes.slice(0, length))
  }

  inject(datagram: Uint8Array, path: UdpPath = this.#path): void {
    this.network.inject(datagram, this.#role === 'client' ? 'server' : 'client', path)
    this.network.run(() => false, 0)
  }

  /** The error with which the victim has ended the connection. undefined: it has not. */
  get code(): number | undefined {
    if (!this.victim.connection.closing) return undefined
    const reason = this.victim.connection.closeReason()
    return reason?.source === 'local' && !reason.application ? reason.code : undefined
  }
}

/** From a key log in NSS format. */
function secretOf(log: string, role: 'client' | 'server'): Uint8Array {
  const label = role === 'client' ? 'CLIENT_TRAFFIC_SECRET_0' : 'SERVER_TRAFFIC_SECRET_0'
  const line = log.split('\n').find(each => each.startsWith(label))
  return Uint8Array.from(Buffer.from(line!.split(' ')[2], 'hex'))
}

/** An Initial with these frames, padded to 1200 bytes: anyone who has seen the client's first packet can make one. */
export function forgedInitial(
  keys: SealingKeys,
  dcid: Uint8Array,
  scid: Uint8Array,
  packetNumber: number,
  frames: (to: WireWriter) => void,
): Uint8Array {
  const to = new WireWriter(new Uint8Array(1200))
  const lengthOffset = appendLongHeader(to, 'initial', dcid, scid, new Uint8Array(0), packetNumber, 4)
  const headerLength = to.offset
  frames(to)
  to.zeros(1200 - 16 - to.offset)
  finishLongHeader(to.bytes, lengthOffset, 1200 - headerLength + 4)
  keys.seal(to.bytes, headerLength, 1200 - 16 - headerLength, packetNumber, 4)
  return to.bytes
}

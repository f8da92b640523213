import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { QuicEngine, UdpPath } from '../../../src/quic/engine.ts'
import { readPacket } from '../../../src/quic/typescript/packets/read-packet.ts'
import { appendShortHeader } from '../../../src/quic/typescript/packets/short-header.ts'
import { deriveNextSecret } from '../../../src/quic/typescript/protection/derive.ts'
import { HeaderProtection } from '../../../src/quic/typescript/protection/header-protection.ts'
import { PacketAead } from '../../../src/quic/typescript/protection/packet-aead.ts'
import { sealPacket } from '../../../src/quic/typescript/protection/packet-keys.ts'
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
  readonly #header: HeaderProtection
  /** Of the key phase, an index into these. */
  readonly #secrets: Uint8Array[]
  phase = 0
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
    this.#secrets = [secretOf(readFileSync(secrets, 'utf8'), role)]
    this.#header = new HeaderProtection(0x1301, this.#secrets[0])
    rmSync(secrets)
  }

  /** A 1-RTT packet with these frames. */
  send(frames: Uint8Array | ((to: WireWriter) => void), bits = 0, path: UdpPath = this.#path): void {
    const number = this.nextNumber++
    const to = new WireWriter(new Uint8Array(20_000))
    appendShortHeader(to, this.dcid, (this.phase & 1) as 0 | 1, 0, number, 4)
    to.bytes[0] ^= bits
    const headerLength = to.offset
    if (typeof frames === 'function') frames(to)
    else to.write(frames)
    const length = sealPacket(this.#aead(), this.#header, to.bytes, headerLength, to.offset - headerLength, number, 4)
    this.inject(to.bytes.slice(0, length), path)
  }

  #aead(): PacketAead {
    for (let i = this.#secrets.length; i <= this.phase; i++)
      this.#secrets.push(deriveNextSecret(0x1301, this.#secrets[i - 1]))
    return new PacketAead(0x1301, this.#secrets[this.phase])
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

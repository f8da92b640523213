import type { Socket } from 'node:dgram'
import { bindUdp, LOOPBACK, type SocketAddress } from '../../src/net/udp.ts'
import { seeded } from '../../test/quic/typescript/virtual-network.ts'

export interface Harm {
  /** One way, in ms; `jitterMs` on top of it makes datagrams overtake each other. */
  delayMs?: number
  jitterMs?: number
  /** Probabilities, for each datagram. */
  loss?: number
  corrupt?: number
  duplicate?: number
}

/** Between one client and a server: UDP datagrams are lost, spoilt, doubled and late. Two runs on the same seed have the same dice. */
export class BadPath {
  readonly address: SocketAddress
  harm: Harm
  readonly #server: SocketAddress
  readonly #inside: Socket
  #outside: Socket
  #client: SocketAddress | undefined
  readonly #random: () => number
  #isOpen = true
  /** How many passed, and how many were harmed. */
  readonly counts = { passed: 0, lost: 0, corrupted: 0 }

  static async open(server: SocketAddress, harm: Harm, seed: number): Promise<BadPath> {
    return new BadPath(server, harm, seeded(seed), await bindUdp(LOOPBACK), await bindUdp(LOOPBACK))
  }

  private constructor(server: SocketAddress, harm: Harm, random: () => number, inside: Socket, outside: Socket) {
    this.#server = server
    this.harm = harm
    this.#random = random
    this.#inside = inside
    this.#outside = outside
    this.address = { host: '127.0.0.1', port: inside.address().port }
    inside.on('message', (payload, from) => {
      this.#client = { host: from.address, port: from.port }
      this.#carry(payload, () => this.#outside.send(payload, this.#server.port, this.#server.host))
    })
    this.#listen(outside)
  }

  /** From now on the server hears the client from another port. */
  async rebind(): Promise<void> {
    const before = this.#outside
    this.#outside = await bindUdp(LOOPBACK)
    this.#listen(this.#outside)
    before.close()
  }

  close(): void {
    this.#isOpen = false
    this.#inside.close()
    this.#outside.close()
  }

  #listen(outside: Socket): void {
    outside.on('message', payload => {
      const to = this.#client
      if (to !== undefined) this.#carry(payload, () => this.#inside.send(payload, to.port, to.host))
    })
  }

  #carry(payload: Buffer, send: () => void): void {
    const { loss = 0, corrupt = 0, duplicate = 0, delayMs = 0, jitterMs = 0 } = this.harm
    if (this.#random() < loss) {
      this.counts.lost++
      return
    }
    if (this.#random() < corrupt) {
      this.counts.corrupted++
      payload[Math.floor(this.#random() * payload.length)] ^= 1 << Math.floor(this.#random() * 8)
    }
    this.counts.passed++
    for (let copies = this.#random() < duplicate ? 2 : 1; copies > 0; copies--) {
      const late = delayMs + this.#random() * jitterMs
      if (late === 0) send()
      else setTimeout(() => this.#isOpen && send(), late)
    }
  }
}

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
  /** The client's datagrams from this one to that one are lost, counted from 1. */
  loseFromClient?: readonly [number, number]
  /** A slow link in each direction; other paths may lead over it, too. */
  link?: { toServer: SlowLink; toClient: SlowLink }
}

/** Lets datagrams through one after the other, at so many bytes a millisecond, and drops what finds its queue full. */
export class SlowLink {
  readonly #rate: number
  readonly #queueMs: number
  #freeAt = 0

  constructor(bytesPerMs: number, queueBytes: number) {
    this.#rate = bytesPerMs
    this.#queueMs = queueBytes / bytesPerMs
  }

  /** How long until these bytes are through, in ms; undefined: they are dropped. */
  pass(bytes: number, now: number): number | undefined {
    const waits = Math.max(0, this.#freeAt - now)
    if (waits > this.#queueMs) return undefined
    this.#freeAt = now + waits + bytes / this.#rate
    return this.#freeAt - now
  }
}

type Direction = 'toServer' | 'toClient'

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
  /** Until a second datagram of the client's got through: bytes that the client has sent and those that the server has. */
  readonly first = { fromClient: 0, fromServer: 0 }
  #fromClient = 0
  #isFirstOver = false
  /** Of the slow link: they leave in the order in which they came, which timers do not see to. */
  readonly #queues: Record<Direction, { at: number; send: () => void }[]> = { toServer: [], toClient: [] }

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
      this.#carry('toServer', payload, () => this.#outside.send(payload, this.#server.port, this.#server.host))
    })
    this.#listen(outside)
  }

  /** From now on the server hears the client from another port, of this address. */
  async rebind(host = LOOPBACK.host): Promise<void> {
    const before = this.#outside
    this.#outside = await bindUdp({ host, port: 0 })
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
      if (to !== undefined) this.#carry('toClient', payload, () => this.#inside.send(payload, to.port, to.host))
    })
  }

  #carry(direction: Direction, payload: Buffer, send: () => void): void {
    const { link, loseFromClient = [0, 0] } = this.harm
    if (direction === 'toServer') {
      const number = ++this.#fromClient
      if (number >= loseFromClient[0] && number <= loseFromClient[1]) {
        this.counts.lost++
        return
      }
      if (number > 1) this.#isFirstOver = true
    }
    if (!this.#isFirstOver) this.first[direction === 'toServer' ? 'fromClient' : 'fromServer'] += payload.length
    const { loss = 0, corrupt = 0, duplicate = 0, delayMs = 0, jitterMs = 0 } = this.harm
    if (this.#random() < loss) {
      this.counts.lost++
      return
    }
    if (this.#random() < corrupt) {
      this.counts.corrupted++
      payload[Math.floor(this.#random() * payload.length)] ^= 1 << Math.floor(this.#random() * 8)
    }
    if (link !== undefined) {
      this.#queue(direction, link[direction], payload.length, send)
      return
    }
    this.counts.passed++
    for (let copies = this.#random() < duplicate ? 2 : 1; copies > 0; copies--) {
      const late = delayMs + this.#random() * jitterMs
      if (late === 0) send()
      else setTimeout(() => this.#isOpen && send(), late)
    }
  }

  #queue(direction: Direction, link: SlowLink, bytes: number, send: () => void): void {
    const { delayMs = 0 } = this.harm
    const now = performance.now()
    const through = link.pass(bytes, now)
    if (through === undefined) {
      this.counts.lost++
      return
    }
    this.counts.passed++
    const queue = this.#queues[direction]
    queue.push({ at: now + through + delayMs, send })
    setTimeout(() => {
      while (this.#isOpen && queue[0] !== undefined && queue[0].at <= performance.now() + 1) queue.shift()?.send()
    }, through + delayMs)
  }
}

import { LOOPBACK, type SocketAddress } from '../../src/net/udp.ts'
import { CE, type EcnCodepoint, NOT_ECT } from '../../src/quic/ecn.ts'
import type { PacketSocket } from '../../src/quic/io.ts'
import { bindSocket } from '../../src/quic/udp/open-socket.ts'
import { seeded } from '../../test/quic/typescript/virtual-network.ts'

export interface Harm {
  /** One way, in ms; `jitterMs` on top of it makes datagrams overtake each other. */
  delayMs?: number
  jitterMs?: number
  /** Probabilities, for each datagram. */
  loss?: number
  corrupt?: number
  duplicate?: number
  /** That a router marks it (ECN-CE), where its sender allows that. */
  mark?: number
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

/**
 * Between one client and a server: UDP datagrams are lost, spoilt, doubled, marked and late; but for that the ECN field stays as it was, where the sockets of this
 * machine can carry it. Two runs on the same seed have the same dice.
 */
export class BadPath {
  readonly address: SocketAddress
  harm: Harm
  readonly #server: SocketAddress
  readonly #inside: PacketSocket
  #outside: PacketSocket
  #client: SocketAddress | undefined
  readonly #random: () => number
  #isOpen = true
  /** How many passed, and how many were harmed. */
  readonly counts = { passed: 0, lost: 0, corrupted: 0, marked: 0 }
  /** Those that came, by their ECN field. */
  readonly fields: Record<Direction, [number, number, number, number]> = {
    toServer: [0, 0, 0, 0],
    toClient: [0, 0, 0, 0],
  }
  /** Until a second datagram of the client's got through: bytes that the client has sent and those that the server has. */
  readonly first = { fromClient: 0, fromServer: 0 }
  #fromClient = 0
  #isFirstOver = false
  /** Of the slow link: they leave in the order in which they came, which timers do not see to. */
  readonly #queues: Record<Direction, { at: number; send: () => void }[]> = { toServer: [], toClient: [] }

  static async open(server: SocketAddress, harm: Harm, seed: number): Promise<BadPath> {
    return new BadPath(server, harm, seeded(seed), await bindSocket(LOOPBACK), await bindSocket(LOOPBACK))
  }

  private constructor(
    server: SocketAddress,
    harm: Harm,
    random: () => number,
    inside: PacketSocket,
    outside: PacketSocket,
  ) {
    this.#server = server
    this.harm = harm
    this.#random = random
    this.#inside = inside
    this.#outside = outside
    this.address = { host: '127.0.0.1', port: inside.local.port }
    inside.start({
      onPacket: (payload, host, port, ecn) => {
        this.#client = { host, port }
        this.#carry('toServer', payload, ecn, (copy, mark) => transmit(this.#outside, copy, this.#server, mark))
      },
      onError() {},
    })
    this.#listen(outside)
  }

  /** From now on the server hears the client from another port, of this address. */
  async rebind(host = LOOPBACK.host): Promise<void> {
    const before = this.#outside
    this.#outside = await bindSocket({ host, port: 0 })
    this.#listen(this.#outside)
    await before.close()
  }

  async close(): Promise<void> {
    this.#isOpen = false
    await Promise.all([this.#inside.close(), this.#outside.close()])
  }

  #listen(outside: PacketSocket): void {
    outside.start({
      onPacket: (payload, _host, _port, ecn) => {
        const to = this.#client
        if (to !== undefined)
          this.#carry('toClient', payload, ecn, (copy, mark) => transmit(this.#inside, copy, to, mark))
      },
      onError() {},
    })
  }

  #carry(
    direction: Direction,
    borrowed: Buffer,
    came: EcnCodepoint | undefined,
    sendOn: (payload: Buffer, ecn: EcnCodepoint) => void,
  ): void {
    const payload = Buffer.from(borrowed)
    let ecn = came ?? NOT_ECT
    this.fields[direction][ecn]++
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
    const { loss = 0, corrupt = 0, duplicate = 0, mark = 0, delayMs = 0, jitterMs = 0 } = this.harm
    if (this.#random() < loss) {
      this.counts.lost++
      return
    }
    if (this.#random() < corrupt) {
      this.counts.corrupted++
      payload[Math.floor(this.#random() * payload.length)] ^= 1 << Math.floor(this.#random() * 8)
    }
    if (mark > 0 && ecn !== NOT_ECT && this.#random() < mark) {
      this.counts.marked++
      ecn = CE
    }
    const send = (): void => sendOn(payload, ecn)
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

function transmit(socket: PacketSocket, payload: Buffer, to: SocketAddress, ecn: EcnCodepoint): void {
  if (!socket.open) return
  socket.room(payload.length).set(payload)
  socket.send(payload.length, to, ecn)
  socket.flush()
}

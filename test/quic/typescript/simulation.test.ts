/**
 * Many connections over bad networks, each from one seed: whatever happens to packets and to the client's address, all data arrives, or the
 * connection ends with an error that says why. `MASQUE_SEEDS=10000` makes it as many; `MASQUE_SEED=17` runs one.
 */

import { expect } from 'chai'
import { CE, type EcnCodepoint, NOT_ECT } from '../../../src/quic/ecn.ts'
import type { QuicCloseReason } from '../../../src/quic/quic.ts'
import { NO_VIABLE_PATH } from '../../../src/quic/typescript/transport-error.ts'
import { typescriptEngines } from './engines.ts'
import {
  CLIENT_ADDRESS,
  type Conditions,
  type End,
  type Remark,
  SERVER_ADDRESS,
  seeded,
  VirtualNetwork,
} from './virtual-network.ts'

const SEEDS = Number(process.env.MASQUE_SEEDS ?? 100)
const ONLY = process.env.MASQUE_SEED

/** From good to terrible. */
function conditionsOf(random: () => number): Conditions {
  const badness = random()
  return {
    delayMs: random() * 100,
    jitterMs: random() < 0.5 ? 0 : random() * 50,
    loss: random() < 0.3 ? 0 : badness * 0.25,
    duplicate: random() < 0.5 ? 0 : random() * 0.2,
    corrupt: random() < 0.5 ? 0 : random() * 0.1,
    mtu: random() < 0.5 ? 1500 : 1200 + Math.floor(random() * 300),
  }
}

function pattern(length: number, salt: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + salt) & 0xff)
}

interface Plan {
  streamId: number
  there: Uint8Array
  back: Uint8Array
}

function plans(random: () => number): Plan[] {
  const count = 1 + Math.floor(random() * 4)
  return Array.from({ length: count }, (_, i) => ({
    streamId: i * 4,
    there: pattern(Math.floor(random() ** 3 * 60_000), i),
    back: pattern(Math.floor(random() ** 3 * 60_000), i + 7),
  }))
}

/** Of routers: they leave the field of ECN alone, clear it, mark a part of the packets, drop what is marked, or write anything. */
function ecnOf(random: () => number): Remark {
  const share = random() ** 2
  const kinds: readonly Remark[] = [
    ecn => ecn,
    () => NOT_ECT,
    ecn => (ecn !== NOT_ECT && random() < share ? CE : ecn),
    ecn => (ecn === NOT_ECT ? ecn : undefined),
    () => Math.floor(random() * 4) as EcnCodepoint,
  ]
  return random() < 0.6 ? kinds[0] : kinds[Math.floor(random() * kinds.length)]
}

interface Move {
  at: number
  /** A NAT binds the client anew; or the client moves by itself. */
  kind: 'rebind' | 'migrate'
  /** Whether another host is where it is seen, or only another port of the same. */
  host: boolean
  /** The address of before is out of reach when the client moves. */
  isGone: boolean
}

function moves(random: () => number): Move[] {
  if (random() < 0.4) return []
  return Array.from({ length: 1 + Math.floor(random() * 4) }, () => ({
    at: random() ** 2 * 5000,
    kind: random() < 0.6 ? 'rebind' : 'migrate',
    host: random() < 0.5,
    isGone: random() < 0.5,
  }))
}

/** As the driver does it: whom a NAT has bound anew the server finds again by what it hears from there. */
const KEEP_ALIVE_MS = 5000
/** In ms, after which the driver gives up a path that it has tried. */
const PATIENCE_MS = 5000

/** The client of one connection, which is here and there. */
class Wanderer {
  readonly #network: VirtualNetwork
  /** Where it is; and where it wants to be. */
  #at = CLIENT_ADDRESS
  #trying: { move: Move; local: typeof CLIENT_ADDRESS; until: number } | undefined
  #count = 0
  /** It was bound anew before its server was sure of it, which QUIC need not survive (RFC 9000 §9). */
  isLost = false
  readonly moved = { rebind: 0, migrate: 0 }

  constructor(network: VirtualNetwork, all: readonly Move[]) {
    this.#network = network
    for (const move of all) network.later(move.at, () => this.#begin(move))
    network.client.onValidated = ({ local }) => this.#arrive(local)
    const keepAlive = (): void => {
      if (network.client.established) network.client.connection.ping()
      network.later(KEEP_ALIVE_MS, keepAlive)
    }
    if (all.length > 0) network.later(KEEP_ALIVE_MS, keepAlive)
  }

  #begin(move: Move): void {
    const { client, server, now } = this.#network
    this.#count++
    if (move.kind === 'rebind') {
      this.#network.rebind(
        { host: move.host ? `203.0.113.${this.#count}` : '203.0.113.99', port: 5000 + this.#count },
        this.#at,
      )
      this.moved.rebind++
      if (!client.established || server?.established !== true) this.isLost = true
      return
    }
    if (this.#trying !== undefined && now < this.#trying.until) return
    const local = { host: move.host ? `192.0.2.${10 + this.#count}` : CLIENT_ADDRESS.host, port: 2000 + this.#count }
    if (!client.established || !client.connection.probePath({ local, remote: SERVER_ADDRESS }, now)) return
    this.#trying = { move, local, until: now + PATIENCE_MS }
  }

  #arrive(local: typeof CLIENT_ADDRESS): void {
    const { client, now } = this.#network
    const trying = this.#trying
    if (trying === undefined || local.port !== trying.local.port || now >= trying.until) return
    client.connection.migrate({ local, remote: SERVER_ADDRESS }, now)
    if (trying.move.isGone) this.#network.leave(this.#at)
    this.#at = trying.local
    this.#trying = undefined
    this.moved.migrate++
  }
}

/** A stream of the client's is there when something of it has come. */
function answering(server: End, all: readonly Plan[]): (streamId: number) => void {
  const answered = new Set<number>()
  return streamId => {
    if (!answered.has(streamId)) server.write(streamId, all[streamId / 4].back)
    answered.add(streamId)
  }
}

/** Nothing was heard for too long, or nothing of where the peer seemed to be. */
function isRight({ source, application, code }: QuicCloseReason): boolean {
  return source === 'timeout' || (!application && code === NO_VIABLE_PATH)
}

describe(`connections over bad networks (${ONLY === undefined ? `${SEEDS} seeds` : `seed ${ONLY}`})`, function () {
  this.timeout(Math.max(this.timeout(), SEEDS * 1000))
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  it('deliver everything, or end with a right error', () => {
    const first = ONLY === undefined ? 1 : Number(ONLY)
    const last = ONLY === undefined ? SEEDS : first
    const wrong: string[] = []
    let timeouts = 0
    for (let seed = first; seed <= last; seed++) {
      try {
        if (!check(seed)) timeouts++
      } catch (error) {
        wrong.push(`seed ${seed}: ${(error as Error).message}`)
      }
    }
    expect(wrong.join('\n')).to.equal('')
    // An error that is right is still no success: where a quarter of the packets is lost, a few may take too long.
    expect(timeouts / (last - first + 1)).to.be.below(0.01)
    if (ONLY === undefined)
      expect(Math.min(moved.rebind, moved.migrate) / SEEDS, JSON.stringify(moved)).to.be.above(0.05)
  })

  const moved = { rebind: 0, migrate: 0 }

  /** False: the connection was given up with a right error. */
  function check(seed: number): boolean {
    const random = seeded(seed)
    const conditions = conditionsOf(random)
    const ecn = ecnOf(seeded(seed + 0xecc))
    const network = new VirtualNetwork({ ...engines(seed), seed, conditions, ecn, retry: random() < 0.2 })
    const { client } = network
    const all = plans(random)
    const wanderer = new Wanderer(network, moves(random))
    for (const { streamId, there } of all) client.write(streamId, there)
    const isAllThere = (end: End | undefined): boolean => all.every(({ streamId }) => end?.hasEnded(streamId) === true)
    const isDone = network.run(() => {
      const { server } = network
      if (client.closed !== undefined || server?.closed !== undefined) return true
      if (server !== undefined) server.onData ??= answering(server, all)
      return isAllThere(client) && isAllThere(server)
    }, 600_000)
    moved.rebind += wanderer.moved.rebind
    moved.migrate += wanderer.moved.migrate
    const { server } = network
    const closed = client.closed ?? server?.closed
    if (closed !== undefined) {
      expect(isRight(closed), JSON.stringify(closed)).to.equal(true)
      return wanderer.isLost
    }
    expect(isDone, 'all data in ten minutes').to.equal(true)
    for (const { streamId, there, back } of all) {
      expect(Buffer.compare((server as End).bytesOf(streamId), there), `stream ${streamId} there`).to.equal(0)
      expect(Buffer.compare(client.bytesOf(streamId), back), `stream ${streamId} back`).to.equal(0)
    }
    client.connection.close(true, 0x100, 'done')
    network.turn('client')
    expect(
      network.run(() => client.connection.isOver && server?.connection.isOver === true, 600_000),
      'over',
    ).to.equal(true)
    expect(client.closed).to.deep.equal({ source: 'local', application: true, code: 0x100, reason: 'done' })
    const theirs = server?.closed as QuicCloseReason
    // Where the client's CONNECTION_CLOSE was lost, its server hears nothing any more.
    expect((theirs.source === 'peer' && theirs.code === 0x100) || isRight(theirs), JSON.stringify(theirs)).to.equal(
      true,
    )
    return true
  }
})

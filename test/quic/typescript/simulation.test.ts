/**
 * Many connections over bad networks, each from one seed: whatever happens to packets, all data arrives, or the connection ends with an error that
 * says why. `MASQUE_SEEDS=10000` makes it as many; `MASQUE_SEED=17` runs one.
 */

import { expect } from 'chai'
import { typescriptEngines } from './engines.ts'
import { type Conditions, type End, seeded, VirtualNetwork } from './virtual-network.ts'

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

/** A stream of the client's is there when something of it has come. */
function answering(server: End, all: readonly Plan[]): (streamId: number) => void {
  const answered = new Set<number>()
  return streamId => {
    if (!answered.has(streamId)) server.write(streamId, all[streamId / 4].back)
    answered.add(streamId)
  }
}

describe(`connections over bad networks (${ONLY === undefined ? `${SEEDS} seeds` : `seed ${ONLY}`})`, function () {
  this.timeout(Math.max(60_000, SEEDS * 1000))
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  it('deliver everything, or end with a right error', () => {
    const first = ONLY === undefined ? 1 : Number(ONLY)
    const last = ONLY === undefined ? SEEDS : first
    let timeouts = 0
    for (let seed = first; seed <= last; seed++) {
      try {
        if (!check(seed)) timeouts++
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
      }
    }
    // An error that is right is still no success: where a quarter of the packets is lost, a few may take too long.
    expect(timeouts / (last - first + 1)).to.be.below(0.05)
  })

  /** False: the connection was given up, as nothing was heard for too long. */
  function check(seed: number): boolean {
    const random = seeded(seed)
    const conditions = conditionsOf(random)
    const network = new VirtualNetwork({ ...engines(seed), seed, conditions, retry: random() < 0.2 })
    const { client } = network
    const all = plans(random)
    for (const { streamId, there } of all) client.write(streamId, there)
    const isAllThere = (end: End | undefined): boolean => all.every(({ streamId }) => end?.hasEnded(streamId) === true)
    const done = network.run(() => {
      const { server } = network
      if (client.closed !== undefined || server?.closed !== undefined) return true
      if (server !== undefined) server.onData ??= answering(server, all)
      return isAllThere(client) && isAllThere(server)
    }, 600_000)
    const { server } = network
    const closed = client.closed ?? server?.closed
    if (closed !== undefined) {
      expect(closed.source, JSON.stringify(closed)).to.equal('timeout')
      return false
    }
    expect(done, 'all data in ten minutes').to.equal(true)
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
    expect(server?.closed?.source).to.be.oneOf(['peer', 'timeout'])
    return true
  }
})

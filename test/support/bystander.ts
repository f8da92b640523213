/** Somebody who has nothing to do with what happens, and must not notice it. */

import { expect } from 'chai'
import type { MasqueClient } from '../../src/client/client.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { closeLoopback, keepPinging, type PingTrain, until } from './loopback.ts'

/**
 * For a `describe` with hostile peers: `start` opens a proxy and the tunnel of a well-behaved client, which pings all the time. After each test
 * `closePeers` ends the hostile ones; then the client's tunnel is the only one that is left, and has lost no ping.
 */
export function keepBystander(
  start: () => Promise<{ server: MasqueServer; client: MasqueClient }>,
  closePeers: () => Promise<void>,
): { stillPings: () => Promise<void> } {
  let server: MasqueServer
  let train: PingTrain

  /** A ping has begun, and was answered, since this was called: so the proxy has had all that was sent to it before. */
  async function stillPings(): Promise<void> {
    const before = train.answered
    await until(() => train.failed !== undefined || train.answered > before + 1)
    if (train.failed !== undefined) throw train.failed
  }

  before(async () => {
    const started = await start()
    server = started.server
    train = keepPinging(started.client, '10.90.0.1')
  })

  after(async () => {
    expect(await train.stop()).to.be.greaterThan(0)
    await closeLoopback()
  })

  afterEach(async () => {
    await stillPings()
    await closePeers()
    await until(() => server.status().connections === 1)
    expect(server.status()).to.include({ tunnels: 1 })
    expect(server.status().pools.map(pool => pool.used)).to.deep.equal([1, 1])
  })

  return { stillPings }
}

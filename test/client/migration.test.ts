import { expect } from 'chai'
import type { MasqueClient, Move } from '../../src/client/client.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { pingTrain } from '../../src/probes/ping-train.ts'
import { TwoPaths } from '../../src/testbed/two-paths.ts'
import { closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'

const RTT_MS = 20
const INTERVAL_MS = 10

describe('a tunnel that moves', () => {
  const cleanup: (() => unknown)[] = []
  afterEach(async () => {
    await closeLoopback()
    for (const undo of cleanup.splice(0).reverse()) await undo()
  })

  const twoPaths = async (overrides = {}) => {
    const server = await startServer()
    const paths = await TwoPaths.open(server.address, RTT_MS)
    cleanup.push(() => paths.close())
    const { client, info } = await connectClient(server, { proxy: { address: paths.first }, ...overrides })
    return { server, paths, client, info }
  }

  /** What a train of pings sees of a move: the longest time between two replies, and whether anything else has happened. */
  const outageOf = async (client: MasqueClient, move: () => Promise<unknown>) => {
    let next = 0
    const train = pingTrain(client.host, IpAddress.parse('10.90.0.1'), {
      count: 60,
      intervalMs: INTERVAL_MS,
      timeoutMs: 2000,
      onProgress: () => next++,
    })
    await until(() => next >= 20)
    await move()
    const { records } = await train
    const replies = records.flatMap(({ sentMs, rttMs }) => (rttMs === undefined ? [] : [sentMs + rttMs]))
    replies.sort((a, b) => a - b)
    return Math.max(...replies.slice(1).map((at, i) => at - replies[i]))
  }

  it('Q-03 between two paths of 20 ms keeps its addresses and its session, and its pings go on', async () => {
    const { server, paths, client, info } = await twoPaths()
    const events: string[] = []
    for (const event of ['down', 'up', 'changed'] as const) client.on(event, () => events.push(event))
    const moves: Move[] = []
    client.on('moved', move => moves.push(move))
    // How long they are on a machine that has nothing else to do is for `bench moving`.
    const outages: number[] = []
    for (let i = 0; i < 2; i++) {
      const [from, to] = i % 2 === 0 ? (['first', 'second'] as const) : (['second', 'first'] as const)
      outages.push(
        await outageOf(client, async () => {
          paths.cut(from)
          const result = await client.migrate({ remote: paths[to] })
          expect(result.moved).to.equal(true)
        }),
      )
      paths.heal(from)
    }
    // Less than any timer of QUIC or of the client would take.
    expect(Math.min(...outages)).to.be.lessThan(1000)
    expect(events).to.deep.equal([])
    expect(client.info.assigned.map(String)).to.deep.equal(info.assigned.map(String))
    expect(server.status()).to.include({ connections: 1, tunnels: 1, tunnelsTotal: 1 })
    const last = moves[moves.length - 1]
    expect(moves.map(({ remote }) => remote)).to.deep.equal([paths.second, paths.first])
    expect(client.path).to.deep.include({ moves: outages.length, failedMoves: 0, local: last.to, last })
  })

  it('Q-03 stays where it is, and works, when the other path leads nowhere', async () => {
    const { paths, client } = await twoPaths()
    const why: string[] = []
    client.on('notMoved', reason => why.push(reason))
    paths.cut('second')
    const before = client.path.local
    const result = await client.migrate({ remote: paths.second })
    expect(result.moved).to.equal(false)
    expect(why).to.deep.equal(['nothing came back on the new path in 3 s'])
    expect(client.path).to.deep.include({ moves: 0, failedMoves: 1, local: before })
    await ping(client, '10.90.0.1')
  })

  it('says so when there is none', async () => {
    const { client } = await twoPaths()
    await client.close()
    expect(await client.migrate()).to.deep.equal({ moved: false, why: 'there is no tunnel' })
  })
})

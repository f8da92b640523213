import { expect } from 'chai'
import { BadPath } from '../../interop/harness/bad-path.ts'
import { CE, ECT_0, ECT_1, NOT_ECT } from '../../src/quic/ecn.ts'
import type { QuicObserver } from '../../src/quic/observer.ts'
import { loadUdpCalls } from '../../src/quic/udp/linux-calls.ts'
import { closeAll, connect, exchange, listen } from '../support/quic-peer.ts'

const DATA = new Uint8Array(300_000)

describe('ECN on a path of this machine, with a router in it', () => {
  let path: BadPath | undefined

  before(function () {
    const calls = loadUdpCalls()
    if (typeof calls !== 'string' && process.env.MASQUE_UDP !== 'dgram') return
    console.log(
      `      skipped: sockets cannot carry the ECN field: ${typeof calls === 'string' ? calls : 'MASQUE_UDP'}`,
    )
    this.skip()
  })

  afterEach(async () => {
    await closeAll()
    await path?.close()
  })

  const open = async (client: 'quiche' | 'typescript', server: 'quiche' | 'typescript') => {
    const listening = await listen({ settings: { engine: server } })
    path = await BadPath.open(listening.endpoint.local, {}, 1)
    const there = await connect(listening, { remote: path.address, settings: { engine: client } })
    await there.recorder.until(() => there.recorder.established || there.recorder.closed)
    expect(there.recorder.closed).to.equal(undefined)
    const send = async (streamId: number): Promise<void> => {
      there.connection.streamSend(streamId, DATA, true)
      const back = listening.accepted[0].recorder
      await back.until(() => back.streams.get(streamId)?.fin)
    }
    return { ...there, server: listening, path, send }
  }

  it('is ECT(0) in what both ends send, and CE makes the window smaller', async () => {
    const { connection, path, send } = await open('typescript', 'typescript')
    const triggers: unknown[] = []
    const observer = new Proxy({} as QuicObserver, {
      get: (_, event) => (event === 'congestionState' ? (...told: unknown[]) => triggers.push(told[1]) : () => {}),
    })
    connection.observe?.(observer)
    await send(0)
    for (const fields of Object.values(path.fields)) {
      expect(fields[ECT_0]).to.be.greaterThan(fields[NOT_ECT])
      expect(fields[ECT_1] + fields[CE]).to.equal(0)
    }
    expect(triggers).to.not.include('ECN')
    const before = connection.stats().cwnd
    path.harm = { mark: 1 }
    // More than a window, however large that has become: it is made smaller in each round trip.
    for (const streamId of [4, 8, 12, 16]) await send(streamId)
    expect(triggers).to.include('ECN')
    expect(connection.stats().cwnd).to.be.below(before)
  })

  it('is Not-ECT in what quiche sends, with which the other engine speaks as before', async function () {
    try {
      await import('../../src/quic/quiche/quiche-engine.ts')
    } catch {
      this.skip()
    }
    for (const [client, server] of [
      ['typescript', 'quiche'],
      ['quiche', 'typescript'],
    ] as const) {
      const { path, send, server: listening, ...there } = await open(client, server)
      await send(0)
      await exchange(there, listening.accepted[0])
      const { toServer, toClient } = path.fields
      const [ofQuiche, ofOther] = client === 'quiche' ? [toServer, toClient] : [toClient, toServer]
      expect(ofQuiche[ECT_0]).to.equal(0)
      // Its marks are not counted, which it hears from the first ACK.
      expect(ofOther[ECT_0]).to.be.within(1, 10)
      expect(ofOther[NOT_ECT]).to.be.greaterThan(0)
      await closeAll()
      await path.close()
    }
  })
})

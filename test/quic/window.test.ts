import { expect } from 'chai'
import { until } from '../support/loopback.ts'
import { closeAll, connect, listen } from '../support/quic-peer.ts'
import { IS_TYPESCRIPT } from '../support/which-engine.ts'

const BYTES = 100_000

describe('the window of a connection', () => {
  afterEach(closeAll)

  it('can be asked for at any time, also of the bytes in flight where the engine tells, and says which engine that is', async () => {
    const server = await listen()
    const { connection, recorder } = await connect(server)
    await recorder.until(() => recorder.established)
    expect(connection.engineName).to.equal(IS_TYPESCRIPT ? 'typescript' : 'quiche')
    expect(connection.bytesInFlight === undefined).to.equal(!IS_TYPESCRIPT)
    connection.streamSend(0, new Uint8Array(BYTES), true)
    connection.transmit()
    const { bytesInFlight } = connection
    const { cwnd } = connection.paths().find(({ active }) => active)!
    if (IS_TYPESCRIPT) {
      // As much as may be: there are more bytes than the window has, and none of them can have been acknowledged in this turn.
      expect(bytesInFlight).to.be.above(1200).and.at.most(cwnd)
      await until(() => connection.bytesInFlight === 0)
    } else expect(bytesInFlight).to.equal(undefined)
  })

  it('is not asked for in vain once the connection has ended', async () => {
    const { connection, recorder } = await connect(await listen())
    await recorder.until(() => recorder.established)
    connection.close(0, '')
    await until(() => connection.closed)
    expect(() => connection.bytesInFlight).to.not.throw()
    expect(connection.engineName).to.be.oneOf(['quiche', 'typescript'])
  })
})

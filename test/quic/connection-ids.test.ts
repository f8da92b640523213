import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../src/quic/quic.ts'
import { PATIENCE_MS } from '../support/patience.ts'
import { closeAll, listen } from '../support/quic-peer.ts'
import { quiche, skipWithoutQuiche } from '../support/quiche.ts'

const SPARE = 7

/** quiche on a socket, without our engine around it: what it does with connection ids is up to the test. */
async function bareClient(to: { host: string; port: number }) {
  if (quiche === undefined) throw new Error('there is no quiche here')
  const config = quiche.Config.withBoringSslCtx(false, true, undefined, undefined, undefined)
  config.setApplicationProtos([...DEFAULT_QUIC_SETTINGS.alpn])
  config.setMaxIdleTimeout(10_000)
  config.setInitialMaxData(100_000)
  config.setInitialMaxStreamsUni(3)
  config.setActiveConnectionIdLimit(8)
  const socket = await bindUdp(LOOPBACK)
  const local = { host: '127.0.0.1', port: socket.address().port }
  const native = quiche.Connection.connect('localhost', randomBytes(8), local, to, config)
  const buffer = new Uint8Array(1500)
  const flush = () => {
    for (let sent = native.send(buffer); sent !== null; sent = native.send(buffer)) {
      socket.send(Uint8Array.from(buffer.subarray(0, sent[0])), to.port, to.host)
    }
  }
  socket.on('message', (packet, { address, port }) => {
    native.recv(packet, { from: { host: address, port }, to: local })
    flush()
  })
  flush()
  return { native, flush, close: () => socket.close() }
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  while (!condition()) {
    if (performance.now() > end) expect.fail(`still not so: ${condition}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

describe('connection ids', () => {
  before(skipWithoutQuiche)
  afterEach(closeAll)

  it('Q-03 the peer has as many to spare as it takes, up to seven, gets another for each that it retires, and is heard by each of them', async () => {
    const server = await listen()
    const { native, flush, close } = await bareClient(server.endpoint.local)
    try {
      for (let retired = 0; retired < 5; retired++) {
        await until(() => native.availableDcids() === SPARE)
        native.retireDestinationCid(retired)
        native.streamSend(4 * retired, Uint8Array.of(retired), true)
        flush()
        await until(() => server.accepted[0].recorder.streams.get(4 * retired)?.bytes[0] === retired)
      }
    } finally {
      close()
    }
    expect(server.errors).to.deep.equal([])
  })
})

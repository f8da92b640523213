import { expect } from 'chai'
import { QuicDriver } from '../../../src/quic/driver.ts'
import { DEFAULT_QUIC_SETTINGS, type QuicConnection, type SocketAddress } from '../../../src/quic/quic.ts'
import { Recorder } from '../../support/quic-peer.ts'
import { VirtualWire } from '../../support/virtual-wire.ts'
import { typescriptEngines } from './engines.ts'

const CLIENT: SocketAddress = { host: '192.0.2.1', port: 1001 }
const SERVER: SocketAddress = { host: '198.51.100.1', port: 443 }
const BASE = 1200
const BLOCK = new Uint8Array(64 << 10)
const SECOND = 1000

/** Sends on stream 0 without an end, once something comes there: before it has anything else to do, there is already more. */
class Source extends Recorder {
  connection: QuicConnection | undefined

  override onStreamData(streamId: number): void {
    this.onStreamDrained(streamId)
  }

  override onStreamDrained(streamId: number): void {
    const { connection } = this
    while (connection?.streamBuffered(streamId) === 0) connection.streamSend(streamId, BLOCK, false)
  }
}

class Sink extends Recorder {
  bytes = 0

  override onStreamData(_streamId: number, data: Uint8Array): void {
    this.bytes += data.length
  }
}

describe('the search for the path’s MTU beside a bulk transfer', () => {
  it('goes on although something waits to be sent at all times, and after probes were lost', async () => {
    const wire = new VirtualWire(10)
    let large = 0
    // The first two that are larger are lost: the handshake's and one that is sent while the transfer is under way.
    wire.tamper = ({ bytes }) => (bytes.length > BASE && ++large <= 2 ? undefined : bytes)
    const engines = (await typescriptEngines())(1)
    const source = new Source()
    const settings = DEFAULT_QUIC_SETTINGS
    const server = new QuicDriver({
      engine: engines.server,
      settings,
      io: wire,
      sockets: [wire.socket(SERVER)],
      accept: {
        retry: 'never',
        maxConnections: 10,
        maxConnectionsPerAddress: 10,
        onConnection: connection => {
          source.connection = connection
          return source
        },
      },
    })
    const client = new QuicDriver({ engine: engines.client, settings, io: wire, sockets: [wire.socket(CLIENT)] })
    const connection = client.connect({ remote: SERVER, serverName: 'localhost' })
    const sink = new Sink()
    connection.handler = sink
    expect(wire.run(SECOND, () => connection.established)).to.equal(true)
    connection.streamSend(0, Uint8Array.of(1), false)
    expect(wire.run(SECOND / 5, () => source.connection?.pathMtuSettled === true)).to.equal(true)
    expect(source.connection?.streamBuffered(0)).to.be.greaterThan(0)
    const from = wire.sent.length
    wire.run(SECOND / 10)
    const sizes = wire.sent.slice(from).filter(({ to }) => to === CLIENT || to.port === CLIENT.port)
    expect(Math.max(...sizes.map(({ bytes }) => bytes.length))).to.equal(settings.maxUdpPayload)
    expect(sink.bytes).to.be.greaterThan(100_000)
    void server.close()
    void client.close()
  })
})

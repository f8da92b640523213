import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { until } from '../support/loopback.ts'
import { closeAll, connect, type Listening, listen } from '../support/quic-peer.ts'
import { RawPackets } from '../support/raw-packets.ts'

const PING = Uint8Array.of(1)
const PATH_CHALLENGE = Uint8Array.of(0x1a, 1, 2, 3, 4, 5, 6, 7, 8)

/** NEW_CONNECTION_ID (RFC 9000 §19.15) that retires all before it. */
function newConnectionId(sequence: number): Uint8Array {
  const frame = Buffer.alloc(34, 7)
  frame[0] = 0x18
  frame.writeUInt32BE(0x80000000 + sequence, 1)
  frame.writeUInt32BE(0x80000000 + sequence, 5)
  frame[9] = 8
  frame.writeUInt32BE(sequence, 10)
  return frame
}

describe('a QUIC endpoint and frames that no library sends', () => {
  let directory: string
  let server: Listening
  let raw: RawPackets

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'masque-test-frames-'))
    server = await listen()
    const keyLog = join(directory, 'keys.log')
    const { recorder } = await connect(server, { settings: { keyLog } })
    await recorder.until(() => recorder.established)
    await until(() => server.accepted[0]?.recorder.established)
    const connectionId = Buffer.from(server.accepted[0].connection.id, 'hex')
    raw = new RawPackets({ to: server.endpoint.local, keyLog, connectionId })
  })

  afterEach(async () => {
    raw.close()
    await closeAll()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Most of the packets have been read, or the connection is over because of them; and nothing is the matter. */
  const stillServes = async (): Promise<void> => {
    const { connection } = server.accepted[0]
    await until(() => connection.closed || connection.stats().packetsReceived > 100)
    const client = await connect(server)
    await client.recorder.until(() => client.recorder.established)
    client.connection.close(0x100, '')
    expect(server.errors).to.deep.equal([])
  }

  it('sends at most three times as much to an address that its peer has not moved to, whatever else waits', async () => {
    let heard = 0
    raw.socket.on('message', message => {
      heard += message.length
    })
    await raw.send(PING)
    const { connection } = server.accepted[0]
    for (let i = 0; i < 60; i++) {
      for (let n = 0; n < 10; n++) connection.sendDatagram(new Uint8Array(1000))
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    // Packet, connection id, number, frame, tag.
    expect(heard).to.be.within(1, 3 * 30)
  })

  it('keeps serving others while one sends 26 000 PATH_CHALLENGEs', async () => {
    const frames = Array(130).fill(PATH_CHALLENGE)
    for (let i = 0; i < 200; i++) await raw.send(...frames)
    await stillServes()
  })

  it('keeps serving others while one replaces its connection ids 7000 times', async () => {
    for (let i = 0; i < 200; i++) {
      await raw.send(...Array.from({ length: 35 }, (_, n) => newConnectionId(100 + 35 * i + n)))
    }
    await stillServes()
  })
})

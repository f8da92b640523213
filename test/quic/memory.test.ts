import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Child } from '../../src/process/child.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../src/quic/quic.ts'
import { testCertificates } from '../support/certificates.ts'
import type { MemoryOrders } from '../support/memory-child.ts'
import { sendOneBytePieces } from '../support/one-byte-pieces.ts'
import { connect } from '../support/quic-peer.ts'

const CHILD = new URL('../support/memory-child.ts', import.meta.url)
const MIB = 1 << 20

describe('the memory that one connection can take', () => {
  let child: Child<MemoryOrders>
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'masque-test-memory-'))
  })
  afterEach(async () => {
    await child.close()
    rmSync(directory, { recursive: true, force: true })
  })

  it('AT-03 stays small without credentials, whatever pieces its streams arrive in', async () => {
    child = new Child<MemoryOrders>(CHILD, { name: 'the proxy' })
    const address = await child.ask('start', await testCertificates())
    const keyLog = join(directory, 'keys.log')
    const client = await connect({ endpoint: { local: address } } as never, { settings: { keyLog } })
    await client.recorder.until(() => client.recorder.established)
    const ready = async () => {
      for (;;) {
        const answer = await child.ask('memory')
        // Our handshake is over a little before the proxy's.
        if (answer.connectionId !== undefined) return { rss: answer.rss, connectionId: answer.connectionId }
      }
    }
    const before = await ready()
    const { streamWindow, connectionWindow } = DEFAULT_QUIC_SETTINGS
    const streams = Array.from({ length: Math.floor(connectionWindow / streamWindow) }, (_, i) => i * 4)
    const { packets } = await sendOneBytePieces({
      to: address,
      keyLog,
      connectionId: Buffer.from(before.connectionId, 'hex'),
      streams,
      window: streamWindow,
    })
    const after = await child.ask('memory')
    const grown = after.rss - before.rss
    if (process.env.SHOW_MEMORY) console.log(`${packets} packets, ${(grown / MIB).toFixed(1)} MiB more`)
    // The connection is still there: what was sent was within the limits, and so is being remembered.
    expect(client.recorder.closed).to.equal(undefined)
    // Some 5 MiB; with windows of 4 MiB it would be 47 to 55.
    expect(grown).to.be.lessThan(24 * MIB)
    client.connection.close(0x100, '')
  })
})

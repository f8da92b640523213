import { expect } from 'chai'
import { LINES } from '../../src/log/log-budget.ts'
import { createLogger } from '../../src/log/logger.ts'
import { CONNECT_IP } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import { closeLoopback, startServer } from '../support/loopback.ts'

/** "Some 200" in docs/security.md. */
const BYTES_OF_A_REFUSAL = 250

describe('the log of a proxy', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  it('AT-07 cannot be filled by a client without credentials', async () => {
    const lines: string[] = []
    const logger = createLogger({ level: 'info', to: { write: line => void lines.push(line) } })
    // The refusals, one after the other, may take longer than a client gets for its tunnel.
    const server = await startServer({ auth: { mode: 'mtls' }, limits: { tunnelTimeoutMs: 120_000 } }, { logger })
    const started = performance.now()
    // More requests on one connection would end it.
    const connections = 3
    const refused = connections * 150
    for (let i = 0; i < connections; i++) {
      const peer = await HostileClient.connect(server)
      for (let j = 0; j < refused / connections; j++) {
        const { status } = await peer.request(CONNECT_IP, true)
        expect(status).to.equal('403')
      }
    }
    await closeHostilePeers()
    await closeLoopback()
    const seconds = (performance.now() - started) / 1000

    const about = lines.map(line => JSON.parse(line)).filter(line => line.connection !== undefined)
    const most = LINES.connection.burst + Math.ceil(seconds * LINES.connection.perSecond)
    expect(about.length).to.be.at.most(connections * most)
    expect(about.length).to.be.at.least(connections * LINES.connection.burst)
    expect(Math.max(...lines.map(line => line.length))).to.be.below(BYTES_OF_A_REFUSAL)
    const { linesLeftOut } = server.status().log
    const notes = lines.map(line => JSON.parse(line)).filter(line => line.leftOut !== undefined)
    expect(notes.reduce((sum, line) => sum + line.leftOut, 0)).to.equal(linesLeftOut)
    // One line for each refusal, and one at the end of each connection.
    expect(about.length + linesLeftOut).to.equal(refused + connections)
    expect(await server.metrics.text()).to.include(`masque_vpn_log_lines_lost_total{reason="left_out"} ${linesLeftOut}`)
  })
})

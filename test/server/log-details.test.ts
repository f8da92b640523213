import { expect } from 'chai'
import type { LogComponent } from '../../src/config/log-section.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { LINES } from '../../src/log/log-budget.ts'
import { createLogger } from '../../src/log/logger.ts'
import { ping as echoRequest } from '../connect-ip/packets.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import {
  addressOf,
  closeLoopback,
  connectClient,
  itOverAll,
  pingFailure,
  startServer,
  until,
} from '../support/loopback.ts'

type Line = Record<string, unknown> & { msg: string }

/** A log in which one component says everything, and the others nothing. */
function logOf(component: LogComponent) {
  const lines: Line[] = []
  const logger = createLogger({ level: 'silent', to: { write: line => void lines.push(JSON.parse(line)) } })
  return { lines, logger, log: { level: 'silent', levels: { [component]: 'debug' } } as const }
}

const resolveName = async (name: string): Promise<IpAddress[]> => {
  if (name !== 'echo.example') throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' })
  return [IpAddress.parse('10.90.0.1'), IpAddress.parse('fd00:90::1')]
}

describe('the log in detail', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  itOverAll('says of each packet that is dropped which it was, and why, at the proxy and at the client', async () => {
    const [atProxy, atClient] = [logOf('packets'), logOf('packets')]
    const server = await startServer({ log: atProxy.log }, { logger: atProxy.logger })
    const { client, info } = await connectClient(server, { log: atClient.log }, { logger: atClient.logger })
    const own = addressOf(info, 4)
    await pingFailure(client, '10.89.0.200')
    expect(atProxy.lines).to.have.length(1)
    const packet = { source: String(own), destination: '10.89.0.200', protocol: 'ICMP', bytes: 84 }
    expect(atProxy.lines[0]).to.include({ component: 'packets', level: 'debug', msg: 'dropped: no-route', ...packet })

    expect(atClient.lines).to.deep.equal([])
    await pingFailure(client, '192.0.2.1')
    expect(atClient.lines[0]).to.include({ component: 'packets', destination: '192.0.2.1', protocol: 'ICMP' })
    expect(atClient.lines[0].msg).to.match(/^dropped: /)
    expect(String(atClient.lines[0].tunnel)).to.match(/^[0-9a-f]+\/\d+$/)
  })

  it('AT-07 is bounded there, too, however many packets are dropped', async () => {
    const { lines, logger, log } = logOf('packets')
    const server = await startServer({ log }, { logger })
    const peer = await HostileClient.connect(server)
    await peer.openTunnel()
    const flood = 100
    const startedAt = performance.now()
    for (let i = 0; i < flood; i++) {
      peer.quic.sendDatagram(Uint8Array.of(0, 0, ...echoRequest('10.89.0.77', '10.90.0.1')))
      await until(() => server.clients()[0].packets.dropped === i + 1)
    }
    expect(lines[0]).to.include({ tunnel: server.clients()[0].id, source: '10.89.0.77', destination: '10.90.0.1' })
    const { linesLeftOut } = server.status().log
    expect(lines.length + linesLeftOut).to.equal(flood)
    const seconds = (performance.now() - startedAt) / 1000
    const { burst, perSecond } = LINES.connection
    expect(lines.length).to.be.within(burst, burst + Math.ceil(seconds * perSecond))
  })

  it('says what the names in requests stand for', async () => {
    const { lines, logger, log } = logOf('dns')
    const server = await startServer({ log }, { logger, resolveName })
    await connectClient(server, { proxy: { target: 'echo.example' } })
    await connectClient(server, { proxy: { target: 'none.example' } }).catch(() => {})
    const [found, missing] = lines
    expect(found).to.deep.include({ component: 'dns', msg: 'looked up', name: 'echo.example' })
    expect(found.addresses).to.deep.equal(['10.90.0.1', 'fd00:90::1'])
    expect(missing).to.include({ msg: 'not looked up', name: 'none.example' })
    expect(missing.reason).to.equal('none.example cannot be resolved')
  })

  it('costs nothing where it is off: nobody is told of a drop', async () => {
    const { lines, logger } = logOf('packets')
    const server = await startServer({}, { logger })
    const { client } = await connectClient(server)
    await pingFailure(client, '10.89.0.200')
    expect(lines).to.deep.equal([])
    expect(server.status().packets.dropped).to.deep.include({ 'no-route': 1 })
  })
})

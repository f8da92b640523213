import { expect } from 'chai'
import type { LogLevels } from '../../src/config/log-section.ts'
import { createLogger } from '../../src/log/logger.ts'
import { hashToken } from '../../src/server/auth.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { CONNECT_IP } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import { clientCertificate, closeLoopback, connectClient, itOverAll, startServer, until } from '../support/loopback.ts'

type Line = Record<string, unknown> & { msg: string }

function newLog() {
  const lines: Line[] = []
  const logger = createLogger({ level: 'info', to: { write: line => void lines.push(JSON.parse(line)) } })
  const about = (component: string) => lines.filter(line => line.component === component)
  return { lines, logger, about }
}

const levels: LogLevels = { quic: 'debug', tcp: 'debug', webtransport: 'debug' }

/** What the API says, as whoever asks for it gets it. */
async function api(server: MasqueServer, path: string): Promise<Record<string, unknown>[]> {
  return (await fetch(`${server.apiUrl}/api/v1/${path}`)).json() as Promise<Record<string, unknown>[]>
}

describe('the ids in the log', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  itOverAll('join the lines about a connection and its tunnel with each other and with the API', async () => {
    const { lines, logger, about } = newLog()
    const log = { level: 'info', levels } as const
    const tokens = ['alice', 'bob'].map(identity => ({ identity, sha256: hashToken(`of-${identity}`), maxTunnels: 1 }))
    const overrides = { auth: { mode: 'token' as const, tokens }, log, api: { enabled: true, port: 0 } }
    const server = await startServer(overrides, { logger })
    const other = await connectClient(server, { auth: { token: 'of-bob' } })
    const { client } = await connectClient(server, { auth: { token: 'of-alice' } })
    const shown = await api(server, 'clients')
    const { id, identity, remote } = shown.find(each => each.identity === 'alice') ?? {}
    await client.close()
    await other.client.close()
    await until(() => lines.filter(({ msg }) => msg.startsWith('closed: ')).length === 2)

    const tunnelLines = about('tunnel').filter(line => line.tunnel === id)
    expect(tunnelLines.map(({ msg }) => msg.split(':')[0])).to.deep.equal(['tunnel open', 'tunnel closed'])
    const [{ connection }] = tunnelLines
    expect(String(id).split('/')[0]).to.equal(connection)
    const ofConnection = lines.filter(line => line.connection === connection)
    expect(ofConnection.map(({ msg }) => msg.split(':')[0])).to.deep.equal([
      'connected',
      'tunnel open',
      'tunnel closed',
      'closed',
    ])
    for (const line of ofConnection) expect(line.remote).to.equal(remote)
    for (const line of tunnelLines) expect(line.identity).to.equal(identity)
    const events = (await api(server, 'connections')).filter(entry => entry.id === connection)
    expect(events.map(({ event }) => event)).to.deep.equal(['closed', 'tunnel-closed', 'tunnel-opened', 'connected'])
  })

  it('are in a refusal, too, with whoever has asked, where that is known', async () => {
    const { logger, about } = newLog()
    const auth = { mode: 'mtls' as const, identities: [{ identity: 'client', maxTunnels: 0 }] }
    const server = await startServer({ auth }, { logger })
    const peer = await HostileClient.connect(server)
    await peer.request(CONNECT_IP, true)
    await connectClient(server, { tls: await clientCertificate('client') }).catch(() => {})
    await until(() => about('http').length === 2)
    const [stranger, known] = about('http')
    expect(stranger).to.include({ status: 403, streamId: 0 }).and.not.have.property('identity')
    expect(known).to.include({ status: 429, identity: 'client' })
    for (const line of [stranger, known]) expect(line.connection).to.be.a('string')
  })

  it('are in a client’s log, where each line about a tunnel has its connection and its own', async () => {
    const { about, logger } = newLog()
    const { client } = await connectClient(await startServer(), {}, { logger })
    client.tunnel?.quic?.close(0x102, 'gone')
    await until(() => about('client').some(({ msg }) => msg === 'tunnel is down'))
    const [up, down] = about('client')
    expect(up.msg).to.equal('tunnel is up')
    expect(up.connection).to.match(/^[0-9a-f]+$/)
    expect(up.tunnel).to.equal(`${up.connection}/0`)
    expect(down).to.include({ connection: up.connection, tunnel: up.tunnel })
  })
})

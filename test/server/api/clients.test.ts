import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { createLogger } from '../../../src/log/logger.ts'
import { hashToken } from '../../../src/server/auth.ts'
import type { ServerConfigOverrides } from '../../../src/server/config.ts'
import type { MasqueServer, ServerOptions } from '../../../src/server/server.ts'
import type {
  ClientDetails,
  ClientInfo,
  ConnectionLogEntry,
  PerformanceStats,
  PoolInfo,
} from '../../../src/server/status.ts'
import { askApi } from '../../support/api-client.ts'
import { testCertificates } from '../../support/certificates.ts'
import { closeHostilePeers, HostileClient } from '../../support/hostile-peer.ts'
import { closeLoopback, connectClient, itOverAll, ping, startServer, until } from '../../support/loopback.ts'

interface LogPage {
  entries: ConnectionLogEntry[]
  next: number | null
}

const TOKEN = 'f00dfeedf00dfeedf00dfeed'
const headers = { authorization: `Bearer ${TOKEN}` }

describe('the REST API of a proxy with clients', () => {
  afterEach(closeLoopback)

  const start = (api: ServerConfigOverrides['api'] = {}, options: ServerOptions = {}): Promise<MasqueServer> =>
    startServer({ api: { enabled: true, port: 0, tokenSha256: hashToken(TOKEN), ...api } }, options)

  async function get<T>(server: MasqueServer, path: string): Promise<T> {
    const { status, body } = await askApi(server.apiUrl as string, path)
    expect(status, path).to.equal(200)
    return JSON.parse(body) as T
  }

  itOverAll('tells all about one client, by its id with a slash or with a dash', async () => {
    const server = await start()
    const { client, info } = await connectClient(server)
    await ping(client, '10.90.0.1')
    const [{ id, carrier }] = await get<ClientInfo[]>(server, '/api/v1/clients')
    const one = await get<ClientDetails>(server, `/api/v1/clients/${encodeURIComponent(id)}`)
    expect(one).to.include({ id, carrier })
    expect(one.addresses).to.deep.equal(info.assigned.map(prefix => String(prefix.address)))
    expect(one.packets.received).to.be.greaterThan(0)
    expect(one.uptimeSeconds).to.be.at.least(0)
    expect(one.connection).to.include({ id: id.split('/')[0], resumed: false })
    expect(one.dropped).to.be.an('object')
    if (carrier === 'h3') {
      expect(one.paths).to.have.length(1)
      expect(one.paths?.[0]).to.include({ active: true, remote: one.remote })
    } else expect(one).to.not.have.any.keys('paths', 'quic')
    const again = await get<ClientDetails>(server, `/api/v1/clients/${id.replace('/', '-')}`)
    expect(again.id).to.equal(id)
  })

  itOverAll('ends a tunnel in good order for who has the token', async () => {
    const lines: string[] = []
    const logger = createLogger({ level: 'info', to: { write: line => void lines.push(line) } })
    const server = await start({}, { logger })
    const { client } = await connectClient(server)
    const [{ id }] = await get<ClientInfo[]>(server, '/api/v1/clients')
    const path = `/api/v1/clients/${encodeURIComponent(id)}`
    expect((await askApi(server.apiUrl as string, path, { method: 'DELETE' })).status).to.equal(401)
    await ping(client, '10.90.0.1')
    expect((await askApi(server.apiUrl as string, path, { method: 'DELETE', headers })).status).to.equal(204)
    await until(() => server.status().tunnels === 0)
    const { entries } = await get<LogPage>(server, '/api/v1/logs?event=tunnel-closed')
    expect(entries[0].detail).to.include('by order of whoever runs the proxy')
    const told = lines.map(line => JSON.parse(line)).filter(({ component }) => component === 'api')
    expect(told.map(({ tunnel }) => tunnel)).to.deep.equal([id])
  })

  it('ends a tunnel also when its client does not follow', async () => {
    // Nothing else ends it before the test gives up.
    const server = await startServer({
      api: { enabled: true, port: 0, tokenSha256: hashToken(TOKEN) },
      limits: { tunnelTimeoutMs: 120_000 },
      quic: { idleTimeoutMs: 120_000 },
    })
    const peer = await HostileClient.connect(server)
    expect((await peer.openTunnel()).status).to.equal('200')
    const [{ id }] = server.clients()
    const path = `/api/v1/clients/${id.replace('/', '-')}`
    expect((await askApi(server.apiUrl as string, path, { method: 'DELETE', headers })).status).to.equal(204)
    await until(() => server.status().tunnels === 0)
    await closeHostilePeers()
  })

  it('shows who has which address of the pools', async () => {
    const server = await start()
    const { info } = await connectClient(server)
    const [{ id }] = await get<ClientInfo[]>(server, '/api/v1/clients')
    const pools = await get<PoolInfo[]>(server, '/api/v1/pool')
    expect(pools.map(({ prefix, gateway, used }) => [prefix, gateway, used])).to.deep.equal([
      ['10.89.0.0/24', '10.89.0.1', 1],
      ['fd00:89::/64', 'fd00:89::1', 1],
    ])
    const leases = pools.flatMap(pool => pool.leases)
    expect(leases).to.have.deep.members(info.assigned.map(prefix => ({ address: String(prefix.address), client: id })))
  })

  it('has figures of what has just gone through a tunnel', async () => {
    const server = await start()
    const { client } = await connectClient(server)
    for (let i = 0; i < 5; i++) await ping(client, '10.90.0.1')
    const { packets, tunnels, seconds } = await get<PerformanceStats>(server, '/api/v1/stats?window=1h')
    expect(packets.fromClients).to.be.at.least(5)
    expect(packets.toClients).to.be.at.least(5)
    expect(tunnels).to.deep.include({ now: 1, opened: 1, least: 0 })
    expect(seconds).to.be.greaterThan(0)
  })

  it('has quantiles of the round trips as soon as they were read, and null before', async () => {
    const server = await start()
    const none = await get<PerformanceStats>(server, '/api/v1/stats')
    expect(none.rtt).to.deep.equal({ p50Ms: null, p95Ms: null, readings: 0 })
    const { client } = await connectClient(server)
    await ping(client, '10.90.0.1')
    let stats: PerformanceStats = none
    await until(async () => {
      // Not so often that it would be told to ask less.
      await new Promise(resolve => setTimeout(resolve, 100))
      stats = await get<PerformanceStats>(server, '/api/v1/stats')
      return stats.rtt.readings > 0
    })
    expect(stats.rtt.p50Ms).to.be.greaterThan(0)
    expect(stats.rtt.p95Ms).to.be.at.least(stats.rtt.p50Ms as number)
  })

  it('pages through the log, by event and by identity, without a gap and without a repetition', async () => {
    const server = await start()
    for (let i = 0; i < 5; i++) {
      const { client } = await connectClient(server)
      await client.close()
    }
    await until(() => server.connectionLog().filter(({ event }) => event === 'closed').length === 5)
    const all = await get<ConnectionLogEntry[]>(server, '/api/v1/connections?limit=1000')
    const paged: ConnectionLogEntry[] = []
    let next: number | null = null
    do {
      const page: LogPage = await get<LogPage>(server, `/api/v1/logs?limit=3${next === null ? '' : `&before=${next}`}`)
      expect(page.entries.length).to.be.within(1, 3)
      paged.push(...page.entries)
      next = page.next
    } while (next !== null)
    expect(paged).to.deep.equal(all)
    const opened = await get<LogPage>(server, '/api/v1/logs?event=tunnel-opened&limit=5')
    expect(opened.entries).to.deep.equal(all.filter(({ event }) => event === 'tunnel-opened'))
    expect(opened.next).to.equal(null)
    expect((await get<LogPage>(server, '/api/v1/logs?identity=nobody')).entries).to.deep.equal([])
  })

  it('serves other addresses by HTTPS, and to who has the token; health to everybody', async () => {
    const server = await start({ host: '0.0.0.0', tls: true })
    const url = `https://localhost:${new URL(server.apiUrl as string).port}`
    const ca = readFileSync((await testCertificates()).ca, 'utf8')
    for (const path of ['/health', '/health/live', '/health/ready']) {
      expect((await askApi(url, path, { ca })).status, path).to.equal(200)
    }
    for (const path of ['/', '/api/v1/status', '/api/v1/events', '/metrics', '/nowhere']) {
      expect((await askApi(url, path, { ca })).status, path).to.equal(401)
    }
    expect((await askApi(url, '/api/v1/status', { ca, headers })).status).to.equal(200)
    expect(
      (await askApi(url, '/api/v1/status', { ca, headers: { ...headers, host: 'proxy.example' } })).status,
    ).to.equal(200)
    expect((await askApi(url, '/nowhere', { ca, headers })).status).to.equal(404)
  })
})

import { EventEmitter } from 'node:events'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { expect } from 'chai'
import fc from 'fast-check'
import { API_LIMITS, ApiError, type ApiServer, limitConnections, startApiServer } from '../../src/server/api-server.ts'
import { hashToken } from '../../src/server/auth.ts'
import { ServerMetrics } from '../../src/server/metrics.ts'
import { type Asked, askApi } from '../support/api-client.ts'
import { serverTls } from '../support/certificates.ts'
import { openapi } from '../support/openapi.ts'
import { FakeApiSource, whileSlow } from './fake-api-source.ts'

describe('REST API', () => {
  let source: FakeApiSource
  let api: ApiServer
  let errors: unknown[]

  beforeEach(async () => {
    source = new FakeApiSource()
    errors = []
    const onError = (error: unknown): void => void errors.push(error)
    api = await startApiServer({ host: '127.0.0.1', port: 0, source, metrics: new ServerMetrics(source), onError })
  })
  afterEach(() => api.close())

  const call = (path: string, { host, headers = {}, ...asked }: Asked & { host?: string } = {}) =>
    askApi(api.url, path, { ...asked, headers: { ...headers, ...(host !== undefined && { host }) } })

  it('says ok at /health while the server takes clients, and 503 while it is draining or has lost its TUN device', async () => {
    const well = await call('/health')
    expect([well.status, JSON.parse(well.body)]).to.deep.equal([200, { status: 'ok' }])
    for (const state of ['draining', 'tun-gone'] as const) {
      source.currentHealth = state
      const ill = await call('/health')
      expect([ill.status, JSON.parse(ill.body)]).to.deep.equal([503, { status: state }])
    }
  })

  it('says that the process lives, and apart from that whether it takes clients', async () => {
    for (const state of ['ok', 'draining', 'tun-gone'] as const) {
      source.currentHealth = state
      const live = await call('/health/live')
      expect([live.status, JSON.parse(live.body)], state).to.deep.equal([200, { status: 'ok' }])
      const ready = await call('/health/ready')
      expect([ready.status, JSON.parse(ready.body)]).to.deep.equal([state === 'ok' ? 200 : 503, { status: state }])
    }
  })

  it('shows the status and the clients as they are', async () => {
    expect(JSON.parse((await call('/api/v1/status')).body)).to.deep.equal(source.currentStatus)
    expect(JSON.parse((await call('/api/v1/clients')).body)).to.deep.equal(source.currentClients)
  })

  it('shows the connection log, newest first, as much as is asked for', async () => {
    source.log = Array.from({ length: 150 }, (_, i) => ({
      seq: 150 - i,
      at: '2026-01-01T00:00:00.000Z',
      event: 'connected',
      id: `c${150 - i}`,
      remote: 'r',
    }))
    const all = JSON.parse((await call('/api/v1/connections')).body)
    expect(all).to.have.length(100)
    expect(all[0].id).to.equal('c150')
    expect(JSON.parse((await call('/api/v1/connections?limit=2')).body)).to.deep.equal(source.log.slice(0, 2))
  })

  it('shows of the log what fits event, identity and number together', async () => {
    const events = ['connected', 'closed'] as const
    source.log = Array.from({ length: 12 }, (_, i) => ({
      seq: 12 - i,
      at: '2026-01-01T00:00:00.000Z',
      event: events[i % 2],
      id: 'aa',
      remote: 'r',
      ...(i % 3 > 0 && { identity: i % 3 === 1 ? 'alice' : 'bob' }),
    }))
    const seqs = async (query: string) => {
      const { entries, next } = JSON.parse((await call(`/api/v1/logs?${query}`)).body)
      return [entries.map(({ seq }: { seq: number }) => seq), next]
    }
    expect(await seqs('identity=alice')).to.deep.equal([[11, 8, 5, 2], null])
    expect(await seqs('identity=alice&event=closed')).to.deep.equal([[11, 5], null])
    expect(await seqs('identity=alice&event=closed&before=11')).to.deep.equal([[5], null])
    expect(await seqs('identity=bob&limit=2')).to.deep.equal([[10, 7], 7])
    expect(await seqs('identity=bob&limit=2&before=7')).to.deep.equal([[4, 1], null])
    expect((await call(`/api/v1/logs?identity=${'a'.repeat(64)}`)).status).to.equal(200)
    expect((await call(`/api/v1/logs?identity=${'a'.repeat(65)}`)).status).to.equal(400)
  })

  it('keeps the figures of one window apart from those of another, also when they take long to make', async () => {
    await whileSlow(source, 'status', async () => {
      for (const window of ['10s', '1m', '5m', '1h', '10s']) {
        expect(JSON.parse((await call(`/api/v1/stats?window=${window}`)).body).window).to.equal(window)
      }
    })
  })

  it('refuses a limit that is none', async () => {
    for (const limit of ['0', '-1', 'x', '1001', '1e3', '', '1&limit=2']) {
      const { status, body } = await call(`/api/v1/connections?limit=${limit}`)
      expect(status, limit).to.equal(400)
      expect(JSON.parse(body).detail).to.include('expected a number from 1 to 1000')
    }
  })

  it('names every parameter that will not do, and repeats no more of it than helps', async () => {
    const long = 'x'.repeat(500)
    const { status, body } = await call(`/api/v1/logs?limit=0&event=${long}&${long}=1&before=5`)
    const { errors, detail } = JSON.parse(body)
    expect([status, errors.map(({ parameter }: { parameter: string }) => parameter)]).to.deep.equal([
      400,
      [`${'x'.repeat(80)}…`, 'event', 'limit'],
    ])
    for (const { detail: each } of errors) expect(detail).to.include(each)
    expect(detail).to.not.include('x'.repeat(81))
  })

  it('serves the metrics as Prometheus reads them', async () => {
    const { status, headers, body } = await call('/metrics')
    expect(status).to.equal(200)
    expect(headers['content-type']).to.match(/^text\/plain; version=0\.0\.4/)
    expect(body).to.include('\nmasque_vpn_active_connections 2\n')
  })

  it('lists at / what there is, the same as docs/openapi.yaml', async () => {
    const { endpoints } = JSON.parse((await call('/')).body)
    for (const path of endpoints) {
      // No link is attached here.
      const status = path === '/api/v1/link' ? 404 : 200
      expect((await call(path.replace('{id}', 'aa-0'))).status, path).to.equal(status)
    }
    expect(Object.keys(openapi.paths)).to.have.members(['/', ...endpoints])
  })

  it('documents every field of status, clients and log in docs/openapi.yaml', async () => {
    source.log = [{ seq: 1, at: 'now', event: 'connected', id: 'a', remote: 'b', identity: 'c', detail: 'd' }]
    const names = (value: unknown): string[] => {
      if (Array.isArray(value)) return value.flatMap(names)
      if (typeof value !== 'object' || value === null) return []
      return Object.entries(value).flatMap(([key, inner]) =>
        ['dropped', 'udp', 'tun'].includes(key) ? [key] : [key, ...names(inner)],
      )
    }
    const described = JSON.stringify(openapi.components.schemas)
    const shown = [source.status(), source.clients(), source.client('aa/0'), source.pools(), source.log]
    for (const name of new Set(names(shown))) expect(described, name).to.include(`"${name}":`)
  })

  it('answers every request as docs/openapi.yaml says, whatever its method, query and Host', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const word = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom('limit', '0', '1', '1000', '1001', '-1', '1e3', '../..', '1m', 'closed', 'status'),
    )
    const name = fc.oneof(fc.constantFrom('limit', 'before', 'event', 'identity', 'window', 'types'), word)
    const query = fc
      .array(fc.tuple(name, word), { maxLength: 3 })
      .map(pairs => pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&'))
    const asked = fc.record({
      path: fc.constantFrom(...Object.keys(openapi.paths).map(path => path.replace('{id}', 'aa%2F4'))),
      query,
      method: fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND'),
      host: fc.constantFrom(
        undefined,
        undefined,
        'localhost',
        '127.0.0.1:1',
        '[::1]',
        'evil.example',
        ' ',
        '127.0.0.1.evil.example',
      ),
    })
    await fc.assert(
      fc.asyncProperty(asked, async ({ path, query, method, host }) => {
        // Each answer is held against the description by `askApi`.
        const { status } = await call(query === '' ? path : `${path}?${query}`, { method, host, agent })
        const isOurs = host === undefined || /^(localhost|127\.0\.0\.1:1|\[::1\])$/.test(host)
        const isThere =
          /^(GET|HEAD)$/.test(method) ||
          (method === 'DELETE' && path.includes('/clients/')) ||
          (method === 'POST' && path === '/api/v1/link')
        if (!isOurs) expect(status).to.equal(403)
        else expect(status === 405).to.equal(!isThere)
      }),
      { seed: 9110, numRuns: 300 },
    )
    agent.destroy()
  })

  it('answers with a problem document (RFC 9457) what is not there, and what may only be read', async () => {
    const missing = await call('/api/v2')
    expect([missing.status, JSON.parse(missing.body).detail]).to.deep.equal([
      404,
      'there is nothing at /api/v2; / lists what there is',
    ])
    for (const path of ['/', '/health', '/metrics']) {
      const { status, headers, body } = await call(path, { method: 'POST' })
      expect([status, headers.allow], path).to.deep.equal([405, 'GET, HEAD'])
      expect(JSON.parse(body).detail).to.include('POST is not possible here')
    }
    expect((await call('/health', { method: 'HEAD' })).status).to.equal(200)
  })

  it('answers a malformed path with 400 and a failure of its own with 500, without its insides', async () => {
    expect((await call('/%E0%A4%A')).status).to.be.oneOf([400, 404])
    source.status = () => {
      throw new Error('secret inside')
    }
    for (const path of ['/api/v1/status', '/metrics']) {
      const { status, body } = await call(path)
      expect(JSON.parse(body), path).to.deep.equal({
        type: 'about:blank',
        title: 'Internal Server Error',
        status,
        detail: 'something went wrong inside the proxy; its log has more',
      })
    }
    // What takes a sample each second may have met it, too.
    expect(errors.length).to.be.at.least(2)
    expect(new Set(errors.map(String))).to.deep.equal(new Set(['Error: secret inside']))
  })

  it('does not tell what it is built with, and lets nothing be cached', async () => {
    const { headers } = await call('/api/v1/status')
    expect(headers).to.not.have.any.keys('x-powered-by', 'etag')
    expect(headers['cache-control']).to.equal('no-store')
  })

  it('has browsers take every answer for what it says it is, and show none to pages of other sites', async () => {
    for (const [path, host] of [['/metrics'], ['/api/docs/'], ['/nowhere'], ['/', 'evil.example']]) {
      const { headers } = await call(path, host === undefined ? {} : { host })
      expect(headers, path).to.include({
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
      })
    }
  })

  it('has so many connections of one address, or of a /64 of IPv6, and has room again when they close', () => {
    const { connectionsPerAddress: most } = API_LIMITS
    const add = limitConnections()
    const connected = (remoteAddress: string | undefined) => {
      const socket = Object.assign(new EventEmitter(), { remoteAddress, destroyed: false, destroy })
      function destroy() {
        socket.destroyed = true
        return socket as never
      }
      add(socket as never)
      return socket
    }
    for (const network of ['192.0.2.1', '2001:db8::']) {
      const address = (i: number): string => network + (network.endsWith(':') ? i : '')
      const sockets = Array.from({ length: most + 1 }, (_, i) => connected(address(i)))
      expect(sockets.map(({ destroyed }) => destroyed)).to.deep.equal([...Array(most).fill(false), true])
      sockets[0].emit('close')
      expect(connected(address(0)).destroyed).to.equal(false)
      expect(connected(address(0)).destroyed).to.equal(true)
    }
    expect(connected('192.0.2.2').destroyed).to.equal(false)
    expect(connected(undefined).destroyed, 'it has gone already').to.equal(true)
  })

  it('refuses, on loopback, a Host header that names another machine', async () => {
    for (const host of [
      'evil.example',
      'evil.example:8080',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '192.168.1.1',
      '[::2]',
    ]) {
      const { status, body } = await call('/api/v1/clients', { host })
      expect(status, host).to.equal(403)
      expect(JSON.parse(body).detail).to.include('Host')
    }
    for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1:9999', '127.1.2.3', '[::1]:80', '[::1]']) {
      expect((await call('/health', { host })).status, host).to.equal(200)
    }
  })

  it('refuses, on loopback, a request without a Host header', async () => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
    socket.end('GET /health HTTP/1.0\r\n\r\n')
    let answer = ''
    for await (const chunk of socket) answer += chunk
    expect(answer).to.match(/^HTTP\/1\.1 403 /)
  })

  for (const host of ['0:0:0:0:0:0:0:1', '127.1', '::ffff:127.0.0.1', '127.0.0.3', '::1', 'localhost', 'LocalHost']) {
    it(`AT-14 checks the Host header when api.host is ${host}: the address that is listened on decides`, async function () {
      await api.close()
      try {
        api = await startApiServer({ host, port: 0, source, metrics: new ServerMetrics(source) })
      } catch (error) {
        // Machines without IPv6, and resolvers that do not read addresses as inet_aton does.
        if (!(error instanceof ApiError)) throw error
        this.skip()
      }
      expect((await call('/api/v1/clients', { host: 'evil.example' })).status).to.equal(403)
      expect((await call('/api/v1/clients', { host: '192.0.2.1' })).status).to.equal(403)
      for (const own of ['localhost', '127.0.0.1:80', '[::1]', '[0:0::1]', '[::ffff:127.0.0.1]']) {
        expect((await call('/health', { host: own })).status, own).to.equal(200)
      }
    })
  }

  it('AT-14 knows the name that the configuration gives to a loopback address', async () => {
    await api.close()
    api = await startApiServer({ host: '127.1', port: 0, source, metrics: new ServerMetrics(source) })
    expect((await call('/health', { host: '127.1:80' })).status).to.equal(200)
    expect((await call('/health', { host: '127.2:80' })).status).to.equal(403)
  })

  describe('with one limit of time that is short, and all others longer than this test', () => {
    const never = { headMs: 1e6, requestMs: 1e6, keepAliveMs: 1e6, stillMs: 1e6 }
    const GET = 'GET /health HTTP/1.1\r\nHost: localhost\r\n'
    /** What was answered until the connection was closed. */
    const answerTo = async (text: string, times: Partial<typeof never>): Promise<string> => {
      await api.close()
      const metrics = new ServerMetrics(source)
      api = await startApiServer({ host: '127.0.0.1', port: 0, source, metrics, times: { ...never, ...times } })
      const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
      socket.write(text)
      let answer = ''
      for await (const chunk of socket) answer += chunk
      return answer
    }

    it('AT-35 says 408 to a head that does not come, and ends the connection', async () => {
      expect(await answerTo(GET, { headMs: 200 })).to.match(/^HTTP\/1\.1 408 [\s\S]*application\/problem\+json/)
    })

    it('AT-35 does so at the latest when all of a request should have come', async () => {
      expect(await answerTo(GET, { headMs: 0, requestMs: 200 })).to.match(/^HTTP\/1\.1 408 /)
    })

    it('AT-35 ends a connection on which no further request comes', async () => {
      expect(await answerTo(`${GET}\r\n`, { keepAliveMs: 200 })).to.match(/^HTTP\/1\.1 200 [\s\S]*"ok"/)
    })

    it('AT-35 ends a connection on which nothing moves', async () => {
      expect(await answerTo('', { stillMs: 200 })).to.equal('')
      expect(await answerTo(GET, { stillMs: 200 })).to.equal('')
    })
  })

  it('is not served where other machines reach it without TLS and a token', async () => {
    const tls = (await serverTls()) as { certificateChain: Uint8Array; key: Uint8Array }
    for (const half of [{}, { tls }, { tokenSha256: hashToken('secret') }]) {
      const start = startApiServer({ host: '0.0.0.0', port: 0, source, metrics: new ServerMetrics(source), ...half })
      const error = await start.then(
        server => server.close(),
        cause => cause,
      )
      expect(error, Object.keys(half).join()).to.be.instanceOf(ApiError)
      expect(error.message).to.include('it needs TLS (api.tls) and a token (api.token_sha256 or api.token_file)')
    }
  })

  it('names host and port, and what to do, when the port is taken', async () => {
    const { port } = new URL(api.url)
    const second = await startApiServer({
      host: '127.0.0.1',
      port: Number(port),
      source,
      metrics: new ServerMetrics(source),
    }).then(
      () => undefined,
      error => error,
    )
    expect(second).to.be.instanceOf(ApiError)
    expect(second.message.split(';').slice(0, 2).join(';')).to.equal(
      `the REST API cannot listen on 127.0.0.1:${port}: another program uses this port; stop it, or choose another api.port (0 takes any free one)`,
    )
  })

  it('says so when the address is not one of this machine', async () => {
    const start = startApiServer({ host: '192.0.2.1', port: 0, source, metrics: new ServerMetrics(source) })
    const error = await start.then(
      () => undefined,
      cause => cause,
    )
    expect(error).to.be.instanceOf(ApiError)
    expect(error.message).to.include('192.0.2.1:0: this machine does not have this address')
  })

  it('closes connections that are kept alive and those that never sent a request', async () => {
    const agent = new Agent({ keepAlive: true })
    await call('/health', { agent })
    const idle = connect(Number(new URL(api.url).port), '127.0.0.1')
    await new Promise(resolve => idle.once('connect', resolve))
    const idleClosed = new Promise(resolve => idle.once('close', resolve))
    await api.close()
    await idleClosed
    agent.destroy()
    const refused = await call('/health').then(
      () => undefined,
      error => error,
    )
    expect(refused.code).to.equal('ECONNREFUSED')
  })
})

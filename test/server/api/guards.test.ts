import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect } from 'chai'
import { createApp } from '../../../src/server/api/app.ts'
import { REQUEST_LIMITS, TokenGuard } from '../../../src/server/api/guards.ts'
import { API_LIMITS, type ApiServer, startApiServer } from '../../../src/server/api-server.ts'
import { hashToken } from '../../../src/server/auth.ts'
import { ServerMetrics } from '../../../src/server/metrics.ts'
import { type Asked, askApi, rawExchange } from '../../support/api-client.ts'
import { FakeApiSource, whileSlow } from '../fake-api-source.ts'

const TOKEN = 'f00dfeedf00dfeedf00dfeed'
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

describe('what a request to the REST API has to pass:', () => {
  let source: FakeApiSource
  let api: ApiServer

  async function start(tokenSha256?: string): Promise<void> {
    source = new FakeApiSource()
    api = await startApiServer({ host: '127.0.0.1', port: 0, source, metrics: new ServerMetrics(source), tokenSha256 })
  }
  afterEach(() => api.close())

  const ask = (path: string, asked?: Asked) => askApi(api.url, path, asked)
  const detailOf = ({ body }: { body: string }): string => JSON.parse(body).detail

  describe('the token, for what changes something', () => {
    const remove = (headers: Record<string, string> = {}) =>
      ask('/api/v1/clients/aa%2F4', { method: 'DELETE', headers })

    it('is off where none is configured, and the answer says how to turn it on', async () => {
      await start()
      const answer = await remove(bearer(TOKEN))
      expect(answer.status).to.equal(403)
      expect(detailOf(answer)).to.include('api.token_sha256')
      expect(source.currentClients).to.have.length(3)
    })

    it('AT-34 is missing, of another form, or another one: 401, and nothing happens', async () => {
      await start(hashToken(TOKEN))
      const wrong = [
        {},
        { authorization: TOKEN },
        { authorization: `Basic ${TOKEN}` },
        bearer(`${TOKEN}0`),
        bearer('x'),
      ]
      for (const headers of wrong) {
        const answer = await remove(headers as Record<string, string>)
        expect(answer.status).to.equal(401)
        expect(answer.headers['www-authenticate']).to.match(/^Bearer realm="masque-lab"/)
        expect(answer.body).to.not.include(TOKEN)
      }
      const inQuery = await ask(`/api/v1/clients/aa%2F4?access_token=${TOKEN}`, { method: 'DELETE' })
      expect(inQuery.status).to.equal(401)
      expect(source.currentClients).to.have.length(3)
    })

    it('is right: the client is closed, and gone from the list at once; it is not found a second time', async () => {
      await start(hashToken(TOKEN))
      // With many clients the list takes long to make, and so is kept for some time.
      await whileSlow(source, 'clients', async tookMs => {
        for (let n = 0; n < 2; n++) await ask('/api/v1/clients')
        expect(tookMs(), 'it is kept').to.equal(60_000)
        const closed = await remove(bearer(TOKEN))
        expect([closed.status, closed.body]).to.deep.equal([204, ''])
        const { body } = await ask('/api/v1/clients')
        expect(JSON.parse(body).map(({ id }: { id: string }) => id)).to.deep.equal(['aa/0', 'bb/0'])
      })
      expect((await remove(bearer(TOKEN))).status).to.equal(404)
    })

    it('is not needed to read, on loopback', async () => {
      await start(hashToken(TOKEN))
      expect((await ask('/api/v1/status')).status).to.equal(200)
    })
  })

  describe('a browser', () => {
    beforeEach(() => start(hashToken(TOKEN)))

    it('AT-34 asks for a page of another site, or of another port of this machine: refused, whatever it asks for', async () => {
      for (const site of ['cross-site', 'same-site']) {
        for (const path of ['/api/v1/clients', '/api/v1/events', '/metrics', '/health']) {
          const answer = await ask(path, { headers: { 'sec-fetch-site': site, 'sec-fetch-mode': 'no-cors' } })
          expect(answer.status, `${site} ${path}`).to.equal(403)
        }
      }
    })

    it('follows a link, or is here already: served', async () => {
      const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
      expect((await ask('/api/v1/status', { headers: link })).status).to.equal(200)
      for (const site of ['same-origin', 'none']) {
        expect((await ask('/api/v1/status', { headers: { 'sec-fetch-site': site } })).status).to.equal(200)
      }
    })

    it('puts another site into a frame around it: refused', async () => {
      const frame = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }
      expect((await ask('/api/v1/status', { headers: frame })).status).to.equal(403)
    })

    it('asks beforehand whether a page may send a token (CORS): it may not', async () => {
      const origin = { origin: 'http://evil.example', 'access-control-request-method': 'DELETE' }
      const { status, headers } = await ask('/api/v1/clients/aa%2F4', { method: 'OPTIONS', headers: origin })
      expect(status).to.equal(405)
      expect(Object.keys(headers).filter(name => name.startsWith('access-control'))).to.deep.equal([])
    })
  })

  describe('its size and its form', () => {
    beforeEach(() => start(hashToken(TOKEN)))

    it('has content, malformed, huge or without an end: 413 at once, whatever the method', async () => {
      const contents = ['{', '{"a":1}', 'x'.repeat(100_000)]
      for (const method of ['POST', 'DELETE', 'PUT']) {
        for (const body of contents) {
          const length = `Content-Length: ${body.length}`
          const head = `${method} /api/v1/clients/aa%2F4 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${length}\r\n\r\n`
          expect(await rawExchange(api.url, head + body.slice(0, 1000))).to.match(
            /^HTTP\/1\.1 413 [\s\S]*Connection: close/i,
          )
        }
      }
      const endless = 'POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'
      expect(await rawExchange(api.url, endless)).to.match(/^HTTP\/1\.1 413 /)
      const expecting = 'POST /health HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n'
      expect(await rawExchange(api.url, expecting)).to.match(/^HTTP\/1\.1 413 /)
    })

    it('has a path and query that are too long: 414', async () => {
      expect((await ask(`/${'a'.repeat(REQUEST_LIMITS.target)}`)).status).to.equal(414)
      expect((await ask(`/api/v1/logs?identity=${'a'.repeat(REQUEST_LIMITS.target)}`)).status).to.equal(414)
    })

    it('has a head that is too large, or with too many fields: 431', async () => {
      const fields = (count: number, length: number): string =>
        Array.from({ length: count }, (_, i) => `X-${i}: ${'a'.repeat(length)}\r\n`).join('')
      const asked = (head: string): string => `GET /health HTTP/1.1\r\nHost: localhost\r\n${head}\r\n`
      for (const head of [fields(1, API_LIMITS.headBytes), fields(REQUEST_LIMITS.fields, 1)]) {
        const answer = await rawExchange(api.url, asked(head).replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
        expect(answer).to.match(/^HTTP\/1\.1 431 [\s\S]*application\/problem\+json/)
      }
    })

    it('is no HTTP: 400, or HTTP/2 without being asked: the connection ends', async () => {
      for (const bytes of [
        '\0\0\0\r\n\r\n',
        'GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n',
        'hello\r\n\r\n',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      ]) {
        const answer = await rawExchange(api.url, bytes)
        expect(answer, JSON.stringify(bytes)).to.match(/^HTTP\/1\.1 400 [\s\S]*"title":"Bad Request"/)
      }
    })

    it('hides another request behind it (smuggling): refused', async () => {
      const both =
        'GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n'
      const answer = await rawExchange(api.url, both)
      expect(answer).to.match(/^HTTP\/1\.1 4(00|13) /)
      expect(answer.match(/^HTTP\/1\.1/gm)).to.have.length(1)
    })

    it('tries tricks with its path: nothing is there, and nothing breaks', async () => {
      const paths = [
        '/api/v1/../../etc/passwd',
        '/api/v1/%2e%2e/%2e%2e/etc/passwd',
        '//api/v1/status',
        '/api//v1/status',
        '/api/v1/status/',
        '/API/V1/STATUS',
        '/api/v1/clients/%00',
        '/api/v1/clients/..%2f..%2fetc',
        '/api/v1/clients/__proto__',
        '/api/v1/clients/constructor',
        '/browser/..%2f..%2fserver.ts',
        '/%ff',
        '/api/v1/clients/%',
        '/{id}',
        '/api/v1/clients/{id}',
        '/:id',
      ]
      for (const path of paths) {
        const [line] = (
          await rawExchange(api.url, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
        ).split('\r\n')
        expect(line, path).to.match(/^HTTP\/1\.1 40[04] /)
      }
      expect((await ask('/api/v1/status')).status).to.equal(200)
    })

    it('AT-34 asks in the form for proxies, whatever its Host header says: 400', async () => {
      for (const host of ['evil.example', 'localhost']) {
        const asked = `GET http://evil.example/api/v1/status HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
        expect(await rawExchange(api.url, asked)).to.match(/^HTTP\/1\.1 400 /)
      }
    })

    it('AT-34 says twice which host it is for: 400', async () => {
      const asked = 'GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n'
      expect(await rawExchange(api.url, asked)).to.match(/^HTTP\/1\.1 400 /)
    })
  })

  describe('how often it comes', () => {
    beforeEach(() => start())

    it('AT-35 is more than one address may ask: 429, late, and the end of the connection; other parts are served on', async () => {
      const { perWindowOnLoopback, windowMs } = REQUEST_LIMITS
      const startedAt = performance.now()
      const head = 'HEAD /api/v1/connections HTTP/1.1\r\nHost: localhost\r\n'
      const last = `${head}Connection: close\r\n\r\n`
      const { sentAhead } = REQUEST_LIMITS
      const bySender = Array.from({ length: 50 }, () => rawExchange(api.url, `${head}\r\n`.repeat(sentAhead) + last))
      let allowed = (await Promise.all(bySender)).join('')
      const rest = perWindowOnLoopback - 50 * (sentAhead + 1)
      const byOne = Array.from({ length: rest / 10 }, () => rawExchange(api.url, `${head}\r\n`.repeat(9) + last))
      allowed += (await Promise.all(byOne)).join('')
      const tooMany = await rawExchange(api.url, `${head}\r\n`.repeat(10))
      // On a machine that is very busy the window may be over meanwhile.
      if (performance.now() - startedAt < windowMs) {
        expect(allowed.match(/^HTTP\/1\.1 200 /gm)).to.have.length(perWindowOnLoopback)
        expect(tooMany.match(/^HTTP\/1\.1 \d+/gm)).to.deep.equal(['HTTP/1.1 429'])
        expect(tooMany)
          .to.match(/^Retry-After: 10\r$/m)
          .and.to.match(/^Connection: close\r$/m)
      }
      for (const path of ['/metrics', '/health', '/api/v1/events', '/']) {
        expect((await ask(path)).status, path).to.equal(200)
      }
    })
  })

  it('is more than one address elsewhere may ask: whoever has one of IPv6 has a /64, and asks no more often for that', async () => {
    await start()
    const { perWindow, windowMs } = REQUEST_LIMITS
    const server = createServer(
      createApp({ ownName: 'localhost', token: new TokenGuard(undefined), routes: {}, onError: () => {} }),
    )
    let host = 0
    server.on('connection', socket => Object.defineProperty(socket, 'remoteAddress', { value: `2001:db8::${++host}` }))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const startedAt = performance.now()
    const head = 'HEAD / HTTP/1.1\r\nHost: localhost\r\n'
    const ten = `${head}\r\n`.repeat(9) + `${head}Connection: close\r\n\r\n`
    let allowed = ''
    for (let sent = 0; sent < perWindow; sent += 10) allowed += await rawExchange(url, ten)
    const tooMany = await rawExchange(url, ten)
    server.close()
    // On a machine that is very busy the window may be over meanwhile.
    if (performance.now() - startedAt >= windowMs) return
    expect(allowed.match(/^HTTP\/1\.1 200 /gm)).to.have.length(perWindow)
    expect(tooMany.match(/^HTTP\/1\.1 \d+/gm)).to.deep.equal(['HTTP/1.1 429'])
  })

  describe('how many are sent ahead on a connection', () => {
    beforeEach(() => start())
    const head = 'HEAD /health HTTP/1.1\r\nHost: localhost\r\n'

    it('AT-35 does not matter to anybody else: they are answered one after the other, and others in between', async () => {
      const order: string[] = []
      source.onHealth = () => order.push('asked')
      const { sentAhead } = REQUEST_LIMITS
      const done = rawExchange(api.url, `${head}\r\n`.repeat(sentAhead) + `${head}Connection: close\r\n\r\n`)
      let turns = 0
      const turn = (): void => {
        if (order.length < sentAhead + 1) setImmediate(turn)
        if (order.length > 0) turns++
      }
      turn()
      expect((await done).match(/^HTTP\/1\.1 200 /gm)).to.have.length(sentAhead + 1)
      expect(turns).to.be.at.least(sentAhead + 1)
    })

    it('AT-35 is more than 16: none of those that wait is looked at, the connection ends after a second, and others are served on', async () => {
      let asked = 0
      source.onHealth = () => asked++
      const startedAt = performance.now()
      const answers = await rawExchange(api.url, `${head}\r\n`.repeat(300)).catch(() => '')
      // A timer may ring a millisecond early.
      expect(performance.now() - startedAt).to.be.at.least(REQUEST_LIMITS.tooOftenMs - 2)
      expect(answers.match(/^HTTP\/1\.1 200 /gm)?.length ?? 0).to.be.at.most(1)
      expect(asked).to.equal(1)
      expect((await ask('/health')).status).to.equal(200)
    })

    it('AT-35 is more than 16, a few at a time: the same, and nothing that follows is looked at', async () => {
      const events = 'GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n'
      let asked = 0
      source.onHealth = () => asked++
      const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
      const closed = new Promise(resolve => socket.on('error', () => {}).once('close', resolve))
      socket.resume().write(events)
      const sending = setInterval(() => socket.write(`${head}\r\n`.repeat(10)), 5)
      await closed
      clearInterval(sending)
      expect(asked).to.equal(0)
    })

    it('AT-35 follows a request for events, which never end: nothing comes of them', async () => {
      const events = 'GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n'
      let asked = 0
      source.onHealth = () => asked++
      await rawExchange(api.url, events + `${head}\r\n`.repeat(300)).catch(() => '')
      expect(asked).to.equal(0)
    })
  })

  it('has no more connections than one address may have', async () => {
    await start()
    const sockets = Array.from({ length: API_LIMITS.connectionsPerLoopbackAddress + 20 }, () => {
      const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
      socket.on('error', () => {})
      return socket
    })
    let closed = 0
    await new Promise<void>(resolve => {
      for (const socket of sockets) {
        socket.once('close', () => {
          closed++
          if (closed === 20) resolve()
        })
      }
    })
    for (const socket of sockets) socket.destroy()
  })
})

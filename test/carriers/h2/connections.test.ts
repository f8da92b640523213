import { once } from 'node:events'
import { connect } from 'node:http2'
import { createServer } from 'node:net'
import { expect } from 'chai'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import type { ClientConfigOverrides } from '../../../src/client/config.ts'
import { ClientError } from '../../../src/client/errors.ts'
import { ListenError, MasqueServer } from '../../../src/server/server.ts'
import { freePort } from '../../../src/testbed/free-port.ts'
import {
  clientCertificate,
  closeLoopback,
  connectClient,
  failure,
  newClient,
  ping,
  startServer,
  until,
} from '../../support/loopback.ts'
import { scratchFolder } from '../../support/scratch.ts'
import { IS_TYPESCRIPT } from '../../support/which-engine.ts'

const OVER_HTTP2: ClientConfigOverrides = { tunnel: { carrier: 'h2' } }

describe('HTTP/2 between proxy and client', () => {
  afterEach(closeLoopback)

  it('CIP-23 carries a tunnel in DATAGRAM capsules, on TCP with the port number that UDP has', async () => {
    const server = await startServer()
    const { client, info } = await connectClient(server, OVER_HTTP2)
    expect(info).to.include({ carrier: 'h2', encapsulation: 'single-stream', mtu: 1500 })
    await ping(client, '10.90.0.1')
    await ping(client, 'fd00:90::1', { size: 1400 })
    const [{ carrier, quic, backlog }] = server.clients()
    expect({ carrier, quic, backlog }).to.deep.equal({
      carrier: 'h2',
      quic: undefined,
      backlog: { bytes: 0, blockedMs: 0, dropped: 0 },
    })
    await client.close()
    await until(() => server.status().tunnels === 0 && server.status().connections === 0)
  })

  it('is turned off by listen.tcp = false', async () => {
    const server = await startServer({ listen: { tcp: false } })
    const error = await failure((await newClient(server, OVER_HTTP2)).connect(), ClientError)
    expect(error.kind).to.equal('network')
    await connectClient(server)
  })

  it('needs the port on TCP: where another program has it, the proxy says so and leaves nothing open', async () => {
    const taken = createServer()
    const port = await freePort()
    await new Promise<void>(resolve => taken.listen(port, '127.0.0.1', resolve))
    const { config } = await startServer()
    const start = () => MasqueServer.start({ ...config, listen: { ...config.listen, port } })
    const error = await failure(start(), ListenError)
    expect(error.message).to.match(/^TCP 127\.0\.0\.1:\d+ is already in use: .*listen\.tcp = false/)
    await new Promise(resolve => taken.close(resolve))
    await (await start()).close()
  })

  it('checks certificates as HTTP/3 does, and says the same', async () => {
    const server = await startServer()
    const other = await makeTestCertificates(scratchFolder('masque-other-ca-'))
    for (const tls of [{ ca: other.ca }, { serverName: 'other.example' }]) {
      const [h2, h3] = await Promise.all(
        (['h2', 'h3'] as const).map(async carrier => {
          const { kind, message } = await failure(
            (await newClient(server, { tunnel: { carrier }, tls })).connect(),
            ClientError,
          )
          return { kind, message }
        }),
      )
      // Of a wrong name the engine in TypeScript knows more than the alert, and says so.
      if (IS_TYPESCRIPT && 'serverName' in tls) {
        expect(h3.message).to.match(/^we do not trust the proxy: the certificate does not name other\.example/)
        expect(h2.kind).to.equal(h3.kind)
      } else expect(h2).to.deep.equal(h3)
      expect(h2.kind).to.equal('tls')
    }
    // Whoever wants no check has none.
    await connectClient(server, { ...OVER_HTTP2, tls: { ca: other.ca, insecure: true } })
  })

  it('knows a client by its certificate, and refuses one that nobody known has signed', async () => {
    const server = await startServer({ auth: { mode: 'mtls' } })
    await connectClient(server, { ...OVER_HTTP2, tls: await clientCertificate('client') })
    expect(server.clients()[0].identity).to.equal('client')
    const without = await failure((await newClient(server, OVER_HTTP2)).connect(), ClientError)
    expect(without).to.include({ kind: 'http', status: 403 })
    const others = await makeTestCertificates(scratchFolder('masque-other-ca-'), { clientNames: ['client'] })
    const stranger = await newClient(server, { ...OVER_HTTP2, tls: others.clients.client })
    const error = await failure(stranger.connect(), ClientError)
    expect([error.kind, error.message]).to.deep.equal([
      'tls',
      'the proxy does not trust us: our certificate (tls.certificate) was not signed by a CA that it knows (TLS alert unknown_ca, 48)',
    ])
  })

  it('H3-08 answers a plain request, and says when', async () => {
    const { address } = await startServer()
    const session = connect(`https://localhost:${address.port}`, { rejectUnauthorized: false })
    try {
      const [answer] = await once(session.request({ ':path': '/elsewhere' }), 'response')
      expect(answer[':status']).to.equal(404)
      expect(answer.date).to.match(/^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/)
    } finally {
      session.destroy()
    }
  })

  it('H3-09 asks for the names of the proxy, and of nobody else', async () => {
    const server = await startServer()
    const elsewhere = {
      template: `https://other.example:${server.address.port}/.well-known/masque/ip/{target}/{ipproto}/`,
    }
    const client = await newClient(server, {
      ...OVER_HTTP2,
      proxy: { ...elsewhere, address: server.address },
      tls: { serverName: 'localhost' },
    })
    expect(await failure(client.connect(), ClientError)).to.include({ kind: 'http', status: 421 })
  })

  it('resumes TLS when it connects again, and gets the same address', async () => {
    const tls = await clientCertificate('client')
    const settings = { ...OVER_HTTP2, tls, reconnect: { enabled: true, initialDelayMs: 10, maxDelayMs: 10 } }
    const first = await startServer({ auth: { mode: 'mtls' } })
    const { client, info } = await connectClient(first, settings)
    await ping(client, '10.90.0.1')
    const again = new Promise<typeof info>(resolve => client.once('up', resolve))
    // What a client does not end itself, it repeats.
    client.tunnel?.failed(new ClientError('tunnel', 'lost'))
    const second = await again
    expect([info.resumed, second.resumed]).to.deep.equal([false, true])
    expect(second.assigned.map(String)).to.deep.equal(info.assigned.map(String))
    expect(first.clients()[0].identity).to.equal('client')
  })

  it('H3-06 ends in good order when the proxy shuts down', async () => {
    const server = await startServer()
    const { client } = await connectClient(server, OVER_HTTP2)
    const down = new Promise<ClientError>(resolve => client.once('down', resolve))
    await server.close()
    expect((await down).message).to.equal('the proxy closed the tunnel')
  })

  it('keeps a quiet tunnel alive beyond the idle timeout', async () => {
    const quic = { idleTimeoutMs: 400 }
    const server = await startServer({ quic })
    const { client } = await connectClient(server, { ...OVER_HTTP2, quic })
    await new Promise(resolve => setTimeout(resolve, 1200))
    // Nor is it the peer's silence when both are busy for longer than that.
    for (const end = performance.now() + 2 * quic.idleTimeoutMs; performance.now() < end; );
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(client.connected).to.equal(true)
    await ping(client, '10.90.0.1')
  })
})

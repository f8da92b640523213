import { expect } from 'chai'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import type { ClientConfigOverrides } from '../../../src/client/config.ts'
import { ClientError } from '../../../src/client/errors.ts'
import { connectH1Peer, head, UPGRADE } from '../../support/h1-peer.ts'
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

const OVER_HTTP1: ClientConfigOverrides = { tunnel: { carrier: 'h1' } }

describe('HTTP/1.1 between proxy and client', () => {
  afterEach(closeLoopback)

  it('CIP-10 CIP-23 carries a tunnel in DATAGRAM capsules, on TCP with the port number that UDP has', async () => {
    const server = await startServer()
    const { client, info } = await connectClient(server, OVER_HTTP1)
    expect(info).to.include({ carrier: 'h1', encapsulation: 'single-stream', mtu: 1500 })
    await ping(client, '10.90.0.1')
    await ping(client, 'fd00:90::1', { size: 1400 })
    const [{ carrier, quic, backlog }] = server.clients()
    expect({ carrier, quic, backlog }).to.deep.equal({
      carrier: 'h1',
      quic: undefined,
      backlog: { bytes: 0, blockedMs: 0, dropped: 0 },
    })
    await client.close()
    await until(() => server.status().tunnels === 0 && server.status().connections === 0)
    expect(server.connectionLog().find(({ event }) => event === 'tunnel-closed')?.detail).to.equal(
      'the peer closed the tunnel',
    )
  })

  it('is turned off by listen.tcp = false', async () => {
    const server = await startServer({ listen: { tcp: false } })
    const error = await failure((await newClient(server, OVER_HTTP1)).connect(), ClientError)
    expect(error.kind).to.equal('network')
  })

  it('checks certificates as HTTP/2 does, and says the same', async () => {
    const server = await startServer()
    const other = await makeTestCertificates(scratchFolder('masque-other-ca-'))
    for (const tls of [{ ca: other.ca }, { serverName: 'other.example' }]) {
      const [h1, h2] = await Promise.all(
        (['h1', 'h2'] as const).map(async carrier => {
          const client = await newClient(server, { tunnel: { carrier }, tls })
          const { kind, message } = await failure(client.connect(), ClientError)
          return { kind, message }
        }),
      )
      expect(h1).to.deep.equal(h2)
      expect(h1.kind).to.equal('tls')
    }
  })

  it('refuses a client certificate that nobody known has signed in the words of TLS', async () => {
    const server = await startServer({ auth: { mode: 'mtls' } })
    const others = await makeTestCertificates(scratchFolder('masque-other-ca-'), { clientNames: ['client'] })
    const stranger = await newClient(server, { ...OVER_HTTP1, tls: others.clients.client })
    const error = await failure(stranger.connect(), ClientError)
    expect([error.kind, error.message]).to.deep.equal([
      'tls',
      'the proxy does not trust us: our certificate (tls.certificate) was not signed by a CA that it knows (TLS alert unknown_ca, 48)',
    ])
  })

  it('H3-09 asks for the names of the proxy, and of nobody else', async () => {
    const server = await startServer()
    const elsewhere = {
      template: `https://other.example:${server.address.port}/.well-known/masque/ip/{target}/{ipproto}/`,
    }
    const client = await newClient(server, {
      ...OVER_HTTP1,
      proxy: { ...elsewhere, address: server.address },
      tls: { serverName: 'localhost' },
    })
    expect(await failure(client.connect(), ClientError)).to.include({ kind: 'http', status: 421 })
  })

  it('resumes TLS when it connects again, and gets the same address', async () => {
    const tls = await clientCertificate('client')
    const settings = { ...OVER_HTTP1, tls, reconnect: { enabled: true, initialDelayMs: 10, maxDelayMs: 10 } }
    const server = await startServer({ auth: { mode: 'mtls' } })
    const { client, info } = await connectClient(server, settings)
    await ping(client, '10.90.0.1')
    const again = new Promise<typeof info>(resolve => client.once('up', resolve))
    // What a client does not end itself, it repeats.
    client.tunnel?.failed(new ClientError('tunnel', 'lost'))
    const second = await again
    expect([info.resumed, second.resumed]).to.deep.equal([false, true])
    expect(second.assigned.map(String)).to.deep.equal(info.assigned.map(String))
  })

  it('H3-06 ends in good order when the proxy shuts down', async () => {
    const server = await startServer()
    const { client } = await connectClient(server, OVER_HTTP1)
    const down = new Promise<ClientError>(resolve => client.once('down', resolve))
    await server.close()
    expect((await down).message).to.equal('the proxy closed the tunnel')
  })

  it('keeps a quiet tunnel alive beyond the idle timeout, from either end', async () => {
    const quic = { idleTimeoutMs: 400 }
    const server = await startServer({ quic })
    const { client } = await connectClient(server, { ...OVER_HTTP1, quic })
    await new Promise(resolve => setTimeout(resolve, 1200))
    // Nor is it the peer's silence when both are busy for longer than that.
    for (const end = performance.now() + 2 * quic.idleTimeoutMs; performance.now() < end; );
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(client.connected).to.equal(true)
    await ping(client, '10.90.0.1')
  })

  it('shows with an empty capsule of a reserved type that somebody is there', async () => {
    const server = await startServer({ quic: { idleTimeoutMs: 600 } })
    const peer = await connectH1Peer(server)
    peer.send(head(UPGRADE))
    await until(() => peer.rest.length > 0)
    const before = peer.rest.length
    await until(() => peer.rest.length > before)
    // RFC 9297 §5.4: 0x29 * N + 0x17.
    expect(peer.rest.subarray(before, before + 2)).to.deep.equal(Buffer.of(0x17, 0))
    peer.socket.destroy()
  })
})

import { expect } from 'chai'
import { describeClose } from '../../src/carriers/h3/close-reason.ts'
import { ClientError } from '../../src/client/errors.ts'
import type { QuicCloseReason } from '../../src/quic/quic.ts'
import { sendClientHello } from '../support/client-hello.ts'
import { closeLoopback, failure, newClient, startServer, until } from '../support/loopback.ts'
import { closeAll, connect, listen } from '../support/quic-peer.ts'

const NO_APPLICATION_PROTOCOL = 0x178

describe('the application protocol', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeAll()
  })

  it('Q-02 is what a client that names others is refused for, and both ends say so', async () => {
    const server = await listen({ settings: { alpn: ['h3'] } })
    const client = await connect(server, { settings: { alpn: ['hq-interop', 'h2'] } })
    await client.recorder.until(() => client.recorder.closed)
    expect(client.recorder.established).to.equal(false)
    expect(client.recorder.closed).to.include({ source: 'peer', application: false, code: NO_APPLICATION_PROTOCOL })
    const { recorder } = server.accepted[0]
    await recorder.until(() => recorder.closed)
    expect(recorder.established).to.equal(false)
    // Behind it an engine may say more.
    expect(describeClose(recorder.closed as QuicCloseReason)).to.match(
      /^by us: TLS alert no_application_protocol \(120\): no application protocol \(ALPN\) in common/,
    )
  })

  it('Q-02 is what a client that names none is refused for', async () => {
    const server = await startServer()
    expect(await sendClientHello(server.address, {})).to.equal(NO_APPLICATION_PROTOCOL)
    await until(() => server.connectionLog().some(({ detail }) => `${detail}`.includes('no_application_protocol')))
    expect(await sendClientHello(server.address, { alpn: 'h2' })).to.equal(NO_APPLICATION_PROTOCOL)
  })

  it('Q-02 is what a client says when it has met a server for something else', async () => {
    const server = await listen({ settings: { alpn: ['hq-interop'] } })
    const error = await failure((await newClient({ address: server.endpoint.local })).connect(), ClientError)
    expect(error.message).to.match(/does not speak HTTP\/3 \(ALPN "h3"\)/)
    expect(error).to.include({ kind: 'protocol', retryable: false })
  })

  it('Q-02 cannot be left out by mistake', async () => {
    const none = { settings: { alpn: [] } }
    expect((await failure(listen(none), Error)).message).to.match(/settings.alpn has none/)
    expect((await failure(connect(await listen(), none), Error)).message).to.match(/settings.alpn has none/)
  })
})

import { expect } from 'chai'
import { H3ClientConnection } from '../../src/carriers/h3/client-connection.ts'
import type { HttpClientHandler } from '../../src/carriers/http-connection.ts'
import { Dial, type DialOptions } from '../../src/client/dial.ts'
import type { ClientError } from '../../src/client/errors.ts'
import type { QuicCloseReason, SocketAddress } from '../../src/quic/quic.ts'
import { FakeQuic } from '../support/fake-quic.ts'
import { until } from '../support/loopback.ts'

const at = (host: string): SocketAddress => ({ host, port: 443 })
const TIMEOUT: QuicCloseReason = { source: 'timeout', application: false, code: 0, reason: '' }
/** Long enough that only what happens at once can have happened. */
const NEVER_MS = 1 << 30

/** Dials these addresses; the test decides what becomes of each handshake. */
function dialing(hosts: string[], overrides: Partial<DialOptions> = {}) {
  let established = 0
  const handler: HttpClientHandler = {
    onReady: () => established++,
    onCapabilities() {},
    onResponse() {},
    onRequestFailed() {},
    onGoAway() {},
    onClosed() {},
  }
  const tried: string[] = []
  const quics: FakeQuic[] = []
  const errors: unknown[] = []
  const connected: unknown[] = []
  let fail: (error: ClientError) => void = () => {}
  const failed = new Promise<ClientError>(resolve => {
    fail = resolve
  })
  const dial = new Dial({
    addresses: hosts.map(at),
    connect: async remote => {
      tried.push(remote.host)
      const quic = new FakeQuic('client')
      quics.push(quic)
      return new H3ClientConnection(quic)
    },
    onConnected: connection => {
      connected.push(connection.quic)
      return handler
    },
    onFailed: fail,
    onError: error => errors.push(error),
    delayMs: NEVER_MS,
    ...overrides,
  })
  dial.start()
  return { dial, established: () => established, tried, quics, errors, connected, failed }
}

/** What can happen without anybody's doing has happened. */
const settled = () => new Promise(resolve => setImmediate(resolve))

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code, syscall: 'connect' })
}

describe('dialling a proxy with several addresses', () => {
  const running: Dial[] = []
  const begin = (...parameters: Parameters<typeof dialing>) => {
    const begun = dialing(...parameters)
    running.push(begun.dial)
    return begun
  }
  afterEach(() => {
    for (const dial of running.splice(0)) void dial.cancel()
  })

  it('tries one address as long as it may answer, and the next at once when it has failed', async () => {
    const { tried, quics } = begin(['192.0.2.1', '192.0.2.2', '192.0.2.3'])
    await settled()
    expect(tried).to.deep.equal(['192.0.2.1'])
    quics[0].handler.onClosed(TIMEOUT)
    await settled()
    expect(tried).to.deep.equal(['192.0.2.1', '192.0.2.2'])
  })

  it('does not wait for an address that stays silent', async () => {
    const { tried } = begin(['192.0.2.1', '192.0.2.2'], { delayMs: 1 })
    while (tried.length < 2) await new Promise(resolve => setTimeout(resolve, 1))
    expect(tried).to.deep.equal(['192.0.2.1', '192.0.2.2'])
  })

  it('goes on with the handshake that is done first, and gives the others up', async () => {
    const { tried, quics, connected, established } = begin(['192.0.2.1', '192.0.2.2', '192.0.2.3'], { delayMs: 1 })
    while (tried.length < 2) await new Promise(resolve => setTimeout(resolve, 1))
    await settled()
    quics[1].handler.onEstablished()
    expect(connected).to.deep.equal([quics[1]])
    expect(established()).to.equal(1)
    expect(quics[0].commands).to.deep.equal(['close 256'])
    expect(quics[1].commands).to.deep.equal([])
    quics[0].handler.onEstablished()
    expect(connected.length).to.equal(1)
  })

  it('says of each address why it leads nowhere when none leads anywhere', async () => {
    const { failed, tried } = begin(['192.0.2.1', '2001:db8::1'], {
      connect: async remote => {
        throw systemError(remote.host === '192.0.2.1' ? 'ENETUNREACH' : 'EADDRNOTAVAIL')
      },
    })
    const error = await failed
    expect(error).to.include({ kind: 'network', retryable: true })
    expect(error.message).to.match(/192\.0\.2\.1:443 \(ENETUNREACH\).*; .*\[2001:db8::1\]:443.*\(EADDRNOTAVAIL\)/)
    expect(tried).to.deep.equal([])
  })

  it('reports what a proxy said rather than that another was silent', async () => {
    const { failed, quics } = begin(['192.0.2.1', '192.0.2.2'])
    await settled()
    quics[0].handler.onClosed({ source: 'local', application: false, code: 0x130, reason: '' })
    await settled()
    quics[1].handler.onClosed(TIMEOUT)
    expect(await failed).to.include({ kind: 'tls' })
  })

  it('knocks again and again where the proxy was a moment ago, with so many attempts at a time and no more', async () => {
    const { dial, tried, quics, errors } = begin(['192.0.2.1'], { knockMs: 1 })
    await until(() => tried.length > 60)
    const left = () => quics.filter(({ commands }) => commands.includes('vanish')).length
    expect(tried.length - left()).to.be.at.most(37)
    // The next would be told of a knock that nobody has heard.
    expect(quics.flatMap(({ commands }) => commands).filter(command => command !== 'vanish')).to.deep.equal([])
    // Silence, and a system that cannot send, are no reason to stop.
    quics[quics.length - 1].handler.onClosed(TIMEOUT)
    const before = tried.length
    await until(() => tried.length > before)
    void dial.cancel()
    await settled()
    const after = tried.length
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(tried.length).to.equal(after)
    expect(errors).to.deep.equal([])
  })

  it('takes leave of knocks that the proxy may have heard only: of those behind the one that it answers, and of those at its other addresses', async () => {
    const { tried, quics } = begin(['192.0.2.1', '192.0.2.2'], { knockMs: 1 })
    await until(() => tried.length >= 6)
    await settled()
    quics[4].handler.onEstablished()
    const commands = quics.slice(0, 6).map(quic => quic.commands.join())
    expect(commands).to.deep.equal(['vanish', 'close 256', 'vanish', 'close 256', '', 'close 256'])
  })

  it('stops knocking when somebody answers, whatever the answer is', async () => {
    const { tried, quics, failed } = begin(['192.0.2.1'], { knockMs: 1 })
    await until(() => tried.length > 3)
    quics[0].handler.onClosed({ source: 'peer', application: false, code: 2, reason: 'too many connections' })
    expect((await failed).kind).to.equal('refused')
    const after = tried.length
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(tried.length).to.equal(after)
  })

  it('starts nothing more once it is cancelled, and closes what comes late', async () => {
    const quic = new FakeQuic('client')
    let connect: (connection: H3ClientConnection) => void = () => {}
    const connecting = new Promise<H3ClientConnection>(resolve => {
      connect = resolve
    })
    const { dial, connected } = begin(['192.0.2.1', '192.0.2.2'], { connect: () => connecting })
    await dial.cancel()
    connect(new H3ClientConnection(quic))
    await settled()
    expect(quic.commands).to.deep.equal(['close 256'])
    expect(connected).to.deep.equal([])
  })

  it('waits for what it gives up, when asked to', async () => {
    const { dial, quics } = begin(['192.0.2.1'])
    await settled()
    let ended = false
    const cancelled = dial.cancel().then(() => {
      ended = true
    })
    await settled()
    expect(ended).to.equal(false)
    quics[0].handler.onClosed({ source: 'local', application: true, code: 256, reason: '' })
    await cancelled
  })

  it('hands on a bug with its stack, as an error that is worth another attempt', async () => {
    const bug = new TypeError('not a function')
    const { failed, errors } = begin(['192.0.2.1'], { connect: () => Promise.reject(bug) })
    expect(await failed).to.include({ kind: 'internal', retryable: true, cause: bug })
    expect(errors).to.deep.equal([bug])
  })
})

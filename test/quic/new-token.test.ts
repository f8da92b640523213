import type { Socket } from 'node:dgram'
import { expect } from 'chai'
import fc from 'fast-check'
import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'
import { KEPT_TOKENS, KeptTokens } from '../../src/quic/kept-tokens.ts'
import { NEW_TOKEN_LENGTH, NEW_TOKENS, NewTokens } from '../../src/quic/new-token.ts'
import { RetryTokens } from '../../src/quic/retry-token.ts'
import { serverTls } from '../support/certificates.ts'
import { loneInitial } from '../support/initial.ts'
import { until } from '../support/loopback.ts'
import { closeAll, connect, type Listening, listen } from '../support/quic-peer.ts'
import { skipWithoutQuiche } from '../support/quiche.ts'

const CLIENT = '192.0.2.7'
const KEY = new Uint8Array(32).fill(7)
const DAY = NEW_TOKENS.lifetimeMs

describe('the token for a later connection (RFC 9000 §8.1.3)', () => {
  const make = () => new NewTokens(KEY)

  it('is for the address and the version that it was given to, from any port, and for a day', () => {
    const tokens = make()
    const token = tokens.issue(CLIENT, 1, 1000)
    for (const now of [1000, 1000 + DAY]) expect(tokens.verify(token, CLIENT, 1, now)).to.equal(true)
    expect(tokens.verify(token, CLIENT, 1, 1001 + DAY)).to.equal(false)
    expect(tokens.verify(token, '192.0.2.8', 1, 1000)).to.equal(false)
    expect(tokens.verify(token, CLIENT, 2, 1000), 'of another version (RFC 9369 §5)').to.equal(false)
  })

  it('is nothing with one bit changed, cut short, longer, or from another process', () => {
    const tokens = make()
    const token = tokens.issue(CLIENT, 1, 1000)
    for (let i = 0; i < token.length; i++) {
      expect(tokens.verify(token.with(i, token[i] ^ 1), CLIENT, 1, 1000), `byte ${i}`).to.equal(false)
      expect(tokens.verify(token.subarray(0, i), CLIENT, 1, 1000), `${i} bytes`).to.equal(false)
    }
    expect(tokens.verify(Buffer.concat([token, Uint8Array.of(0)]), CLIENT, 1, 1000)).to.equal(false)
    expect(new NewTokens(new Uint8Array(32)).verify(token, CLIENT, 1, 1000)).to.equal(false)
  })

  it('is no token of a Retry, nor is that one of these, with the same key', () => {
    const tokens = make()
    const retry = new RetryTokens(KEY)
    const [at, id] = [{ host: CLIENT, port: 1 }, new Uint8Array(8)]
    expect(retry.verify(tokens.issue(CLIENT, 1, 1000), at, id, 1000)).to.equal(undefined)
    for (let length = 0; length <= 20; length++) {
      expect(tokens.verify(retry.issue(at, new Uint8Array(length), id, 1000), CLIENT, 1, 1000)).to.equal(false)
    }
  })

  it('is nothing that anybody makes up', () => {
    const tokens = make()
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ minLength: NEW_TOKEN_LENGTH, maxLength: NEW_TOKEN_LENGTH }).map(bytes => bytes.with(0, 1)),
    )
    fc.assert(fc.property(anything, fc.nat(), (bytes, now) => !tokens.verify(bytes, CLIENT, 1, now)))
  })

  it('is another one each time, and does not show when it was made', () => {
    const tokens = make()
    const made = Array.from({ length: 50 }, () => Buffer.from(tokens.issue(CLIENT, 1, 1000)))
    // Behind the kind, in no place the same byte in all of them.
    for (let i = 1; i < NEW_TOKEN_LENGTH; i++)
      expect(new Set(made.map(token => token[i])).size, `byte ${i}`).to.be.greaterThan(5)
  })

  it('is good for one connection, as long as it would be valid (§8.1.4)', () => {
    const tokens = make()
    const token = tokens.issue(CLIENT, 1, 0)
    const later = tokens.issue(CLIENT, 1, DAY - 1)
    tokens.use(token)
    for (const now of [0, DAY / 2, DAY]) expect(tokens.verify(token, CLIENT, 1, now), `${now}`).to.equal(false)
    expect(tokens.verify(later, CLIENT, 1, DAY)).to.equal(true)
    tokens.use(later)
    for (const now of [DAY, 1.5 * DAY, 2 * DAY - 1])
      expect(tokens.verify(later, CLIENT, 1, now), `${now}`).to.equal(false)
  })

  it('is not taken any more when as many were used as are remembered, until they are forgotten', () => {
    const tokens = new NewTokens(KEY, { lifetimeMs: 1000, remembered: 10 })
    for (let n = 0; n < 10; n++) {
      const token = tokens.issue(CLIENT, 1, 1000)
      expect(tokens.verify(token, CLIENT, 1, 1000)).to.equal(true)
      tokens.use(token)
    }
    expect(tokens.verify(tokens.issue(CLIENT, 1, 1000), CLIENT, 1, 1000)).to.equal(false)
    expect(tokens.verify(tokens.issue(CLIENT, 1, 2000), CLIENT, 1, 2000)).to.equal(true)
  })
})

describe('the tokens that a client keeps', () => {
  const SERVER = { host: '192.0.2.1', port: 443 }

  it('are the last of each server, of its name and its address, and are shown once', () => {
    const kept = new KeptTokens()
    kept.keep('localhost', SERVER, Uint8Array.of(1))
    kept.keep('localhost', SERVER, Uint8Array.of(2))
    expect(kept.take('other', SERVER)).to.equal(undefined)
    expect(kept.take('localhost', { ...SERVER, port: 444 })).to.equal(undefined)
    expect(kept.take('localhost', { ...SERVER, host: '192.0.2.2' })).to.equal(undefined)
    expect(kept.take('localhost', { ...SERVER })).to.deep.equal(Uint8Array.of(2))
    expect(kept.take('localhost', SERVER)).to.equal(undefined)
  })

  it('are few, and short: what a server sends that is longer is as good as none', () => {
    const kept = new KeptTokens()
    const at = (port: number) => ({ ...SERVER, port })
    const all = Array.from({ length: 3 * KEPT_TOKENS.servers }, (_, port) => port)
    for (const port of all) kept.keep('localhost', at(port), Uint8Array.of(port))
    expect(all.filter(port => kept.take('localhost', at(port)) !== undefined)).to.deep.equal(
      all.slice(-KEPT_TOKENS.servers),
    )
    kept.keep('localhost', SERVER, new Uint8Array(KEPT_TOKENS.length))
    kept.keep('other', SERVER, new Uint8Array(KEPT_TOKENS.length + 1))
    expect(kept.take('localhost', SERVER)).to.have.length(KEPT_TOKENS.length)
    expect(kept.take('other', SERVER)).to.equal(undefined)
  })
})

describe('a second connection to a server that always asks for a Retry', () => {
  const sockets: Socket[] = []
  afterEach(async () => {
    await closeAll()
    for (const socket of sockets.splice(0)) socket.close()
  })
  const settings = { engine: 'typescript' } as const

  /** Resolves when the client has the token, which is sent with the end of the handshake. */
  const tokenOf = async (server: Listening, tokens: KeptTokens): Promise<Uint8Array> => {
    const { connection, recorder } = await connect(server, { settings, tokens })
    const { local } = server.endpoint
    let token: Uint8Array | undefined
    await recorder.until(() => recorder.established)
    await until(() => (token = tokens.take('localhost', local)) !== undefined)
    connection.close(0x100, '')
    await recorder.until(() => recorder.closed)
    return token as Uint8Array
  }
  const shake = async (server: Listening, tokens: KeptTokens): Promise<void> => {
    const { connection, recorder } = await connect(server, { settings, tokens })
    await recorder.until(() => recorder.established || recorder.closed)
    expect(recorder.closed).to.equal(undefined)
    connection.close(0x100, '')
    await recorder.until(() => recorder.closed)
  }

  it('needs none, as the token of the first does for it; with the same token again it does', async () => {
    const server = await listen({ retry: 'always', settings })
    const tokens = new KeptTokens()
    const token = await tokenOf(server, tokens)
    const { counters, local } = server.endpoint
    // More than one where a first packet was repeated meanwhile.
    const { retried } = counters
    expect(retried).to.be.at.least(1)
    tokens.keep('localhost', local, token)
    await shake(server, tokens)
    expect(counters).to.deep.include({ retried, accepted: 2, rejected: { limit: 0, token: 0, version: 0 } })
    tokens.keep('localhost', local, token)
    await shake(server, tokens)
    expect(counters.retried).to.be.greaterThan(retried)
    expect(counters).to.deep.include({ accepted: 3, rejected: { limit: 0, token: 0, version: 0 } })
  })

  it('needs one with a token of another server, or of the process before, which is nobody’s fault', async () => {
    const [server, other] = [await listen({ retry: 'always', settings }), await listen({ settings })]
    const tokens = new KeptTokens()
    const token = await tokenOf(other, tokens)
    tokens.keep('localhost', server.endpoint.local, token)
    await shake(server, tokens)
    expect(server.endpoint.counters.retried).to.be.at.least(1)
    expect(server.endpoint.counters).to.deep.include({
      accepted: 1,
      rejected: { limit: 0, token: 0, version: 0 },
    })
  })

  it('is sent more than three times its first packet at once, as its address is proved', async () => {
    const tls = await serverTls()
    const chain = Buffer.concat(Array(20).fill(tls.certificateChain))
    const server = await listen({ settings, tls: { ...tls, certificateChain: chain } })
    const token = await tokenOf(server, new KeptTokens())
    const { local, counters } = server.endpoint
    const socket = await bindUdp(LOOPBACK)
    sockets.push(socket)
    let heard = 0
    socket.on('message', message => {
      heard += message.length
    })
    const initial = loneInitial({ host: '127.0.0.1', port: socket.address().port }, local, token)
    socket.send(initial, local.port, local.host)
    await until(() => heard > 3 * initial.length)
    expect(counters).to.deep.include({ accepted: 2, withheld: 0, rejected: { limit: 0, token: 0, version: 0 } })
  })

  it('uses a token of a server on the other engine, if that gave one, and is let in without', async function () {
    skipWithoutQuiche.call(this)
    const server = await listen({ retry: 'always', settings: { engine: 'quiche' } })
    const tokens = new KeptTokens()
    await shake(server, tokens)
    const { counters } = server.endpoint
    const { retried } = counters
    await shake(server, tokens)
    expect(counters.retried).to.be.greaterThan(retried)
    expect(counters).to.include({ accepted: 2, faults: 0 })
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import type { ClientConfigOverrides } from '../../src/client/config.ts'
import { ClientError } from '../../src/client/errors.ts'
import { createLogger } from '../../src/log/logger.ts'
import { hashToken } from '../../src/server/auth.ts'
import { authorise } from '../../src/server/authorise.ts'
import type { ServerConfig } from '../../src/server/config.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { CONNECT_IP } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import {
  clientCertificate,
  closeLoopback,
  connectClient,
  failure,
  itOverAll,
  itOverEach,
  newClient,
  ping,
  startServer,
  until,
} from '../support/loopback.ts'

const TOKEN = 'correct-horse-battery-staple'
const WRONG = 'wrong-token-of-a-stranger'
const tokens = [{ identity: 'alice', sha256: hashToken(TOKEN), maxTunnels: 2 }]

describe('authentication', () => {
  let log: string[]

  beforeEach(() => {
    log = []
  })

  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
    // Whatever happened: no secret in any line.
    for (const line of log) {
      for (const secret of [TOKEN, WRONG, tokens[0].sha256]) expect(line).not.to.include(secret)
    }
  })

  const start = (auth: Partial<ServerConfig['auth']>): Promise<MasqueServer> =>
    startServer({ auth }, { logger: createLogger({ level: 'trace', to: { write: line => log.push(line) } }) })

  const refusedWith = async (server: MasqueServer, status: number, overrides: ClientConfigOverrides = {}) => {
    const error = await failure((await newClient(server, overrides)).connect(), ClientError)
    expect(error).to.include({ kind: 'http', status })
    const refusal = log.map(line => JSON.parse(line)).find(line => line.status === status)
    expect(refusal?.level).to.equal('warn')
    expect(refusal?.msg).to.match(/^request rejected: /)
    expect(server.connectionLog().some(entry => entry.event === 'rejected')).to.equal(true)
    return error
  }

  describe('by certificate', () => {
    itOverEach('lets the bearer of a certificate in, under its common name', async () => {
      const server = await start({ mode: 'mtls' })
      const { client } = await connectClient(server, { tls: await clientCertificate('client') })
      await ping(client, '10.90.0.1')
      expect(server.clients()[0].identity).to.equal('client')
    })

    for (const [what, names, reason] of [
      ['an empty subject', [], /has no common name \(CN\) in its subject/],
      ['several common names', ['alice', 'client'], /has 2 common names \(CN\); expected one/],
    ] as const) {
      itOverEach(`AT-19 answers 403, with the reason, to a valid certificate with ${what}`, async () => {
        const directory = mkdtempSync(join(tmpdir(), 'masque-auth-'))
        try {
          const made = await makeTestCertificates(directory, { clientCommonNames: { client: [...names] } })
          const logger = createLogger({ level: 'trace', to: { write: line => log.push(line) } })
          const tls = { certificate: made.server, key: made.serverKey, clientCa: made.ca }
          const server = await startServer({ auth: { mode: 'mtls' }, tls }, { logger })
          const error = await refusedWith(server, 403, { tls: { ca: made.ca, ...made.clients.client } })
          expect(error.message).to.match(reason)
          expect(server.connectionLog().find(({ event }) => event === 'rejected')?.detail).to.match(reason)
        } finally {
          rmSync(directory, { recursive: true, force: true })
        }
      })
    }

    it('AT-19 takes the token of a client whose certificate names nobody, where either will do', () => {
      const auth = { mode: 'mtls-or-token', tokens, identities: [], maxTunnelsPerIdentity: 16 } as const
      const certificate = { problem: 'it names nobody' }
      const config = { ...auth, tokens: [...tokens], identities: [] }
      expect(authorise(config, { certificate, authorization: `Bearer ${TOKEN}` })).to.include({ identity: 'alice' })
      expect(authorise(config, { certificate, authorization: undefined })).to.include({ allowed: false, status: 401 })
    })

    itOverEach('answers 403 without a certificate', async () => {
      await refusedWith(await start({ mode: 'mtls' }), 403)
    })

    itOverEach('ends the handshake with a TLS alert when another authority made the certificate', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'masque-test-other-ca-'))
      try {
        const { clients } = await makeTestCertificates(directory)
        const server = await start({ mode: 'mtls' })
        const client = await newClient(server, { tls: clients.client })
        const error = await failure(client.connect(), ClientError)
        expect(error).to.include({ kind: 'tls', retryable: false })
        expect(error.tlsAlert?.name).to.equal('unknown_ca')
        await until(() => server.status().connections === 0)
        expect(log.some(line => line.includes('unknown_ca'))).to.equal(true)
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    })

    itOverEach('answers 429 to one tunnel more than the identity may have, and to no other identity', async () => {
      const server = await start({ mode: 'mtls', identities: [{ identity: 'client', maxTunnels: 2 }] })
      const tls = await clientCertificate('client')
      const [first] = [await connectClient(server, { tls }), await connectClient(server, { tls })]
      await refusedWith(server, 429, { tls })
      await connectClient(server, { tls: await clientCertificate('client2') })
      await first.client.close()
      await until(() => server.status().tunnels === 2)
      await connectClient(server, { tls })
    })
  })

  describe('by token', () => {
    itOverAll('lets the bearer of a token in', async () => {
      const server = await start({ mode: 'token', tokens })
      const { client } = await connectClient(server, { auth: { token: TOKEN } })
      await ping(client, '10.90.0.1')
      expect(server.clients()[0].identity).to.equal('alice')
    })

    itOverAll('answers 401 without one, and with a wrong one, and does not repeat it', async () => {
      const server = await start({ mode: 'token', tokens })
      await refusedWith(server, 401)
      const error = await refusedWith(server, 401, { auth: { token: WRONG } })
      expect(error.message).to.match(/token is missing or wrong/)
      expect(error.retryable).to.equal(false)
    })

    it('says with WWW-Authenticate what it wants, and takes Proxy-Authorization too', async () => {
      const server = await start({ mode: 'token', tokens })
      const peer = await HostileClient.connect(server)
      const refused = await peer.request(CONNECT_IP)
      expect(refused.status).to.equal('401')
      expect(refused.headers.find(([name]) => name === 'www-authenticate')?.[1]).to.match(/^Bearer /)
      const { status } = await peer.openTunnel([...CONNECT_IP, ['proxy-authorization', `Bearer ${TOKEN}`]])
      expect(status).to.equal('200')
    })

    itOverAll('answers 429 to one tunnel more than the token allows', async () => {
      const server = await start({ mode: 'token', tokens })
      const auth = { token: TOKEN }
      await Promise.all([connectClient(server, { auth }), connectClient(server, { auth })])
      await refusedWith(server, 429, { auth })
    })
  })

  itOverEach('by either of the two', async () => {
    const server = await start({ mode: 'mtls-or-token', tokens })
    await connectClient(server, { tls: await clientCertificate('client') })
    await connectClient(server, { auth: { token: TOKEN } })
    expect(server.clients().map(({ identity }) => identity)).to.deep.equal(['client', 'alice'])
    await refusedWith(server, 401)
  })

  describe('decisions', () => {
    const auth = (changes: Partial<ServerConfig['auth']>): ServerConfig['auth'] => ({
      mode: 'none',
      tokens: [],
      identities: [],
      maxTunnelsPerIdentity: 16,
      ...changes,
    })
    const nobody = { authorization: undefined, certificate: undefined }
    const token = { ...nobody, authorization: `Bearer ${TOKEN}` }
    const certificate = { ...nobody, certificate: { name: 'client' } }

    it('let everybody in without an identity when there is no authentication', () => {
      expect(authorise(auth({}), certificate)).to.deep.equal({
        allowed: true,
        identity: undefined,
        maxTunnels: Number.POSITIVE_INFINITY,
      })
    })

    it('take the limit of the identity, else the general one', () => {
      const listed = auth({ mode: 'mtls', identities: [{ identity: 'client', maxTunnels: 3 }] })
      expect(authorise(listed, certificate)).to.include({ identity: 'client', maxTunnels: 3 })
      expect(authorise(auth({ mode: 'mtls' }), certificate)).to.include({ maxTunnels: 16 })
      expect(authorise(auth({ mode: 'token', tokens }), token)).to.include({ identity: 'alice', maxTunnels: 2 })
    })

    it('do not take a token for a certificate, or the other way round', () => {
      expect(authorise(auth({ mode: 'mtls', tokens }), token)).to.include({ allowed: false, status: 403 })
      expect(authorise(auth({ mode: 'token', tokens }), certificate)).to.include({ allowed: false, status: 401 })
    })

    it('refuse what only looks like a token', () => {
      for (const authorization of [
        TOKEN,
        `Basic ${TOKEN}`,
        'Bearer',
        `Bearer ${TOKEN} x`,
        `Bearer ${TOKEN.slice(1)}`,
      ]) {
        const decision = authorise(auth({ mode: 'mtls-or-token', tokens }), { ...nobody, authorization })
        expect(decision).to.include({ allowed: false, status: 401 })
      }
    })
  })
})

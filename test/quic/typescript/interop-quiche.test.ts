/** Against an engine that no one here wrote, in memory. quiche reads a clock of its own: so this runs in real time, which takes no time without delays. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import { chooseEngine } from '../../../src/quic/choose-engine.ts'
import type { EngineOptions, QuicEngine, UdpPath } from '../../../src/quic/engine.ts'
import { DEFAULT_QUIC_SETTINGS, type TlsMaterial } from '../../../src/quic/quic.ts'
import { TypescriptConnection } from '../../../src/quic/typescript/connection.ts'
import { TypescriptEngine } from '../../../src/quic/typescript/engine.ts'
import { clientTls, serverTls } from '../../support/certificates.ts'
import { PATIENCE_MS } from '../../support/patience.ts'
import { skipWithoutQuiche } from '../../support/quiche.ts'
import { CLIENT_ADDRESS, End, SERVER_ADDRESS, seeded, seededBytes } from './virtual-network.ts'

type Make = (options: EngineOptions) => QuicEngine

const ENGINES: Record<string, Make> = { typescript: options => new TypescriptEngine(options) }

/** Of an authority that nobody here trusts. */
async function strangerTls(): Promise<TlsMaterial> {
  const folder = mkdtempSync(join(tmpdir(), 'masque-test-stranger-'))
  try {
    const { certificate, key } = (await makeTestCertificates(folder)).clients.client
    return { certificateChain: readFileSync(certificate), key: readFileSync(key) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const randomBytes = seededBytes(seeded(99))

/** Carries packets until the condition holds. */
class Wire {
  readonly client: End
  server: End | undefined
  readonly #serverEngine: QuicEngine
  readonly #retry: boolean
  readonly #room = new Uint8Array(65_535)
  #flying: { to: 'client' | 'server'; packet: Uint8Array; path: UdpPath }[] = []

  constructor(
    client: QuicEngine,
    server: QuicEngine,
    options: { retry?: boolean; resumptionTicket?: Uint8Array } = {},
  ) {
    this.#serverEngine = server
    this.#retry = options.retry === true
    const { resumptionTicket } = options
    const path = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }
    const connection = client.connect({
      id: randomBytes(8),
      path,
      serverName: 'localhost',
      ...(resumptionTicket !== undefined && { resumptionTicket }),
    })
    this.client = new End(connection, () => randomBytes(8))
  }

  turn(end: End | undefined): void {
    const to = end === this.client ? 'server' : 'client'
    const transmit = (packet: Uint8Array, { local, remote }: UdpPath): void => {
      this.#flying.push({ to, packet, path: { local: remote, remote: local } })
    }
    end?.turn(performance.now(), transmit, this.#room)
  }

  async until(condition: () => boolean): Promise<void> {
    const end = performance.now() + PATIENCE_MS
    this.turn(this.client)
    this.turn(this.server)
    while (!condition()) {
      if (performance.now() > end) throw new Error(`still not so: ${condition}`)
      for (const { to, packet, path } of this.#flying.splice(0)) this.#deliver(to, packet, path)
      for (const each of [this.client, this.server]) {
        const now = performance.now()
        const deadline = each?.connection.deadline(now)
        if (deadline !== undefined && deadline <= now) each?.connection.onDeadline(now)
        this.turn(each)
      }
      await new Promise(resolve => setImmediate(resolve))
    }
  }

  #deliver(to: 'client' | 'server', packet: Uint8Array, path: UdpPath): void {
    const now = performance.now()
    if (to === 'client') this.client.connection.receive(packet, path, now)
    else if (this.server === undefined) this.#accept(packet, path)
    else this.server.connection.receive(packet, path, now)
  }

  #accept(packet: Uint8Array, path: UdpPath): void {
    const engine = this.#serverEngine
    const header = engine.parseHeader(packet)
    if (header === undefined) return
    const isRetried = header.token.length > 0
    if (this.#retry && !isRetried) {
      const retry = engine.retry(header, randomBytes(8), Uint8Array.from(header.dcid))
      this.#flying.push({ to: 'client', packet: retry, path: { local: path.remote, remote: path.local } })
      return
    }
    const id = isRetried ? Uint8Array.from(header.dcid) : randomBytes(8)
    const originalId = isRetried ? Uint8Array.from(header.token) : undefined
    const connection = engine.accept({ id, path, ...(originalId !== undefined && { originalId }) })
    if (connection?.receive(packet, path, performance.now()) === true)
      this.server = new End(connection, () => randomBytes(8))
  }
}

for (const [client, server] of [
  ['typescript', 'quiche'],
  ['quiche', 'typescript'],
  ['typescript', 'typescript'],
] as const) {
  describe(`a client on ${client} and a server on ${server}`, () => {
    let ofClient: EngineOptions
    let ofServer: EngineOptions
    before(async function () {
      if (client === 'quiche' || server === 'quiche') {
        skipWithoutQuiche.call(this)
        ENGINES.quiche = (await chooseEngine('quiche')).make
      }
      const settings = DEFAULT_QUIC_SETTINGS
      ofClient = { role: 'client', settings, tls: await clientTls(), peerCertificate: 'required' }
      ofServer = { role: 'server', settings, tls: await serverTls(), peerCertificate: 'none' }
    })
    const wireOf = (options: ConstructorParameters<typeof Wire>[2] = {}): Wire =>
      new Wire(ENGINES[client](ofClient), ENGINES[server](ofServer), options)

    it('shake hands, and know who the other is', async () => {
      const wire = wireOf()
      await wire.until(() => wire.client.established && wire.server?.established === true)
      expect(wire.client.connection.alpn).to.equal('h3')
      expect(wire.server?.connection.alpn).to.equal('h3')
      expect(wire.client.connection.peerCertificate).to.be.instanceOf(Uint8Array)
    })

    it('shake hands after a Retry', async () => {
      const wire = wireOf({ retry: true })
      await wire.until(() => wire.client.established && wire.server?.established === true)
    })

    it('carry streams and datagrams both ways', async () => {
      const wire = wireOf()
      await wire.until(() => wire.client.established && wire.server?.established === true)
      const data = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7)
      const back = Uint8Array.from({ length: 200_000 }, (_, i) => i * 5)
      wire.client.write(0, data)
      wire.client.connection.sendDatagram(Uint8Array.of(1, 2, 3))
      wire.server?.connection.sendDatagram(Uint8Array.of(4, 5))
      wire.server?.write(1, back)
      await wire.until(() => wire.server?.hasEnded(0) === true && wire.client.hasEnded(1))
      expect(Buffer.compare(wire.server?.bytesOf(0) as Uint8Array, data)).to.equal(0)
      expect(Buffer.compare(wire.client.bytesOf(1), back)).to.equal(0)
      await wire.until(() => wire.server?.datagrams.length === 1 && wire.client.datagrams.length === 1)
      expect([...(wire.server as End).datagrams[0]]).to.deep.equal([1, 2, 3])
    })

    it('go on when keys are updated (RFC 9001 §6)', async () => {
      const often = (name: string, options: EngineOptions): QuicEngine =>
        name === 'typescript' ? new TypescriptEngine(options, undefined, { updateAfter: 10 }) : ENGINES[name](options)
      const wire = new Wire(often(client, ofClient), often(server, ofServer))
      await wire.until(() => wire.client.established && wire.server?.established === true)
      for (const streamId of [0, 4, 8]) {
        const data = Uint8Array.from({ length: 60_000 }, (_, i) => i * 7 + streamId)
        wire.client.write(streamId, data)
        wire.server?.write(streamId + 1, data)
        await wire.until(() => wire.server?.hasEnded(streamId) === true && wire.client.hasEnded(streamId + 1))
        expect(Buffer.compare(wire.server?.bytesOf(streamId) as Uint8Array, data)).to.equal(0)
        expect(Buffer.compare(wire.client.bytesOf(streamId + 1), data)).to.equal(0)
      }
      for (const end of [wire.client.connection, wire.server?.connection]) {
        if (end instanceof TypescriptConnection) expect(end.keyUpdates).to.be.at.least(1)
      }
    })

    it('hear of resets, and of what the other wants no more', async () => {
      const wire = wireOf()
      await wire.until(() => wire.client.established && wire.server?.established === true)
      wire.client.write(0, Uint8Array.of(1), false)
      await wire.until(() => wire.server?.received.has(0) === true)
      wire.client.connection.streamReset(0, 17)
      wire.server?.connection.streamStopSending(0, 18)
      wire.server?.connection.streamReset(0, 19)
      await wire.until(() => wire.client.resets.has(0))
      expect(wire.client.resets.get(0)).to.equal(19)
    })

    it('close with the code and reason that the application gives', async () => {
      for (const closing of ['client', 'server'] as const) {
        const wire = wireOf()
        await wire.until(() => wire.client.established && wire.server?.established === true)
        const other = closing === 'client' ? 'server' : 'client'
        wire[closing]?.connection.close(true, 0x10c, 'enough')
        await wire.until(() => wire[other]?.closed !== undefined)
        expect(wire[other]?.closed).to.deep.equal({ source: 'peer', application: true, code: 0x10c, reason: 'enough' })
      }
    })

    it('end with an alert that the client hears when its certificate is missing, or not of the authority', async () => {
      const { ca } = ofClient.tls
      for (const [tls, alert] of [
        [{ ca }, 116],
        [{ ...(await strangerTls()), ca }, 48],
      ] as const) {
        const asking: EngineOptions = { ...ofServer, peerCertificate: 'required', tls: { ...ofServer.tls, ca } }
        const wire = new Wire(ENGINES[client]({ ...ofClient, tls }), ENGINES[server](asking))
        await wire.until(() => wire.client.closed !== undefined)
        expect(wire.client.closed).to.include({ source: 'peer', application: false, code: 0x100 + alert })
      }
    })

    it('find that the path carries as much as both want', async () => {
      const wire = wireOf()
      await wire.until(() => wire.client.established && wire.server?.established === true)
      if (client === 'typescript') await wire.until(() => wire.client.connection.pathMtuSettled)
      if (server === 'typescript') await wire.until(() => wire.server?.connection.pathMtuSettled === true)
    })
  })
}

import { expect } from 'chai'
import type { SocketAddress } from '../../src/net/udp.ts'
import type { QuicConnection } from '../../src/quic/quic.ts'
import { clientTls, testCertificates } from '../../test/support/certificates.ts'
import { closeAll, connect, type Listening, listen, Recorder } from '../../test/support/quic-peer.ts'
import { BadPath, type Harm } from '../harness/bad-path.ts'
import { GoPeer } from '../harness/go-peer.ts'
import { until } from '../harness/wait.ts'

/** QUIC alone, below HTTP/3: the server sends back what comes on a stream. The names are those of the QUIC interop runner's cases. */
interface Case {
  name: string
  does: string
  harm?: Harm
  streams?: number
  size?: number
  /** How many connections, one after the other: from the second on they resume. */
  connections?: number
  retry?: boolean
  /** The client's packets come from another port, while data is on its way. */
  rebinds?: boolean
  /** The client goes to another port on purpose. */
  moves?: boolean
  /** Why this is not tried with our server on quiche. */
  notOnQuiche?: string
}

const CASES: Case[] = [
  { name: 'handshake', does: 'shake hands, and exchange a few bytes' },
  { name: 'transfer', does: 'exchange a megabyte on each of three streams', streams: 3, size: 1 << 20 },
  { name: 'longrtt', does: 'bear a round trip of 600 ms', harm: { delayMs: 300 }, size: 20_000 },
  { name: 'multiplexing', does: 'exchange 700 streams, more than may be open at once', streams: 700, size: 32 },
  { name: 'retry', does: 'go on after a Retry', retry: true },
  { name: 'resumption', does: 'resume a session', connections: 2 },
  {
    name: 'handshakeloss',
    does: 'shake hands while a fifth of all datagrams is lost',
    harm: { loss: 0.2 },
    connections: 4,
  },
  {
    name: 'handshakecorruption',
    does: 'shake hands while a fifth of all datagrams is spoilt',
    harm: { corrupt: 0.2 },
    connections: 4,
  },
  {
    name: 'transferloss',
    does: 'lose nothing while datagrams get lost',
    harm: { loss: 0.03, delayMs: 5 },
    size: 1 << 20,
  },
  {
    name: 'transfercorruption',
    does: 'lose nothing while datagrams are spoilt',
    harm: { corrupt: 0.03, delayMs: 5 },
    size: 1 << 20,
  },
  {
    name: 'reordering',
    does: 'lose nothing while datagrams overtake each other, and come twice',
    harm: { delayMs: 5, jitterMs: 20, duplicate: 0.1 },
    size: 1 << 20,
    notOnQuiche: 'in 3 runs of 4 it ended the connection with PROTOCOL_VIOLATION, why is not known',
  },
  {
    name: 'rebind-port',
    does: 'go on when a NAT gives the client another port',
    rebinds: true,
    size: 1 << 20,
    notOnQuiche: 'it falls silent, quic-go hears nothing for 30 s and gives up, why is not known',
  },
  { name: 'connectionmigration', does: 'go on when the client moves', moves: true, size: 100_000 },
]

const TIMEOUT_MS = 60_000
const PEER_TIMEOUT_MS = 50_000
const SEED = 9

describe('quic-go, a client of our QUIC', () => {
  let go: GoPeer | undefined
  let path: BadPath | undefined

  afterEach(async () => {
    await go?.kill()
    path?.close()
    go = path = undefined
    await closeAll()
  })

  for (const each of CASES) {
    it(`QUIC ${each.name}: both ${each.does}`, async function () {
      if (each.notOnQuiche !== undefined && process.env.MASQUE_QUIC === 'quiche') return this.skip()
      const server = await echoServer(each.retry === true)
      path = await BadPath.open(server.endpoint.local, each.harm ?? {}, SEED)
      const { ca } = await testCertificates()
      const { streams = 1, size = 1000, connections = 1 } = each
      go = new GoPeer('streams', [
        ...['-connect', each.moves ? text(server.endpoint.local) : text(path.address), '-ca', ca],
        ...['-streams', `${streams}`, '-size', `${size}`, '-connections', `${connections}`],
        ...(each.moves ? ['-move'] : []),
      ])
      if (each.rebinds) await rebindWhenUnderWay(path, () => server.accepted[0]?.recorder as Echo | undefined)
      await go.waitFor('done', undefined, PEER_TIMEOUT_MS)
      const exchanged = go.events.filter(({ event }) => event === 'exchanged')
      expect(exchanged.map(({ resumed }) => resumed)).to.deep.equal(
        Array.from({ length: connections }, (_, i) => i > 0),
      )
      expect(go.complaints()).to.deep.equal([])
      expect(server.errors).to.deep.equal([])
      judgeHarm(each, path)
    }).timeout(TIMEOUT_MS)
  }
})

describe('our QUIC, a client of quic-go', () => {
  let go: GoPeer | undefined
  let path: BadPath | undefined

  afterEach(async () => {
    await go?.kill()
    path?.close()
    go = path = undefined
  })

  for (const each of CASES) {
    it(`QUIC ${each.name}: both ${each.does}`, async () => {
      const { server, serverKey } = await testCertificates()
      go = new GoPeer('streams', [
        ...['-listen', '127.0.0.1:0', '-certificate', server, '-key', serverKey],
        ...(each.retry ? ['-retry'] : []),
      ])
      const { port } = await go.waitFor('listening')
      path = await BadPath.open({ host: '127.0.0.1', port }, each.harm ?? {}, SEED)
      const { streams = 1, size = 1000, connections = 1 } = each
      const to = each.moves ? { host: '127.0.0.1', port } : path.address
      let ticket: Uint8Array | undefined
      for (let i = 0; i < connections; i++) {
        const { connection, recorder } = await dial(to, ticket)
        if (each.rebinds) void rebindWhenUnderWay(path, () => recorder)
        await exchangeAll(connection, recorder, streams, size)
        if (each.moves) {
          expect(await connection.migrate()).to.have.property('moved', true)
          await exchangeAll(connection, recorder, streams, size)
        }
        expect(connection.resumed, `connection ${i} is resumed`).to.equal(i > 0)
        await until(() => connection.resumptionTicket !== undefined, TIMEOUT_MS)
        ticket = connection.resumptionTicket
        connection.close(0, '')
        await recorder.until(() => recorder.closed)
      }
      expect(go.complaints()).to.deep.equal([])
      judgeHarm(each, path)
    }).timeout(TIMEOUT_MS)
  }
})

const text = ({ host, port }: SocketAddress): string => `${host}:${port}`

/** After a part of the data has come, so that there is more on its way. */
async function rebindWhenUnderWay(path: BadPath, peer: () => Echo | undefined): Promise<void> {
  await until(() => (peer()?.received ?? 0) > 50_000, TIMEOUT_MS)
  await path.rebind()
}

/** Harm that never happened proves nothing. */
function judgeHarm({ harm = {} }: Case, { counts }: BadPath): void {
  if (harm.loss !== undefined) expect(counts.lost, 'datagrams that were lost').to.be.greaterThan(0)
  if (harm.corrupt !== undefined) expect(counts.corrupted, 'datagrams that were spoilt').to.be.greaterThan(0)
}

const NOTHING = new Uint8Array(0)

/** Counts what comes; a server's sends it back. */
class Echo extends Recorder {
  connection: QuicConnection | undefined
  isServer = false
  received = 0
  opened = 0
  readonly got = new Map<number, Uint8Array[]>()
  ended = 0

  override onStreamData(streamId: number, data: Uint8Array, fin: boolean): void {
    this.received += data.length
    if (fin) this.ended++
    if (this.isServer) this.connection?.streamSend(streamId, data, fin)
    else this.got.set(streamId, [...(this.got.get(streamId) ?? []), Uint8Array.from(data)])
    super.onStreamData(streamId, NOTHING, fin)
  }
}

function echoServer(retry: boolean): Promise<Listening> {
  const accepted: Listening['accepted'] = []
  return listen({
    settings: { alpn: ['echo'] },
    retry: retry ? 'always' : 'never',
    onConnection: connection => {
      const recorder = new Echo()
      recorder.connection = connection
      recorder.isServer = true
      accepted.push({ connection, recorder })
      return recorder
    },
  }).then(listening => ({ ...listening, accepted }))
}

async function dial(
  remote: SocketAddress,
  ticket: Uint8Array | undefined,
): Promise<{ connection: QuicConnection; recorder: Echo }> {
  const { connection } = await connect({ endpoint: { local: remote } } as Listening, {
    tls: await clientTls(),
    settings: { alpn: ['echo'] },
    ...(ticket !== undefined && { resumptionTicket: ticket }),
  })
  const recorder = new Echo()
  connection.handler = recorder
  await recorder.until(() => recorder.established || recorder.closed)
  expect(recorder.closed).to.equal(undefined)
  return { connection, recorder }
}

async function exchangeAll(connection: QuicConnection, recorder: Echo, count: number, size: number): Promise<void> {
  const sent = new Map<number, Uint8Array>()
  const endedBefore = recorder.ended
  for (let i = 0; i < count; i++) {
    const data = Uint8Array.from({ length: size }, (_, at) => i + at + (at >> 8))
    await until(() => connection.canOpenStream('bidi'), TIMEOUT_MS)
    const id = 4 * recorder.opened++
    sent.set(id, data)
    connection.streamSend(id, data, true)
  }
  await recorder.until(() => recorder.ended === endedBefore + count || recorder.closed)
  expect(recorder.closed).to.equal(undefined)
  for (const [id, data] of sent) {
    expect(Buffer.compare(Buffer.concat(recorder.got.get(id) ?? []), data), `stream ${id}`).to.equal(0)
  }
}

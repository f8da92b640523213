/**
 * QUIC alone, below HTTP/3: a client sends bytes on streams, and the server sends them back. The names are those of the QUIC interop
 * runner's cases; what is tried stands here.
 */

import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { makeTestCertificates, type TestCertificates } from '../../src/cert/make-certificates.ts'
import { CE, ECT_0, ECT_1, NOT_ECT } from '../../src/quic/ecn.ts'
import type { QuicConnection } from '../../src/quic/quic.ts'
import { testCertificates } from '../../test/support/certificates.ts'
import { scratchFolder } from '../../test/support/scratch.ts'
import { NO_ECN } from '../matrix/case-table.ts'
import { BadPath, type Harm, SlowLink } from './bad-path.ts'
import { type Echo, type EchoServer, type EngineName, echoClient, echoServer, type OurOptions } from './our-quic.ts'
import { until } from './wait.ts'

/** What is to happen when a case is over, however it ends. */
export type AtEnd = (cleanUp: () => unknown) => void

export interface QuicCase {
  name: string
  does: string
  harm?: Harm
  streams?: number
  size?: number
  /** How many connections, one after the other: from the second on they resume. */
  connections?: number
  /** How many clients at once, each over a path of its own with the same slow link in it. */
  clients?: number
  retry?: boolean
  /** The client's packets come from another port, or also from another address, while data is on its way. */
  rebinds?: 'port' | 'address'
  /** The client goes to another port on purpose. */
  moves?: boolean
  /** Nothing gets through for so many ms, while data is on its way. */
  blackholeMs?: number
  /** The server's certificate does not fit into what it may send before it knows the client's address. */
  largeCertificate?: boolean
  /** The other end is on its own; of ours, what only the engine in TypeScript can be told. */
  ours?: OurOptions
  /** Both mark what they send, and go on to, as each tells the other what has arrived (RFC 9000 §13.4). */
  marks?: boolean
  /** How fast it was is shown, and not judged. */
  measured?: boolean
}

const CHACHA20 = 0x1303

/** 10 Mbit/s, and 30 ms worth of queue. */
const RATE = 1250
const QUEUE = 30 * RATE

export const QUIC_CASES: readonly QuicCase[] = [
  { name: 'handshake', does: 'shake hands, and exchange a few bytes' },
  { name: 'transfer', does: 'exchange a megabyte on each of three streams', streams: 3, size: 1 << 20 },
  { name: 'longrtt', does: 'bear a round trip of 600 ms', harm: { delayMs: 300 }, size: 20_000 },
  { name: 'chacha20', does: 'speak ChaCha20-Poly1305, as ours offers nothing else', ours: { suites: [CHACHA20] } },
  { name: 'multiplexing', does: 'exchange 700 streams, more than may be open at once', streams: 700, size: 32 },
  { name: 'retry', does: 'go on after a Retry', retry: true },
  { name: 'resumption', does: 'resume a session', connections: 2 },
  {
    name: 'blackhole',
    does: 'go on after three seconds in which nothing gets through',
    harm: { delayMs: 5 },
    size: 1 << 20,
    blackholeMs: 3000,
  },
  { name: 'keyupdate', does: 'go on when ours updates its keys', size: 200_000, ours: { updateAfter: 10 } },
  {
    name: 'ecn',
    does: 'mark what they send as ECN-capable, and go on when a router has marked some of it',
    harm: { mark: 0.02, delayMs: 5 },
    size: 1 << 20,
    marks: true,
  },
  {
    name: 'amplificationlimit',
    does: 'shake hands with a certificate of 6 KB, when the client’s second to fourth datagram are lost',
    harm: { loseFromClient: [2, 4] },
    largeCertificate: true,
  },
  {
    name: 'handshakeloss',
    does: 'shake hands while a fifth of all datagrams is lost',
    harm: { loss: 0.2 },
    connections: 4,
  },
  {
    name: 'transferloss',
    does: 'lose nothing while datagrams get lost',
    harm: { loss: 0.03, delayMs: 5 },
    size: 1 << 20,
  },
  {
    name: 'handshakecorruption',
    does: 'shake hands while a fifth of all datagrams is spoilt',
    harm: { corrupt: 0.2 },
    connections: 4,
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
  },
  {
    name: 'goodput',
    does: 'exchange two megabytes over 10 Mbit/s with a round trip of 30 ms',
    harm: { delayMs: 15 },
    clients: 1,
    size: 2 << 20,
    measured: true,
  },
  {
    name: 'crosstraffic',
    does: 'exchange two megabytes while another connection does the same over the same 10 Mbit/s',
    harm: { delayMs: 15 },
    clients: 2,
    size: 2 << 20,
    measured: true,
  },
  { name: 'rebind-port', does: 'go on when a NAT gives the client another port', rebinds: 'port', size: 1 << 20 },
  {
    name: 'rebind-addr',
    does: 'go on when a NAT gives the client another address',
    rebinds: 'address',
    size: 1 << 20,
  },
  { name: 'connectionmigration', does: 'go on when the client moves', moves: true, size: 100_000 },
]

export type Party = EngineName | 'quic-go'

/** Why a case is not tried between these two; undefined: it is. */
export function whyNot(each: QuicCase, client: Party, server: Party): string | undefined {
  const isOursTold = client === 'typescript' || server === 'typescript'
  if (each.name === 'chacha20' && !isOursTold) return 'neither quiche’s binding nor quic-go lets one choose the suite'
  if (each.name === 'keyupdate' && !isOursTold) return 'quiche’s binding can neither begin nor see a key update'
  if (each.marks && [client, server].includes('quiche')) return NO_ECN
  if (each.rebinds !== undefined && server === 'quiche')
    return 'a server on quiche has not sent again, in 1 run of 2, what was under way on a stream when the client’s address changed: both ends wait until one gives up'
  if (each.rebinds !== undefined && client === 'quiche' && server === 'quic-go')
    return 'in 1 run of 4 quiche’s packets got no more to quic-go after the change of the address; why is not known'
  return undefined
}

export const TIMEOUT_MS = 60_000
const SEED = 9

let large: Promise<TestCertificates> | undefined

export function certificatesFor(each: QuicCase): Promise<TestCertificates> {
  if (each.largeCertificate !== true) return testCertificates()
  large ??= makeTestCertificates(scratchFolder('masque-large-'), {
    serverNames: Array.from({ length: 100 }, (_, i) => `${`${i}`.padStart(60, 'n')}.example`),
  })
  return large
}

/** One path for each client. */
export async function openPaths(
  each: QuicCase,
  server: { host: string; port: number },
  atEnd: AtEnd,
): Promise<BadPath[]> {
  const link = { toServer: new SlowLink(RATE, QUEUE), toClient: new SlowLink(RATE, QUEUE) }
  const harm: Harm = { ...each.harm, ...(each.clients !== undefined && { link }) }
  const paths = await Promise.all(
    Array.from({ length: each.clients ?? 1 }, (_, i) => BadPath.open(server, harm, SEED + i)),
  )
  for (const path of paths) atEnd(() => path.close())
  return paths
}

/** A server of ours that does what the case says. */
export async function openOurServer(each: QuicCase, engine: EngineName, atEnd: AtEnd): Promise<EchoServer> {
  const { server, serverKey } = await certificatesFor(each)
  const tls = { certificateChain: readFileSync(server), key: readFileSync(serverKey) }
  const ours = await echoServer(engine, tls, { ...each.ours, retry: each.retry === true })
  atEnd(() => ours.close())
  return ours
}

/** What happens to the path after a part of the data has come, so that there is more on its way. */
export async function disturb(each: QuicCase, path: BadPath, peer: () => Echo | undefined): Promise<void> {
  if (each.rebinds === undefined && each.blackholeMs === undefined) return
  await until(() => (peer()?.received ?? 0) > 50_000, TIMEOUT_MS)
  if (each.rebinds !== undefined) await path.rebind(each.rebinds === 'address' ? '127.0.0.2' : undefined)
  if (each.blackholeMs === undefined) return
  const { harm } = path
  path.harm = { ...harm, loss: 1 }
  await new Promise(resolve => setTimeout(resolve, each.blackholeMs))
  path.harm = harm
}

/** quic-go 0.65.0 sends a whole datagram while any of what it may send is left (RFC 9000 §8.1 lets it send no more than that). */
const QUIC_GO_DATAGRAM = 1280

/** Of 100 datagrams; the others test a path, or were sent when nobody had answered for a while. */
const MOST_ARE_MARKED = 95

/** Harm that never happened proves nothing. */
export function judgePath({ harm = {}, ...each }: QuicCase, { counts, first, fields }: BadPath, server: Party): void {
  if (harm.mark !== undefined) expect(counts.marked, 'datagrams that were marked').to.be.greaterThan(5)
  if (each.marks) {
    for (const [direction, of] of Object.entries(fields)) {
      const all = of[NOT_ECT] + of[ECT_0] + of[ECT_1] + of[CE]
      expect(all, `datagrams ${direction}`).to.be.greaterThan(500)
      expect((100 * of[ECT_0]) / all, `of 100 ${direction}, those with ECT(0)`).to.be.at.least(MOST_ARE_MARKED)
    }
  }
  if (harm.loss !== undefined || each.blackholeMs !== undefined)
    expect(counts.lost, 'datagrams that were lost').to.be.greaterThan(0)
  if (harm.corrupt !== undefined) expect(counts.corrupted, 'datagrams that were spoilt').to.be.greaterThan(0)
  if (harm.loseFromClient === undefined) return
  expect(counts.lost, 'datagrams of the client’s that were lost').to.equal(3)
  // RFC 9000 §8.1.
  expect(first.fromServer, `bytes for ${first.fromClient} of a client that may be forged`).to.be.at.most(
    3 * first.fromClient + (server === 'quic-go' ? QUIC_GO_DATAGRAM : 0),
  )
}

/** Our client does what the case says, with whatever server; returns the goodput in Mbit/s. */
export async function runOurClient(
  each: QuicCase,
  engine: EngineName,
  server: { host: string; port: number },
  path: BadPath,
): Promise<number> {
  const ca = readFileSync((await certificatesFor(each)).ca)
  const { streams = 1, size = 1000, connections = 1 } = each
  const to = each.moves ? server : path.address
  let ticket: Uint8Array | undefined
  let goodput = 0
  for (let i = 0; i < connections; i++) {
    const client = await echoClient(engine, to, ca, { ...each.ours, ticket })
    const { connection, echo } = client
    const disturbed = disturb(each, path, () => echo)
    await exchangeAll(connection, echo, streams, size)
    await disturbed
    if (each.moves) {
      expect(await connection.migrate()).to.have.property('moved', true)
      await exchangeAll(connection, echo, streams, size)
    }
    expect(connection.resumed, `connection ${i} is resumed`).to.equal(i > 0)
    judgeKeys(each, client.keyUpdates)
    await until(() => connection.resumptionTicket !== undefined, TIMEOUT_MS)
    ticket = connection.resumptionTicket
    goodput = echo.goodput
    connection.close(0, '')
    await echo.until(() => echo.closed)
  }
  return goodput
}

/** `updates`: undefined where the engine does not tell. */
function judgeKeys({ ours }: QuicCase, updates: number | undefined): void {
  if (ours?.updateAfter !== undefined && updates !== undefined) expect(updates, 'key updates').to.be.at.least(1)
}

export function judgeServer(each: QuicCase, server: EchoServer): void {
  expect(server.errors).to.deep.equal([])
  judgeKeys(each, server.keyUpdates)
}

async function exchangeAll(connection: QuicConnection, echo: Echo, count: number, size: number): Promise<void> {
  const sent = new Map<number, Uint8Array>()
  const endedBefore = echo.ended
  for (let i = 0; i < count; i++) {
    const data = Uint8Array.from({ length: size }, (_, at) => i + at + (at >> 8))
    await until(() => connection.canOpenStream('bidi') || connection.closed, TIMEOUT_MS)
    const id = 4 * echo.opened++
    sent.set(id, data)
    connection.streamSend(id, data, true)
  }
  await echo.until(() => echo.ended === endedBefore + count || echo.closed)
  expect(echo.closed).to.equal(undefined)
  for (const [id, data] of sent) {
    expect(Buffer.compare(Buffer.concat(echo.got.get(id) ?? []), data), `stream ${id}`).to.equal(0)
  }
}

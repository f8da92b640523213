import { expect } from 'chai'
import type { SocketAddress } from '../../src/net/udp.ts'
import type { BadPath } from '../harness/bad-path.ts'
import { GoPeer } from '../harness/go-peer.ts'
import { type EchoServer, echoServer, ourEngine } from '../harness/our-quic.ts'
import {
  certificatesFor,
  disturb,
  judgePath,
  judgeServer,
  openPaths,
  QUIC_CASES,
  runOurClient,
  serverTlsFor,
  TIMEOUT_MS,
  whyNot,
} from '../harness/quic-cases.ts'
import { figure, leaveOut } from '../harness/remarks.ts'

const PEER_TIMEOUT_MS = 50_000

let peers: GoPeer[] = []
let paths: BadPath[] = []
let server: EchoServer | undefined

async function cleanUp(): Promise<void> {
  await Promise.all(peers.map(peer => peer.kill()))
  for (const path of paths) path.close()
  await server?.close()
  peers = []
  paths = []
  server = undefined
}

describe('quic-go, a client of our QUIC', () => {
  afterEach(cleanUp)

  for (const each of QUIC_CASES) {
    it(`QUIC ${each.name}: both ${each.does}`, async function () {
      const why = whyNot(each, 'quic-go', ourEngine())
      if (why !== undefined) return leaveOut(this, why)
      const ours = await echoServer(ourEngine(), await serverTlsFor(each), { ...each.ours, retry: each.retry === true })
      server = ours
      paths = await openPaths(each, ours.address)
      const { ca } = await certificatesFor(each)
      const { streams = 1, size = 1000, connections = 1 } = each
      peers = paths.map(
        path =>
          new GoPeer('streams', [
            ...['-connect', text(each.moves ? ours.address : path.address), '-ca', ca],
            ...['-streams', `${streams}`, '-size', `${size}`, '-connections', `${connections}`],
            ...(each.moves ? ['-move'] : []),
          ]),
      )
      const first = paths[0]
      const disturbed = first && disturb(each, first, () => ours.accepted[0])
      await Promise.all(peers.map(go => go.waitFor('done', undefined, PEER_TIMEOUT_MS)))
      await disturbed
      for (const go of peers) {
        const exchanged = go.events.filter(({ event }) => event === 'exchanged')
        expect(exchanged.map(({ resumed }) => resumed)).to.deep.equal(
          Array.from({ length: connections }, (_, i) => i > 0),
        )
        if (each.name === 'chacha20') expect(exchanged[0]?.cipher).to.equal('TLS_CHACHA20_POLY1305_SHA256')
        expect(go.complaints()).to.deep.equal([])
      }
      judgeServer(each, ours)
      for (const path of paths) judgePath(each, path, ourEngine())
      if (each.measured) figure(this, ours.accepted.map(({ goodput }) => goodput.toFixed(1)).join(' + '))
    }).timeout(TIMEOUT_MS)
  }
})

describe('our QUIC, a client of quic-go', () => {
  afterEach(cleanUp)

  for (const each of QUIC_CASES) {
    it(`QUIC ${each.name}: both ${each.does}`, async function () {
      const why = whyNot(each, ourEngine(), 'quic-go')
      if (why !== undefined) return leaveOut(this, why)
      const { server: certificate, serverKey } = await certificatesFor(each)
      const go = new GoPeer('streams', [
        ...['-listen', '127.0.0.1:0', '-certificate', certificate, '-key', serverKey],
        ...(each.retry ? ['-retry'] : []),
      ])
      peers = [go]
      const { port } = await go.waitFor('listening')
      const address = { host: '127.0.0.1', port }
      paths = await openPaths(each, address)
      const goodputs = await Promise.all(paths.map(path => runOurClient(each, ourEngine(), address, path)))
      expect(go.complaints()).to.deep.equal([])
      for (const path of paths) judgePath(each, path, 'quic-go')
      if (each.measured) figure(this, goodputs.map(goodput => goodput.toFixed(1)).join(' + '))
    }).timeout(TIMEOUT_MS)
  }
})

const text = ({ host, port }: SocketAddress): string => `${host}:${port}`

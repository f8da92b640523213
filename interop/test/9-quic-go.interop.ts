import { expect } from 'chai'
import type { SocketAddress } from '../../src/net/udp.ts'
import { GoPeer } from '../harness/go-peer.ts'
import { ourEngine } from '../harness/our-quic.ts'
import {
  type AtEnd,
  certificatesFor,
  disturb,
  judgeServer,
  openOurServer,
  openPaths,
  runOurClient,
} from '../harness/quic-cases.ts'
import { quicCases } from '../harness/quic-suite.ts'

const PEER_TIMEOUT_MS = 50_000
const quicGo = () => 'quic-go' as const

describe('quic-go, a client of our QUIC', () => {
  quicCases(quicGo, ourEngine, async (each, atEnd) => {
    const ours = await openOurServer(each, ourEngine(), atEnd)
    const paths = await openPaths(each, ours.address, atEnd)
    const { ca } = await certificatesFor(each)
    const { streams = 1, size = 1000, connections = 1 } = each
    const peers = paths.map(path =>
      startGo(atEnd, [
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
    return { paths, goodputs: ours.accepted.map(({ goodput }) => goodput) }
  })
})

describe('our QUIC, a client of quic-go', () => {
  quicCases(ourEngine, quicGo, async (each, atEnd) => {
    const { server: certificate, serverKey } = await certificatesFor(each)
    const go = startGo(atEnd, [
      ...['-listen', '127.0.0.1:0', '-certificate', certificate, '-key', serverKey],
      ...(each.retry ? ['-retry'] : []),
    ])
    const { port } = await go.waitFor('listening')
    const address = { host: '127.0.0.1', port }
    const paths = await openPaths(each, address, atEnd)
    const goodputs = await Promise.all(paths.map(path => runOurClient(each, ourEngine(), address, path)))
    expect(go.complaints()).to.deep.equal([])
    return { paths, goodputs }
  })
})

function startGo(atEnd: AtEnd, options: string[]): GoPeer {
  const go = new GoPeer('streams', options)
  atEnd(() => go.kill())
  return go
}

const text = ({ host, port }: SocketAddress): string => `${host}:${port}`

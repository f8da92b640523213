import { expect } from 'chai'
import type { ClientConfigOverrides } from '../../src/client/config.ts'
import { encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeCapsule } from '../../src/connect-ip/capsule.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { FLAG, FRAME, fieldBlock, type H2Peer, h2Frame, setting, startH2Proxy, uint32 } from '../support/h2-peer.ts'
import { closeLoopback, newClient, until } from '../support/loopback.ts'
import { newPackageClient } from '../support/package-tunnel.ts'
import { closeTlsPeers } from '../support/tls-peer.ts'

const ENABLE_CONNECT_PROTOCOL = setting(8, 1)
/** draft-ietf-webtrans-http2 §4: windows of a session and of its streams, and how many of those. */
const WEBTRANSPORT = [
  ...setting(0x2b61, 1 << 20),
  ...setting(0x2b62, 1 << 18),
  ...setting(0x2b63, 1 << 18),
  ...setting(0x2b64, 10),
  ...setting(0x2b65, 10),
]
const WT_STREAM = 0x190b4d3bn

const ASSIGNED = Buffer.concat([
  encodeAddressAssign([{ requestId: 1n, prefix: IpPrefix.parse('10.89.0.2/32') }]),
  encodeRouteAdvertisement([{ range: IpPrefix.parse('10.90.0.0/24').toRange(), protocol: 0 }]),
])
const GOAWAY = h2Frame(FRAME.GOAWAY, 0, 0, [...uint32(1), ...uint32(0)])

const TUNNEL: ClientConfigOverrides = {
  tunnel: { requestAddresses: ['ipv4'], linkProbe: 'off' },
  quic: { idleTimeoutMs: 1500 },
}

describe('a proxy over TCP that says GOAWAY, and then nothing any more', () => {
  afterEach(async () => {
    await closeTlsPeers()
    await closeLoopback()
  })

  const carriers = [
    ['HTTP/2', false],
    ['the npm package for WebTransport', true],
  ] as const
  for (const [carrier, isWebTransport] of carriers) {
    it(`is missed by a client over ${carrier} as one that says nothing at all`, async () => {
      let peer: H2Peer | undefined
      const proxy = await startH2Proxy(connected => {
        peer = connected
        peer.send(
          h2Frame(FRAME.SETTINGS, 0, 0, [...ENABLE_CONNECT_PROTOCOL, ...WEBTRANSPORT]),
          h2Frame(FRAME.SETTINGS, FLAG.ACK, 0),
        )
        void peer.frame(FRAME.HEADERS).then(async () => {
          connected.send(h2Frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, fieldBlock([[':status', '200']])))
          if (!isWebTransport) return connected.send(h2Frame(FRAME.DATA, 0, 1, ASSIGNED))
          // The client opens the stream.
          await connected.frame(FRAME.DATA)
          connected.send(h2Frame(FRAME.DATA, 0, 1, encodeCapsule(WT_STREAM, Uint8Array.of(1, ...ASSIGNED))))
        })
      })
      const client = isWebTransport
        ? await newPackageClient({ packageAddress: proxy.address } as MasqueServer, TUNNEL)
        : await newClient(proxy, { ...TUNNEL, tunnel: { ...TUNNEL.tunnel, carrier: 'h2' } })
      await client.connect()
      let why: unknown
      client.on('down', error => {
        why = error
      })
      peer?.send(GOAWAY)
      await until(() => why !== undefined)
      expect(String(why)).to.match(/timed out|timeout/)
      expect(client.connected).to.equal(false)
      // Its half of the connection is over; the proxy never says so.
      peer?.socket.destroy()
    })
  }
})

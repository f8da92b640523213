import { expect } from 'chai'
import { defaultClientConfig } from '../../src/client/config.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import { IPV6_UDP_PAYLOAD } from '../../src/config/ipv6-room.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { defaultServerConfig } from '../../src/server/config.ts'
import { closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'

/** IPv6's 1280; quarter stream id and context id; first byte, connection id, packet number, frame type, length, tag. */
const LEAST = 1280 + 1 + 1 + (1 + 8 + 4 + 1 + 2 + 16)

describe('the largest UDP payload of a tunnel that carries IPv6', () => {
  afterEach(closeLoopback)

  const tooSmall = { quic: { maxUdpPayload: LEAST - 1 } }
  const off = { linkProbe: 'off' } as const
  const message = (side: string) =>
    `${side} configuration: quic.max_udp_payload: found ${LEAST - 1}; expected at least ${LEAST} bytes`

  it('CIP-33 that is enough by one byte carries 1280 bytes in both directions', async () => {
    expect(IPV6_UDP_PAYLOAD).to.equal(LEAST)
    const quic = { maxUdpPayload: LEAST }
    const server = await startServer({ quic })
    const { client } = await connectClient(server, { quic })
    // Each end searches for what its own way carries, and the reply is as large.
    await until(() => client.info.mtu === 1280 && server.clients()[0].mtu === 1280)
    await ping(client, 'fd00:90::1', { size: 1280 - 40 - 8 })
  })

  it('CIP-33 is refused before the first tunnel when it is too small by one byte, on both sides', () => {
    expect(() => defaultServerConfig(tooSmall)).to.throw(ConfigError, message('server'))
    expect(() => defaultClientConfig(tooSmall)).to.throw(ConfigError, message('client'))
    const byName = { ...tooSmall, proxy: { target: '1.example' } }
    expect(() => defaultClientConfig(byName)).to.throw(ConfigError, message('client'))
  })

  it('may be smaller where no IPv6 is carried, where packets travel on streams, and where nobody looks', () => {
    const pool = { ipv4: IpPrefix.parse('10.89.0.0/24') }
    defaultServerConfig({ ...tooSmall, pool })
    defaultServerConfig({ ...tooSmall, tunnel: { encapsulations: ['single-stream', 'stream-per-packet'] } })
    defaultServerConfig({ ...tooSmall, tunnel: off })
    defaultClientConfig({ ...tooSmall, tunnel: { requestAddresses: ['ipv4'] } })
    defaultClientConfig({ ...tooSmall, tunnel: { encapsulation: 'single-stream' } })
    defaultClientConfig({ ...tooSmall, tunnel: off })
    defaultClientConfig({ ...tooSmall, proxy: { target: '10.90.0.0/24' } })
    defaultClientConfig({ ...tooSmall, proxy: { target: '10.90.0.1' } })
  })
})

import { expect } from 'chai'
import type { ClientError } from '../../../src/client/errors.ts'
import type { SocketAddress } from '../../../src/net/udp.ts'
import { closeLoopback } from '../../support/loopback.ts'
import { newPackageClient, startPackageServer } from '../../support/package-tunnel.ts'
import { closeTcpPaths, openTcpPath } from '../../support/tcp-path.ts'

describe('a path of TCP that is lost under the npm package for WebTransport', () => {
  afterEach(async () => {
    await closeLoopback()
    closeTcpPaths()
  })

  it('is noticed long before the idle timeout', async () => {
    const server = await startPackageServer()
    const path = await openTcpPath(server.packageAddress as SocketAddress)
    const client = await newPackageClient(
      { ...server, address: server.address, packageAddress: path.address } as typeof server,
      { tunnel: { tcpLostAfterMs: 1500 }, quic: { idleTimeoutMs: 3_600_000 } },
    )
    // A machine that is so busy that no answer of the package comes in that time says it, too.
    const down = new Promise<ClientError>(resolve => client.once('down', resolve))
    await client.connect()
    path.lose()
    expect(String(await down)).to.match(/timed out|timeout/)
  })
})

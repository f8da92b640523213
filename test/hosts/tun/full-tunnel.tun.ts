/** A program of the system that sends more at once than a tunnel has room for. The client is in a namespace of its own, the proxy here. */
import { expect } from 'chai'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { testCertificates } from '../../support/certificates.ts'
import { closeLoopback, startServer, until } from '../../support/loopback.ts'
import { endPrograms, makeClientNamespace, ours, removeClientNamespace, startScript } from './network.ts'

const BURST = 400

describe('a tunnel that is full', function () {
  this.timeout(120_000)

  before(makeClientNamespace)
  after(async () => {
    await endPrograms()
    await closeLoopback()
    removeClientNamespace()
  })

  it('makes the system wait, and drops nothing that has been read', async () => {
    const server = await startServer({
      listen: { host: '192.0.2.1' },
      tun: { name: 'tun0' },
      hosts: [],
      // Pings of the two ends themselves would meet a full queue.
      tunnel: { linkProbe: 'off' },
      routes: [{ prefix: IpPrefix.parse('10.89.0.0/24'), protocol: 0 }],
    })
    const certificates = await testCertificates()
    const client = startScript(
      `import { createSocket } from 'node:dgram'
       import { MasqueClient } from '${ours('src/client/client.ts')}'
       import { defaultClientConfig } from '${ours('src/client/config.ts')}'
       import { openTun } from '${ours('src/hosts/tun/open-tun.ts')}'
       import { TunHost } from '${ours('src/hosts/tun/tun-host.ts')}'
       const host = new TunHost(openTun({ name: 'tun0' }), { onProblem: console.error })
       const client = new MasqueClient(defaultClientConfig({
         proxy: { address: { host: '192.0.2.1', port: ${server.address.port} } },
         tls: { ca: ${JSON.stringify(certificates.ca)} },
         // Fewer than the device brings in one turn. The system's own queue has room for 500.
         quic: { datagramQueue: 32 },
         tunnel: { linkProbe: 'off' },
         log: { level: 'silent' },
       }), { host })
       await client.connect()
       const before = host.counters.sent
       const socket = createSocket('udp4')
       for (let i = 0; i < ${BURST}; i++) socket.send(Buffer.alloc(1000), 9, '10.89.0.1')
       while (host.counters.sent < before + ${BURST}) await new Promise(resolve => setTimeout(resolve, 5))
       console.log('counted', JSON.stringify(client.tunnel.tunnel.counters.dropped))`,
      ['ip', 'netns', 'exec', 'client'],
    )
    await until(() => client.output.includes('counted') || client.process.exitCode !== null)
    expect(client.output).to.equal('counted {}\n')
  })
})

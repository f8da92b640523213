import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { LINES } from '../../src/log/log-budget.ts'
import { bytes, OK } from '../http3/conversation.ts'
import { testCertificates } from '../support/certificates.ts'
import { command } from '../support/command.ts'
import { closeHostilePeers, startHostileProxy } from '../support/hostile-peer.ts'

const ASSIGNED = encodeAddressAssign([
  { requestId: 1n, prefix: IpPrefix.parse('10.0.0.2') },
  { requestId: 2n, prefix: IpPrefix.parse('fd00::2') },
])
const routes = (prefix: string) => encodeRouteAdvertisement([{ range: IpPrefix.parse(prefix).toRange(), protocol: 0 }])

describe('npm run client', () => {
  // It starts a process, which takes a while on a busy machine.
  const directory = mkdtempSync(join(tmpdir(), 'masque-test-flood-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  afterEach(closeHostilePeers)

  it('shows a few of the changes of a proxy that changes its routes over and over, and the last of them', async () => {
    const { address, peers } = await startHostileProxy({
      onRequest: (peer, streamId) => {
        peer.h3.respond(streamId, OK)
        peer.h3.sendData(streamId, bytes(ASSIGNED, routes('10.0.0.0/8')))
        peer.flush()
      },
    })
    const configuration = join(directory, 'client.toml')
    const { ca } = await testCertificates()
    writeFileSync(
      configuration,
      `proxy.address = "127.0.0.1:${address.port}"\ntls.ca = "${ca}"\nlog.level = "silent"\n`,
    )
    const changes = 1000
    let flooded = 0
    const { status, stdout } = await command(['client', '-c', configuration, '--json'], {
      onOutput(text, interrupt) {
        if (flooded === 0 && text.includes('"event":"tunnel"')) {
          flooded = performance.now()
          const all = Array.from({ length: changes - 1 }, (_, i) => routes(`10.${i % 2}.0.0/16`))
          peers[0].h3.sendData(0, bytes(...all, routes('10.99.0.0/16')))
          peers[0].flush()
        }
        if (text.includes('10.99.0.0')) interrupt()
      },
    })
    const seconds = (performance.now() - flooded) / 1000
    expect(status).to.equal(0)
    const lines = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    const shown = lines.filter(({ event }) => event === 'changed')
    expect(shown.length).to.be.within(
      LINES.connection.burst,
      LINES.connection.burst * 2 + seconds * LINES.connection.perSecond,
    )
    const leftOut = lines.filter(({ event }) => event === 'left-out').reduce((sum, line) => sum + line.changes, 0)
    expect(leftOut).to.be.greaterThan(changes / 2)
    expect(String(shown.at(-1).routes)).to.include('10.99.0.0')
  })
})

import { expect } from 'chai'
import { runInNarrowNetwork, whyNoNamespaces } from '../support/narrow-network.ts'

/** What the tunnel's IP packet has around it: IPv4, UDP, the QUIC packet, and two bytes of HTTP/3. */
const AROUND = 20 + 8 + 32 + 2

describe('a tunnel across a narrow link of the real kernel', function () {
  this.timeout(180_000)

  before(function () {
    const reason = whyNoNamespaces()
    if (reason === undefined) return
    console.log(`      skipped: ${reason}`)
    this.skip()
  })

  it('Q-01 CIP-32 has the MTU of the path, carries packets up to it, and names it for larger ones', async () => {
    const mtu = 1340 - AROUND
    const packets = [64, mtu, mtu + 1, 1320]
    const report = await runInNarrowNetwork({ kind: 'router', mtu: 1340, families: ['ipv4'], packets })
    expect(report.mtu).to.equal(mtu)
    for (const length of packets) {
      const expected = length <= mtu ? /^reply$/ : new RegExp(`too big, at most ${mtu} bytes pass`)
      expect(report.pings[length], `${length} bytes`).to.match(expected)
    }
    expect(report.named).to.deep.equal([mtu, mtu])
    expect(report).to.include({ fragments: 0, down: null })
  })

  it('Q-01 CIP-33 finds it in a black hole too, and ends where it is one byte too little for IPv6', async () => {
    const run = (mtu: number) =>
      runInNarrowNetwork({ kind: 'bridge', mtu, families: ['ipv4', 'ipv6'], packets: [1280, 64] })
    const [narrow, wide] = await Promise.all([run(1280 + AROUND - 1), run(1280 + AROUND)])
    expect(narrow.down).to.match(/reset|1280 bytes/)
    expect(wide).to.deep.include({ mtu: 1280, pings: { 1280: 'reply', 64: 'reply' }, fragments: 0, down: null })
  })
})

import { expect } from 'chai'
import { runInNamespace } from '../support/in-namespace.ts'

/** Two interfaces, as if joined by a cable: what is sent from one to a neighbour's address is for the other. */
const LINKS = [
  'ip link set lo up',
  'ip link add here type veth peer name there',
  ...['here', 'there'].map(name => `ip link set ${name} addrgenmode none up`),
  'ip addr add fe80::1/64 dev here nodad',
  'ip addr add fe80::2/64 dev there nodad',
]

/** By packets in batches, where the system can, and by node:dgram. */
for (const udp of ['auto', 'dgram'])
  describe(`in a network without a route, with MASQUE_UDP=${udp}`, () => {
    let result: {
      connect: string
      link: { unsent: number; because: string; unclaimed: number; faults: number }
      linkLocal: { from: string; path: string; errors: number }
      uncaught: string[]
    }

    before(function () {
      result = runInNamespace(this, LINKS, new URL('./private-network.ts', import.meta.url), { MASQUE_UDP: udp })
    })

    it("a QUIC connection is refused with the system's error", () => {
      expect(result.connect).to.equal('ENETUNREACH')
    })

    it('the emulator counts datagrams as not sent, says why, and goes on', () => {
      expect(result.link).to.include({ unsent: 3, unclaimed: 0, faults: 0 })
      expect(result.link.because).to.match(/ENETUNREACH 192\.0\.2\.1:4433/)
    })

    it('AT-02 a client with a link-local address is served by a proxy that listens on ::', () => {
      expect(result.linkLocal).to.deep.equal({ from: 'fe80::1%there', path: 'fe80::1%there', errors: 0 })
    })

    it('nothing escapes into the event loop', () => {
      expect(result.uncaught).to.deep.equal([])
    })
  })

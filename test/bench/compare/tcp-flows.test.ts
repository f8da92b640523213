import { expect } from 'chai'
import { readTcpPacket, TcpFlows } from '../../../bench/compare/tcp-flows.ts'

const SYN = 0x02
const ACK = 0x10

/** An IPv4 packet of TCP from 192.0.2.2 to 198.51.100.2; `options`: bytes of IP options. */
function packet({ port = 40_000, flags = ACK, options = 0 } = {}): Uint8Array {
  const bytes = new Uint8Array(20 + options + 20)
  bytes[0] = 0x40 | (5 + options / 4)
  bytes[9] = 6
  bytes.set([192, 0, 2, 2], 12)
  bytes.set([198, 51, 100, 2], 16)
  new DataView(bytes.buffer).setUint16(20 + options, port)
  bytes[20 + options + 13] = flags
  return bytes
}

const read = (options: Parameters<typeof packet>[0]) => {
  const tcp = readTcpPacket(packet(options))
  if (tcp === undefined) throw new Error('it is TCP')
  return tcp
}

describe('TCP over the link of a comparison', () => {
  it('is known by its addresses, its port and whether it opens a connection, behind options of IP too', () => {
    const fields = { source: '192.0.2.2', destination: '198.51.100.2', sourcePort: 40_000 }
    expect(read({ flags: SYN })).to.deep.equal({ ...fields, isSyn: true })
    expect(read({ flags: SYN | ACK })).to.deep.equal({ ...fields, isSyn: false })
    expect(read({ flags: SYN, options: 8 })).to.deep.equal({ ...fields, isSyn: true })
  })

  it('is no other packet, and none that a link has cut or turned bits of', () => {
    const wrong = (change: (bytes: Uint8Array) => void): unknown => {
      const bytes = packet()
      change(bytes)
      return readTcpPacket(bytes)
    }
    expect(wrong(bytes => (bytes[9] = 17))).to.equal(undefined)
    expect(wrong(bytes => (bytes[0] = 0x65))).to.equal(undefined)
    expect(wrong(bytes => (bytes[0] = 0x44))).to.equal(undefined)
    expect(wrong(bytes => (bytes[0] = 0x4f))).to.equal(undefined)
    for (let length = 0; length < 34; length++) {
      expect(readTcpPacket(packet().subarray(0, length)), `${length} bytes`).to.equal(undefined)
    }
  })

  it('passes when its first packet has, and finds its way back', () => {
    const flows = new TcpFlows()
    expect(flows.outerPortOf('192.0.2.2')).to.equal(undefined)
    expect(flows.passesUp(read({ flags: ACK }), 5000)).to.equal(false)
    expect(flows.passesUp(read({ flags: SYN }), 5000)).to.equal(true)
    expect(flows.passesUp(read({ flags: ACK }), 5000)).to.equal(true)
    expect(flows.passesUp(read({ flags: ACK, port: 40_001 }), 5000)).to.equal(false)
    expect(flows.outerPortOf('192.0.2.2')).to.equal(5000)
  })

  it('does not pass any more when the NAT has forgotten it; another connection does', () => {
    const flows = new TcpFlows()
    flows.passesUp(read({ flags: SYN }), 5000)
    expect(flows.passesUp(read({ flags: ACK }), 5001)).to.equal(false)
    expect(flows.passesUp(read({ flags: SYN, port: 40_001 }), 5001)).to.equal(true)
    expect(flows.passesUp(read({ flags: ACK, port: 40_001 }), 5001)).to.equal(true)
    expect(flows.passesUp(read({ flags: ACK }), 5001)).to.equal(false)
    expect(flows.outerPortOf('192.0.2.2')).to.equal(5001)
  })
})

import { expect } from 'chai'
import { Senders } from '../../../src/quic/udp/senders.ts'

/** The sockaddr of an IPv4 sender at 10.0.0.1, in as many bytes as the longest sockaddr has. */
function sockaddrOf(port: number): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(28))
  view.setUint16(0, 2, true)
  view.setUint16(2, port)
  view.setUint32(4, 0x0a_00_00_01)
  return view
}

describe('senders of UDP packets', () => {
  /** And how many addresses have been made into text. */
  const newSenders = () => {
    const formatted: number[] = []
    const senders = new Senders({
      formatAddress(sockaddr) {
        formatted.push(Buffer.from(sockaddr).readUInt16BE(2))
        return '10.0.0.1'
      },
    })
    return { formatted, portOf: (port: number) => senders.of(sockaddrOf(port)).port }
  }

  it('are made into text once each, also when they send in turn', () => {
    const { formatted, portOf } = newSenders()
    expect([1, 2, 1, 2, 2, 1].map(portOf)).to.deep.equal([1, 2, 1, 2, 2, 1])
    expect(formatted).to.deep.equal([1, 2])
  })

  it('are forgotten when there are thousands of them: forged ones cost time, and no memory', () => {
    const { formatted, portOf } = newSenders()
    for (let port = 1; port <= 5000; port++) portOf(port)
    expect(portOf(1)).to.equal(1)
    expect(formatted).to.have.length(5001)
  })
})

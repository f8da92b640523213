import { expect } from 'chai'
import { CapsulePackets, MAX_STREAM_BACKLOG, STREAM_MTU } from '../../src/carriers/capsule-packets.ts'
import { CapsuleParser, CapsuleType } from '../../src/connect-ip/capsule.ts'

/** A stream from which nothing leaves until the test says so, and a clock that stands. */
function newPackets() {
  const stream = {
    buffered: 0,
    written: [] as Uint8Array[],
    write: (bytes: Uint8Array) => {
      stream.buffered += bytes.length
      stream.written.push(bytes)
    },
  }
  const clock = { ms: 0 }
  return { stream, clock, packets: new CapsulePackets(stream, () => clock.ms) }
}

describe('packets as capsules on a stream', () => {
  it('CIP-23 are DATAGRAM capsules in context 0, in order', () => {
    const { stream, packets } = newPackets()
    for (const first of [1, 2]) expect(packets.send(Uint8Array.of(first, 9))).to.equal('sent')
    const capsules = stream.written.flatMap(bytes => [...new CapsuleParser().push(bytes)])
    expect(capsules).to.deep.equal(
      [1, 2].map(first => ({ type: CapsuleType.DATAGRAM, value: Uint8Array.of(0, first, 9) })),
    )
  })

  it('may have the size that an Ethernet host expects, and no more', () => {
    const { packets } = newPackets()
    expect(packets.send(new Uint8Array(STREAM_MTU))).to.equal('sent')
    expect(packets.send(new Uint8Array(STREAM_MTU + 1))).to.equal('too-large')
    expect(packets.backlog.dropped).to.equal(0)
  })

  it('are dropped when the queue is full, and counted; the time without room is counted, too', () => {
    const { stream, clock, packets } = newPackets()
    stream.buffered = MAX_STREAM_BACKLOG
    expect([packets.writable, packets.send(new Uint8Array(20))]).to.deep.equal([false, 'dropped'])
    clock.ms = 30
    expect(packets.backlog).to.deep.equal({ bytes: MAX_STREAM_BACKLOG, blockedMs: 30, dropped: 1 })
    stream.buffered = 0
    expect([packets.writable, packets.send(new Uint8Array(20))]).to.deep.equal([true, 'sent'])
    clock.ms = 100
    expect(packets.backlog).to.include({ blockedMs: 30, dropped: 1 })
    // The second time is added to the first.
    stream.buffered = MAX_STREAM_BACKLOG
    packets.send(new Uint8Array(20))
    clock.ms = 105
    expect(packets.backlog).to.include({ blockedMs: 35, dropped: 2 })
  })
})

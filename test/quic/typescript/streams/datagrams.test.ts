import { expect } from 'chai'
import fc from 'fast-check'
import { readFrames } from '../../../../src/quic/typescript/frames/read-frames.ts'
import { APPLICATION } from '../../../../src/quic/typescript/packet-number-space.ts'
import { Datagrams } from '../../../../src/quic/typescript/streams/datagrams.ts'
import { WireWriter } from '../../../../src/quic/typescript/wire-writer.ts'
import { bytes, FrameList } from './stream-ends.ts'

/** What is sent, in packets of so many bytes. */
function sendAll(datagrams: Datagrams, room = 1200): string[][] {
  const packets: string[][] = []
  for (;;) {
    const out = new WireWriter(new Uint8Array(room))
    while (datagrams.writeFrame(out)) {}
    if (out.offset === 0) return packets
    const list = new FrameList()
    readFrames(out.bytes.subarray(0, out.offset), APPLICATION, 'client', list)
    packets.push(list.frames.map(({ args }) => Buffer.from(args[0] as Uint8Array).toString()))
  }
}

function hear(datagrams: Datagrams): string[] {
  const heard: string[] = []
  datagrams.handOut({ onDatagram: data => heard.push(Buffer.from(data).toString()) })
  return heard
}

describe('datagrams', () => {
  it('are sent in order, as many in a packet as it has room for', () => {
    const datagrams = new Datagrams(8)
    for (const text of ['one', 'two', 'three', 'four']) datagrams.send(bytes(text))
    expect(datagrams.waiting).to.equal(4)
    expect(sendAll(datagrams, 12)).to.deep.equal([['one', 'two'], ['three'], ['four']])
    expect(datagrams.waiting).to.equal(0)
  })

  it('are refused when the queue is full, which has what it had', () => {
    const datagrams = new Datagrams(2)
    expect(['a', 'b', 'c'].map(text => datagrams.send(bytes(text)))).to.deep.equal([true, true, false])
    expect(sendAll(datagrams)).to.deep.equal([['a', 'b']])
  })

  it('of those that have come the oldest make room', () => {
    const datagrams = new Datagrams(2)
    for (const text of ['a', 'b', 'c']) datagrams.receive(bytes(text))
    expect([hear(datagrams), datagrams.dropped]).to.deep.equal([['b', 'c'], 1])
  })

  it('that wait are thrown away by what they begin with', () => {
    const datagrams = new Datagrams(8)
    for (const text of ['a1', 'b2', 'a', 'a3', '']) datagrams.send(bytes(text))
    expect(datagrams.purge(bytes('a'))).to.equal(3)
    expect(datagrams.waiting).to.equal(2)
    expect(sendAll(datagrams)).to.deep.equal([['b2', '']])
  })

  it('that wait are thrown away when the path does not carry them any more', () => {
    const datagrams = new Datagrams(8)
    for (const text of ['long', 'a', 'longer']) datagrams.send(bytes(text))
    expect(datagrams.purgeLongerThan(3)).to.equal(2)
    expect(sendAll(datagrams)).to.deep.equal([['a']])
  })

  it('what is being read stays as it is while others are sent', () => {
    const datagrams = new Datagrams(8)
    datagrams.receive(bytes('asked'))
    const heard: string[] = []
    datagrams.handOut({
      onDatagram(data) {
        datagrams.send(bytes('answer'))
        heard.push(Buffer.from(data).toString())
      },
    })
    expect(heard).to.deep.equal(['asked'])
    expect(sendAll(datagrams)).to.deep.equal([['answer']])
  })

  it('nothing more is heard of them when the connection ends meanwhile', () => {
    const datagrams = new Datagrams(8)
    for (const text of ['a', 'b']) datagrams.receive(bytes(text))
    const heard: string[] = []
    datagrams.handOut({
      onDatagram(data) {
        heard.push(Buffer.from(data).toString())
        datagrams.clear()
      },
    })
    expect(heard).to.deep.equal(['a'])
    datagrams.receive(bytes('c'))
    expect(hear(datagrams)).to.deep.equal(['c'])
  })

  it('come out as they went in', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('receive' as const), data: fc.uint8Array({ maxLength: 1500 }) }),
      fc.record({ kind: fc.constant('send' as const), data: fc.uint8Array({ maxLength: 1400 }) }),
      fc.record({ kind: fc.constant('purge' as const), data: fc.uint8Array({ maxLength: 1 }) }),
      fc.record({ kind: fc.constantFrom('hear' as const, 'write' as const), data: fc.constant(new Uint8Array(0)) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), steps => {
        const limit = 20
        const datagrams = new Datagrams(limit)
        let incoming: string[] = []
        let outgoing: string[] = []
        const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex')
        for (const { kind, data } of steps) {
          if (kind === 'receive') {
            datagrams.receive(data)
            incoming = [...incoming, hex(data)].slice(-limit)
          } else if (kind === 'send') {
            expect(datagrams.send(data)).to.equal(outgoing.length < limit)
            outgoing = [...outgoing, hex(data)].slice(0, limit)
          } else if (kind === 'purge') {
            const kept = outgoing.filter(each => !each.startsWith(hex(data)))
            expect(datagrams.purge(data)).to.equal(outgoing.length - kept.length)
            outgoing = kept
          } else if (kind === 'hear') {
            const heard: string[] = []
            datagrams.handOut({ onDatagram: each => heard.push(hex(each)) })
            expect(heard).to.deep.equal(incoming)
            incoming = []
          } else if (outgoing.length > 0) {
            const out = new WireWriter(new Uint8Array(1500))
            expect(datagrams.writeFrame(out)).to.equal(true)
            expect(hex(out.bytes.subarray(0, out.offset)).endsWith(outgoing.shift()!)).to.equal(true)
          }
          expect(datagrams.waiting).to.equal(outgoing.length)
        }
      }),
    )
  })
})

import { expect } from 'chai'
import { PacketInbox } from '../../src/client/packet-inbox.ts'

describe('the packet inbox', () => {
  it('keeps nothing before the first reader', async () => {
    const inbox = new PacketInbox()
    inbox.receive(Uint8Array.of(1))
    const next = inbox.next()
    inbox.receive(Uint8Array.of(2))
    expect([...(await next)]).to.deep.equal([2])
  })

  it('gives packets in order, copied, to readers in order', async () => {
    const inbox = new PacketInbox()
    const readers = [inbox.next(), inbox.next()]
    const buffer = Uint8Array.of(1)
    for (let i = 1; i <= 3; i++) {
      buffer[0] = i
      inbox.receive(buffer)
    }
    const read = await Promise.all([...readers, inbox.next()])
    expect(read.map(packet => packet[0])).to.deep.equal([1, 2, 3])
  })

  it('forgets the oldest packets when nobody reads', async () => {
    const inbox = new PacketInbox()
    const first = inbox.next()
    for (let i = 0; i <= 300; i++) inbox.receive(Uint8Array.of(i >> 8, i & 255))
    expect([...(await first)]).to.deep.equal([0, 0])
    // 256 are kept of the other 300.
    expect([...(await inbox.next())]).to.deep.equal([0, 45])
  })

  it('fails those who wait, and loses what was kept', async () => {
    const inbox = new PacketInbox()
    const [a, b] = [inbox.next(), inbox.next()].map(promise => promise.catch(error => error.message))
    inbox.fail(new Error('over'))
    expect(await Promise.all([a, b])).to.deep.equal(['over', 'over'])
    inbox.receive(Uint8Array.of(1))
    inbox.fail(new Error('over'))
    const next = inbox.next()
    inbox.receive(Uint8Array.of(2))
    expect([...(await next)]).to.deep.equal([2])
  })
})

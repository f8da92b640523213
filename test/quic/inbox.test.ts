import { expect } from 'chai'
import { Inbox, InboxRoom } from '../../src/quic/inbox.ts'

const LOCAL = { host: '192.0.2.1', port: 4433 }

describe('the inbox of a connection', () => {
  const newInbox = () => {
    const room = new InboxRoom()
    const inbox = new Inbox(room)
    const put = (packet: Uint8Array): boolean => inbox.put(packet, LOCAL, '198.51.100.7', 50_000)
    /** Copies: what is handed out is valid during the call only. */
    const serve = (most = 1): Uint8Array[] => {
      const served: Uint8Array[] = []
      inbox.serve(most, packet => served.push(Uint8Array.from(packet)))
      return served
    }
    return { room, inbox, put, serve }
  }

  it('has room for any number of packets that are served as they come', () => {
    const { room, inbox, put, serve } = newInbox()
    const { free } = room
    const kept = Array.from({ length: 10_000 }, (_, n) => put(Uint8Array.of(n & 0xff)) && serve()[0][0] === (n & 0xff))
    expect(kept.indexOf(false)).to.equal(-1)
    expect([inbox.isEmpty, room.free]).to.deep.equal([true, free])
  })

  it('keeps packets whole that are larger than the pieces of memory which it has kept from earlier ones', () => {
    const { room, put, serve } = newInbox()
    const { free } = room
    for (const length of [100, 3000, 2048, 2049, 65_507, 1]) {
      const packet = Uint8Array.from({ length }, (_, i) => i)
      expect(put(packet)).to.equal(true)
      expect(serve()).to.deep.equal([packet])
    }
    expect(room.free).to.equal(free)
  })

  it('gives back its room when it is cleared, with what it holds', () => {
    const { room, inbox, put, serve } = newInbox()
    const { free } = room
    for (const length of [100, 3000, 100]) put(new Uint8Array(length))
    inbox.clear()
    expect([inbox.isEmpty, room.free, serve(10)]).to.deep.equal([true, free, []])
  })
})

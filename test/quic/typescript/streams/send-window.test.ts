import { expect } from 'chai'
import { bytes, connected } from './stream-ends.ts'

const NONE = new Uint8Array(0)

describe('a sender that is held back by flow control', () => {
  it('says so once for each limit, again when that was lost, and not when the limit has risen', () => {
    const { client } = connected({ streamWindow: 10, connectionWindow: 1000 })
    client.streams.send(0, new Uint8Array(20), false)
    const blocked = client.send()!
    expect(blocked.frames[0]).to.deep.equal({ type: 'STREAM_DATA_BLOCKED', args: [0, 10] })
    client.streams.send(0, new Uint8Array(20), false)
    expect(client.send()).to.equal(undefined)
    blocked.lost()
    const again = client.send()!
    expect(again.frames.map(({ type }) => type)).to.deep.equal(['STREAM_DATA_BLOCKED', 'STREAM'])
    client.streams.onMaxStreamData(0, 100)
    again.lost()
    expect(client.send()!.frames.map(({ type }) => type)).to.deep.equal(['STREAM'])
  })

  it('says so no more of a stream that it has reset, although that was lost (RFC 9000 §3.3)', () => {
    const { client } = connected({ streamWindow: 10, connectionWindow: 1000 })
    client.streams.send(0, new Uint8Array(20), false)
    const blocked = client.send()!
    expect(blocked.frames[0].type).to.equal('STREAM_DATA_BLOCKED')
    client.streams.reset(0, 7)
    expect(client.send()!.frames.map(({ type }) => type)).to.deep.equal(['RESET_STREAM'])
    blocked.lost()
    expect(client.send()).to.equal(undefined)
  })
})

describe('a peer whose streams end', () => {
  it('is told of a quarter of its limit at a time', () => {
    const { client, server } = connected({ maxStreamsUni: 8 })
    const updates: unknown[] = []
    for (let i = 0; i < 8; i++) {
      client.streams.send(4 * i + 2, bytes('x'), true)
      server.receive(client.send()!.frames)
      server.hear()
      for (let sent = server.send(); sent !== undefined; sent = server.send()) updates.push(...sent.frames)
    }
    expect(updates).to.deep.equal([10, 12, 14, 16].map(limit => ({ type: 'MAX_STREAMS', args: ['uni', limit] })))
    expect(client.streams.send(4 * 8 + 2, NONE, true)).to.equal(0)
  })
})

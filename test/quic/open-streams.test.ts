import { expect } from 'chai'
import { OpenStreams } from '../../src/quic/open-streams.ts'

describe('open streams', () => {
  it('are counted from the first word on one until both halves have ended', () => {
    const streams = new OpenStreams('server')
    streams.touch(0)
    streams.touch(0)
    expect([streams.opened, streams.size]).to.deep.equal([1, 1])
    streams.endedByPeer(0)
    expect(streams.size).to.equal(1)
    streams.endedByUs(0)
    streams.endedByUs(0)
    expect([streams.opened, streams.size]).to.deep.equal([1, 0])
  })

  it('need one end only where they have one half', () => {
    const streams = new OpenStreams('server')
    // Of the client, and of us.
    streams.touch(2)
    streams.touch(3)
    streams.endedByPeer(2)
    streams.endedByUs(3)
    expect([streams.opened, streams.size]).to.deep.equal([2, 0])
    const other = new OpenStreams('client')
    other.touch(2)
    other.endedByUs(2)
    expect(other.size).to.equal(0)
  })

  it('come with all of their kind below (RFC 9000 §2.1), once', () => {
    const streams = new OpenStreams('server')
    streams.touch(8)
    streams.touch(4)
    expect([streams.opened, streams.size]).to.deep.equal([3, 3])
    streams.touch(1)
    expect(streams.opened).to.equal(4)
  })

  it('are not opened by an end, nor by anything said after it', () => {
    const streams = new OpenStreams('server')
    streams.endedByPeer(0)
    expect(streams.size).to.equal(0)
    streams.touch(2)
    streams.endedByPeer(2)
    streams.touch(2)
    expect([streams.opened, streams.size]).to.deep.equal([1, 0])
  })
})

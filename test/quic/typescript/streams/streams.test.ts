import { expect } from 'chai'
import {
  FINAL_SIZE_ERROR,
  FLOW_CONTROL_ERROR,
  STREAM_LIMIT_ERROR,
  STREAM_STATE_ERROR,
} from '../../../../src/quic/typescript/transport-error.ts'
import { bytes, codeOf, connected, End } from './stream-ends.ts'

const NONE = new Uint8Array(0)

describe('streams', () => {
  it('carry data both ways until both sides have ended them', () => {
    const { client, server, exchange } = connected()
    expect(client.streams.send(0, bytes('question'), true)).to.equal(8)
    exchange()
    expect(server.hear()).to.deep.equal(['0 question end'])
    expect(client.streams.isAcknowledged(0)).to.equal(true)
    server.streams.send(0, bytes('an'), false)
    server.streams.send(0, bytes('swer'), true)
    exchange()
    expect(client.hear()).to.deep.equal(['0 answer end'])
    exchange()
    expect([client.streams.size, server.streams.size]).to.deep.equal([0, 0])
  })

  it('an end that comes alone is an end', () => {
    const { client, server, exchange } = connected()
    client.streams.send(2, bytes('x'), false)
    exchange()
    expect(server.hear()).to.deep.equal(['2 x'])
    client.streams.send(2, NONE, true)
    exchange()
    expect(server.hear()).to.deep.equal(['2  end'])
  })

  it('what was lost is sent again, and the end with it', () => {
    const { client, server } = connected()
    client.streams.send(0, bytes('abc'), true)
    client.send()!.lost()
    const again = client.send()!
    expect(again.frames.map(({ type }) => type)).to.deep.equal(['STREAM'])
    server.receive(again.frames)
    expect(server.hear()).to.deep.equal(['0 abc end'])
    expect(client.streams.isAcknowledged(0)).to.equal(false)
    again.acked()
    expect(client.streams.isAcknowledged(0)).to.equal(true)
    expect(client.send()).to.equal(undefined)
  })

  it('what has arrived although it was taken for lost is not sent a third time', () => {
    const { client } = connected()
    client.streams.send(0, bytes('abc'), true)
    const first = client.send()!
    first.lost()
    const second = client.send()!
    first.acked()
    expect(client.streams.isAcknowledged(0)).to.equal(true)
    second.lost()
    expect(client.send()).to.equal(undefined)
  })

  it('an end that has arrived is not told again, also when data before it is still on its way', () => {
    const { client } = connected()
    client.streams.send(0, bytes('abc'), false)
    client.send()
    client.streams.send(0, bytes('def'), true)
    const first = client.send()!
    first.lost()
    const second = client.send()!
    expect(second.frames[0].args.slice(1)).to.deep.equal([3, bytes('def'), true])
    first.acked()
    second.lost()
    expect(client.send()).to.equal(undefined)
  })

  it('take turns in packets', () => {
    const { client } = connected({ streamWindow: 100_000, connectionWindow: 300_000 })
    for (const id of [0, 4, 8]) client.streams.send(id, new Uint8Array(10_000), false)
    const order = Array.from({ length: 7 }, () => client.send(500)!.frames[0].args[0])
    expect(order).to.deep.equal([0, 4, 8, 0, 4, 8, 0])
  })

  it('a peer opens all streams below the one that it speaks of (RFC 9000 §2.1)', () => {
    const server = new End('server', { maxStreamsBidi: 3 })
    server.streams.onStream(8, 0, bytes('x'), false, 0)
    expect(server.streams.size).to.equal(3)
    expect(codeOf(() => server.streams.onStream(12, 0, bytes('x'), false, 0))).to.equal(STREAM_LIMIT_ERROR)
  })

  it('of streams that have ended nothing is left, and what comes for them late is ignored', () => {
    const { client, server, exchange } = connected({ maxStreamsUni: 8 })
    for (let i = 0; i < 5000; i++) {
      const id = 4 * i + 2
      expect(client.streams.send(id, bytes('x'), true), `stream ${id}`).to.equal(1)
      exchange()
      expect(server.hear()).to.have.length(1)
      exchange()
    }
    expect([client.streams.size, server.streams.size]).to.deep.equal([0, 0])
    server.streams.onStream(2, 0, bytes('x'), true, 0)
    server.streams.onResetStream(6, 1, 1, 0)
    server.streams.onStreamDataBlocked(2)
    expect(server.hear()).to.deep.equal([])
  })

  it('the peer is told when it may open more, and again when that was lost (RFC 9000 §13.3)', () => {
    const { client, server, exchange } = connected({ maxStreamsUni: 1 })
    client.streams.send(2, bytes('x'), true)
    expect(client.streams.send(6, bytes('y'), true)).to.equal(0)
    const blocked = client.send()!
    expect(blocked.frames.map(({ type }) => type)).to.include('STREAMS_BLOCKED')
    server.receive(blocked.frames)
    server.hear()
    const more = server.send()!
    expect(more.frames).to.deep.equal([{ type: 'MAX_STREAMS', args: ['uni', 2] }])
    more.lost()
    exchange()
    expect(client.streams.left('uni')).to.equal(1)
    expect(client.streams.send(6, bytes('y'), true)).to.equal(1)
  })

  it('no more is taken than the windows of the stream and of the connection have room for', () => {
    const { client, server, exchange } = connected({ streamWindow: 1000, connectionWindow: 1500 })
    expect(client.streams.send(0, new Uint8Array(4000), false)).to.equal(1000)
    expect(client.streams.send(4, new Uint8Array(4000), false)).to.equal(500)
    const frames = []
    for (let sent = client.send(); sent !== undefined; sent = client.send()) frames.push(...sent.frames)
    expect(frames.map(({ type }) => type)).to.include.members(['STREAM_DATA_BLOCKED', 'DATA_BLOCKED'])
    server.receive(frames)
    expect(client.streams.send(4, new Uint8Array(4000), false)).to.equal(0)
    server.hear()
    exchange()
    expect(client.streams.send(0, new Uint8Array(4000), false)).to.be.greaterThan(0)
  })

  it('limits that come late do not take back what later ones gave (RFC 9000 §4.1)', () => {
    const { client } = connected({ streamWindow: 10, connectionWindow: 10 })
    client.streams.onMaxData(100)
    client.streams.onMaxData(50)
    client.streams.send(0, NONE, false)
    client.streams.onMaxStreamData(0, 60)
    client.streams.onMaxStreamData(0, 20)
    expect(client.streams.send(0, new Uint8Array(1000), false)).to.equal(60)
  })

  it('what was written and never sent counts no more after a reset', () => {
    const { client } = connected({ streamWindow: 1000, connectionWindow: 1000 })
    client.streams.send(0, new Uint8Array(1000), false)
    const { frames } = client.send(500)!
    const sent = (frames[0].args[2] as Uint8Array).length
    client.streams.reset(0, 7)
    expect(client.streams.send(4, new Uint8Array(1000), false)).to.equal(1000 - sent)
    expect(client.send(2000)!.frames[0]).to.deep.equal({ type: 'RESET_STREAM', args: [0, 7, sent] })
  })

  it('a reset is told until it is acknowledged, and nothing else is sent', () => {
    const { client, server } = connected()
    client.streams.send(0, bytes('abc'), false)
    const data = client.send()!
    client.streams.reset(0, 9)
    expect(client.streams.send(0, bytes('d'), false)).to.equal(undefined)
    data.lost()
    client.send()!.lost()
    const again = client.send()!
    expect(again.frames).to.deep.equal([{ type: 'RESET_STREAM', args: [0, 9, 3] }])
    server.receive(again.frames)
    expect(server.hear()).to.deep.equal(['0 reset 9'])
    again.acked()
    expect(client.streams.isAcknowledged(0)).to.equal(true)
    expect(client.send()).to.equal(undefined)
  })

  it('a stream that the peer does not want is reset, and the application told once (RFC 9000 §3.5)', () => {
    const { client, server, exchange } = connected()
    client.streams.send(0, bytes('abc'), false)
    exchange()
    server.hear()
    server.streams.stopSending(0, 5, 0)
    exchange()
    expect(client.hear()).to.deep.equal(['0 stop 5'])
    client.streams.onStopSending(0, 5)
    expect(client.hear()).to.deep.equal([])
    expect(client.streams.send(0, bytes('d'), false)).to.equal(undefined)
    exchange()
    expect(server.hear()).to.deep.equal([])
  })

  it('what comes for a stream that was stopped counts for flow control, and is not kept', () => {
    const { client, server, exchange } = connected({ streamWindow: 10_000, connectionWindow: 10_000 })
    client.streams.send(0, bytes('a'), false)
    exchange()
    server.streams.stopSending(0, 5, 0)
    const stop = server.send()!
    let sent = 1
    for (let i = 0; i < 100; i++) {
      const taken = client.streams.send(0, new Uint8Array(1000), false) ?? 0
      sent += taken
      const there = client.send(2000)
      if (there === undefined) break
      server.receive(there.frames)
      there.acked()
    }
    expect(sent).to.equal(10_000)
    client.receive(stop.frames)
    exchange()
    expect([server.hear(), server.streams.size]).to.deep.equal([[], 1])
    // The other half is still open.
    server.streams.send(0, NONE, true)
    exchange()
    expect(server.streams.size).to.equal(0)
    // And the connection's window is as it was.
    let more = 0
    for (let i = 0; i < 10; i++) {
      more += client.streams.send(4, new Uint8Array(1000), false) ?? 0
      exchange()
      server.hear()
    }
    expect(more).to.equal(10_000)
  })

  it('a stop is told until it is acknowledged or the stream has ended', () => {
    const { client, server, exchange } = connected()
    client.streams.send(2, bytes('a'), false)
    exchange()
    server.streams.stopSending(2, 5, 0)
    server.send()!.lost()
    const again = server.send()!
    expect(again.frames).to.deep.equal([{ type: 'STOP_SENDING', args: [2, 5] }])
    client.streams.reset(2, 1)
    exchange()
    again.lost()
    expect(server.send()).to.equal(undefined)
  })

  it('a stop is not told when the stream has ended before it could be', () => {
    const { server } = connected()
    server.streams.onStream(2, 0, bytes('a'), false, 0)
    server.streams.stopSending(2, 5, 0)
    server.streams.onResetStream(2, 0, 1, 0)
    expect(server.send()).to.equal(undefined)
  })

  it('a reset throws away what was not read', () => {
    const { server } = connected()
    server.streams.onStream(0, 0, bytes('abc'), false, 0)
    server.streams.onResetStream(0, 4, 3, 0)
    expect(server.hear()).to.deep.equal(['0 reset 4'])
  })

  it('a reset changes nothing when all has come before it', () => {
    const { server } = connected()
    server.streams.onStream(0, 0, bytes('abc'), true, 0)
    server.streams.onResetStream(0, 4, 3, 0)
    expect(server.hear()).to.deep.equal(['0 abc end'])
  })

  it('what the application does while it is told of one stream does not disturb the others', () => {
    const { server } = connected()
    for (const id of [0, 4, 8]) server.streams.onStream(id, 0, bytes('abc'), false, 0)
    const heard: number[] = []
    server.streams.handOut(
      {
        onStreamData(id) {
          heard.push(id)
          for (const other of [0, 4]) server.streams.stopSending(other, 1, 0)
          server.streams.reset(id, 1)
        },
        onStreamReset() {},
        onStopSending() {},
      },
      0,
    )
    expect(heard).to.deep.equal([0, 8])
  })
})

describe('streams refuse', () => {
  const refuse = (title: string, code: number, action: (server: End) => void) =>
    it(title, () => {
      const { server } = connected({ streamWindow: 100, connectionWindow: 150 })
      // Streams 1 and 3 are the server's, 0 and 2 the client's.
      server.streams.send(1, bytes('x'), false)
      server.streams.send(3, bytes('x'), false)
      expect(codeOf(() => action(server))).to.equal(code)
    })

  refuse('data on a stream on which only we send', STREAM_STATE_ERROR, ({ streams }) =>
    streams.onStream(3, 0, bytes('x'), false, 0),
  )
  refuse('a reset of a stream on which only we send', STREAM_STATE_ERROR, ({ streams }) =>
    streams.onResetStream(3, 0, 0, 0),
  )
  refuse('STREAM_DATA_BLOCKED of a stream on which only we send', STREAM_STATE_ERROR, ({ streams }) =>
    streams.onStreamDataBlocked(3),
  )
  refuse('STOP_SENDING of a stream on which only the peer sends', STREAM_STATE_ERROR, ({ streams }) =>
    streams.onStopSending(2, 0),
  )
  refuse('MAX_STREAM_DATA of a stream on which only the peer sends', STREAM_STATE_ERROR, ({ streams }) =>
    streams.onMaxStreamData(2, 100),
  )
  refuse('data on a stream of ours that does not exist', STREAM_STATE_ERROR, ({ streams }) =>
    streams.onStream(5, 0, bytes('x'), false, 0),
  )
  refuse('STOP_SENDING of a stream of ours that does not exist', STREAM_STATE_ERROR, ({ streams }) =>
    streams.onStopSending(7, 0),
  )
  refuse('a stream beyond the limit', STREAM_LIMIT_ERROR, ({ streams }) =>
    streams.onStream(400, 0, bytes('x'), false, 0),
  )
  refuse('the largest stream id there is', STREAM_LIMIT_ERROR, ({ streams }) => streams.onStopSending(2 ** 62, 0))
  refuse('more than the window of a stream', FLOW_CONTROL_ERROR, ({ streams }) =>
    streams.onStream(0, 100, bytes('x'), false, 0),
  )
  refuse('the largest offset there is', FLOW_CONTROL_ERROR, ({ streams }) =>
    streams.onStream(0, 2 ** 62 - 1024, bytes('x'), false, 0),
  )
  refuse('a final size beyond the window', FLOW_CONTROL_ERROR, ({ streams }) => streams.onResetStream(0, 0, 101, 0))
  refuse('more than the window of the connection', FLOW_CONTROL_ERROR, ({ streams }) => {
    streams.onStream(0, 99, bytes('x'), false, 0)
    streams.onStream(4, 50, bytes('x'), false, 0)
  })
  refuse('data behind the end', FINAL_SIZE_ERROR, ({ streams }) => {
    streams.onStream(0, 0, bytes('abc'), true, 0)
    streams.onStream(0, 3, bytes('d'), false, 0)
  })
  refuse('another end', FINAL_SIZE_ERROR, ({ streams }) => {
    streams.onStream(0, 0, bytes('abc'), true, 0)
    streams.onStream(0, 0, bytes('ab'), true, 0)
  })
  refuse('an end before what has come', FINAL_SIZE_ERROR, ({ streams }) => {
    streams.onStream(0, 5, bytes('abc'), false, 0)
    streams.onStream(0, 0, bytes('abc'), true, 0)
  })
  refuse('a reset with another final size', FINAL_SIZE_ERROR, ({ streams }) => {
    streams.onStream(0, 5, bytes('abc'), true, 0)
    streams.onResetStream(0, 0, 9, 0)
  })
  refuse('a reset with a final size before what has come', FINAL_SIZE_ERROR, ({ streams }) => {
    streams.onStream(0, 5, bytes('abc'), false, 0)
    streams.onResetStream(0, 0, 7, 0)
  })
  refuse('data behind the final size of a reset', FINAL_SIZE_ERROR, ({ streams }) => {
    streams.onResetStream(0, 0, 7, 0)
    streams.onStream(0, 7, bytes('x'), false, 0)
  })
})

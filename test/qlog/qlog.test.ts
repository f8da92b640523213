import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { encodeFrame, FrameType } from '../../src/http3/frames.ts'
import { createLogger } from '../../src/log/logger.ts'
import { ConnectionLog, MAX_QLOG_LENGTH, QLOG_EVENTS_A_SECOND, QLOG_METRICS_MS } from '../../src/qlog/connection-log.ts'
import { qlogHeaders } from '../../src/qlog/http3-fields.ts'
import { Http3Watcher, MAX_WATCHED_STREAMS } from '../../src/qlog/http3-watcher.ts'
import { MAX_QLOG_FILES, QlogFolder } from '../../src/qlog/qlog-folder.ts'
import type { QuicConnection } from '../../src/quic/quic.ts'
import { FakeWriter } from '../capture/fake-writer.ts'
import { addressOf, closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'
import { scratchFolder } from '../support/scratch.ts'
import { parseQlog, type QlogEvent } from './qlog-schema.ts'

const application = 'masque-lab test'
const TOKEN = 'a-token-of-which-nothing-may-be-written'

describe('qlog', () => {
  let folder: string

  beforeEach(() => {
    folder = scratchFolder('masque-test-qlog-')
  })
  afterEach(async () => {
    await closeLoopback()
    rmSync(folder, { recursive: true, force: true })
  })

  const named = (events: readonly QlogEvent[], name: string): QlogEvent[] => events.filter(event => event.name === name)

  it('of a tunnel tells from both ends what went over the connection, as the drafts want it, and no secret', async () => {
    const atServer = new QlogFolder({ folder: join(folder, 'made', 'server'), application })
    const atClient = new QlogFolder({ folder: join(folder, 'client'), application })
    const sha256 = createHash('sha256').update(TOKEN).digest('hex')
    const server = await startServer(
      { auth: { mode: 'token', tokens: [{ identity: 'ada', sha256, maxTunnels: 1 }] } },
      { qlog: atServer },
    )
    const { client, info } = await connectClient(server, { auth: { token: TOKEN } }, { qlog: atClient })
    await ping(client, '10.90.0.1')
    const [{ id }] = server.clients()
    await client.close()
    await until(() => server.status().connections === 0)
    await closeLoopback()
    await Promise.all([atServer.close(), atClient.close()])

    const [name] = readdirSync(atServer.folder)
    const connection = name.replace(/\.sqlog$/, '')
    expect(`${connection}/0`, 'the name is that of the connection in the log and the API').to.equal(id)
    expect(statSync(join(atServer.folder, name)).mode & 0o777).to.equal(0o600)
    const texts = [atServer, atClient].map(each => readFileSync(join(each.folder, readdirSync(each.folder)[0]), 'utf8'))
    for (const text of texts) expect(text).not.to.include(TOKEN)
    const [proxy, other] = texts.map(parseQlog)
    expect(proxy.header.trace.common_fields.group_id).to.equal(connection)
    expect([proxy, other].map(({ header }) => header.trace.vantage_point.type)).to.deep.equal(['server', 'client'])

    // What one has made the other has read.
    const frames = ({ events }: typeof proxy, event: string): unknown[] =>
      named(events, event)
        .filter(({ data }) => data.stream_id === 0)
        .map(({ data }) => data.frame)
    expect(frames(other, 'http3:frame_created')).to.deep.equal(frames(proxy, 'http3:frame_parsed'))
    expect(frames(proxy, 'http3:frame_created')).to.deep.equal(frames(other, 'http3:frame_parsed'))
    const [request] = frames(proxy, 'http3:frame_parsed') as { headers: object[] }[]
    expect(request.headers).to.deep.include({ name: ':protocol', value: 'connect-ip' })
    expect(request.headers).to.deep.include({ name: 'authorization' })
    const capsules = named(other.events, 'http:capsule_parsed').map(({ data }) => data.capsule)
    expect(capsules.map(({ capsule_type }) => capsule_type)).to.include.members([
      'address_assign',
      'route_advertisement',
    ])
    expect(JSON.stringify(capsules)).to.include(`${addressOf(info, 4)}/32`)
    const extended = named(other.events, 'http3:parameters_set').map(({ data }) => [
      data.initiator,
      data.extended_connect,
    ])
    expect(extended).to.deep.equal([
      ['local', undefined],
      ['remote', 1],
    ])
    expect(named(proxy.events, 'http3:datagram_parsed').length).to.be.at.least(1)
    expect(named(proxy.events, 'recovery:metrics_updated')[0].data.congestion_window).to.be.above(1000)
    const [first, last] = [proxy.events[0], proxy.events.at(-1)]
    expect([first.name, last?.name]).to.deep.equal([
      'connectivity:connection_started',
      'connectivity:connection_closed',
    ])
    expect(last?.data).to.include({ owner: 'remote', trigger: 'clean' })
  })

  it('of a tunnel on the engine in TypeScript has its packets and keys as well, as the drafts want them', async () => {
    const [atServer, atClient] = ['server', 'client'].map(
      name => new QlogFolder({ folder: join(folder, name), application }),
    )
    const quic = { engine: 'typescript' } as const
    const server = await startServer({ quic }, { qlog: atServer })
    const { client } = await connectClient(server, { quic }, { qlog: atClient })
    await ping(client, '10.90.0.1')
    await client.close()
    await until(() => server.status().connections === 0)
    await closeLoopback()
    await Promise.all([atServer.close(), atClient.close()])
    const [proxy, other] = [atServer, atClient].map(each =>
      parseQlog(readFileSync(join(each.folder, readdirSync(each.folder)[0]), 'utf8')),
    )
    for (const { events } of [proxy, other]) {
      expect(events[0].name).to.equal('connectivity:connection_started')
      expect(events.at(-1)?.name).to.equal('connectivity:connection_closed')
      const complete = named(events, 'connectivity:connection_state_updated').filter(
        ({ data }) => data.new === 'handshake_complete',
      )
      expect(complete, 'once, not by HTTP/3 again').to.have.length(1)
      const names = events.map(({ name }) => name)
      expect(names).to.include.members([
        'transport:parameters_set',
        'recovery:metrics_updated',
        'security:key_retired',
        'http3:frame_parsed',
        'http3:datagram_created',
      ])
    }
    // The first packet of each end is the other's first.
    for (const [sender, receiver] of [
      [proxy, other],
      [other, proxy],
    ]) {
      const [sent] = named(sender.events, 'transport:packet_sent')
      const [received] = named(receiver.events, 'transport:packet_received')
      expect(received.data).to.deep.equal(sent.data)
    }
  })

  it('shows no value of a field that is not known to be harmless, and no token in the query of a path', () => {
    const shown = qlogHeaders([
      [':path', '/tunnel?token=secret'],
      ['authorization', 'Bearer secret'],
      ['cookie', 'secret'],
      ['x-private', 'secret'],
      ['user-agent', 'a\u001b[31m'],
    ])
    expect(JSON.stringify(shown)).not.to.include('secret')
    expect(JSON.stringify(shown)).not.to.include('\\u001b')
    expect(shown[0]).to.deep.equal({ name: ':path', value: '/tunnel?…' })
  })

  it('is disturbed by no bytes on any stream, and reads the same however they are cut', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .tuple(fc.constantFrom(...Object.values(FrameType)), fc.uint8Array({ maxLength: 30 }))
        .map(([type, payload]) => encodeFrame(type, payload)),
    )
    const told = (streamId: number, pieces: Uint8Array[]): string => {
      const events: unknown[] = []
      const watcher = new Http3Watcher((name, data) => events.push({ name, data }))
      for (const piece of pieces) watcher.stream('remote', streamId, piece, false)
      return JSON.stringify(events)
    }
    fc.assert(
      fc.property(
        fc.array(bytes, { maxLength: 6 }),
        fc.nat(7),
        fc.integer({ min: 1, max: 9 }),
        (all, streamId, size) => {
          const whole = Buffer.concat(all)
          const cut: Uint8Array[] = []
          for (let at = 0; at < whole.length; at += size) cut.push(whole.subarray(at, at + size))
          expect(told(streamId, cut)).to.equal(told(streamId, [whole]))
        },
      ),
    )
  })

  it('watches a bounded number of streams', () => {
    let events = 0
    const watcher = new Http3Watcher(() => events++)
    const frame = encodeFrame(FrameType.GOAWAY, Uint8Array.of(0))
    for (let i = 0; i < 2 * MAX_WATCHED_STREAMS; i++) watcher.stream('remote', 4 * i, frame, false)
    expect(events).to.equal(MAX_WATCHED_STREAMS)
    watcher.stream('remote', 0, frame, true)
    watcher.stream('remote', 4 * 2 * MAX_WATCHED_STREAMS, frame, false)
    expect(events, 'who is done makes room').to.equal(MAX_WATCHED_STREAMS + 2)
  })

  it('never begins to read in the middle of a stream', () => {
    const events: string[] = []
    const watcher = new Http3Watcher((name, data) => events.push(`${name} ${JSON.stringify(data)}`))
    const goaway = encodeFrame(FrameType.GOAWAY, Uint8Array.of(0))
    // Its content looks like a frame.
    const [head, content] = [Uint8Array.of(FrameType.DATA, goaway.length), goaway]
    watcher.stream('remote', 0, head, false)
    watcher.forget(0)
    watcher.stream('remote', 0, content, false)
    expect(
      events.filter(text => text.includes('goaway')),
      'the other direction was reset',
    ).to.deep.equal([])
    const late = 4 * (MAX_WATCHED_STREAMS + 1)
    for (let i = 1; i <= MAX_WATCHED_STREAMS; i++) watcher.stream('remote', 4 * i, head, false)
    watcher.stream('remote', late, head, false)
    watcher.stream('remote', 4, content, true)
    watcher.stream('remote', late, content, false)
    expect(
      events.filter(text => text.includes('goaway')),
      'there was no room for its beginning',
    ).to.deep.equal([])
  })

  /** A connection's log in memory, and a clock that stands. */
  function newLog(paths: QuicConnection['paths'] = () => []) {
    const records: Uint8Array[] = []
    const disk = { isBehind: false }
    const clock = { now: 1000 }
    const ends = { local: { host: '127.0.0.1', port: 1 }, remote: { host: '127.0.0.1', port: 2 } }
    const log = new ConnectionLog({
      quic: { id: 'abcd', role: 'client', ...ends, paths },
      application,
      now: () => clock.now,
      timeOrigin: 1_700_000_000_000,
      open: () => ({ append: record => !disk.isBehind && records.push(record) > 0, close: () => {} }),
    })
    log.established()
    return { log, text: () => Buffer.concat(records).toString(), clock, disk }
  }

  it('asks what the engine knows four times a second at most, and tells only what is new', () => {
    let [asked, cwnd] = [0, 12_000]
    const { log, text, clock } = newLog(() => {
      asked++
      const idle = { active: false, rttMs: 1, cwnd: 1 }
      return [idle, { active: true, rttMs: 1.23456, cwnd }] as ReturnType<QuicConnection['paths']>
    })
    for (const ms of [0, QLOG_METRICS_MS - 1, 1, QLOG_METRICS_MS, QLOG_METRICS_MS]) {
      clock.now += ms
      if (ms === 1) cwnd = 13_000
      log.datagramSent(Uint8Array.of(0, 0))
    }
    expect(asked).to.equal(4)
    log.pathChanged()
    log.datagramSent(Uint8Array.of(0, 0))
    expect(asked, 'another path is asked for at once').to.equal(5)
    const { events } = parseQlog(text())
    expect(named(events, 'recovery:metrics_updated').map(({ data }) => data)).to.deep.equal([
      { smoothed_rtt: 1.235, congestion_window: 12_000 },
      { smoothed_rtt: 1.235, congestion_window: 13_000 },
    ])
    expect(named(events, 'connectivity:path_assigned')).to.have.length(1)
  })

  it('says who has ended a connection, and why', () => {
    const ends = (
      [
        ['peer', true, 0x100],
        ['local', true, 0x101],
        ['local', false, 0],
        ['peer', false, 0x0a],
        ['timeout', false, 0],
      ] as const
    ).map(([source, application, code]) => {
      const { log, text } = newLog()
      log.closed({ source, application, code, reason: 'a\u001b' })
      const { owner, trigger, reason, application_code, connection_code } = parseQlog(text()).events.at(-1)!.data
      expect(reason).to.not.include('\u001b')
      return [owner, trigger, application_code, connection_code]
    })
    expect(ends).to.deep.equal([
      ['remote', 'clean', 0x100, undefined],
      ['local', 'application', 0x101, undefined],
      ['local', 'clean', undefined, 0],
      ['remote', 'error', undefined, 0x0a],
      ['local', 'idle_timeout', undefined, undefined],
    ])
  })

  it('tells of so many packets a second, and how many it has not told of', () => {
    const { log, text, clock } = newLog()
    for (let i = 0; i < QLOG_EVENTS_A_SECOND + 7; i++) log.datagramSent(Uint8Array.of(0, 0))
    clock.now += 1000
    log.datagramReceived(Uint8Array.of(0, 0))
    const { events } = parseQlog(text())
    expect(named(events, 'http3:datagram_created').length).to.equal(QLOG_EVENTS_A_SECOND)
    expect(named(events, 'http3:datagram_parsed')[0].data.skipped_before).to.equal(7)
  })

  it('says how many events a disk that is behind has not taken, and that streams of packets leave room for capsules', () => {
    const { log, text, clock, disk } = newLog()
    disk.isBehind = true
    for (let i = 0; i < 3; i++) log.datagramSent(Uint8Array.of(0, 0))
    disk.isBehind = false
    log.datagramSent(Uint8Array.of(0, 0))
    clock.now += 1000
    // Each packet on a stream of its own (0x4d51).
    for (let i = 0; i < 2 * QLOG_EVENTS_A_SECOND; i++) {
      log.streamReceived(4 * i + 3, Uint8Array.of(0x80, 0, 0x4d, 0x51, 0), true)
    }
    log.streamReceived(0, encodeFrame(FrameType.GOAWAY, Uint8Array.of(0)), false)
    const { events } = parseQlog(text())
    expect(named(events, 'http3:datagram_created').map(({ data }) => data.skipped_before)).to.deep.equal([3])
    expect(named(events, 'http3:stream_type_set')).to.have.length(QLOG_EVENTS_A_SECOND)
    expect(named(events, 'http3:frame_parsed')).to.have.length(1)
  })

  it('stays below its bound, and has the end of the connection in it all the same', () => {
    const { log, text, clock } = newLog()
    // The longest event that settings make: 32 of eight bytes each.
    const pair = [0xc0, 1, 1, 1, 1, 1, 1, 1, 0xc0, 1, 1, 1, 1, 1, 1, 1]
    const settings = encodeFrame(FrameType.SETTINGS, Uint8Array.from(Array(32).fill(pair).flat()))
    for (let second = 0; second < 70; second++) {
      clock.now += 1000
      for (let i = 0; i < QLOG_EVENTS_A_SECOND; i++) log.streamReceived(0, settings, false)
    }
    log.closed({ source: 'timeout', application: false, code: 0, reason: '' })
    const bytes = Buffer.byteLength(text())
    expect(bytes).to.be.within(MAX_QLOG_LENGTH - (16 << 10), MAX_QLOG_LENGTH)
    const { events } = parseQlog(text())
    expect(events.slice(-2).map(({ name }) => name)).to.deep.equal([
      'loglevel:warning',
      'connectivity:connection_closed',
    ])
  })

  it('AT-08 is over, with one warning, when the disk is full; tunnels go on', async () => {
    const writer = new FakeWriter()
    writer.room = 400
    const qlog = new QlogFolder({ folder, application, openFile: () => writer })
    const log: string[] = []
    const logger = createLogger({ level: 'warn', to: { write: line => void log.push(JSON.parse(line).msg) } })
    const server = await startServer({}, { qlog, logger })
    const { client } = await connectClient(server)
    await until(() => log.length > 0)
    await ping(client, '10.90.0.1')
    const { client: second } = await connectClient(server)
    await ping(second, '10.90.0.1')
    await closeLoopback()
    await qlog.close()
    expect(log).to.deep.equal([`no qlog of further connections in ${folder}, and the tunnels go on: the disk is full`])
    // The header is whole, the record behind it was not.
    expect([qlog.files, String(writer.content).split('\u001e').length]).to.deep.equal([1, 2])
  })

  it('has a bounded number of files, and says once that there are no more', async () => {
    const qlog = new QlogFolder({ folder, application, openFile: () => new FakeWriter() })
    const warnings: string[] = []
    qlog.warn = sentence => warnings.push(sentence)
    const end = { host: '::1', port: 1 }
    const quic = { id: 'x', role: 'server', local: end, remote: end, paths: () => [] } as unknown as QuicConnection
    for (let i = 0; i < MAX_QLOG_FILES + 3; i++) {
      const log = qlog.watch(quic)
      log.streamReceived(0, Uint8Array.of(0), false)
      log.closed({ source: 'timeout', application: false, code: 0, reason: '' })
    }
    expect(qlog.files, 'nothing comes of handshakes that fail').to.equal(0)
    for (let i = 0; i < MAX_QLOG_FILES + 3; i++) qlog.watch(quic).established()
    expect([qlog.files, warnings.length]).to.deep.equal([MAX_QLOG_FILES, 1])
    await qlog.close()
  })
})

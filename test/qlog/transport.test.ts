import { expect } from 'chai'
import fc from 'fast-check'
import {
  ConnectionLog,
  MAX_EARLY_LENGTH,
  QLOG_PACKETS_A_SLICE,
  QLOG_RECOVERY_A_SLICE,
  QLOG_SLICE_MS,
} from '../../src/qlog/connection-log.ts'
import { qlogFrames } from '../../src/qlog/quic-frames.ts'
import type { EngineConnection, QuicEngine } from '../../src/quic/engine.ts'
import type { QuicObserver } from '../../src/quic/observer.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../src/quic/quic.ts'
import { TypescriptEngine } from '../../src/quic/typescript/engine.ts'
import { controlStream } from '../http3/conversation.ts'
import { typescriptEngines } from '../quic/typescript/engines.ts'
import {
  CLIENT_ADDRESS,
  SERVER_ADDRESS,
  seeded,
  seededBytes,
  VirtualNetwork,
} from '../quic/typescript/virtual-network.ts'
import { clientTls, serverTls } from '../support/certificates.ts'
import { parseQlog, type QlogEvent } from './qlog-schema.ts'

const application = 'masque-lab test'
const ends = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }

/** The log of a connection of the engine, in virtual time, into memory. */
function logOf(connection: EngineConnection, role: 'client' | 'server', now: () => number) {
  const records: Uint8Array[] = []
  const log = new ConnectionLog({
    quic: {
      id: 'abcd',
      role,
      ...ends,
      paths: () => connection.paths(),
      observe: observer => {
        connection.observe?.(observer, now())
        return connection.observe !== undefined
      },
    },
    application,
    now,
    timeOrigin: 1_700_000_000_000,
    open: () => ({ append: record => records.push(record) > 0, close: () => {} }),
  })
  return { log, events: () => parseQlog(Buffer.concat(records).toString()).events }
}

function networkWithLogs(engines: { client: QuicEngine; server: QuicEngine }, seed: number) {
  const logs = {} as Record<'client' | 'server', ReturnType<typeof logOf>>
  const observe = (which: 'client' | 'server', connection: EngineConnection, begun: number): void => {
    logs[which] = logOf(connection, which, () => network?.now ?? begun)
  }
  let network: VirtualNetwork | undefined
  network = new VirtualNetwork({ ...engines, seed, observe })
  return { network, logs }
}

/** A log that hears what a test tells it. */
function newLog() {
  const records: Uint8Array[] = []
  const clock = { now: 0 }
  let observer!: QuicObserver
  const observe = (each: QuicObserver): boolean => {
    observer = each
    return true
  }
  const log = new ConnectionLog({
    quic: { id: 'abcd', role: 'client', ...ends, paths: () => [], observe },
    application,
    now: () => clock.now,
    timeOrigin: 1_700_000_000_000,
    open: () => ({ append: record => records.push(record) > 0, close: () => {} }),
  })
  return { log, observer, clock, events: () => parseQlog(Buffer.concat(records).toString()).events }
}

const named = (events: readonly QlogEvent[], name: string): QlogEvent[] => events.filter(event => event.name === name)
const indexOf = (events: readonly QlogEvent[], is: (event: QlogEvent) => boolean): number => {
  const index = events.findIndex(is)
  expect(index, String(is)).to.be.at.least(0)
  return index
}
const ping = Uint8Array.of(1)

describe('qlog of an engine that tells', () => {
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  it('has a handshake with losses in it, in the order in which it happens, as the drafts want it', () => {
    const { network, logs } = networkWithLogs(engines(3), 3)
    const { log, events } = logs.client
    // The first answer of the server gets lost, and later a packet with data.
    let toClient = 0
    let toServer = 0
    network.tamper = (packet, to) => {
      if (to === 'client') return ++toClient === 1 ? [] : [packet]
      return ++toServer === 8 ? [] : [packet]
    }
    const data = new Uint8Array(30_000).fill(7)
    network.client.write(0, data)
    expect(network.run(() => network.client.established)).to.equal(true)
    log.established()
    expect(network.run(() => network.server?.hasEnded(0) === true)).to.equal(true)
    network.run(() => false, 1000)
    network.client.connection.close(true, 0x100, 'done')
    network.turn('client')
    log.closed({ source: 'local', application: true, code: 0x100, reason: 'done' })

    const all = events()
    const states = named(all, 'connectivity:connection_state_updated').map(({ data }) => [data.old, data.new])
    expect(states).to.deep.equal([
      [undefined, 'attempted'],
      ['attempted', 'handshake_started'],
      ['handshake_started', 'handshake_complete'],
      ['handshake_complete', 'handshake_confirmed'],
      ['handshake_confirmed', 'closing'],
    ])
    expect(all[0].name).to.equal('connectivity:connection_started')
    expect(named(all, 'transport:version_information')[0].data.chosen_version).to.equal('00000001')
    const owners = named(all, 'transport:parameters_set').map(({ data }) => data.owner)
    expect(owners).to.deep.equal(['local', 'remote'])

    // What is received is told of before what it leads to.
    const steps = [
      (event: QlogEvent) => event.name === 'transport:version_information',
      ({ name, data }: QlogEvent) => name === 'security:key_updated' && data.key_type === 'client_initial_secret',
      ({ name, data }: QlogEvent) => name === 'transport:packet_received' && data.header.packet_type === 'initial',
      ({ name, data }: QlogEvent) => name === 'security:key_updated' && data.key_type === 'server_handshake_secret',
      (event: QlogEvent) => event.name === 'transport:parameters_set',
      ({ name, data }: QlogEvent) => name === 'security:key_updated' && data.key_type === 'client_1rtt_secret',
      ({ name, data }: QlogEvent) => name === 'security:key_retired' && data.key_type === 'server_initial_secret',
      ({ name, data }: QlogEvent) => name === 'transport:packet_received' && data.header.packet_type === '1RTT',
      ({ name, data }: QlogEvent) => name === 'security:key_retired' && data.key_type === 'client_handshake_secret',
      (event: QlogEvent) => event.name === 'recovery:packet_lost',
      ({ name, data }: QlogEvent) => name === 'recovery:congestion_state_updated' && data.new === 'recovery',
      ({ name, data }: QlogEvent) => name === 'connectivity:connection_state_updated' && data.new === 'closing',
      (event: QlogEvent) => event.name === 'connectivity:connection_closed',
    ].map(is => indexOf(all, is))
    expect(steps).to.deep.equal([...steps].sort((a, b) => a - b))

    const sent = named(all, 'transport:packet_sent').map(({ data }) => data)
    expect(sent[0].frames[0].frame_type).to.equal('crypto')
    expect(
      sent.some(({ trigger }) => trigger === 'pto_probe'),
      'a probe',
    ).to.equal(true)
    const last = sent.at(-1)
    expect(last.frames).to.deep.equal([
      { frame_type: 'connection_close', error_space: 'application', raw_error_code: 0x100, reason: 'done' },
    ])
    const received = named(all, 'transport:packet_received').map(({ data }) => data)
    expect(
      received.some(({ frames }) => frames.some(({ frame_type }: { frame_type: string }) => frame_type === 'ack')),
    ).to.equal(true)
    // Each that is lost was sent, and the window went down.
    const [lost] = named(all, 'recovery:packet_lost')
    const number = lost.data.header.packet_number
    expect(lost.data.header.packet_type).to.equal('1RTT')
    expect(sent.some(({ header }) => header.packet_type === '1RTT' && header.packet_number === number)).to.equal(true)
    const windows = named(all, 'recovery:metrics_updated').flatMap(({ data }) => data.congestion_window ?? [])
    expect(windows.some((window, i) => i > 0 && window < windows[i - 1])).to.equal(true)
    const phases = named(all, 'recovery:congestion_state_updated')
    expect(phases.map(({ data }) => data.new)).to.deep.equal(['slow_start', 'recovery', 'congestion_avoidance'])
    // RFC 9002 §7.3.2: recovery ends when something is acknowledged that was sent in it, a round trip later.
    expect(phases[2].time - phases[1].time).to.be.at.least(20)
    const timers = named(all, 'recovery:loss_timer_updated').map(({ data }) => `${data.timer_type} ${data.event_type}`)
    expect(timers).to.include.members(['pto set', 'pto expired', 'pto cancelled'])
    for (const { data } of named(all, 'recovery:loss_timer_updated').filter(({ data }) => data.event_type === 'set')) {
      expect(data.delta).to.be.a('number')
    }
    expect(named(all, 'recovery:metrics_updated').at(-1)?.data).not.to.have.property('min_rtt', 0)
    expect(JSON.stringify(all)).not.to.include('"new":"0')
  })

  it('of a server begins with the first packet of the client, and says why packets are dropped', () => {
    const { network, logs } = networkWithLogs(engines(4), 4)
    // Each packet comes twice, and once with another bit.
    network.tamper = packet => {
      const forged = Uint8Array.from(packet)
      forged[forged.length - 1] ^= 1
      return [packet, forged, packet]
    }
    expect(network.run(() => network.server?.established === true)).to.equal(true)
    const { log, events } = logs.server
    log.established()
    network.client.write(0, new Uint8Array(3000))
    network.turn('client')
    expect(network.run(() => network.server!.hasEnded(0))).to.equal(true)
    const all = events()
    const [first] = named(all, 'transport:packet_received')
    expect(first.data.header).to.deep.equal({ packet_type: 'initial', packet_number: 0 })
    expect(first.data.frames[0]).to.include({ frame_type: 'crypto', offset: 0 })
    const triggers = named(all, 'transport:packet_dropped').map(({ data }) => data.trigger)
    expect(triggers).to.include.members(['duplicate', 'payload_decrypt_error', 'key_unavailable'])
  })

  it('tells of each update of keys, who has begun it, and when the old ones are gone; and no key', async () => {
    const settings = DEFAULT_QUIC_SETTINGS
    const client = new TypescriptEngine(
      { role: 'client', settings, tls: await clientTls(), peerCertificate: 'required' },
      seededBytes(seeded(1)),
      { updateAfter: 20 },
    )
    const server = new TypescriptEngine(
      { role: 'server', settings, tls: await serverTls(), peerCertificate: 'none' },
      seededBytes(seeded(2)),
    )
    const { network, logs } = networkWithLogs({ client, server }, 1)
    expect(network.run(() => network.client.established && network.server?.established === true)).to.equal(true)
    const { client: here, server: there } = logs
    here.log.established()
    there.log.established()
    for (let i = 0; i < 4; i++) {
      network.client.write(4 * i, new Uint8Array(20_000))
      network.turn('client')
      expect(network.run(() => network.server!.hasEnded(4 * i))).to.equal(true)
      network.run(() => false, 5000)
    }
    const changes = ({ events }: typeof here, name: string) =>
      named(events(), name)
        .filter(({ data }) => data.generation !== undefined && data.trigger !== 'tls')
        .map(({ data }) => `${data.key_type} ${data.generation} ${data.trigger}`)
    expect(changes(here, 'security:key_updated').slice(0, 2)).to.deep.equal([
      'client_1rtt_secret 1 local_update',
      'server_1rtt_secret 1 local_update',
    ])
    expect(changes(there, 'security:key_updated').slice(0, 2)).to.deep.equal([
      'client_1rtt_secret 1 remote_update',
      'server_1rtt_secret 1 remote_update',
    ])
    const gone = changes(here, 'security:key_retired').map(text => text.replace(/ \w+$/, ''))
    for (const sender of ['client', 'server']) {
      const generations = gone.filter(text => text.startsWith(sender)).map(text => Number(text.split(' ')[1]))
      expect(generations, sender).to.deep.equal(generations.map((_, i) => i))
      expect(generations.length, sender).to.be.at.least(2)
    }
    const updates = changes(here, 'security:key_updated')
    expect(new Set(updates).size, 'each is told of once').to.equal(updates.length)
  })

  it('tells what of the metrics has changed, and nothing where nothing has', () => {
    const { log, observer, events } = newLog()
    log.established()
    const rtt = { hasSample: false, latest: 0, smoothed: 333, variation: 166.5, min: 0 }
    const controller = { name: 'reno', window: 12_000, slowStartThreshold: Number.POSITIVE_INFINITY }
    const metrics = { rtt, controller, bytesInFlight: 0, pacingRate: 72.5, ptoCount: 0 }
    observer.metrics(metrics, 1)
    observer.metrics(metrics, 2)
    observer.metrics({ ...metrics, bytesInFlight: 1200 }, 3)
    observer.metrics({ ...metrics, rtt: { ...rtt, hasSample: true, latest: 10.12345 } }, 4)
    expect(named(events(), 'recovery:metrics_updated').map(({ data }) => data)).to.deep.equal([
      { pto_count: 0, congestion_window: 12_000, bytes_in_flight: 0, pacing_rate: 580_000 },
      { bytes_in_flight: 1200 },
      { min_rtt: 0, smoothed_rtt: 333, latest_rtt: 10.123, rtt_variance: 166.5, bytes_in_flight: 0 },
    ])
  })

  it('tells of so many packets and metrics in a while, and how many it has not told of', () => {
    const { log, observer, clock, events } = newLog()
    log.established()
    const rtt = { hasSample: false, latest: 0, smoothed: 333, variation: 166.5, min: 0 }
    const controller = { name: 'reno', window: 12_000, slowStartThreshold: 1 }
    observer.metrics({ rtt, controller, bytesInFlight: 1, pacingRate: 1, ptoCount: 0 }, -QLOG_SLICE_MS)
    for (let i = 0; i < 3000; i++) {
      observer.packetSent('1RTT', i, 30, ping, false, 0)
      observer.metrics({ rtt, controller, bytesInFlight: i, pacingRate: 1, ptoCount: 0 }, 0)
      observer.lossTimer('set', 'pto', 2, i, 0)
      observer.packetLost('1RTT', i, 'time_threshold', 0)
    }
    expect(named(events(), 'recovery:metrics_updated')).to.have.length(1 + QLOG_RECOVERY_A_SLICE)
    expect(named(events(), 'recovery:loss_timer_updated')).to.have.length(QLOG_RECOVERY_A_SLICE)
    const packets = events().filter(({ name }) => name.includes('packet_'))
    expect(packets).to.have.length(QLOG_PACKETS_A_SLICE)
    clock.now = QLOG_SLICE_MS
    observer.packetSent('1RTT', 3000, 30, ping, false, clock.now)
    expect(events().at(-1)?.data.skipped_before).to.equal(6000 - QLOG_PACKETS_A_SLICE)
    log.closed({ source: 'timeout', application: false, code: 0, reason: '' })
    expect(events().at(-1)?.data.skipped).to.deep.equal({
      packets: 0,
      others: 0,
      transport: 0,
      recovery: 3000 - QLOG_RECOVERY_A_SLICE,
      timers: 3000 - QLOG_RECOVERY_A_SLICE,
    })
  })

  it('never goes back in time, though the engine tells of a packet with the time at which its turn began', () => {
    const { log, observer, clock, events } = newLog()
    clock.now = 10
    log.established()
    log.datagramSent(Uint8Array.of(0, 0))
    observer.packetSent('1RTT', 0, 30, ping, false, 5)
    expect(
      events()
        .slice(-2)
        .map(({ time }) => time),
    ).to.deep.equal([10, 10])
  })

  it('keeps so much of a handshake that goes on and on, and nothing of one that fails or of what comes after the end', () => {
    const endless = newLog()
    for (let i = 0; i < 3000; i++) endless.observer.packetSent('initial', i, 30, ping, false, (i * QLOG_SLICE_MS) / 10)
    endless.log.established()
    const early = endless.events().filter(({ name }) => name === 'transport:packet_sent')
    const bytes = early.reduce((sum, event) => sum + JSON.stringify(event).length, 0)
    expect(early.length).to.be.above(100)
    expect(bytes).to.be.within(MAX_EARLY_LENGTH / 2, MAX_EARLY_LENGTH)
    endless.clock.now = 20_000
    endless.observer.packetSent('1RTT', 0, 30, ping, false, 20_000)
    expect(endless.events().at(-1)?.data.skipped_before, 'and how many are not there').to.equal(3000 - early.length)
    const failed = newLog()
    failed.observer.packetSent('initial', 0, 30, ping, false, 0)
    failed.log.closed({ source: 'timeout', application: false, code: 0, reason: '' })
    failed.observer.packetSent('initial', 1, 30, ping, false, 0)
    failed.log.established()
    expect(named(failed.events(), 'transport:packet_sent')).to.have.length(0)
  })

  it('has the SETTINGS that a server sends before the handshake is over, at the time when it did', () => {
    const early = newLog()
    early.clock.now = 3
    early.log.streamSent(3, controlStream([0x08, 1]), false)
    early.clock.now = 20
    early.log.established()
    early.log.streamReceived(2, controlStream([0x33, 1]), false)
    const settings = named(early.events(), 'http3:parameters_set').map(({ time, data }) => [time, data.initiator])
    expect(settings).to.deep.equal([
      [3, 'local'],
      [20, 'remote'],
    ])
  })

  it('is disturbed by no payload, writes no content of frames, and a bounded number of them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom(0, 1, 2), (payload, space) => {
        const { frames, number_of_frames = frames.length } = qlogFrames(payload, space as 0 | 1 | 2, 'server', 3)
        expect(frames.length).to.be.at.most(32)
        expect(number_of_frames).to.be.at.least(frames.length)
      }),
    )
    expect(qlogFrames(new Uint8Array(1000).fill(1), 2, 'client', 3)).to.deep.include({ number_of_frames: 1000 })
    // RFC 9000 §19.3: the delay is in units of 2^3 µs, of 1-RTT packets.
    const ack = Uint8Array.of(0x02, 9, 0x40, 125, 1, 0, 1, 2)
    const [frame] = qlogFrames(ack, 2, 'client', 3).frames
    expect(frame).to.deep.equal({ frame_type: 'ack', ack_delay: 1, acked_ranges: [[9], [4, 6]] })
    const secret = Buffer.from('0123456789abcdef')
    const crypto = Buffer.concat([Uint8Array.of(0x06, 0, secret.length), secret])
    const token = Buffer.concat([Uint8Array.of(0x07, secret.length), secret])
    const id = Buffer.concat([Uint8Array.of(0x18, 1, 0, 4, 1, 2, 3, 4), secret])
    const text = JSON.stringify(qlogFrames(Buffer.concat([token, crypto, id]), 2, 'server', 3))
    expect(text).to.include('"connection_id":"01020304"')
    for (const form of ['hex', 'utf8', 'base64'] as const) expect(text).not.to.include(secret.toString(form))
  })
})

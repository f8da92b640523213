/** What is left of the list of bad input in docs/security.md when each file has tested its own concept: whole connections, and what they do to others. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { EngineConnection } from '../../../src/quic/engine.ts'
import { appendCrypto } from '../../../src/quic/typescript/frames/crypto-frame.ts'
import { appendDatagram } from '../../../src/quic/typescript/frames/datagram-frame.ts'
import { appendNewConnectionId } from '../../../src/quic/typescript/frames/new-connection-id-frame.ts'
import { appendPathChallenge } from '../../../src/quic/typescript/frames/path-challenge-frame.ts'
import { appendRetireConnectionId } from '../../../src/quic/typescript/frames/retire-connection-id-frame.ts'
import { appendStream } from '../../../src/quic/typescript/frames/stream-frame.ts'
import type { LongHeaderPacket } from '../../../src/quic/typescript/packets/packet.ts'
import { readPacket } from '../../../src/quic/typescript/packets/read-packet.ts'
import { initialKeys } from '../../../src/quic/typescript/protection/initial-keys.ts'
import {
  CONNECTION_ID_LIMIT_ERROR,
  CRYPTO_BUFFER_EXCEEDED,
  FINAL_SIZE_ERROR,
  FLOW_CONTROL_ERROR,
  FRAME_ENCODING_ERROR,
  PROTOCOL_VIOLATION,
  STREAM_LIMIT_ERROR,
} from '../../../src/quic/typescript/transport-error.ts'
import { WireWriter } from '../../../src/quic/typescript/wire-writer.ts'
import { heldInRounds } from '../../support/held-memory.ts'
import { sealInitial } from '../../support/initial.ts'
import { until } from '../../support/loopback.ts'
import { closeAll, connect, exchange, type Listening, listen } from '../../support/quic-peer.ts'
import { RawPackets } from '../../support/raw-packets.ts'
import { scratchFolder } from '../../support/scratch.ts'
import { typescriptEngines } from './engines.ts'
import { Forger } from './forger.ts'
import { CLIENT_ADDRESS, End, SERVER_ADDRESS, seeded, seededBytes, VirtualNetwork } from './virtual-network.ts'

const AT_CLIENT = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }
const AT_SERVER = { local: SERVER_ADDRESS, remote: CLIENT_ADDRESS }
const ELSEWHERE = { local: SERVER_ADDRESS, remote: { host: '203.0.113.9', port: 9 } }
const ID_LENGTH = 8
/** More, and its window is full of packets that nobody acknowledges. */
const ROUNDS = 20
/** 2^62-1, as a varint. */
const MOST = Array<number>(8).fill(0xff)
const some = (length: number, byte = 0x61) => new Uint8Array(length).fill(byte)

function written(write: (to: WireWriter) => void): Uint8Array {
  const to = new WireWriter(new Uint8Array(2000))
  write(to)
  return to.bytes.slice(0, to.offset)
}

describe('an established connection of the engine in TypeScript', () => {
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  /** Both ends, and what the client has sent to the server. */
  const established = () => {
    const network = new VirtualNetwork(engines(1))
    const sent: Uint8Array[] = []
    network.tamper = (packet, to) => {
      if (to === 'server') sent.push(packet)
      return [packet]
    }
    expect(network.run(() => network.server?.established === true)).to.equal(true)
    network.run(() => false, 1000)
    return { network, sent, client: network.client, server: network.server as End }
  }

  it('passes over a packet that is cut short, wherever it is, and takes the whole one afterwards', () => {
    const { network, client, server } = established()
    let packet = new Uint8Array(0)
    network.tamper = each => {
      packet = Uint8Array.from(each)
      return []
    }
    client.connection.sendDatagram(some(100))
    network.turn('client')
    expect(packet.length).to.be.above(100)
    const answers: Uint8Array[] = []
    network.tamper = each => [...answers.splice(0, 0, each), each]
    for (let length = 0; length < packet.length; length++) {
      network.inject(packet.slice(0, length), 'server', AT_SERVER)
      network.run(() => false, 0)
    }
    expect([server.datagrams.length, answers.length, server.connection.closing]).to.deep.equal([0, 0, false])
    network.inject(packet, 'server', AT_SERVER)
    network.run(() => false, 0)
    expect(server.datagrams).to.deep.equal([some(100)])
  })

  it('passes over forged packets, answers none of them, and goes on', () => {
    const { network, sent, client, server } = established()
    const { dcid } = readPacket(sent[sent.length - 1], 0, ID_LENGTH)!
    const bytes = seededBytes(seeded(1))
    let answers = 0
    network.tamper = packet => {
      answers++
      return [packet]
    }
    for (let i = 0; i < 2000; i++) {
      const forged = Uint8Array.of(0x40 | (i & 0x3f), ...dcid, ...bytes(20 + (i % 60)))
      network.inject(forged, i % 2 === 0 ? 'server' : 'client', i % 2 === 0 ? AT_SERVER : AT_CLIENT)
      network.run(() => false, 0)
    }
    expect([answers, server.connection.closing, client.connection.closing]).to.deep.equal([0, false, false])
    client.connection.sendDatagram(some(10))
    network.turn('client')
    network.run(() => server.datagrams.length > 0, 100)
    expect(server.datagrams).to.have.length(1)
  })

  it('hears nothing twice when all its packets come once more, and moves nowhere when they come from elsewhere', () => {
    const { network, sent, client, server } = established()
    client.write(0, some(20_000))
    client.connection.sendDatagram(some(100))
    network.turn('client')
    expect(network.run(() => server.hasEnded(0))).to.equal(true)
    network.run(() => false, 1000)
    const before = [server.datagrams.length, server.bytesOf(0).length, network.sent.server]
    expect(before.slice(0, 2)).to.deep.equal([1, 20_000])
    for (const path of [AT_SERVER, ELSEWHERE]) {
      for (const packet of [...sent]) network.inject(Uint8Array.from(packet), 'server', path)
    }
    network.run(() => false, 1000)
    expect([server.datagrams.length, server.bytesOf(0).length, network.sent.server]).to.deep.equal(before)
    expect(server.connection.paths()).to.have.length(1)
    expect([server.movedTo, server.connection.closing]).to.deep.equal([undefined, false])
  })

  it('keeps of two bytes for one place of a stream the first, however they overlap', () => {
    const forger = new Forger(engines(1), 'client')
    forger.send(to => {
      appendStream(to, 0, 2, some(4, 1), false)
      appendStream(to, 0, 0, some(4, 2), false)
      appendStream(to, 0, 5, some(5, 3), true)
      appendStream(to, 0, 0, some(10, 4), true)
    })
    expect([...forger.victim.bytesOf(0)]).to.deep.equal([2, 2, 1, 1, 1, 1, 3, 3, 3, 3])
    expect([forger.victim.hasEnded(0), forger.code]).to.deep.equal([true, undefined])
  })

  describe('with 2^62-1', () => {
    const cases: [what: string, frame: number[], code: number | undefined][] = [
      ['the largest acknowledged', [0x02, ...MOST, 0, 0, 0], PROTOCOL_VIOLATION],
      ['the number of ranges of an ACK', [0x02, 0, 0, ...MOST, 0], FRAME_ENCODING_ERROR],
      ['the length of a range', [0x02, 0, 0, 0, ...MOST], FRAME_ENCODING_ERROR],
      ['the delay of an ACK', [0x02, 0, ...MOST, 0, 0], undefined],
      ['the counts of ECN', [0x03, 0, 0, 0, 0, ...MOST, ...MOST, ...MOST], undefined],
      ['the id of a stream', [0x08, ...MOST, 1], STREAM_LIMIT_ERROR],
      ['the offset of stream data', [0x0e, 0, ...MOST, 1, 1], FLOW_CONTROL_ERROR],
      ['the length of stream data', [0x0a, 0, ...MOST, 1], FRAME_ENCODING_ERROR],
      ['the size of a stream that is reset', [0x04, 0, 0, ...MOST], FLOW_CONTROL_ERROR],
      ['the code of a reset', [0x04, 0, ...MOST, 0], undefined],
      ['the stream of STOP_SENDING', [0x05, ...MOST, 0], STREAM_LIMIT_ERROR],
      ['the offset of CRYPTO data', [0x06, ...MOST, 1, 1], CRYPTO_BUFFER_EXCEEDED],
      ['the length of CRYPTO data', [0x06, 0, ...MOST, 1], FRAME_ENCODING_ERROR],
      ['MAX_DATA', [0x10, ...MOST], undefined],
      ['MAX_STREAM_DATA', [0x08, 0, 1, 0x11, 0, ...MOST], undefined],
      ['MAX_STREAMS', [0x12, ...MOST], FRAME_ENCODING_ERROR],
      ['DATA_BLOCKED', [0x14, ...MOST], undefined],
      ['STREAM_DATA_BLOCKED', [0x15, 0, ...MOST], undefined],
      ['STREAMS_BLOCKED', [0x16, ...MOST], FRAME_ENCODING_ERROR],
      ['the number of a connection id', [0x18, ...MOST, 0, 1, 7, ...some(16)], CONNECTION_ID_LIMIT_ERROR],
      ['all before which ids are retired', [0x18, ...MOST, ...MOST, 1, 7, ...some(16)], undefined],
      ['the number of an id that is retired', [0x19, ...MOST], PROTOCOL_VIOLATION],
      ['the length of a DATAGRAM', [0x31, ...MOST, 1], FRAME_ENCODING_ERROR],
      ['a type of frame', MOST, FRAME_ENCODING_ERROR],
    ]
    for (const [what, frame, code] of cases) {
      it(`as ${what} ${code === undefined ? 'goes on' : 'ends with the error of that frame'}`, () => {
        const forger = new Forger(engines(1), 'client')
        forger.send(Uint8Array.of(...frame, 0, 0, 0))
        expect(forger.code).to.equal(code)
        const before = forger.answers.length
        forger.network.run(() => false, 2000)
        expect(forger.answers.length - before).to.be.at.most(10)
        if (code !== undefined) return
        forger.send(to => appendDatagram(to, some(10)))
        expect(forger.victim.datagrams).to.have.length(1)
      })
    }
  })

  it('gives no more connection ids than it may however many of them its peer retires, and answers with what fits the packet', () => {
    const forger = new Forger(engines(1), 'client')
    const { victim } = forger
    const retired: Uint8Array[] = []
    Object.assign(victim, { onConnectionIdRetired: (id: Uint8Array) => retired.push(id) })
    const given = () => victim.ids.length - retired.length
    const atFirst = given()
    // Of those that it has, the one by which it calls us remains.
    const used = 1 + victim.ids.findIndex(id => Buffer.compare(id, forger.dcid) === 0)
    for (let round = 1; round <= ROUNDS; round++) {
      forger.send(to => {
        for (let times = 0; times < 20; times++) {
          for (let sequence = 0; sequence <= victim.ids.length && to.remaining > 18_000; sequence++)
            if (sequence !== used) appendRetireConnectionId(to, sequence)
        }
      })
      forger.network.run(() => false, 50)
      expect([forger.code, given()], `round ${round}`).to.deep.equal([undefined, atFirst])
    }
    expect(retired.length).to.be.within(ROUNDS, ROUNDS * 8)
    expect(forger.answers.length).to.be.at.most(ROUNDS * 8)
    forger.send(to => appendRetireConnectionId(to, victim.ids.length + 1))
    expect(forger.code).to.equal(PROTOCOL_VIOLATION)
  })

  it('keeps no more than 3 MiB for a peer that sends all that it may, in the worst order', async () => {
    const connections = 4
    const kept: EngineConnection[] = []
    const held = await heldInRounds(() => {
      for (let i = 0; i < connections; i++) {
        const forger = new Forger(engines(1), 'client')
        // A byte of each stream, behind one that never comes; the same of TLS.
        for (let stream = 0; stream < 356; stream++)
          forger.send(to => appendStream(to, stream < 100 ? 4 * stream : 4 * (stream - 100) + 2, 150, some(1), false))
        for (let offset = 1; offset < 65_000; offset += 2000) forger.send(to => appendCrypto(to, offset, some(1000)))
        for (let path = 1; path < 4; path++) {
          forger.send(to => [appendPathChallenge(to, some(8)), to.zeros(1100)], 0, {
            local: SERVER_ADDRESS,
            remote: { host: '203.0.113.9', port: path },
          })
        }
        for (let n = 0; n < 100; n++) {
          forger.nextNumber += 2
          forger.send(to => {
            for (let j = 0; j < 100; j++) appendPathChallenge(to, some(8, j))
            appendNewConnectionId(to, 50 + (n >> 2), 50 + (n >> 2), some(8, 50 + (n >> 2)), some(16, n >> 2))
          })
        }
        expect(forger.code).to.equal(undefined)
        kept.push(forger.victim.connection)
      }
    })
    expect(kept.every(({ closing }) => !closing)).to.equal(true)
    expect(Math.min(...held) / connections).to.be.at.most(3 << 20)
    expect(Math.max(...held) / connections, 'that anything was measured').to.be.at.least(100 << 10)
  })
})

describe('a handshake of the engine in TypeScript', () => {
  /** What a client says first, and a server that has heard nothing yet. */
  const begun = async () => {
    const { client, server } = (await typescriptEngines())(1)
    const newId = () => some(ID_LENGTH, 7)
    const end = new End(client.connect({ id: newId(), path: AT_CLIENT, serverName: 'localhost' }), newId)
    let first: Uint8Array = new Uint8Array(0)
    end.turn(
      0,
      packet => {
        first = packet
      },
      new Uint8Array(65_535),
    )
    const {
      dcid,
      scid,
      start,
      packetNumberOffset,
      end: packetEnd,
    } = readPacket(first, 0, ID_LENGTH) as LongHeaderPacket
    const { payload } = initialKeys('server', dcid).opening.open(
      Uint8Array.from(first),
      start,
      packetNumberOffset,
      packetEnd,
      -1,
    )!
    const length = 4 + ((payload[5] << 16) | (payload[6] << 8) | payload[7])
    const hello = payload.slice(4, 4 + length)
    expect(hello[0]).to.equal(1)
    const victim = new End(server.accept({ id: some(ID_LENGTH, 8), path: AT_SERVER })!, newId)
    let number = 0
    let answered = 0
    const send = (frames: (to: WireWriter) => void): void => {
      const packet = sealInitial('client', dcid, dcid, scid, written(frames), number++)
      victim.connection.receive(packet, AT_SERVER, 0)
      victim.turn(
        0,
        ({ length }) => {
          answered += length
        },
        new Uint8Array(65_535),
      )
    }
    return { hello, victim, send, answered: () => answered }
  }

  it('is that of the ClientHello whose bytes come first, when others come for the same places', async () => {
    for (const isFirst of [true, false]) {
      const { hello, victim, send } = await begun()
      const wrong = some(60, 0xff)
      send(to => {
        if (isFirst) appendCrypto(to, 40, hello.subarray(40, 100))
        appendCrypto(to, 40, wrong)
        appendCrypto(to, 0, hello)
      })
      const reason = victim.connection.closeReason()
      if (isFirst) expect(reason).to.equal(undefined)
      else expect(reason?.code).to.be.within(0x100, 0x1ff)
    }
  })

  it('ends with CRYPTO_BUFFER_EXCEEDED when its first byte never comes and everything else does, after at most 64 KiB', async () => {
    const { victim, send, answered } = await begun()
    let sent = 0
    for (; !victim.connection.closing && sent < 200; sent++) send(to => appendCrypto(to, 1 + 1000 * sent, some(1000)))
    expect(victim.connection.closeReason()).to.include({ source: 'local', code: CRYPTO_BUFFER_EXCEEDED })
    expect(sent).to.be.at.most(66)
    expect(answered()).to.be.at.most(3 * 1200 * sent)
  })
})

describe('others on the same endpoint', () => {
  let server: Listening
  const folder = scratchFolder('masque-bad-input-')
  afterEach(() => closeAll())

  /** Each of it sent by a client of its own, with the keys of a handshake of its own. */
  const acts: [what: string, send: (raw: RawPackets) => Promise<void>, code: number | undefined][] = [
    ['what no frame is', raw => raw.send(Uint8Array.of(0x2f, 0, 0, 0)), FRAME_ENCODING_ERROR],
    ['an ACK of what was never sent', raw => raw.send(Uint8Array.of(2, 0x7f, 0xff, 0, 0, 0)), PROTOCOL_VIOLATION],
    ['more than flow control allows', raw => raw.send(Uint8Array.of(0x0e, 0, ...MOST, 1, 1)), FLOW_CONTROL_ERROR],
    [
      'two ends of one stream',
      raw => raw.send(written(to => [appendStream(to, 0, 1, some(2), true), appendStream(to, 0, 0, some(1), true)])),
      FINAL_SIZE_ERROR,
    ],
    ['TLS far ahead', raw => raw.send(written(to => appendCrypto(to, 1 << 20, some(1)))), CRYPTO_BUFFER_EXCEEDED],
    [
      '10 000 PATH_CHALLENGEs',
      async raw => {
        for (let i = 0; i < 80; i++)
          await raw.send(written(to => Array.from({ length: 125 }, (_, j) => appendPathChallenge(to, some(8, j)))))
      },
      undefined,
    ],
    [
      '3000 RETIRE_CONNECTION_IDs',
      async raw => {
        for (let i = 0; i < 30; i++)
          await raw.send(written(to => Array.from({ length: 100 }, () => appendRetireConnectionId(to, 1))))
      },
      undefined,
    ],
  ]

  it('notice nothing of what somebody with keys of a connection does wrong, whatever it is', async () => {
    const settings = { engine: 'typescript' } as const
    server = await listen({ settings })
    const bystander = await connect(server, { settings })
    await bystander.recorder.until(() => bystander.recorder.established)
    await until(() => server.accepted[0]?.recorder.established)
    for (const [what, send, code] of acts) {
      const keyLog = join(folder, 'keys')
      const { recorder } = await connect(server, { settings: { ...settings, keyLog } })
      await recorder.until(() => recorder.established)
      const { connection, recorder: hers } = server.accepted[server.accepted.length - 1]
      await until(() => hers.established)
      const raw = new RawPackets({
        to: server.endpoint.local,
        keyLog,
        connectionId: Buffer.from(connection.id, 'hex'),
      })
      rmSync(keyLog)
      try {
        await send(raw)
        if (code !== undefined) {
          await hers.until(() => hers.closed)
          expect(hers.closed, what).to.include({ source: 'local', application: false, code })
        }
        await exchange(bystander, server.accepted[0])
      } finally {
        raw.close()
      }
    }
    expect(bystander.recorder.closed).to.equal(undefined)
    expect([server.errors, server.endpoint.counters.faults]).to.deep.equal([[], 0])
  })
})

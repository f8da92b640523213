/** What somebody can do who has seen our packets, or has only heard of us; and a peer with what is around its frames. */

import { expect } from 'chai'
import { appendConnectionClose } from '../../../src/quic/typescript/frames/connection-close-frame.ts'
import { appendDatagram } from '../../../src/quic/typescript/frames/datagram-frame.ts'
import { appendNewConnectionId } from '../../../src/quic/typescript/frames/new-connection-id-frame.ts'
import { appendPing } from '../../../src/quic/typescript/frames/ping-frame.ts'
import { appendStream } from '../../../src/quic/typescript/frames/stream-frame.ts'
import { appendLongHeader, finishLongHeader } from '../../../src/quic/typescript/packets/long-header.ts'
import type { LongHeaderPacket } from '../../../src/quic/typescript/packets/packet.ts'
import { readPacket } from '../../../src/quic/typescript/packets/read-packet.ts'
import { encodeRetry } from '../../../src/quic/typescript/packets/retry-packet.ts'
import { encodeVersionNegotiation } from '../../../src/quic/typescript/packets/version-negotiation-packet.ts'
import { initialKeys } from '../../../src/quic/typescript/protection/initial-keys.ts'
import { KEY_UPDATE_ERROR, PROTOCOL_VIOLATION } from '../../../src/quic/typescript/transport-error.ts'
import { VERSION_1, VERSION_2 } from '../../../src/quic/typescript/version.ts'
import { WireWriter } from '../../../src/quic/typescript/wire-writer.ts'
import { sealInitial } from '../../support/initial.ts'
import { typescriptEngines } from './engines.ts'
import { Forger } from './forger.ts'
import { CLIENT_ADDRESS, SERVER_ADDRESS, VirtualNetwork } from './virtual-network.ts'

const AT_CLIENT = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }
const AT_SERVER = { local: SERVER_ADDRESS, remote: CLIENT_ADDRESS }
const TOKEN = new Uint8Array(16).fill(9)

function ping(to: WireWriter): void {
  appendPing(to)
  to.zeros(3)
}

describe('somebody who sees the first packet', () => {
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  /** A client whose first packet is on its way to nowhere, or to the server. */
  function begun(reaches: boolean): { network: VirtualNetwork; initial: LongHeaderPacket } {
    const { client, server } = engines(1)
    let initial: LongHeaderPacket | undefined
    // The client sends while the network is being made: the first packet is seen on its way.
    const network = new VirtualNetwork({
      client,
      server: {
        parseHeader: (packet: Uint8Array) => {
          initial ??= readPacket(packet, 0, 8) as LongHeaderPacket
          return reaches ? server.parseHeader(packet) : undefined
        },
        speaks: server.speaks.bind(server),
        versionNegotiation: server.versionNegotiation.bind(server),
        retry: server.retry.bind(server),
        accept: server.accept.bind(server),
        connect: server.connect.bind(server),
      },
    })
    network.run(() => initial !== undefined)
    return { network, initial: initial! }
  }

  it('can end the attempt with a Version Negotiation that lists none of our versions (RFC 9000 §6.2)', () => {
    const { network, initial } = begun(false)
    network.inject(encodeVersionNegotiation(initial.scid, initial.dcid, [0x0a0a0a0a, 2]), 'client', AT_CLIENT)
    network.run(() => network.client.closed !== undefined, 100)
    expect(network.client.closed?.reason).to.match(/no QUIC version in common/)
  })

  it('cannot with one that lists ours, is not for us, or comes after the server was heard', () => {
    const { network, initial } = begun(true)
    network.inject(encodeVersionNegotiation(initial.scid, initial.dcid, [2, 1]), 'client', AT_CLIENT)
    network.inject(encodeVersionNegotiation(initial.dcid, initial.scid, [2]), 'client', AT_CLIENT)
    expect(network.run(() => network.client.established)).to.equal(true)
    network.inject(encodeVersionNegotiation(initial.scid, initial.dcid, [2]), 'client', AT_CLIENT)
    network.run(() => false, 3000)
    expect(network.client.closed).to.equal(undefined)
  })

  it('cannot with one that comes after a Retry (RFC 9000 §6.2)', () => {
    const { network, initial } = begun(false)
    const id = new Uint8Array(8).fill(3)
    network.inject(encodeRetry(initial.scid, id, TOKEN, initial.dcid), 'client', AT_CLIENT)
    network.run(() => false, 50)
    network.inject(encodeVersionNegotiation(initial.scid, id, [2]), 'client', AT_CLIENT)
    network.run(() => false, 50)
    expect(network.client.closed).to.equal(undefined)
  })

  it('is heard by the client from no other address than the one that it calls (RFC 9000 §9)', () => {
    const elsewhere = { ...AT_CLIENT, remote: { ...SERVER_ADDRESS, port: 444 } }
    for (const path of [elsewhere, AT_CLIENT]) {
      const { network, initial } = begun(false)
      const payload = new WireWriter(new Uint8Array(100))
      appendConnectionClose(payload, false, 0x0a, 0, new Uint8Array(0))
      const id = new Uint8Array(8)
      network.inject(sealInitial('server', initial.dcid, initial.scid, id, payload.bytes), 'client', path)
      network.run(() => false, 50)
      expect(network.client.connection.closing, 'Initial').to.equal(path === AT_CLIENT)
      const { network: other, initial: first } = begun(false)
      other.inject(encodeVersionNegotiation(first.scid, first.dcid, [2]), 'client', path)
      other.run(() => false, 50)
      expect(other.client.connection.closing, 'Version Negotiation').to.equal(path === AT_CLIENT)
    }
  })

  it('cannot send the client elsewhere with a Retry whose tag is wrong, or that comes late (§17.2.5.2)', () => {
    const { network, initial } = begun(true)
    const forged = encodeRetry(initial.scid, Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5), initial.dcid)
    forged[forged.length - 1] ^= 1
    network.inject(forged, 'client', AT_CLIENT)
    expect(network.run(() => network.client.established)).to.equal(true)
    expect(network.now, 'without a detour').to.be.at.most(1030)
    network.inject(encodeRetry(initial.scid, Uint8Array.of(1, 2), Uint8Array.of(5), initial.dcid), 'client', AT_CLIENT)
    network.run(() => false, 3000)
    expect(network.client.closed).to.equal(undefined)
  })

  it('ends the attempt with an Initial of its own, by an error', () => {
    const { network, initial } = begun(true)
    const { sealing } = initialKeys('client', initial.dcid)
    const to = new WireWriter(new Uint8Array(1200))
    const lengthOffset = appendLongHeader(to, 'initial', initial.dcid, initial.scid, new Uint8Array(0), 9, 4)
    const headerLength = to.offset
    appendStream(to, 0, 0, new Uint8Array(5), false)
    to.zeros(1184 - to.offset)
    finishLongHeader(to.bytes, lengthOffset, 1204 - headerLength)
    sealing.seal(to.bytes, headerLength, 1184 - headerLength, 9, 4)
    expect(network.run(() => network.server !== undefined)).to.equal(true)
    network.inject(to.bytes, 'server', AT_SERVER)
    network.run(() => network.server?.closed !== undefined, 500)
    expect(network.server?.closed).to.include({ source: 'local', code: PROTOCOL_VIOLATION })
  })

  it('is not heard by the client with an Initial that has a token, which no server sends (RFC 9000 §17.2.2)', () => {
    for (const tokenLength of [0, 3]) {
      const { network, initial } = begun(false)
      const { sealing } = initialKeys('server', initial.dcid)
      const to = new WireWriter(new Uint8Array(1200))
      const token = new Uint8Array(tokenLength)
      const lengthOffset = appendLongHeader(to, 'initial', initial.scid, new Uint8Array(8), token, 0, 4)
      const headerLength = to.offset
      appendConnectionClose(to, false, 0x0a, 0, new Uint8Array(0))
      to.zeros(1184 - to.offset)
      finishLongHeader(to.bytes, lengthOffset, 1204 - headerLength)
      sealing.seal(to.bytes, headerLength, 1184 - headerLength, 0, 4)
      network.inject(to.bytes, 'client', AT_CLIENT)
      network.run(() => false, 100)
      expect(network.client.connection.closing).to.equal(tokenLength === 0)
    }
  })

  it('cannot make the client send a token by a Retry from the id that the client made up (RFC 9000 §17.2.5.1)', () => {
    for (const own of [Uint8Array.of(1, 2, 3), undefined]) {
      const { network, initial } = begun(false)
      const tokens = new Set<number>()
      network.tamper = packet => {
        tokens.add((readPacket(packet, 0, 8) as LongHeaderPacket).token.length)
        return []
      }
      const retry = encodeRetry(initial.scid, own ?? initial.dcid, Uint8Array.of(5), initial.dcid)
      network.inject(retry, 'client', AT_CLIENT)
      network.run(() => false, 3000)
      expect([...tokens]).to.deep.equal([own === undefined ? 0 : 1])
    }
  })

  it('cannot make it send one by a Retry of another version (RFC 9000 §5.2.1)', () => {
    for (const version of [
      VERSION_1,
      { ...VERSION_1, number: VERSION_2.number, longPacketTypes: VERSION_2.longPacketTypes },
    ]) {
      const { network, initial } = begun(false)
      const tokens = new Set<number>()
      network.tamper = packet => {
        tokens.add((readPacket(packet, 0, 8) as LongHeaderPacket).token.length)
        return []
      }
      const retry = encodeRetry(initial.scid, Uint8Array.of(1, 2, 3), Uint8Array.of(5), initial.dcid, 0, version)
      network.inject(retry, 'client', AT_CLIENT)
      network.run(() => false, 3000)
      expect([...tokens]).to.deep.equal([version === VERSION_1 ? 1 : 0])
    }
  })

  it('does not disturb a handshake with garbage behind each of its packets', () => {
    const { network } = begun(true)
    const garbage = Array.from({ length: 60 }, (_, i) => (i * 73) & 0xff)
    network.tamper = packet => {
      const first = packet[0] & 0x80 ? Uint8Array.from([...packet, 0xc0 | garbage[3], ...garbage]) : packet
      return [first]
    }
    expect(network.run(() => network.client.established && network.server?.established === true)).to.equal(true)
  })
})

describe('a peer that has its keys', () => {
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  it('may update them, once the update before was answered', () => {
    const forger = new Forger(engines(1), 'client')
    for (let phase = 1; phase <= 20; phase++) {
      forger.phase = phase
      forger.send(to => appendDatagram(to, new Uint8Array(10)))
      forger.send(ping)
      forger.network.run(() => false, 100)
    }
    expect(forger.code).to.equal(undefined)
    expect(forger.victim.datagrams.length).to.equal(20)
    expect(forger.answers.length).to.be.at.least(20)
  })

  it('meets KEY_UPDATE_ERROR with two updates in a row (RFC 9001 §6.2)', () => {
    const forger = new Forger(engines(1), 'client')
    forger.send(ping)
    forger.network.run(() => false, 100)
    const answers = forger.answers.length
    forger.phase = 1
    forger.send(ping)
    expect([forger.code, forger.answers.length], 'the acknowledgment waits for another packet').to.deep.equal([
      undefined,
      answers,
    ])
    forger.phase = 2
    forger.send(ping)
    expect(forger.code).to.equal(KEY_UPDATE_ERROR)
  })

  it('meets KEY_UPDATE_ERROR with new keys below a number that had old ones (§6.4)', () => {
    const forger = new Forger(engines(1), 'client')
    forger.nextNumber = 200_000
    forger.send(ping)
    forger.phase = 1
    forger.nextNumber = 199_999
    forger.send(ping)
    expect(forger.code).to.equal(KEY_UPDATE_ERROR)
  })

  it('is passed over when it skips an update, or uses keys that are long gone', () => {
    const forger = new Forger(engines(1), 'client')
    forger.phase = 2
    forger.send(ping)
    forger.phase = 3
    forger.send(ping)
    expect(forger.code).to.equal(undefined)
    forger.phase = 1
    forger.send(ping)
    forger.network.run(() => false, 10_000)
    forger.phase = 0
    forger.nextNumber = 100_001
    forger.send(to => appendDatagram(to, new Uint8Array(10)))
    expect(forger.victim.datagrams.length).to.equal(0)
  })

  it('ends a connection with the stateless reset token of an id that is in use, and of no other (RFC 9000 §10.3)', () => {
    const reset = (token: Uint8Array) => Uint8Array.of(0x41, ...new Uint8Array(30).fill(7), ...token)
    const forger = new Forger(engines(1), 'server')
    forger.send(to => appendNewConnectionId(to, 50, 50, new Uint8Array(8).fill(50), TOKEN))
    forger.send(to => appendNewConnectionId(to, 51, 50, new Uint8Array(8).fill(51), new Uint8Array(16).fill(51)))
    forger.network.run(() => false, 100)
    forger.inject(reset(new Uint8Array(16).fill(51)))
    forger.inject(reset(new Uint8Array(16).fill(1)))
    expect(forger.victim.connection.closeReason()).to.equal(undefined)
    forger.inject(reset(TOKEN))
    const { connection } = forger.victim
    expect(connection.closeReason()).to.include({ source: 'peer', application: false })
    // It drains (§10.3.1): what still comes is no packet of nobody, and gets no answer.
    const answers = forger.answers.length
    forger.send(ping)
    expect([connection.isOver, forger.answers.length]).to.deep.equal([false, answers])
    expect(forger.network.run(() => connection.isOver, 5000)).to.equal(true)
    expect(forger.answers.length).to.equal(answers)
  })

  it('ends it with such a token also behind what another version has in front of it: a long header (§10.3)', () => {
    for (const first of [0xc0, 0xff, 0x80]) {
      const forger = new Forger(engines(1), 'server')
      forger.send(to => appendNewConnectionId(to, 50, 50, new Uint8Array(8).fill(50), TOKEN))
      forger.network.run(() => false, 100)
      forger.inject(Uint8Array.of(first, ...new Uint8Array(60).fill(first & 0x3f), ...TOKEN))
      expect(forger.victim.connection.closeReason()).to.include({ source: 'peer', application: false })
    }
  })
})

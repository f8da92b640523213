import { expect } from 'chai'
import fc from 'fast-check'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import type { TypescriptConnection } from '../../../src/quic/typescript/connection.ts'
import { TypescriptEngine } from '../../../src/quic/typescript/engine.ts'
import { Handshake } from '../../../src/quic/typescript/handshake.ts'
import {
  appendLongHeader,
  finishLongHeader,
  longHeaderLength,
} from '../../../src/quic/typescript/packets/long-header.ts'
import { readPacket } from '../../../src/quic/typescript/packets/read-packet.ts'
import { encodeRetry, isAuthenticRetry } from '../../../src/quic/typescript/packets/retry-packet.ts'
import { appendShortHeader } from '../../../src/quic/typescript/packets/short-header.ts'
import { encodeVersionNegotiation } from '../../../src/quic/typescript/packets/version-negotiation-packet.ts'
import {
  deriveHeaderKey,
  deriveIv,
  deriveKey,
  deriveNextSecret,
} from '../../../src/quic/typescript/protection/derive.ts'
import { initialKeys, initialSecrets } from '../../../src/quic/typescript/protection/initial-keys.ts'
import { TAG_LENGTH } from '../../../src/quic/typescript/protection/lengths.ts'
import { OpeningKeys, SealingKeys } from '../../../src/quic/typescript/protection/packet-keys.ts'
import { TRANSPORT_PARAMETER_ERROR, VERSION_NEGOTIATION_ERROR } from '../../../src/quic/typescript/transport-error.ts'
import { VERSION_1, VERSION_2, type Version } from '../../../src/quic/typescript/version.ts'
import { WireWriter } from '../../../src/quic/typescript/wire-writer.ts'
import { TicketSealer } from '../../../src/tls/server-ticket.ts'
import { clientTls, serverTls } from '../../support/certificates.ts'
import {
  bytes,
  CHACHA20_PACKET,
  CLIENT_DCID,
  CLIENT_INITIAL,
  hex,
  SERVER_INITIAL,
} from './protection/rfc9001-vectors.ts'
import { CHACHA20_PACKET_V2, CLIENT_INITIAL_V2, RETRY_V2, SERVER_INITIAL_V2 } from './protection/rfc9369-vectors.ts'
import { CLIENT_ADDRESS, SERVER_ADDRESS, seeded, seededBytes, VirtualNetwork } from './virtual-network.ts'

const NONE = new Uint8Array(0)

describe('version 2 (RFC 9369)', () => {
  describe('has the examples of appendix A', () => {
    it('A.1: keys', () => {
      const { client, server } = initialSecrets(CLIENT_DCID, VERSION_2)
      expect(hex(client)).to.equal('14ec9d6eb9fd7af83bf5a668bc17a7e283766aade7ecd0891f70f9ff7f4bf47b')
      expect(hex(deriveKey(0x1301, client, VERSION_2))).to.equal('8b1a0bc121284290a29e0971b5cd045d')
      expect(hex(deriveIv(0x1301, client, VERSION_2))).to.equal('91f73e2351d8fa91660e909f')
      expect(hex(deriveHeaderKey(0x1301, client, VERSION_2))).to.equal('45b95e15235d6f45a6b19cbcb0294ba9')
      expect(hex(server)).to.equal('0263db1782731bf4588e7e4d93b7463907cb8cd8200b5da55a8bd488eafc37c1')
      expect(hex(deriveKey(0x1301, server, VERSION_2))).to.equal('82db637861d55e1d011f19ea71d5d2a7')
      expect(hex(deriveIv(0x1301, server, VERSION_2))).to.equal('dd13c276499c0249d3310652')
      expect(hex(deriveHeaderKey(0x1301, server, VERSION_2))).to.equal('edf6d05c83121201b436e16877593c3a')
    })

    const check = (
      sender: 'client' | 'server',
      header: Uint8Array,
      payload: Uint8Array,
      number: number,
      numberLength: number,
      expected: Uint8Array,
    ): void => {
      const packet = new Uint8Array(header.length + payload.length + TAG_LENGTH)
      packet.set(header)
      packet.set(payload, header.length)
      initialKeys(sender, CLIENT_DCID, VERSION_2).sealing.seal(
        packet,
        header.length,
        payload.length,
        number,
        numberLength,
      )
      expect(packet).to.deep.equal(expected)
      const read = readPacket(packet, 0, 8)
      expect(read).to.include({ type: 'initial', version: VERSION_2.number, end: packet.length })
      const other = sender === 'client' ? 'server' : 'client'
      const offset = header.length - numberLength
      const opened = initialKeys(other, CLIENT_DCID, VERSION_2).opening.open(packet, 0, offset, packet.length, -1)
      expect(opened?.packetNumber).to.equal(number)
      expect(new Uint8Array(opened!.payload)).to.deep.equal(payload)
    }

    it("A.2 and A.3: the client's Initial and the server's", () => {
      const payload = new Uint8Array(1162)
      payload.set(bytes(CLIENT_INITIAL.crypto))
      check('client', bytes(CLIENT_INITIAL_V2.header), payload, 2, 4, bytes(CLIENT_INITIAL_V2.packet))
      const answer = bytes(SERVER_INITIAL.payload)
      check('server', bytes(SERVER_INITIAL_V2.header), answer, 1, 2, bytes(SERVER_INITIAL_V2.packet))
    })

    it('A.4: Retry', () => {
      const token = Uint8Array.from(Buffer.from('token'))
      const scid = bytes('f067a5502a4262b5')
      const retry = encodeRetry(NONE, scid, token, CLIENT_DCID, 0x0f, VERSION_2)
      expect(hex(retry)).to.equal(RETRY_V2)
      const { number: version } = VERSION_2
      const expected = { type: 'retry', version, dcid: NONE, scid, token, start: 0, end: retry.length }
      expect(readPacket(retry, 0, 8)).to.deep.equal(expected)
      expect(isAuthenticRetry(retry, 0, retry.length, CLIENT_DCID, VERSION_2)).to.equal(true)
      expect(isAuthenticRetry(retry, 0, retry.length, CLIENT_DCID, VERSION_1)).to.equal(false)
    })

    it('A.5: a ChaCha20-Poly1305 packet with a short header', () => {
      const secret = bytes(CHACHA20_PACKET.secret)
      const vector = CHACHA20_PACKET_V2
      expect(hex(deriveKey(0x1303, secret, VERSION_2))).to.equal(vector.key)
      expect(hex(deriveIv(0x1303, secret, VERSION_2))).to.equal(vector.iv)
      expect(hex(deriveHeaderKey(0x1303, secret, VERSION_2))).to.equal(vector.headerKey)
      expect(hex(deriveNextSecret(0x1303, secret, VERSION_2))).to.equal(vector.nextSecret)
      const { packetNumber } = CHACHA20_PACKET
      const to = new WireWriter(new Uint8Array(5 + TAG_LENGTH))
      appendShortHeader(to, NONE, 0, 0, packetNumber, 3)
      to.u8(1)
      new SealingKeys(0x1303, secret, VERSION_2).seal(to.bytes, 4, 1, packetNumber, 3)
      expect(hex(to.bytes)).to.equal(vector.packet)
      const opened = new OpeningKeys(0x1303, secret, VERSION_2).open(to.bytes, 0, 1, 21, packetNumber - 1)
      expect(opened?.packetNumber).to.equal(packetNumber)
    })
  })

  it('has other types in its long headers, which come back', () => {
    const id = fc.uint8Array({ maxLength: 20 })
    const types = fc.constantFrom('initial' as const, 'handshake' as const)
    fc.assert(
      fc.property(types, id, id, fc.uint8Array({ maxLength: 50 }), (type, dcid, scid, token) => {
        const header = longHeaderLength(type, dcid.length, scid.length, token.length, 2)
        const to = new WireWriter(new Uint8Array(header + 30))
        finishLongHeader(to.bytes, appendLongHeader(to, type, dcid, scid, token, 7, 2, VERSION_2), 32)
        expect((to.bytes[0] >> 4) & 3).to.equal(type === 'initial' ? 1 : 3)
        const packet = readPacket(to.bytes, 0, 8)
        expect(packet).to.include({ type, version: VERSION_2.number, end: header + 30 })
        expect(packet).to.deep.include({ dcid, scid, token: type === 'initial' ? token : NONE })
      }),
    )
  })
})

describe('a connection of version 2', () => {
  let make: (version: Version, updateAfter?: number) => { client: TypescriptEngine; server: TypescriptEngine }
  before(async () => {
    const [ofClient, ofServer] = await Promise.all([clientTls(), serverTls()])
    const settings = DEFAULT_QUIC_SETTINGS
    make = (version, updateAfter) => {
      const limits = updateAfter === undefined ? {} : { updateAfter }
      return {
        client: new TypescriptEngine(
          { role: 'client', settings, tls: ofClient, peerCertificate: 'required' },
          seededBytes(seeded(1)),
          limits,
          undefined,
          version,
        ),
        server: new TypescriptEngine(
          { role: 'server', settings, tls: ofServer, peerCertificate: 'none' },
          seededBytes(seeded(2)),
          limits,
        ),
      }
    }
  })

  /** Versions of the packets with a long header on the way, both ways. */
  const seenOn = (network: VirtualNetwork): Set<number> => {
    const seen = new Set<number>()
    const tamper = network.tamper
    network.tamper = (packet, to, path) => {
      const read = readPacket(packet, 0, 8)
      if (read !== undefined && 'version' in read) seen.add(read.version)
      return tamper(packet, to, path)
    }
    return seen
  }
  const carries = (network: VirtualNetwork): void => {
    const data = Uint8Array.from({ length: 30_000 }, (_, i) => i * 7)
    network.client.write(0, data)
    network.turn('client')
    expect(network.run(() => network.server?.hasEnded(0) === true)).to.equal(true)
    expect(Buffer.compare(network.server!.bytesOf(0), data)).to.equal(0)
  }

  for (const version of [VERSION_1, VERSION_2]) {
    it(`is what a client begins with, and a server answers in it: 0x${version.number.toString(16)}, also after a Retry`, () => {
      for (const retry of [false, true]) {
        const told: number[] = []
        const noted = { version: (chosen: number) => told.push(chosen) }
        const observer = new Proxy(noted, { get: (of, name) => Reflect.get(of, name) ?? (() => {}) })
        const network = new VirtualNetwork({
          ...make(version),
          retry,
          observe: (_, connection, now) => connection.observe?.(observer as never, now),
        })
        const seen = seenOn(network)
        carries(network)
        expect([...seen]).to.deep.equal([version.number])
        expect(told).to.deep.equal([version.number, version.number])
      }
    })
  }

  it('updates its keys with labels of its own, over a bad network, too', () => {
    const network = new VirtualNetwork({
      ...make(VERSION_2, 10),
      conditions: { loss: 0.1, jitterMs: 20, corrupt: 0.02 },
    })
    for (let stream = 0; stream < 24; stream += 4) {
      network.client.write(stream, new Uint8Array(12_000).fill(stream))
      network.turn('client')
      expect(network.run(() => network.server?.hasEnded(stream) === true)).to.equal(true)
      network.run(() => false, 500)
    }
    expect((network.client.connection as TypescriptConnection).keyUpdates).to.be.at.least(3)
  })

  it('resumes no session of version 1, nor that one of it (§5)', () => {
    const ticketOf = (version: Version, ticket?: Uint8Array): { resumed: boolean; ticket: Uint8Array } => {
      const network = new VirtualNetwork({
        client: make(version).client,
        server: serverOfAll,
        ...(ticket !== undefined && { resumptionTicket: ticket }),
      })
      carries(network)
      const { resumed, resumptionTicket } = network.client.connection
      return { resumed, ticket: resumptionTicket as Uint8Array }
    }
    const serverOfAll = make(VERSION_1).server
    const [first, second] = [ticketOf(VERSION_1).ticket, ticketOf(VERSION_2).ticket]
    const notResumed = (): void => {
      expect(ticketOf(VERSION_1, second).resumed).to.equal(false)
      expect(ticketOf(VERSION_2, first).resumed).to.equal(false)
    }
    expect(ticketOf(VERSION_1, first).resumed).to.equal(true)
    expect(ticketOf(VERSION_2, second).resumed).to.equal(true)
    notResumed()
    // Nor does the client ask for that: with a server that looks at no version it is the same.
    const { open } = TicketSealer.prototype
    const asked: unknown[] = []
    TicketSealer.prototype.open = function (ticket, purpose) {
      asked.push(purpose)
      return open.call(this, ticket, 'quic') ?? open.call(this, ticket, 'quicv2')
    }
    try {
      notResumed()
      for (const [version, ticket] of [
        [VERSION_1, first],
        [VERSION_2, second],
      ] as const) {
        expect(ticketOf(version, ticket).resumed).to.equal(true)
        expect(new Set(asked.splice(0)), 'what the server looks at').to.deep.equal(new Set([version.label]))
      }
    } finally {
      TicketSealer.prototype.open = open
    }
  })

  /** A client whose first packet gets lost, with the ids of that. */
  const begun = (version: Version) => {
    const { client, server } = make(version)
    let first: Uint8Array | undefined
    const dropped: string[] = []
    const noted = { packetDropped: (_type: string, _length: number, reason: string) => dropped.push(reason) }
    const observer = new Proxy(noted, { get: (of, name) => Reflect.get(of, name) ?? (() => {}) })
    const network = new VirtualNetwork({
      observe: (_, connection, now) => connection.observe?.(observer as never, now),
      client,
      server: Object.assign(Object.create(server), {
        parseHeader: (packet: Uint8Array) => {
          first ??= packet
          return undefined
        },
      }),
    })
    network.run(() => first !== undefined)
    const header = readPacket(first as Uint8Array, 0, 8)!
    const inject = (packet: Uint8Array): void => {
      network.inject(packet, 'client', { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS })
      network.run(() => false, 50)
    }
    return { network, dcid: header.dcid, scid: (header as { scid: Uint8Array }).scid, inject, dropped }
  }

  it('is not begun again because of a Retry of another version, and ends where none of ours is spoken', () => {
    const { network, dcid, scid, inject } = begun(VERSION_2)
    const retry = (version: Version) => encodeRetry(scid, Uint8Array.of(1, 2, 3), Uint8Array.of(5), dcid, 0, version)
    let tokens = 0
    network.tamper = packet => {
      const read = readPacket(packet, 0, 8)
      if (read !== undefined && 'token' in read && read.token.length > 0) tokens++
      return []
    }
    inject(retry(VERSION_1))
    expect(tokens).to.equal(0)
    inject(encodeVersionNegotiation(scid, dcid, [VERSION_1.number, VERSION_2.number], 0))
    expect(network.client.closed, 'ours is among them').to.equal(undefined)
    inject(encodeVersionNegotiation(scid, dcid, [VERSION_1.number], 0))
    expect(network.client.closed?.reason).to.equal('no QUIC version in common: we speak 0x6b3343cf, the server 0x1')
  })

  it('passes over packets of the other version, whatever is in them', () => {
    for (const [ours, other] of [
      [VERSION_2, VERSION_1],
      [VERSION_1, VERSION_2],
    ]) {
      const { scid, inject, dropped } = begun(ours)
      for (const type of ['initial', 'handshake'] as const) {
        const to = new WireWriter(new Uint8Array(1200))
        const lengthOffset = appendLongHeader(to, type, scid, new Uint8Array(8), NONE, 0, 4, other)
        finishLongHeader(to.bytes, lengthOffset, 1200 - to.offset + 4)
        inject(to.bytes)
      }
      expect(dropped).to.deep.equal(['unsupported_version', 'unsupported_version'])
    }
  })

  it('takes a Retry of its own', () => {
    const { network, dcid, scid, inject } = begun(VERSION_2)
    let token: Uint8Array = NONE
    network.tamper = packet => {
      const read = readPacket(packet, 0, 8)
      if (read !== undefined && 'token' in read) token = read.token.slice()
      return []
    }
    inject(encodeRetry(scid, Uint8Array.of(1, 2, 3), Uint8Array.of(5), dcid, 0, VERSION_2))
    expect([...token]).to.deep.equal([5])
  })

  describe('and what the peer says of its version (RFC 9368 §4)', () => {
    const VERSION_INFORMATION = 0x11

    /** What `victim` reads has this in the place of the peer's version information. */
    const closedWith = (victim: 'client' | 'server', chosen: number, available: readonly number[]) => {
      const { onPeerTransportParameters } = Handshake.prototype
      const value = [chosen, ...available].flatMap(version => [version >>> 24, version >>> 16, version >>> 8, version])
      Handshake.prototype.onPeerTransportParameters = function (parameters) {
        const isOfClient = this.expected.originalDestination !== undefined
        if ((victim === 'client') !== isOfClient) return onPeerTransportParameters.call(this, parameters)
        const at = Buffer.from(parameters).indexOf(Uint8Array.of(VERSION_INFORMATION, isOfClient ? 12 : 8, ...v2))
        expect(at).to.be.greaterThan(0)
        const rest = parameters.subarray(at + 2 + parameters[at + 1])
        const bytes = [...parameters.subarray(0, at), VERSION_INFORMATION, value.length, ...value, ...rest]
        return onPeerTransportParameters.call(this, Uint8Array.from(bytes))
      }
      const network = new VirtualNetwork(make(VERSION_2))
      try {
        network.run(() => network.client.closed !== undefined || network.server?.established === true)
        network.run(() => false, 200)
      } finally {
        Handshake.prototype.onPeerTransportParameters = onPeerTransportParameters
      }
      return network.client.closed?.code
    }
    const v2 = [0x6b, 0x33, 0x43, 0xcf]

    it('ends with VERSION_NEGOTIATION_ERROR when it is not the one of the packets: somebody has changed it', () => {
      for (const victim of ['client', 'server'] as const) {
        expect(closedWith(victim, 1, [1, VERSION_2.number]), victim).to.equal(VERSION_NEGOTIATION_ERROR)
        expect(closedWith(victim, VERSION_2.number, [1, VERSION_2.number]), victim).to.equal(undefined)
      }
    })

    it('has to be among what a client says that it speaks; a server may be about to leave it', () => {
      expect(closedWith('server', VERSION_2.number, [1])).to.equal(TRANSPORT_PARAMETER_ERROR)
      expect(closedWith('client', VERSION_2.number, [1])).to.equal(undefined)
    })
  })
})

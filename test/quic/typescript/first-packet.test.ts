import { expect } from 'chai'
import type { QuicObserver } from '../../../src/quic/observer.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import { TypescriptEngine } from '../../../src/quic/typescript/engine.ts'
import { appendCrypto } from '../../../src/quic/typescript/frames/crypto-frame.ts'
import { appendLongHeader, finishLongHeader } from '../../../src/quic/typescript/packets/long-header.ts'
import { initialKeys } from '../../../src/quic/typescript/protection/initial-keys.ts'
import { MOST_COALESCED } from '../../../src/quic/typescript/receive-packet.ts'
import { PROTOCOL_VIOLATION } from '../../../src/quic/typescript/transport-error.ts'
import { encodeTransportParameters } from '../../../src/quic/typescript/transport-parameters.ts'
import { WireWriter } from '../../../src/quic/typescript/wire-writer.ts'
import { TlsClient } from '../../../src/tls/client.ts'
import type { TlsSink } from '../../../src/tls/tls.ts'
import { clientTls } from '../../support/certificates.ts'
import { sealInitial } from '../../support/initial.ts'
import { typescriptEngines } from './engines.ts'
import { CLIENT_ADDRESS, SERVER_ADDRESS, seeded, seededBytes } from './virtual-network.ts'

const ID_LENGTH = 16

describe('the first packet of a client', () => {
  for (const length of [4, 7, 8, 20]) {
    const begins = length >= 8
    it(`${begins ? 'begins a' : 'begins no'} connection when it calls the server by ${length} bytes (RFC 9000 §7.2)`, async () => {
      const random = seededBytes(seeded(length))
      let isMade = false
      const client = new TypescriptEngine(
        { role: 'client', settings: DEFAULT_QUIC_SETTINGS, tls: await clientTls(), peerCertificate: 'required' },
        bytes => {
          // The first that is as long as an id is how it calls the server.
          if (bytes !== ID_LENGTH || isMade) return random(bytes)
          isMade = true
          return random(length)
        },
      )
      const { server } = (await typescriptEngines())(1)
      const path = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }
      const buffer = new Uint8Array(1500)
      const connection = client.connect({ id: random(8), path, serverName: 'localhost' })
      const packet = buffer.subarray(0, connection.send(buffer, 0)?.length)
      expect(client.parseHeader(packet)?.dcid).to.have.length(length)
      const accepted = server.accept({ id: random(8), path: { local: SERVER_ADDRESS, remote: CLIENT_ADDRESS } })
      expect(accepted?.receive(packet, { local: SERVER_ADDRESS, remote: CLIENT_ADDRESS }, 0)).to.equal(begins)
    })
  }

  it('AT-38 begins no connection behind one that is none in the same datagram, which would cost what a datagram with one of these costs, forty times', async () => {
    const { client, server } = (await typescriptEngines())(1)
    const path = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }
    const back = { local: SERVER_ADDRESS, remote: CLIENT_ADDRESS }
    const id = new Uint8Array(8)
    const buffer = new Uint8Array(1500)
    const good = buffer.subarray(0, client.connect({ id, path, serverName: 'localhost' }).send(buffer, 0)?.length)
    const dcid = client.parseHeader(good)?.dcid as Uint8Array
    const isBegun = (before: Uint8Array): boolean | undefined =>
      server.accept({ id, path: back })?.receive(Buffer.concat([before, good]), back, 0)
    expect(isBegun(new Uint8Array(0))).to.equal(true)
    expect(isBegun(unreadableInitial(dcid))).to.equal(false)
  })

  it('with CRYPTO data that TLS is never to read, as its ClientHello ends before, is a PROTOCOL_VIOLATION (RFC 9001 §4.1.3)', async () => {
    const { server } = (await typescriptEngines())(1)
    const back = { local: SERVER_ADDRESS, remote: CLIENT_ADDRESS }
    const id = new Uint8Array(8)
    const transportParameters = encodeTransportParameters({ initialSourceConnectionId: id })
    for (const more of [0, 1]) {
      const frames = new WireWriter(new Uint8Array(1000))
      const onCrypto = (_level: number, hello: Uint8Array): void => {
        // The byte behind it would be the beginning of another message. It never comes.
        if (more > 0) appendCrypto(frames, hello.length + 1, new Uint8Array(more))
        appendCrypto(frames, 0, hello)
      }
      const sink = { onCrypto } as Partial<TlsSink> as TlsSink
      new TlsClient({ sink, alpn: ['h3'], serverName: 'localhost', verify: 'any', transportParameters }).start()
      const connection = server.accept({ id, path: back })
      connection?.receive(sealInitial('client', id, id, id, frames.bytes), back, 0)
      expect(connection?.closing).to.equal(more > 0)
      if (more > 0) expect(connection?.closeReason()).to.include({ source: 'local', code: PROTOCOL_VIOLATION })
    }
  })

  it('AT-38 is followed by a datagram of any number of packets, of which so many are read as do no harm', async () => {
    const { server } = (await typescriptEngines())(1)
    const back = { local: SERVER_ADDRESS, remote: CLIENT_ADDRESS }
    const id = new Uint8Array(8)
    const connection = server.accept({ id, path: back })
    expect(connection?.receive(sealInitial('client', id, id, id, Uint8Array.of(PING)), back, 0)).to.equal(true)
    const read: number[] = []
    const packetReceived = (_type: string, number: number): number => read.push(number)
    const observer = { packetReceived } as unknown as QuicObserver
    connection?.observe?.(new Proxy(observer, { get: (target, name) => Reflect.get(target, name) ?? (() => {}) }), 0)
    const datagram = Buffer.concat(Array.from({ length: 2 * MOST_COALESCED }, (_, i) => smallInitial(id, i + 1)))
    expect(connection?.receive(datagram, back, 0)).to.equal(true)
    expect(read).to.deep.equal(Array.from({ length: MOST_COALESCED }, (_, i) => i + 1))
  })
})

const PING = 1

/** A PING and nothing else. */
function smallInitial(id: Uint8Array, packetNumber: number): Uint8Array {
  const to = new WireWriter(new Uint8Array(100))
  const lengthOffset = appendLongHeader(to, 'initial', id, id, new Uint8Array(0), packetNumber, 4)
  const headerLength = to.offset
  to.u8(PING)
  finishLongHeader(to.bytes, lengthOffset, 4 + 1 + 16)
  initialKeys('client', id).sealing.seal(to.bytes, headerLength, 1, packetNumber, 4)
  return to.bytes.slice(0, headerLength + 1 + 16)
}

/** Nobody has the key by which it was sealed. */
function unreadableInitial(dcid: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(20)
  return Uint8Array.of(0xc0, 0, 0, 0, 1, dcid.length, ...dcid, 0, 0, sealed.length, ...sealed)
}

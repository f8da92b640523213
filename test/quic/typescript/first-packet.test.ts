import { expect } from 'chai'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import { TypescriptEngine } from '../../../src/quic/typescript/engine.ts'
import { clientTls } from '../../support/certificates.ts'
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
})

/** Nobody has the key by which it was sealed. */
function unreadableInitial(dcid: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(20)
  return Uint8Array.of(0xc0, 0, 0, 0, 1, dcid.length, ...dcid, 0, 0, sealed.length, ...sealed)
}

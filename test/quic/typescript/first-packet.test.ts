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
})

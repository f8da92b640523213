import { expect } from 'chai'
import type { Carrier, CarrierHandler } from '../../../src/carriers/carrier.ts'
import type { HttpClientHandler, HttpServerConnection, IncomingRequest } from '../../../src/carriers/http-connection.ts'
import { connectByPackage, type PackageClientConnection } from '../../../src/carriers/webtransport/client-connection.ts'
import type { PackageServer } from '../../../src/carriers/webtransport/server.ts'
import { certificateSha256 } from '../../support/certificates.ts'
import { until } from '../../support/loopback.ts'
import { listenForPackage } from '../../support/package-tunnel.ts'

/** Several times of what the package lets a peer send ahead, in pieces that fall on no boundary of anything. */
const TOTAL = 5 * 1024 * 1024
const PIECE = 1237

/** What has come of bytes that count up. */
class Receiver implements CarrierHandler {
  received = 0
  wrong = 0
  onCapsuleBytes(bytes: Uint8Array): void {
    for (const byte of bytes) if (byte !== this.received++ % 251) this.wrong++
  }
  onDatagram(): void {}
  onMtu(): void {}
  onEnd(): void {}
  onAborted(): void {}
}

describe('the capsule stream on the npm package for WebTransport', function () {
  this.slow(10_000)
  let server: PackageServer
  let connection: PackageClientConnection

  afterEach(async () => {
    connection.close('')
    await server.close()
  })

  it('hands over every byte in order, both ways at once, however many there are, and no more than fit wait', async () => {
    const [atProxy, atClient] = [new Receiver(), new Receiver()]
    let proxyEnd: Carrier | undefined
    let clientEnd: Carrier | undefined
    const fail = (error: unknown): void => {
      throw error
    }
    server = await listenForPackage({
      onConnection: (incoming: HttpServerConnection) => {
        incoming.handler = {
          ...NOTHING,
          onStreamError() {},
          onRequest: (request: IncomingRequest) => {
            request.accept([])
            proxyEnd = request.openCarrier(['single-stream'], atProxy)
          },
        }
      },
      onError: fail,
      onWarning: fail,
    })
    const settings = {
      path: '/',
      token: undefined,
      certificateSha256: await certificateSha256(),
      idleTimeoutMs: 60_000,
      lostAfterMs: 0,
    }
    const connect = connectByPackage(settings)
    const options = {
      remote: server.local,
      serverName: 'localhost',
      tls: {},
      insecure: false,
      resumptionTicket: undefined,
    }
    connection = (await connect({ ...options, onError: fail, onWarning() {}, debug() {} })) as PackageClientConnection
    connection.handler = {
      ...NOTHING,
      onCapabilities: () => {
        clientEnd = connection.request([])?.openCarrier(['single-stream'], atClient)
      },
    }
    await until(() => proxyEnd !== undefined && clientEnd !== undefined)

    const sent = [0, 0]
    let mostWaiting = 0
    const send = (carrier: Carrier, end: number): void => {
      while (carrier.writable && sent[end] < TOTAL) {
        carrier.sendCapsules(Uint8Array.from({ length: PIECE }, () => sent[end]++ % 251))
        mostWaiting = Math.max(mostWaiting, carrier.capsulesWaiting)
      }
    }
    await until(() => {
      send(proxyEnd as Carrier, 0)
      send(clientEnd as Carrier, 1)
      return atClient.received >= TOTAL && atProxy.received >= TOTAL
    })
    expect({ atClient: atClient.wrong, atProxy: atProxy.wrong }).to.deep.equal({ atClient: 0, atProxy: 0 })
    expect(mostWaiting).to.be.at.most(256 * 1024 + PIECE)
  })
})

const NOTHING: HttpClientHandler = {
  onReady() {},
  onCapabilities() {},
  onResponse() {},
  onRequestFailed() {},
  onGoAway() {},
  onClosed() {},
}

import { expect } from 'chai'
import type { AcceptOptions, DialOptions, QuicEngine } from '../../../src/quic/engine.ts'
import { readPacket } from '../../../src/quic/typescript/packets/read-packet.ts'
import { typescriptEngines } from './engines.ts'
import { VirtualNetwork } from './virtual-network.ts'

const TOKEN = Uint8Array.of(1, 2, 3, 4, 5)

/** The same engine, with more said to what it makes. */
function telling(engine: QuicEngine, accept: Partial<AcceptOptions>, connect: Partial<DialOptions>): QuicEngine {
  return Object.assign(Object.create(engine), {
    accept: (options: AcceptOptions) => engine.accept({ ...options, ...accept }),
    connect: (options: DialOptions) => engine.connect({ ...options, ...connect }),
  })
}

describe('NEW_TOKEN (RFC 9000 §8.1.3)', () => {
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  it('comes when the handshake is over, and again while it gets lost', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const heard: Uint8Array[] = []
      let made = 0
      const { client, server } = engines(seed)
      const newToken = (): Uint8Array => {
        made++
        return TOKEN
      }
      const network = new VirtualNetwork({
        client: telling(client, {}, { onNewToken: token => heard.push(Uint8Array.from(token)) }),
        server: telling(server, { newToken }, {}),
        seed,
        conditions: { loss: seed > 1 ? 0.3 : 0 },
      })
      expect(
        network.run(() => heard.length > 0),
        `seed ${seed}`,
      ).to.equal(true)
      expect(network.server?.established).to.equal(true)
      expect(heard[0]).to.deep.equal(TOKEN)
      expect(made).to.equal(1)
    }
  })

  it('comes not at all from a server that has made none, or to a client that keeps none', () => {
    const heard: Uint8Array[] = []
    const { client, server } = engines(1)
    for (const [onNewToken, newToken] of [
      [(token: Uint8Array) => heard.push(token), undefined],
      [undefined, () => TOKEN],
    ] as const) {
      const network = new VirtualNetwork({
        client: telling(client, {}, onNewToken === undefined ? {} : { onNewToken }),
        server: telling(server, newToken === undefined ? {} : { newToken }, {}),
      })
      network.run(() => false, 1000)
      expect(network.client.established).to.equal(true)
      expect(network.client.closed).to.equal(undefined)
    }
    expect(heard).to.deep.equal([])
  })

  it('is in all Initials of the next connection, until a Retry brings another', () => {
    const { client, server } = engines(1)
    const seen = (retry: boolean): string[] => {
      const tokens: string[] = []
      const network = new VirtualNetwork({ client: telling(client, {}, { token: TOKEN }), server, retry: false })
      network.tamper = (packet, to) => {
        const read = readPacket(packet, 0, 8)
        if (to === 'server' && read?.type === 'initial') {
          tokens.push(Buffer.from(read.token).toString('hex'))
          // The first one was on its way before.
          if (retry && tokens.length === 1)
            network.inject(server.retry(headerOf(read), NEW_ID, Uint8Array.of(9)), 'client', AT_CLIENT)
        }
        return retry || tokens.length < 3 ? [] : [packet]
      }
      network.conditions.loss = 1
      network.run(() => tokens.length >= 3, 20_000)
      return [...new Set(tokens)]
    }
    const NEW_ID = new Uint8Array(8).fill(7)
    const AT_CLIENT = { local: { host: '192.0.2.1', port: 1001 }, remote: { host: '198.51.100.1', port: 443 } }
    const headerOf = (read: { version: number; dcid: Uint8Array; scid: Uint8Array; token: Uint8Array }) => ({
      version: read.version,
      isInitial: true,
      dcid: read.dcid.slice(),
      scid: read.scid.slice(),
      token: read.token,
    })
    expect(seen(false)).to.deep.equal(['0102030405'])
    expect(seen(true)).to.deep.equal(['0102030405', '09'])
  })
})

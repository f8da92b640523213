/** Who ended a tunnel, and why: said by the client, and by the proxy in its log, for every way in which a tunnel can end. */

import { expect } from 'chai'
import pino from 'pino'
import type { ClientError } from '../../src/client/errors.ts'
import { encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { H3ErrorCode } from '../../src/http3/error-codes.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { bytes, frame, headersFrame, hex, OK } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient, type HostilePeer, startHostileProxy } from '../support/hostile-peer.ts'
import { closeLoopback, connectClient, startServer, until } from '../support/loopback.ts'
import { openRelay } from '../support/udp-relay.ts'

const GRANTED = bytes(
  encodeAddressAssign([
    { requestId: 1n, prefix: IpPrefix.parse('10.0.0.2') },
    { requestId: 2n, prefix: IpPrefix.parse('fd00::2') },
  ]),
  encodeRouteAdvertisement([{ range: IpPrefix.parse('10.0.0.0/8').toRange(), protocol: 0 }]),
)

/**
 * Long before the test's own time limit. Not shorter: a machine that is busy with other things keeps a tunnel waiting for as long before
 * it is up, which would then be the end of another story.
 */
const SOON = { idleTimeoutMs: 2000, keepAliveMs: 0 }

interface Ending {
  readonly title: string
  /** What the peer does on its request stream, 0, or on its connection. */
  readonly end: (peer: HostilePeer) => void
  readonly says: RegExp
  readonly clean?: boolean
  /** Of the client's error; default `tunnel`. */
  readonly kind?: string
}

const sendData = (peer: HostilePeer, data: Uint8Array, fin = false): void => {
  peer.h3.sendData(0, data, fin)
  peer.flush()
}

const ENDINGS: Ending[] = [
  {
    title: 'the peer closes the stream',
    end: peer => sendData(peer, new Uint8Array(0), true),
    says: /the (peer|proxy) closed the tunnel$/,
    clean: true,
  },
  {
    title: 'the peer resets the stream',
    end: peer => peer.quic.streamReset(0, H3ErrorCode.H3_CONNECT_ERROR),
    says: /the peer reset the request stream: H3_CONNECT_ERROR$/,
  },
  {
    title: 'the peer resets the stream with a code that nobody knows',
    end: peer => peer.quic.streamReset(0, 0x1234),
    says: /the peer reset the request stream: 0x1234$/,
  },
  {
    title: 'the peer reads no more',
    end: peer => peer.quic.streamStopSending(0, H3ErrorCode.H3_REQUEST_CANCELLED),
    says: /the peer stopped reading the request stream: H3_REQUEST_CANCELLED$/,
  },
  {
    title: 'a capsule is broken',
    end: peer => sendData(peer, hex('01 03 00 04 0a')),
    says: /we reset the request stream: H3_MESSAGE_ERROR \(.+\)$/,
    kind: 'protocol',
  },
  {
    title: 'the stream ends inside a capsule',
    end: peer => sendData(peer, hex('01 03 00'), true),
    says: /we reset the request stream: H3_MESSAGE_ERROR \(.+\)$/,
    kind: 'protocol',
  },
  {
    title: 'a capsule is too long',
    end: peer => sendData(peer, hex('01 bf ff ff ff')),
    says: /we reset the request stream: H3_EXCESSIVE_LOAD \(.+\)$/,
    kind: 'protocol',
  },
  {
    title: 'the peer breaks a rule of HTTP/3',
    end: peer => peer.send(0, frame(0x04)),
    says: /the connection was closed by us: H3_FRAME_UNEXPECTED \(.+\)$/,
  },
  {
    title: 'the peer closes the connection, and says why',
    end: peer => peer.quic.close(H3ErrorCode.H3_INTERNAL_ERROR, 'out of order'),
    says: /the connection was closed by the peer: H3_INTERNAL_ERROR \(out of order\)$/,
  },
  {
    title: 'the peer closes the connection, and does not say why',
    end: peer => peer.quic.close(H3ErrorCode.H3_NO_ERROR, ''),
    says: /the connection was closed by the peer: H3_NO_ERROR$/,
  },
]

describe('the end of a tunnel', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeHostilePeers()
  })

  describe('is told by the client when', () => {
    const proxy = () =>
      startHostileProxy({
        onRequest: (peer, streamId) => {
          peer.h3.respond(streamId, OK)
          peer.h3.sendData(streamId, GRANTED)
          peer.flush()
        },
      })

    for (const { title, end, says, kind = 'tunnel' } of ENDINGS) {
      it(title, async () => {
        const { address, peers } = await proxy()
        const { client } = await connectClient({ address })
        const down = new Promise<ClientError>(resolve => client.once('down', resolve))
        end(peers[0])
        const error = await down
        expect(error).to.include({ kind })
        expect(error.message).to.match(says)
      })
    }

    for (const mtu of [1366, 1166]) {
      it(`nothing is heard any more, and the search for the MTU, which is the first to notice, has come to ${mtu}`, async () => {
        const { address } = await proxy()
        const relay = await openRelay(address)
        const { client } = await connectClient({ address: relay.local }, { quic: SOON })
        const down = new Promise<ClientError>(resolve => client.once('down', resolve))
        await relay.cut()
        Object.defineProperties(client.tunnel?.tunnel, { mtu: { value: mtu }, mtuSettled: { value: false } })
        expect((await down).message).to.match(/the connection timed out: nothing was heard from the peer$/)
      })
    }
  })

  describe('is told in the proxy’s logs, after its beginning, when', () => {
    /** A proxy and a tunnel to it; `ended` is what the two logs say about it. */
    async function tunnel(quic = {}) {
      const lines: { msg: string; clean?: boolean }[] = []
      const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) })
      const server = await startServer({ quic }, { logger })
      return {
        server,
        async ended() {
          const about = () => lines.filter(({ msg }) => msg.startsWith('tunnel '))
          await until(() => about().some(({ msg }) => msg.startsWith('tunnel closed')))
          const [open, closed] = about()
          expect(open.msg).to.equal('tunnel open')
          const [entry] = server.connectionLog().filter(({ event }) => event === 'tunnel-closed')
          expect(closed.msg).to.equal(`tunnel closed: ${entry.detail}`)
          return { detail: String(entry.detail), clean: closed.clean }
        },
      }
    }

    for (const { title, end, says, clean = false } of ENDINGS) {
      it(title, async () => {
        const { server, ended } = await tunnel()
        const peer = await HostileClient.connect(server)
        await peer.openTunnel()
        end(peer)
        const said = await ended()
        expect(said.detail).to.match(says)
        expect(said.clean).to.equal(clean)
      })
    }

    it('a client opens a tunnel and ends it in the same breath', async () => {
      const { server, ended } = await tunnel()
      const peer = await HostileClient.connect(server)
      peer.send(
        0,
        headersFrame([
          [':method', 'CONNECT'],
          [':protocol', 'connect-ip'],
          [':scheme', 'https'],
          [':authority', 'localhost'],
          [':path', '/.well-known/masque/ip/*/*/'],
          ['capsule-protocol', '?1'],
        ]),
        true,
      )
      expect(await ended()).to.deep.equal({ detail: 'the peer closed the tunnel', clean: true })
    })

    it('nothing is heard any more', async () => {
      const { server, ended } = await tunnel(SOON)
      const relay = await openRelay(server.address)
      const peer = await HostileClient.connect({ address: relay.local })
      await peer.openTunnel()
      await relay.cut()
      expect(await ended()).to.deep.equal({
        detail: 'the connection timed out: nothing was heard from the peer',
        clean: false,
      })
    })

    it('the proxy shuts down', async () => {
      const { server, ended } = await tunnel()
      await connectClient(server)
      await server.close()
      expect(await ended()).to.deep.equal({
        detail: 'we closed the tunnel: the proxy is shutting down',
        clean: true,
      })
    })
  })
})

import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { expect } from 'chai'
import { encodeCapsule } from '../../../src/connect-ip/capsule.ts'
import { Child } from '../../../src/process/child.ts'
import { testCertificates } from '../../support/certificates.ts'
import { until } from '../../support/loopback.ts'
import type { MemoryOrders } from '../../support/memory-child.ts'
import { askForSession, connectHttp2 } from '../../support/package-tunnel.ts'

const CHILD = new URL('../../support/memory-child.ts', import.meta.url)
const MIB = 1 << 20

/** Capsules of draft-ietf-webtrans-http2 §6. */
const WT_STREAM = 0x190b4d3bn
const WT_CLOSE_SESSION = 0x2843n
const ADDRESS_ASSIGN = 1n

/** On the tunnel's stream, an address of IP version 9: for this the proxy ends the session. */
const BREAKS_A_RULE = encodeCapsule(
  WT_STREAM,
  Uint8Array.of(1, ...encodeCapsule(ADDRESS_ASSIGN, Uint8Array.of(0, 9, 1, 2, 3))),
)

/**
 * A stream of node:http2 that is closed with NO_ERROR and then destroyed, while what it had to say at its end waits for the peer's window,
 * makes empty DATA frames for ever once the window opens: in native code, where no limit of a thread holds. Hence the proxy of its own.
 */
describe('a session of the npm package for WebTransport that ends where the peer’s window is closed', () => {
  let child: Child<MemoryOrders>
  const sessions: ClientHttp2Session[] = []

  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy()
    child.kill()
    await child.close()
  })

  /** A session of WebTransport; `window`: what may be sent on its stream without being asked for more. */
  async function open(port: number, window: number): Promise<ClientHttp2Stream> {
    const session = connectHttp2(port, { initialWindowSize: window })
    sessions.push(session)
    await untilThere(() => session.remoteSettings?.enableConnectProtocol === true)
    const stream = askForSession(session)
    let status: number | undefined
    stream.once('response', headers => {
      status = headers[':status']
    })
    await untilThere(() => status !== undefined)
    expect(status).to.equal(200)
    return stream
  }

  /** A proxy that does nothing but make frames never comes to it, and grows. */
  async function untilThere(condition: () => boolean): Promise<void> {
    await until(async () => condition() || (await child.ask('memory')).rss > 600 * MIB)
    expect(condition(), 'the proxy to come to it').to.equal(true)
  }

  it('AT-32 is over when both have closed it, and the proxy goes on', async () => {
    child = new Child<MemoryOrders>(CHILD, { name: 'the proxy' })
    const port = await child.ask('startPackage', await testCertificates())
    const stream = await open(port, 0)
    stream.write(BREAKS_A_RULE)
    // The proxy's end of the session waits for the window. The peer's comes meanwhile.
    await open(port, 65_535)
    stream.write(encodeCapsule(WT_CLOSE_SESSION, new Uint8Array(4)))
    await open(port, 65_535)
    if (!stream.destroyed) stream.session?.settings({ initialWindowSize: 65_535 })
    await untilThere(() => stream.destroyed)
    await open(port, 65_535)
  })

  it('AT-32 is refused while it ends its request: the proxy goes on', async () => {
    child = new Child<MemoryOrders>(CHILD, { name: 'the proxy' })
    const port = await child.ask('startPackage', await testCertificates())
    const refused = async (wait: number): Promise<void> => {
      const session = connectHttp2(port)
      sessions.push(session)
      const stream = askForSession(session, { ':path': '/elsewhere' })
      await new Promise(resolve => setTimeout(resolve, wait))
      stream.close(0)
      await new Promise(resolve => setTimeout(resolve, 10))
      session.destroy()
    }
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 12 }, (_, i) => refused(i + round)))
    }
    expect((await child.ask('memory')).rss).to.be.below(600 * MIB)
    await open(port, 65_535)
  })
})

import { connect, createServer, type Http2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { prepare } from '../../../src/carriers/webtransport/package.ts'

describe('a connection of the npm package for WebTransport', () => {
  it('is pinged while it is there, and neither throws nor is pinged between its being destroyed and its end', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const session: Http2Session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    try {
      await new Promise(resolve => session.once('connect', resolve))
      prepare(session)
      const rtt = await new Promise<number>((resolve, reject) =>
        session.ping((error, ms) => (error ? reject(error) : resolve(ms))),
      )
      expect(rtt).to.be.a('number')
      session.destroy()
      expect(session.ping(() => expect.fail('there is nobody'))).to.equal(false)
    } finally {
      session.destroy()
      server.close()
    }
  })
})

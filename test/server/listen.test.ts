import { expect } from 'chai'
import { ListenError } from '../../src/server/server.ts'
import { closeLoopback, connectClient, failure, ping, startServer } from '../support/loopback.ts'

describe('where a proxy listens', () => {
  afterEach(closeLoopback)

  it('AT-18 may be a name, such as localhost', async () => {
    const server = await startServer({ listen: { host: 'localhost' } })
    expect(server.address.host).to.match(/^(127\.0\.0\.1|::1)$/)
    const { client } = await connectClient(server)
    await ping(client, '10.90.0.1')
  })

  it('AT-18 is refused in one sentence when the name cannot be resolved', async () => {
    const error = await failure(startServer({ listen: { host: 'no-such-host.invalid', port: 0 } }), ListenError)
    expect(error.message).to.match(/^no-such-host\.invalid cannot be resolved \(E[A-Z_]+\): correct listen\.host$/)
  })

  it('AT-18 is refused in one sentence when the system does not let anybody listen there', async () => {
    const elsewhere = await failure(startServer({ listen: { host: '192.0.2.1', port: 0 } }), ListenError)
    expect(elsewhere.message).to.equal('UDP 192.0.2.1:0 is not an address of this machine: choose another listen.host')
    // A link-local address without the link that it is on.
    const nowhere = await failure(startServer({ listen: { host: 'fe80::1', port: 0 } }), ListenError)
    expect(nowhere.message).to.match(/^UDP \[fe80::1\]:0 cannot be listened on: bind EINVAL/)
    const taken = await startServer()
    const error = await failure(startServer({ listen: taken.address }), ListenError)
    expect(error.message).to.match(/^UDP 127\.0\.0\.1:\d+ is already in use: stop the other server/)
  })

  it('AT-18 may be a name for the REST API too', async () => {
    const server = await startServer({ api: { enabled: true, host: 'localhost', port: 0 } })
    const response = await fetch(`${server.apiUrl}/health`)
    expect(response.status).to.equal(200)
    await response.text()
  })
})

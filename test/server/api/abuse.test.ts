import { connect, type Socket } from 'node:net'
import { expect } from 'chai'
import { closeLoopback, connectClient, keepPinging, startServer, until } from '../../support/loopback.ts'

describe('a proxy whose API is abused', () => {
  let port: number
  const sockets: Socket[] = []

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await closeLoopback()
  })

  /** Sends this, and reads nothing unless told to. */
  function send(text: string): Socket {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(text)
    sockets.push(socket)
    return socket
  }

  it('loses no ping of a tunnel to requests in heaps, slow ones, nonsense, and listeners that never read', async () => {
    const server = await startServer({ api: { enabled: true, port: 0 } })
    port = Number(new URL(server.apiUrl as string).port)
    const { client } = await connectClient(server)
    const train = keepPinging(client, '10.90.0.1')

    let closed = 0
    const slow = Array.from({ length: 20 }, () =>
      // Without `resume` nobody would hear that the other side has closed.
      send('GET /api/v1/status HTTP/1.1\r\nHost: lo')
        .resume()
        .once('close', () => closed++),
    )
    const heap = 'GET /api/v1/clients HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100)
    const nonsense = [
      'POST /api/v1/clients HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n{"a":',
      'DELETE /api/v1/clients/1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n',
      'GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: evil.example\r\n\r\n',
      '\0\0\0\0\r\n\r\n',
    ]
    const listen = (): void => {
      for (let i = 0; i < 1000; i++) send('GET /api/v1/events?types=status,clients HTTP/1.1\r\nHost: localhost\r\n\r\n')
    }
    const before = train.answered
    // Until those who ask slowly have been sent away, which is some time.
    for (let i = 0; closed < slow.length; i++) {
      // Those come last, as they take the places of all others.
      if (i === 20) listen()
      const abusers = [heap, ...nonsense].map(text => send(text).resume())
      await until(() => train.failed !== undefined || train.answered > before + i)
      for (const abuser of abusers) abuser.destroy()
      if (train.failed !== undefined) throw train.failed
    }
    expect(await train.stop()).to.be.greaterThan(before)
    expect(server.status()).to.include({ tunnels: 1, connections: 1 })
    expect(server.clients()).to.have.length(1)
  })
})

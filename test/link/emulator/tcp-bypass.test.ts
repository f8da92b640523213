import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { expect } from 'chai'
import { TcpBypass } from '../../../src/link/emulator/tcp-bypass.ts'
import { EmulatorError } from '../../../src/link/emulator/udp-socket.ts'
import type { SocketAddress } from '../../../src/net/udp.ts'
import { takenPortHint } from '../../../src/net/user-ports.ts'
import { freePort } from '../../../src/testbed/free-port.ts'
import { failure, until } from '../../support/loopback.ts'

const ANY: SocketAddress = { host: '127.0.0.1', port: 0 }

describe('TCP beside the emulator', () => {
  const cleanup: (() => unknown)[] = []
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo()
  })

  /** A server that does with each connection what the test says. */
  const server = async (serve: (socket: Socket) => void): Promise<SocketAddress> => {
    const listening: Server = createServer({ allowHalfOpen: true }, socket => {
      socket.on('error', () => {})
      serve(socket)
    })
    listening.listen(0, '127.0.0.1')
    await once(listening, 'listening')
    cleanup.push(() => listening.close())
    return { host: '127.0.0.1', port: (listening.address() as { port: number }).port }
  }
  const bypassTo = async (to: SocketAddress, listen = ANY) => {
    const bypass = await TcpBypass.open(listen, to)
    cleanup.push(() => bypass.close())
    return bypass
  }
  const dial = ({ address }: TcpBypass) => {
    const socket = connect({ ...address, allowHalfOpen: true }).resume()
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    cleanup.push(() => socket.destroy())
    return socket
  }

  it('passes bytes on in both directions, and the end of each half by itself', async () => {
    const bypass = await bypassTo(await server(socket => socket.pipe(socket)))
    const client = dial(bypass)
    let heard = ''
    client.setEncoding('utf8').on('data', text => {
      heard += text
    })
    client.end('hello')
    await once(client, 'end')
    expect(heard).to.equal('hello')
  })

  it('ends a connection to a server that is not there', async () => {
    const client = dial(await bypassTo({ ...ANY, port: await freePort() }))
    await once(client, 'close')
  })

  it('ends the other side with the one that is reset', async () => {
    const sockets: Socket[] = []
    const bypass = await bypassTo(await server(socket => sockets.push(socket.resume().on('end', () => socket.end()))))
    const client = dial(bypass)
    await until(() => sockets.length === 1)
    client.resetAndDestroy()
    await once(sockets[0], 'close')
  })

  it('closes what it has, and its port, when it is closed', async () => {
    const address = { ...ANY, port: await freePort() }
    const bypass = await bypassTo(await server(() => {}), address)
    const client = dial(bypass)
    await once(client, 'connect')
    await bypass.close()
    await once(client, 'close')
    await (await TcpBypass.open(address, ANY)).close()
  })

  it('says in a sentence that its port is in use', async () => {
    const address = await server(() => {})
    const error = await failure(TcpBypass.open(address, ANY), EmulatorError)
    expect(error.message).to.equal(
      `TCP 127.0.0.1:${address.port} is already in use: stop the other program or choose another port${takenPortHint(address.port)}`,
    )
  })
})

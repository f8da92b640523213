import { randomBytes } from 'node:crypto'
import { quiche } from '@matrixai/quic/native/index.js'
import { DEFAULT_QUIC_SETTINGS, type SocketAddress } from '../../src/quic/quic.ts'

/** The first datagram of a client that never says more: a QUIC Initial of 1200 bytes with a ClientHello in it. */
export function loneInitial(from: SocketAddress, to: SocketAddress): Uint8Array {
  return nextDatagram(newClient(from, to))
}

/** The Initial of a client that has got this answer, a Retry, to its first one: it has a token in it. */
export async function initialWithToken(
  from: SocketAddress,
  to: SocketAddress,
  exchange: (first: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const connection = newClient(from, to)
  const retry = await exchange(nextDatagram(connection))
  connection.recv(Uint8Array.from(retry), { from: to, to: from })
  return nextDatagram(connection)
}

function newClient(from: SocketAddress, to: SocketAddress) {
  const config = new quiche.Config()
  config.setApplicationProtos([...DEFAULT_QUIC_SETTINGS.alpn])
  return quiche.Connection.connect('localhost', randomBytes(8), from, to, config)
}

function nextDatagram(connection: ReturnType<typeof newClient>): Uint8Array {
  const datagram = new Uint8Array(1200)
  const sent = connection.send(datagram)
  return datagram.subarray(0, sent?.[0])
}

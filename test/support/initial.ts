import { randomBytes } from 'node:crypto'
import { quiche } from '@matrixai/quic/native/index.js'
import { DEFAULT_QUIC_SETTINGS, type SocketAddress } from '../../src/quic/quic.ts'

/** The first datagram of a client that never says more: a QUIC Initial of 1200 bytes with a ClientHello in it. */
export function loneInitial(from: SocketAddress, to: SocketAddress): Uint8Array {
  const config = new quiche.Config()
  config.setApplicationProtos([...DEFAULT_QUIC_SETTINGS.alpn])
  const connection = quiche.Connection.connect('localhost', randomBytes(8), from, to, config)
  const datagram = new Uint8Array(1200)
  const sent = connection.send(datagram)
  return datagram.subarray(0, sent?.[0])
}

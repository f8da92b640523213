import { randomBytes } from 'node:crypto'
import type { EngineConnection } from '../../src/quic/engine.ts'
import { DEFAULT_QUIC_SETTINGS, type SocketAddress } from '../../src/quic/quic.ts'
import { TypescriptEngine } from '../../src/quic/typescript/engine.ts'

/** The first datagram of a client that never says more: a QUIC Initial of 1200 bytes with a ClientHello in it. `token`: from NEW_TOKEN. */
export function loneInitial(from: SocketAddress, to: SocketAddress, token?: Uint8Array): Uint8Array {
  return nextDatagram(newClient(from, to, token))
}

/** The Initial of a client that has got this answer, a Retry, to its first one: it has a token in it. */
export async function initialWithToken(
  from: SocketAddress,
  to: SocketAddress,
  exchange: (first: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const connection = newClient(from, to)
  const retry = await exchange(nextDatagram(connection))
  connection.receive(Uint8Array.from(retry), { local: from, remote: to }, performance.now())
  return nextDatagram(connection)
}

function newClient(local: SocketAddress, remote: SocketAddress, token?: Uint8Array): EngineConnection {
  const settings = { ...DEFAULT_QUIC_SETTINGS, alpn: [...DEFAULT_QUIC_SETTINGS.alpn] }
  const engine = new TypescriptEngine({ role: 'client', settings, tls: {}, peerCertificate: 'none' })
  const dial = { id: randomBytes(8), path: { local, remote }, serverName: 'localhost' }
  return engine.connect({ ...dial, ...(token !== undefined && { token }) })
}

function nextDatagram(connection: EngineConnection): Uint8Array {
  const datagram = new Uint8Array(1500)
  const sent = connection.send(datagram, performance.now())
  return datagram.subarray(0, sent?.length)
}

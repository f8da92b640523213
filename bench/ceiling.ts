/**
 * The ceiling: the same datagrams through quiche and UDP, with nothing of ours in between.
 *
 * One process sends, the other receives and counts. No routing by connection id, no streams, no HTTP, no IP: the least
 * that a program can do with this QUIC library and node:dgram, or with the batches of quic/udp. Runs as a child process of `tunnel.ts`.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Connection, SendInfo } from '@matrixai/quic/native/index.js'
import { LOOPBACK } from '../src/net/udp.ts'
import { bindSocket, connectSocket } from '../src/quic/udp/open-socket.ts'
import type { Peer, PeerOrder } from './child.ts'

export async function startCeilingPeer(order: PeerOrder): Promise<Peer> {
  const { quiche } = await loadQuiche()
  const server = order.role === 'receiver'
  const config = quiche.Config.withBoringSslCtx(
    !server,
    false,
    readFileSync(order.certificates.ca),
    server ? [readFileSync(order.certificates.serverKey)] : undefined,
    server ? [readFileSync(order.certificates.server)] : undefined,
  )
  config.setApplicationProtos(['ceiling'])
  config.setMaxIdleTimeout(10_000)
  config.setMaxSendUdpPayloadSize(order.maxUdpPayload)
  config.setMaxRecvUdpPayloadSize(65527)
  config.setInitialMaxData(1 << 20)
  config.setCcAlgorithmName(order.congestionControl)
  config.enablePacing(false)
  config.enableDgram(true, order.datagramQueue, order.datagramQueue)

  const remote = { host: '127.0.0.1', port: order.port ?? 0 }
  const choice = order.kind === 'batched-ceiling' ? 'batched' : 'dgram'
  // The sender's socket is connected, as the tunnel's is.
  const socket = await (server ? bindSocket(LOOPBACK, { choice }) : connectSocket(remote, { choice }))
  const local = { host: '127.0.0.1', port: socket.local.port }
  let connection: Connection | undefined
  const inbox = new Uint8Array(65536)
  const payload = new Uint8Array(order.datagramLength)
  let received = 0
  let sent = 0
  let turnDue = false

  function turn(): void {
    turnDue = false
    if (connection === undefined) return
    while (connection.dgramRecv(inbox) !== null) received++
    if (!server && connection.isEstablished()) {
      // null: the queue is full, which is what "as fast as it goes" means.
      while (connection.dgramSend(payload) !== null) sent++
    }
    for (;;) {
      const packet: [number, SendInfo] | null = connection.send(socket.room(order.maxUdpPayload))
      if (packet === null) break
      socket.send(packet[0], to ?? remote)
      if (socket.queued > 64) return schedule()
    }
    socket.flush()
    if (!server && connection.isEstablished() && !connection.isDgramSendQueueFull()) schedule()
  }

  function schedule(): void {
    if (turnDue) return
    turnDue = true
    setImmediate(turn)
  }

  setInterval(() => {
    if (connection?.timeout() === 0) connection.onTimeout()
    schedule()
  }, 5)

  let recvInfo: Parameters<Connection['recv']>[1] | undefined
  let to: { host: string; port: number } | undefined
  socket.start({
    onPacket(packet, host, port) {
      if (recvInfo === undefined) {
        to = { host, port }
        recvInfo = { from: to, to: local }
        connection ??= quiche.Connection.accept(randomBytes(8), undefined, local, to, config)
      }
      connection?.recv(packet, recvInfo)
      schedule()
    },
    // At the end the other process may be gone first (ECONNREFUSED), which nobody measures.
    onError() {},
  })

  if (!server) {
    connection = quiche.Connection.connect('localhost', randomBytes(8), local, remote, config)
    schedule()
  }
  return { port: local.port, count: () => ({ sent, received }) }
}

/** Only now: other benchmarks run without it, too. */
async function loadQuiche() {
  try {
    return await import('@matrixai/quic/native/index.js')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`the ceiling is that of quiche, whose binary does not load here: ${why}`)
  }
}

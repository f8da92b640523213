/**
 * The ceiling: the same datagrams through quiche and UDP, with nothing of ours in between.
 *
 * One process sends, the other receives and counts. No routing by connection id, no streams, no HTTP, no IP: the least
 * that a program can do with this QUIC library and node:dgram. Runs as a child process of `tunnel.ts`.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Connection, quiche, type SendInfo } from '@matrixai/quic/native/index.js'
import { bindUdp, connectUdp, LOOPBACK } from '../src/net/udp.ts'
import type { Peer, PeerOrder } from './child.ts'

export async function startCeilingPeer(order: PeerOrder): Promise<Peer> {
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

  // At the end the other process may be gone first (ECONNREFUSED), which nobody measures.
  const socket = await bindUdp(LOOPBACK)
  const local = { host: '127.0.0.1', port: socket.address().port }
  let connection: Connection | undefined
  let out = new Uint8Array(order.maxUdpPayload)
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
      const packet: [number, SendInfo] | null = connection.send(out)
      if (packet === null) break
      // The sender's socket is connected, as the tunnel's is.
      if (server) socket.send(out.subarray(0, packet[0]), packet[1].to.port, packet[1].to.host)
      else socket.send(out.subarray(0, packet[0]))
      if (socket.getSendQueueCount() > 0) {
        out = new Uint8Array(order.maxUdpPayload)
        if (socket.getSendQueueCount() > 64) return schedule()
      }
    }
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
  socket.on('message', (packet, from) => {
    if (recvInfo === undefined) {
      recvInfo = { from: { host: from.address, port: from.port }, to: local }
      connection ??= quiche.Connection.accept(randomBytes(8), undefined, local, recvInfo.from, config)
    }
    connection?.recv(packet, recvInfo)
    schedule()
  })

  if (!server) {
    const remote = { host: '127.0.0.1', port: order.port as number }
    connection = quiche.Connection.connect('localhost', randomBytes(8), local, remote, config)
    await connectUdp(socket, remote)
    schedule()
  }
  return { port: local.port, count: () => ({ sent, received }) }
}

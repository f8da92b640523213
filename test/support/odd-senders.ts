/** Datagrams from addresses that an ordinary socket cannot have. */

import { execFileSync } from 'node:child_process'
import type { Socket } from 'node:dgram'
import type { SocketAddress } from '../../src/net/udp.ts'
import { eventsAt } from './quic-sockets.ts'

/**
 * Sends a datagram with source port 0 to a UDP port of 127.0.0.1. With the right to do so (and python3, because Node has no
 * raw sockets) it goes over the wire; else the socket in this process is told that it came.
 */
export function sendFromPortZero(payload: Uint8Array, port: number): void {
  try {
    execFileSync('python3', ['-c', SEND_RAW, String(port), Buffer.from(payload).toString('hex')], { stdio: 'ignore' })
  } catch {
    pretendArrival(payload, { host: '127.0.0.1', port: 0 }, port)
  }
}

/** Tells the socket of this process that is bound to `port` that a datagram has come. */
export function pretendArrival(payload: Uint8Array, from: SocketAddress, port: number): void {
  const events = eventsAt(port)
  if (events !== undefined) return events.onPacket(Buffer.from(payload), from.host, from.port)
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles() as Socket[]
  const socket = handles.find(handle => 'getSendQueueCount' in handle && portOf(handle) === port)
  if (socket === undefined) throw new Error(`no socket of this process is bound to port ${port}`)
  const family = from.host.includes(':') ? 'IPv6' : 'IPv4'
  socket.emit('message', Buffer.from(payload), { address: from.host, family, port: from.port, size: payload.length })
}

/** undefined: it is closed, and about to go. */
function portOf(socket: Socket): number | undefined {
  try {
    return socket.address().port
  } catch {
    return undefined
  }
}

/** RFC 768: source port, destination port, length, checksum; 0 is no checksum. */
const SEND_RAW = `
import socket, struct, sys
port, data = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.sendto(struct.pack('!HHHH', 0, port, 8 + len(data), 0) + data, ('127.0.0.1', 0))
`

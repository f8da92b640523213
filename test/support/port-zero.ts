import { execFileSync } from 'node:child_process'
import type { Socket } from 'node:dgram'

/**
 * Sends a datagram with source port 0 to a UDP port of 127.0.0.1, which no ordinary socket can do. With the right to do so (and
 * python3, because Node has no raw sockets) it goes over the wire; else the socket in this process is told that it came.
 */
export function sendFromPortZero(payload: Uint8Array, port: number): void {
  try {
    execFileSync('python3', ['-c', SEND_RAW, String(port), Buffer.from(payload).toString('hex')], { stdio: 'ignore' })
  } catch {
    const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles() as Socket[]
    const socket = handles.find(handle => typeof handle.address === 'function' && handle.address()?.port === port)
    if (socket === undefined) throw new Error(`no socket of this process is bound to port ${port}`)
    const from = { address: '127.0.0.1', family: 'IPv4', port: 0, size: payload.length }
    socket.emit('message', Buffer.from(payload), from)
  }
}

/** RFC 768: source port, destination port, length, checksum; 0 is no checksum. */
const SEND_RAW = `
import socket, struct, sys
port, data = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.sendto(struct.pack('!HHHH', 0, port, 8 + len(data), 0) + data, ('127.0.0.1', 0))
`

import type { Socket } from 'node:dgram'
import { bindUdp, connectUdp } from '../../net/udp.ts'
import type { DriverIo, PacketSocket, SocketEvents } from '../io.ts'
import type { SocketAddress } from '../quic.ts'
import { setDontFragment } from './dont-fragment.ts'

/** Node's clock and timers. */
export const NODE_IO: DriverIo = {
  now: () => performance.now(),
  setTimer(callback, ms) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
  // Node reads what waits in its sockets before it comes to this.
  soon: callback => void setImmediate(callback),
}

/** A UDP socket of the system, with Don't Fragment set where that can be done. */
export class UdpSocket implements PacketSocket {
  readonly local: SocketAddress
  readonly #socket: Socket
  readonly #connected: boolean
  readonly #closed: Promise<void>
  #open = true

  /** Rejects with the system's error (EADDRINUSE, EACCES, …). `debug` hears it when packets may be fragmented. */
  static async bind(address: SocketAddress, debug?: (message: string) => void): Promise<UdpSocket> {
    return new UdpSocket(await bindUdp(address), false, debug)
  }

  /** A socket for one remote address, which hears when nobody listens there. Rejects when there is no way to it (ENETUNREACH, …). */
  static async connect(remote: SocketAddress, debug?: (message: string) => void): Promise<UdpSocket> {
    const socket = await bindUdp({ host: remote.host.includes(':') ? '::' : '0.0.0.0', port: 0 })
    await connectUdp(socket, remote)
    return new UdpSocket(socket, true, debug)
  }

  private constructor(socket: Socket, connected: boolean, debug: ((message: string) => void) | undefined) {
    this.#socket = socket
    this.#connected = connected
    const { address, port } = socket.address()
    this.local = { host: address, port }
    this.#closed = new Promise(resolve => {
      socket.once('close', () => {
        this.#open = false
        resolve()
      })
    })
    const fragmented = setDontFragment(socket)
    if (fragmented !== undefined) debug?.(`packets may be fragmented: Don't Fragment is not set, ${fragmented}`)
  }

  start({ onPacket, onError }: SocketEvents): void {
    this.#socket.on('message', (packet, from) => onPacket(packet, from.address, from.port))
    this.#socket.on('error', onError)
  }

  get open(): boolean {
    return this.#open
  }

  get queued(): number {
    return this.#socket.getSendQueueCount()
  }

  send(packet: Uint8Array, to: SocketAddress): void {
    if (this.#connected) this.#socket.send(packet)
    else this.#socket.send(packet, to.port, to.host)
  }

  close(): Promise<void> {
    if (this.#open) {
      this.#open = false
      this.#socket.close()
    }
    return this.#closed
  }
}

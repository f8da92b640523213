/** The UDP sockets below QUIC that this process has opened, of both kinds. Begins when it is imported. */

import type { PacketSocket, SocketEvents } from '../../src/quic/io.ts'
import { BatchedSocket } from '../../src/quic/udp/batched-socket.ts'
import { DgramSocket } from '../../src/quic/udp/dgram-socket.ts'

interface Started {
  readonly socket: PacketSocket
  readonly events: SocketEvents
}

const started = new Set<Started>()
let wrapEvents = (_socket: PacketSocket, events: SocketEvents): SocketEvents => events

for (const { prototype } of [DgramSocket, BatchedSocket]) {
  const { start } = prototype
  prototype.start = function (this: PacketSocket, events: SocketEvents): void {
    for (const each of started) if (!each.socket.open) started.delete(each)
    const wrapped = wrapEvents(this, events)
    started.add({ socket: this, events: wrapped })
    start.call(this as never, wrapped)
  }
}

/** What the open socket at this port tells its owner; undefined: there is no such socket. */
export function eventsAt(port: number): SocketEvents | undefined {
  return [...started].find(({ socket }) => socket.open && socket.local.port === port)?.events
}

/** What is put between sockets and their owners from now on. Returns the function that takes it out again. */
export function betweenSocketsAndOwners(wrap: typeof wrapEvents): () => void {
  const before = wrapEvents
  wrapEvents = wrap
  return () => {
    wrapEvents = before
  }
}

/** Packets that are dropped, one by one in the log: for whoever wants to know what has become of the one that was awaited. */
import { destinationOf, protocolOf, sourceOf, validatePacket } from '../ip/packet.ts'
import { protocolName } from '../ip/protocol.ts'
import type { BoundedLog } from './log-budget.ts'

/** Hears why a packet was dropped; not which, where it is out of reach. The bytes are borrowed for the call. */
export type DropListener = (reason: string, packet?: Uint8Array) => void

/** Undefined where nobody wants to know, so that a drop costs no more than its count. `about`: what each line says beside. */
export function droppedPackets(log: BoundedLog, about: object = {}): DropListener | undefined {
  if (!log.isEnabled('debug')) return undefined
  return (reason, packet) => log.debug({ ...about, ...packetFields(packet) }, `dropped: ${reason}`)
}

function packetFields(packet: Uint8Array | undefined): object {
  if (packet === undefined) return {}
  const bytes = packet.length
  if (validatePacket(packet) !== undefined) return { bytes }
  const protocol = protocolOf(packet)
  return {
    source: String(sourceOf(packet)),
    destination: String(destinationOf(packet)),
    ...(protocol >= 0 && { protocol: protocolName(protocol) }),
    bytes,
  }
}

/**
 * The version_information transport parameter, RFC 9368 §3: each side says which version it speaks on this connection, and which it could.
 *
 *   Version Information {
 *     Chosen Version (32),
 *     Available Versions (32) ...,     client: those in which the server could answer this first packet; server: all that it speaks
 *   }
 *
 * The header of a packet and Version Negotiation have no protection, this has: who has changed the version on the way is noticed here (§4). A client of ours asks for no
 * other version than that of its first packet, so that a server of ours always answers in that.
 */

import { TRANSPORT_PARAMETER_ERROR, TransportError, VERSION_NEGOTIATION_ERROR } from './transport-error.ts'
import { WireReader } from './wire-reader.ts'
import type { WireWriter } from './wire-writer.ts'

export interface VersionInformation {
  readonly chosen: number
  readonly available: readonly number[]
}

/** Throws TRANSPORT_PARAMETER_ERROR (§4): for what is cut short, and for version 0. */
export function readVersionInformation(value: Uint8Array): VersionInformation {
  const from = new WireReader(value)
  from.errorCode = TRANSPORT_PARAMETER_ERROR
  const chosen = from.u32()
  const available: number[] = []
  while (from.remaining > 0) available.push(from.u32())
  if (chosen === 0 || available.includes(0)) throw from.error('version information with version 0')
  return { chosen, available }
}

/** With its length before it. */
export function appendVersionInformation(to: WireWriter, { chosen, available }: VersionInformation): void {
  to.varint(4 + 4 * available.length)
  to.u32(chosen)
  for (const version of available) to.u32(version)
}

/**
 * §4: what the peer says that it has chosen is what we see. It need not say anything: a client of ours never begins again because of a Version Negotiation packet, which is
 * where it would matter.
 */
export function checkVersion(theirs: VersionInformation | undefined, ours: number, role: 'client' | 'server'): void {
  if (theirs === undefined) return
  if (theirs.chosen !== ours) {
    throw new TransportError(
      VERSION_NEGOTIATION_ERROR,
      'the version of the packets is not the one that the peer has chosen',
    )
  }
  if (role === 'server' && !theirs.available.includes(theirs.chosen)) {
    throw new TransportError(TRANSPORT_PARAMETER_ERROR, 'a client that has chosen a version that it does not speak')
  }
}

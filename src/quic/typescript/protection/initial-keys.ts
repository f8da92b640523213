import type { OpeningKeys, SealingKeys } from './packet-keys.ts'

/** The keys of Initial packets (RFC 9001 §5.2). `clientDcid`: the Destination Connection ID of the client's first Initial, or first after a Retry. */
export function initialKeys(
  _role: 'client' | 'server',
  _clientDcid: Uint8Array,
): { sealing: SealingKeys; opening: OpeningKeys } {
  throw new Error('to be written')
}

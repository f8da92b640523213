/**
 * Connection ids are in headers that anybody on the way could have changed; the transport parameters repeat them, and TLS protects those
 * (RFC 9000 §7.3).
 *
 *                                      said by client       said by server
 *   initial_source_connection_id       S of its Initials    S of its Initials
 *   original_destination_connection_id                      D of the client's first Initial
 *   retry_source_connection_id                              S of the Retry, if there was one
 */

import { sameBytes } from './same-bytes.ts'
import { TRANSPORT_PARAMETER_ERROR, TransportError } from './transport-error.ts'
import type { TransportParameters } from './transport-parameters.ts'

export interface ExpectedIds {
  initialSource: Uint8Array | undefined
  originalDestination: Uint8Array | undefined
  retrySource: Uint8Array | undefined
}

/** Throws TRANSPORT_PARAMETER_ERROR. `role`: ours. */
export function checkConnectionIds(
  parameters: TransportParameters,
  expected: ExpectedIds,
  role: 'client' | 'server',
): void {
  check('initial_source_connection_id', parameters.initialSourceConnectionId, expected.initialSource)
  // That a client may not send these is seen where they are decoded.
  if (role === 'server') return
  check('original_destination_connection_id', parameters.originalDestinationConnectionId, expected.originalDestination)
  check('retry_source_connection_id', parameters.retrySourceConnectionId, expected.retrySource)
  // §18.2: an id for another address, from a server that has none for this one.
  if (parameters.preferredAddress !== undefined && expected.initialSource?.length === 0) {
    throw new TransportError(
      TRANSPORT_PARAMETER_ERROR,
      'preferred_address from a server with a connection id of no bytes',
    )
  }
}

function check(name: string, said: Uint8Array | undefined, seen: Uint8Array | undefined): void {
  const isSame = said === undefined ? seen === undefined : sameBytes(said, seen)
  if (!isSame) throw new TransportError(TRANSPORT_PARAMETER_ERROR, `${name} is not what the packets said`)
}

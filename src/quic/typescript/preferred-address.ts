/**
 * The preferred_address transport parameter, RFC 9000 §18.2: where a server would rather have its client from now on.
 *
 *   Preferred Address {
 *     IPv4 Address (32),           all zero: none
 *     IPv4 Port (16),
 *     IPv6 Address (128),          all zero: none
 *     IPv6 Port (16),
 *     Connection ID Length (8),
 *     Connection ID (..),          its sequence number is 1
 *     Stateless Reset Token (128),
 *   }
 */
import { LONGEST_CONNECTION_ID } from './packets/long-header.ts'
import { RESET_TOKEN_LENGTH } from './stateless-reset.ts'
import { TRANSPORT_PARAMETER_ERROR } from './transport-error.ts'
import { WireReader } from './wire-reader.ts'
import type { WireWriter } from './wire-writer.ts'

export interface PreferredAddress {
  readonly ipv4: Uint8Array
  readonly ipv4Port: number
  readonly ipv6: Uint8Array
  readonly ipv6Port: number
  readonly connectionId: Uint8Array
  readonly resetToken: Uint8Array
}

const FIXED_LENGTH = 4 + 2 + 16 + 2 + 1 + RESET_TOKEN_LENGTH

/** Throws TransportError. */
export function readPreferredAddress(value: Uint8Array): PreferredAddress {
  const from = new WireReader(value)
  from.errorCode = TRANSPORT_PARAMETER_ERROR
  const ipv4 = from.take(4).slice()
  const ipv4Port = from.u16()
  const ipv6 = from.take(16).slice()
  const ipv6Port = from.u16()
  const length = from.u8()
  if (length < 1 || length > LONGEST_CONNECTION_ID)
    throw from.error(`a preferred address with a connection id of ${length} bytes`)
  const connectionId = from.take(length).slice()
  const resetToken = from.take(RESET_TOKEN_LENGTH).slice()
  if (from.remaining > 0) throw from.error('a preferred address that is too long')
  return { ipv4, ipv4Port, ipv6, ipv6Port, connectionId, resetToken }
}

/** With its length before it. */
export function appendPreferredAddress(to: WireWriter, address: PreferredAddress): void {
  to.varint(FIXED_LENGTH + address.connectionId.length)
  to.write(address.ipv4)
  to.u16(address.ipv4Port)
  to.write(address.ipv6)
  to.u16(address.ipv6Port)
  to.u8(address.connectionId.length)
  to.write(address.connectionId)
  to.write(address.resetToken)
}

/**
 * Transport parameters, RFC 9000 §18: what each side tells the other about itself, in a TLS extension.
 *
 *   Transport Parameters {              Transport Parameter {
 *     Transport Parameter (..) ...,       Transport Parameter ID (i),
 *   }                                     Transport Parameter Length (i),
 *                                         Transport Parameter Value (..),
 *                                       }
 *
 * Each at most once, in any order; those that are not known are passed over. Most values are one varint.
 */

import { LONGEST_CONNECTION_ID } from './packets/long-header.ts'
import { appendPreferredAddress, type PreferredAddress, readPreferredAddress } from './preferred-address.ts'
import { RESET_TOKEN_LENGTH } from './stateless-reset.ts'
import { TRANSPORT_PARAMETER_ERROR, TransportError } from './transport-error.ts'
import { varintNumberLength } from './varint-number.ts'
import { appendVersionInformation, readVersionInformation, type VersionInformation } from './version-information.ts'
import { WireReader } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

/** RFC 9000 §18.2, RFC 9221 §3 and RFC 9368 §3. Times in ms, sizes in bytes. */
export interface TransportParameters {
  originalDestinationConnectionId: Uint8Array | undefined
  /** 0: no timeout. */
  maxIdleTimeout: number
  statelessResetToken: Uint8Array | undefined
  maxUdpPayloadSize: number
  initialMaxData: number
  initialMaxStreamDataBidiLocal: number
  initialMaxStreamDataBidiRemote: number
  initialMaxStreamDataUni: number
  initialMaxStreamsBidi: number
  initialMaxStreamsUni: number
  ackDelayExponent: number
  maxAckDelay: number
  disableActiveMigration: boolean
  preferredAddress: PreferredAddress | undefined
  activeConnectionIdLimit: number
  initialSourceConnectionId: Uint8Array | undefined
  retrySourceConnectionId: Uint8Array | undefined
  /** 0: takes none. */
  maxDatagramFrameSize: number
  versionInformation: VersionInformation | undefined
}

/** What holds for a parameter that is not sent. */
export const DEFAULT_TRANSPORT_PARAMETERS: TransportParameters = {
  originalDestinationConnectionId: undefined,
  maxIdleTimeout: 0,
  statelessResetToken: undefined,
  maxUdpPayloadSize: 65527,
  initialMaxData: 0,
  initialMaxStreamDataBidiLocal: 0,
  initialMaxStreamDataBidiRemote: 0,
  initialMaxStreamDataUni: 0,
  initialMaxStreamsBidi: 0,
  initialMaxStreamsUni: 0,
  ackDelayExponent: 3,
  maxAckDelay: 25,
  disableActiveMigration: false,
  preferredAddress: undefined,
  activeConnectionIdLimit: 2,
  initialSourceConnectionId: undefined,
  retrySourceConnectionId: undefined,
  maxDatagramFrameSize: 0,
  versionInformation: undefined,
}

const ORIGINAL_DESTINATION_CONNECTION_ID = 0x00
const STATELESS_RESET_TOKEN = 0x02
const DISABLE_ACTIVE_MIGRATION = 0x0c
const PREFERRED_ADDRESS = 0x0d
const INITIAL_SOURCE_CONNECTION_ID = 0x0f
const RETRY_SOURCE_CONNECTION_ID = 0x10
const VERSION_INFORMATION = 0x11

/** Those that only a server sends. */
const FROM_SERVER_ONLY: readonly number[] = [
  ORIGINAL_DESTINATION_CONNECTION_ID,
  STATELESS_RESET_TOKEN,
  PREFERRED_ADDRESS,
  RETRY_SOURCE_CONNECTION_ID,
]

interface IntegerParameter {
  readonly name: IntegerName
  readonly least: number
  readonly most: number
}

type IntegerName = {
  [Name in keyof TransportParameters]: TransportParameters[Name] extends number ? Name : never
}[keyof TransportParameters]

const ANY = Number.POSITIVE_INFINITY

/** Those whose value is a varint, with what it may be. */
const INTEGERS: ReadonlyMap<number, IntegerParameter> = new Map<number, IntegerParameter>([
  [0x01, { name: 'maxIdleTimeout', least: 0, most: ANY }],
  [0x03, { name: 'maxUdpPayloadSize', least: 1200, most: ANY }],
  [0x04, { name: 'initialMaxData', least: 0, most: ANY }],
  [0x05, { name: 'initialMaxStreamDataBidiLocal', least: 0, most: ANY }],
  [0x06, { name: 'initialMaxStreamDataBidiRemote', least: 0, most: ANY }],
  [0x07, { name: 'initialMaxStreamDataUni', least: 0, most: ANY }],
  [0x08, { name: 'initialMaxStreamsBidi', least: 0, most: 2 ** 60 }],
  [0x09, { name: 'initialMaxStreamsUni', least: 0, most: 2 ** 60 }],
  [0x0a, { name: 'ackDelayExponent', least: 0, most: 20 }],
  [0x0b, { name: 'maxAckDelay', least: 0, most: 2 ** 14 - 1 }],
  [0x0e, { name: 'activeConnectionIdLimit', least: 2, most: ANY }],
  [0x20, { name: 'maxDatagramFrameSize', least: 0, most: ANY }],
])

/**
 * What is left out, or is what holds anyway, is not sent. `grease`: random bytes, 1 to 16, of which a parameter is made that the peer
 * has to pass over (§18.1).
 */
export function encodeTransportParameters(parameters: Partial<TransportParameters>, grease?: Uint8Array): Uint8Array {
  const to = new WireWriter(new Uint8Array(LONGEST_ENCODING))
  for (const [id, { name }] of INTEGERS) {
    const value = parameters[name]
    if (value === undefined || value === DEFAULT_TRANSPORT_PARAMETERS[name]) continue
    to.varint(id)
    to.varint(varintNumberLength(value))
    to.varint(value)
  }
  appendBytes(to, ORIGINAL_DESTINATION_CONNECTION_ID, parameters.originalDestinationConnectionId)
  appendBytes(to, STATELESS_RESET_TOKEN, parameters.statelessResetToken)
  appendBytes(to, INITIAL_SOURCE_CONNECTION_ID, parameters.initialSourceConnectionId)
  appendBytes(to, RETRY_SOURCE_CONNECTION_ID, parameters.retrySourceConnectionId)
  if (parameters.disableActiveMigration) appendBytes(to, DISABLE_ACTIVE_MIGRATION, new Uint8Array(0))
  if (parameters.preferredAddress !== undefined) {
    to.varint(PREFERRED_ADDRESS)
    appendPreferredAddress(to, parameters.preferredAddress)
  }
  if (parameters.versionInformation !== undefined) {
    to.varint(VERSION_INFORMATION)
    appendVersionInformation(to, parameters.versionInformation)
  }
  if (grease !== undefined) appendBytes(to, 27 + 31 * grease[0], grease.subarray(1, 16))
  return to.bytes.slice(0, to.offset)
}

/** Integers, byte strings, a preferred address, the few versions that we speak, grease: none of it can be longer together. */
const LONGEST_ENCODING = 512

function appendBytes(to: WireWriter, id: number, value: Uint8Array | undefined): void {
  if (value === undefined) return
  to.varint(id)
  to.varint(value.length)
  to.write(value)
}

/** Throws TransportError with TRANSPORT_PARAMETER_ERROR: for what is cut short, sent twice, out of range, or not for `from` to send. */
export function decodeTransportParameters(bytes: Uint8Array, from: 'client' | 'server'): TransportParameters {
  const parameters = { ...DEFAULT_TRANSPORT_PARAMETERS }
  const seen = new Set<number>()
  const reader = new WireReader(bytes)
  reader.errorCode = TRANSPORT_PARAMETER_ERROR
  while (reader.remaining > 0) {
    const id = reader.varint()
    const value = reader.take(reader.varint())
    // Of larger ids it is not known here whether they are the same; nothing has such an id yet.
    if (seen.has(id) && Number.isSafeInteger(id)) throw parameterError(id, 'sent twice')
    seen.add(id)
    if (from === 'client' && FROM_SERVER_ONLY.includes(id)) throw parameterError(id, 'sent by a client')
    readParameter(parameters, id, value)
  }
  return parameters
}

function readParameter(parameters: TransportParameters, id: number, value: Uint8Array): void {
  const integer = INTEGERS.get(id)
  if (integer !== undefined) {
    parameters[integer.name] = readInteger(id, integer, value)
    return
  }
  switch (id) {
    case ORIGINAL_DESTINATION_CONNECTION_ID:
      parameters.originalDestinationConnectionId = readConnectionId(id, value)
      break
    case STATELESS_RESET_TOKEN:
      if (value.length !== RESET_TOKEN_LENGTH) throw parameterError(id, `of ${value.length} bytes`)
      parameters.statelessResetToken = value.slice()
      break
    case DISABLE_ACTIVE_MIGRATION:
      if (value.length !== 0) throw parameterError(id, 'with a value')
      parameters.disableActiveMigration = true
      break
    case PREFERRED_ADDRESS:
      parameters.preferredAddress = readPreferredAddress(value)
      break
    case INITIAL_SOURCE_CONNECTION_ID:
      parameters.initialSourceConnectionId = readConnectionId(id, value)
      break
    case RETRY_SOURCE_CONNECTION_ID:
      parameters.retrySourceConnectionId = readConnectionId(id, value)
      break
    case VERSION_INFORMATION:
      parameters.versionInformation = readVersionInformation(value)
      break
  }
}

function readInteger(id: number, { least, most }: IntegerParameter, bytes: Uint8Array): number {
  const reader = new WireReader(bytes)
  reader.errorCode = TRANSPORT_PARAMETER_ERROR
  const value = reader.varint()
  if (reader.remaining > 0) throw parameterError(id, 'longer than its integer')
  if (value < least || value > most) throw parameterError(id, `${value}, expected ${least} … ${most}`)
  return value
}

function readConnectionId(id: number, value: Uint8Array): Uint8Array {
  if (value.length > LONGEST_CONNECTION_ID) throw parameterError(id, `of ${value.length} bytes`)
  return value.slice()
}

function parameterError(id: number, what: string): TransportError {
  return new TransportError(TRANSPORT_PARAMETER_ERROR, `transport parameter 0x${id.toString(16)}: ${what}`)
}

/** RFC 9000 §18.2 and RFC 9221 §3. Times in ms, sizes in bytes. */
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
}

export interface PreferredAddress {
  readonly ipv4: Uint8Array
  readonly ipv4Port: number
  readonly ipv6: Uint8Array
  readonly ipv6Port: number
  readonly connectionId: Uint8Array
  readonly resetToken: Uint8Array
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
}

/** `grease`: a reserved parameter with random content is added (§18.1). */
export function encodeTransportParameters(_parameters: Partial<TransportParameters>): Uint8Array {
  throw new Error('to be written')
}

/** Throws TransportError with TRANSPORT_PARAMETER_ERROR. */
export function decodeTransportParameters(_bytes: Uint8Array, _from: 'client' | 'server'): TransportParameters {
  throw new Error('to be written')
}

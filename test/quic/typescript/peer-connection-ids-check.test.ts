import { expect } from 'chai'
import { checkConnectionIds } from '../../../src/quic/typescript/peer-connection-ids-check.ts'
import { TRANSPORT_PARAMETER_ERROR, TransportError } from '../../../src/quic/typescript/transport-error.ts'
import {
  DEFAULT_TRANSPORT_PARAMETERS,
  type TransportParameters,
} from '../../../src/quic/typescript/transport-parameters.ts'

const NONE = new Uint8Array(0)
const ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const OTHER = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 9)
const PREFERRED = {
  ipv4: new Uint8Array(4),
  ipv4Port: 0,
  ipv6: new Uint8Array(16).fill(1),
  ipv6Port: 443,
  connectionId: OTHER,
  resetToken: new Uint8Array(16),
}

/** What a client finds of a server that calls itself `id`. */
function check(id: Uint8Array, more: Partial<TransportParameters> = {}, retrySource?: Uint8Array): number | undefined {
  const parameters = {
    ...DEFAULT_TRANSPORT_PARAMETERS,
    initialSourceConnectionId: id,
    originalDestinationConnectionId: ID,
    ...more,
  }
  try {
    checkConnectionIds(parameters, { initialSource: id, originalDestination: ID, retrySource }, 'client')
    return undefined
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
    return error.code
  }
}

describe('connection ids in transport parameters (RFC 9000 §7.3)', () => {
  it('have to be those of the packets', () => {
    expect(check(ID)).to.equal(undefined)
    expect(check(ID, { retrySourceConnectionId: OTHER }, OTHER)).to.equal(undefined)
    const wrong: Partial<TransportParameters>[] = [
      { initialSourceConnectionId: OTHER },
      { initialSourceConnectionId: undefined },
      { originalDestinationConnectionId: OTHER },
      { originalDestinationConnectionId: undefined },
      { retrySourceConnectionId: OTHER },
    ]
    for (const more of wrong) expect(check(ID, more)).to.equal(TRANSPORT_PARAMETER_ERROR)
    expect(check(ID, {}, OTHER)).to.equal(TRANSPORT_PARAMETER_ERROR)
  })

  it('come with no preferred address from a server whose own has no bytes (§18.2)', () => {
    expect(check(NONE)).to.equal(undefined)
    expect(check(ID, { preferredAddress: PREFERRED })).to.equal(undefined)
    expect(check(NONE, { preferredAddress: PREFERRED })).to.equal(TRANSPORT_PARAMETER_ERROR)
  })
})

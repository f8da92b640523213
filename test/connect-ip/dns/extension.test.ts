import { expect } from 'chai'
import fc from 'fast-check'
import { encodeCapsule } from '../../../src/connect-ip/capsule.ts'
import { encodeDnsAssign } from '../../../src/connect-ip/dns/dns-assign.ts'
import { DNS_EXTENSION } from '../../../src/connect-ip/dns/extension.ts'
import { encodePref64, PREF64 } from '../../../src/connect-ip/dns/pref64.ts'
import { NO_PARAMETERS } from '../../../src/connect-ip/dns/service-parameters.ts'
import { ConnectIpError } from '../../../src/connect-ip/errors.ts'
import { ConnectIpSession } from '../../../src/connect-ip/session.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'

const nameserver = {
  priority: 1,
  addresses: [IpAddress.parse('10.90.0.53')],
  authenticationName: '',
  parameters: NO_PARAMETERS,
}
const dns = encodeDnsAssign([{ nameservers: [nameserver], internalDomains: ['corp.example'], searchDomains: [] }])
const pref64 = encodePref64([IpPrefix.parse('64:ff9b::/96')])

function session(extensions?: typeof DNS_EXTENSION): ConnectIpSession {
  return new ConnectIpSession({ role: 'client', now: () => 0, extensions })
}

describe('connect-ip/dns/extension', () => {
  it('CIP-40 turns both capsules into events, however the bytes are cut', () => {
    const bytes = Uint8Array.from([...dns, ...pref64, ...encodePref64([])])
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 5 }), cuts => {
        const client = session(DNS_EXTENSION)
        const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length]
        const pieces = edges.slice(1).map((end, i) => bytes.subarray(edges[i], end))
        const events = pieces.flatMap(piece => [...client.receiveCapsuleBytes(piece)])
        expect(events).to.deep.equal([
          {
            type: 'dns-assigned',
            configurations: [{ nameservers: [nameserver], internalDomains: ['corp.example'], searchDomains: [] }],
          },
          { type: 'pref64-assigned', prefixes: [IpPrefix.parse('64:ff9b::/96')] },
          { type: 'pref64-assigned', prefixes: [] },
        ])
      }),
    )
  })

  it('CIP-40 is skipped by a session that expects no such configuration, also where it is malformed', () => {
    const client = session()
    const malformed = encodeCapsule(PREF64, Uint8Array.of(1))
    expect([...client.receiveCapsuleBytes(Uint8Array.from([...dns, ...malformed, ...pref64]))]).to.deep.equal([])
  })

  it('CIP-40 aborts the tunnel where a capsule is malformed', () => {
    expect(() => [...session(DNS_EXTENSION).receiveCapsuleBytes(encodeCapsule(PREF64, Uint8Array.of(96)))]).to.throw(
      ConnectIpError,
      /PREF64 of 1 bytes/,
    )
  })
})

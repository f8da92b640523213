import { expect } from 'chai'
import fc from 'fast-check'
import { IpAddress } from '../../src/ip/address.ts'
import {
  icmpDestinationUnreachable,
  icmpEchoReply,
  icmpEchoRequest,
  icmpFragmentationNeeded,
  icmpTimeExceeded,
} from '../../src/ip/icmp.ts'
import { ICMP_KINDS, icmpKindOf } from '../../src/ip/icmp-kind.ts'
import {
  icmpv6DestinationUnreachable,
  icmpv6EchoReply,
  icmpv6EchoRequest,
  icmpv6PacketTooBig,
  icmpv6TimeExceeded,
} from '../../src/ip/icmpv6.ts'
import { validatePacket } from '../../src/ip/packet.ts'
import { packet } from '../connect-ip/packets.ts'

const [V4, OTHER_V4] = ['192.0.2.1', '192.0.2.2'].map(text => IpAddress.parse(text))
const [V6, OTHER_V6] = ['2001:db8::1', '2001:db8::2'].map(text => IpAddress.parse(text))
const ECHO_4 = { source: V4, destination: OTHER_V4, id: 1, seq: 1 }
const ECHO_6 = { source: V6, destination: OTHER_V6, id: 1, seq: 1 }
const UDP_4 = packet('192.0.2.2', '192.0.2.9')
const UDP_6 = packet('2001:db8::2', '2001:db8::9')
const NOTHING = new Uint8Array(0)

function kindOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && ICMP_KINDS[icmpKindOf(bytes)]
}

describe('kinds of ICMP', () => {
  it('are told apart in both versions', () => {
    expect(kindOf(icmpEchoRequest(ECHO_4, NOTHING))).to.equal('echo-request')
    expect(kindOf(icmpEchoReply(ECHO_4, NOTHING))).to.equal('echo-reply')
    expect(kindOf(icmpDestinationUnreachable(UDP_4, 1, V4))).to.equal('unreachable')
    expect(kindOf(icmpFragmentationNeeded(UDP_4, 1280, V4))).to.equal('too-big')
    expect(kindOf(icmpTimeExceeded(UDP_4, 0, V4))).to.equal('time-exceeded')
    expect(kindOf(icmpv6EchoRequest(ECHO_6, NOTHING))).to.equal('echo-request')
    expect(kindOf(icmpv6EchoReply(ECHO_6, NOTHING))).to.equal('echo-reply')
    expect(kindOf(icmpv6DestinationUnreachable(UDP_6, 1, V6))).to.equal('unreachable')
    expect(kindOf(icmpv6PacketTooBig(UDP_6, 1280, V6))).to.equal('too-big')
    expect(kindOf(icmpv6TimeExceeded(UDP_6, 0, V6))).to.equal('time-exceeded')
  })

  it('have one place for all other types, and for fragments that have none', () => {
    const odd = icmpEchoRequest(ECHO_4, NOTHING)
    odd[20] = 13
    expect(kindOf(odd)).to.equal('other')
    const later = icmpEchoRequest(ECHO_4, NOTHING)
    later[7] = 5
    expect(kindOf(later)).to.equal('other')
  })

  it('are none of what is not ICMP of its own version', () => {
    expect(icmpKindOf(UDP_4)).to.equal(-1)
    expect(icmpKindOf(UDP_6)).to.equal(-1)
    const icmpv6InIpv4 = icmpEchoRequest(ECHO_4, NOTHING)
    icmpv6InIpv4[9] = 58
    expect(icmpKindOf(icmpv6InIpv4)).to.equal(-1)
  })

  it('are within the list whatever a valid packet holds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 90 }), fc.constantFrom(4, 6), (bytes, version) => {
        bytes[0] = version === 4 ? 0x45 : 0x60
        if (version === 4) [bytes[2], bytes[3]] = [0, bytes.length]
        else if (bytes.length >= 40) [bytes[4], bytes[5]] = [0, bytes.length - 40]
        if (validatePacket(bytes) !== undefined && version === 6) return
        expect(icmpKindOf(bytes)).to.be.within(-1, ICMP_KINDS.length - 1)
      }),
    )
  })
})

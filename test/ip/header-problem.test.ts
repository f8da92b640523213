import { expect } from 'chai'
import fc from 'fast-check'
import { IpAddress } from '../../src/ip/address.ts'
import { type HeaderProblem, ipv6HeaderProblem } from '../../src/ip/header-problem.ts'
import { encodeIpv6, upperLayer } from '../../src/ip/ipv6.ts'
import { IpProtocol } from '../../src/ip/protocol.ts'

const { HOPOPT, IPV6_ROUTE, IPV6_FRAG, IPV6_OPTS, AH, ESP, UDP, TCP, ICMPV6, IPV6_NONXT } = IpProtocol
const KNOWN = [UDP, ICMPV6]

/** A packet with these headers, each in its own bytes without the first, which names the next; then the upper layer. */
function chain(headers: [type: number, rest: number[]][], upper: number): Uint8Array {
  const types = [...headers.map(([type]) => type), upper]
  const body = headers.flatMap(([, rest], i) => [types[i + 1], ...rest])
  const payload = Uint8Array.from([...body, ...new Array(8).fill(0)])
  const [source, destination] = [IpAddress.parse('2001:db8::1'), IpAddress.parse('2001:db8::2')]
  return encodeIpv6({ source, destination, nextHeader: types[0], hopLimit: 64 }, payload)
}

const problem = (code: number | undefined, pointer: number, evenToMulticast = false): HeaderProblem => ({
  code,
  pointer,
  evenToMulticast,
})

/** PadN over the rest of an 8-byte header. */
const PADDED = [0, 1, 4, 0, 0, 0, 0]

describe('headers that a destination may not pass over', () => {
  const cases: [title: string, packet: Uint8Array, expected: HeaderProblem | undefined][] = [
    ['no extension header', chain([], UDP), undefined],
    [
      'paddings',
      chain(
        [
          [HOPOPT, [0, 0, 0, 0, 1, 1, 0]],
          [IPV6_OPTS, PADDED],
        ],
        UDP,
      ),
      undefined,
    ],
    ['an option to skip', chain([[HOPOPT, [0, 0x05, 2, 0, 0, 1, 0]]], UDP), undefined],
    ['an option that changes on the way, to skip', chain([[IPV6_OPTS, [0, 0x3e, 4, 1, 2, 3, 4]]], UDP), undefined],
    ['an option to discard for', chain([[IPV6_OPTS, [0, 0x7e, 4, 1, 2, 3, 4]]], UDP), problem(undefined, 42)],
    ['an option to report', chain([[HOPOPT, [0, 0xbe, 4, 1, 2, 3, 4]]], UDP), problem(2, 42, true)],
    ['an option to report, but for multicast', chain([[IPV6_OPTS, [0, 0xfe, 4, 1, 2, 3, 4]]], UDP), problem(2, 42)],
    [
      'one behind others',
      chain(
        [
          [HOPOPT, PADDED],
          [IPV6_OPTS, [0, 0, 0x3e, 0, 0xc2, 1, 7]],
        ],
        UDP,
      ),
      problem(2, 53),
    ],
    ['one that looks like data of another', chain([[IPV6_OPTS, [0, 0x3e, 4, 0xc2, 1, 7, 7]]], UDP), undefined],
    ['an option longer than its header', chain([[IPV6_OPTS, [0, 0x3e, 5, 0, 0, 0, 0]]], UDP), problem(0, 43)],
    ['an option without a length', chain([[IPV6_OPTS, [0, 1, 3, 0, 0, 0, 0x3e]]], UDP), problem(0, 47)],
    ['a route with a stop left', chain([[IPV6_ROUTE, [0, 99, 1, 0, 0, 0, 0]]], UDP), problem(0, 42)],
    ['a route of type 0 with stops left', chain([[IPV6_ROUTE, [0, 0, 2, 0, 0, 0, 0]]], UDP), problem(0, 42)],
    ['a route that is at its end', chain([[IPV6_ROUTE, [0, 0, 0, 0, 0, 0, 0]]], UDP), undefined],
    ['an upper layer that is not there', chain([], TCP), problem(1, 6)],
    ['one behind a header', chain([[IPV6_OPTS, PADDED]], TCP), problem(1, 40)],
    ['an authentication that nobody can check', chain([[AH, [0, 0, 0, 0, 0, 0, 0]]], UDP), problem(1, 6)],
    ['something encrypted', chain([[IPV6_OPTS, PADDED]], ESP), problem(1, 40)],
    ['nothing at all', chain([[IPV6_OPTS, PADDED]], IPV6_NONXT), undefined],
    [
      'an atomic fragment with a route',
      chain(
        [
          [IPV6_FRAG, [0, 0, 0, 0, 0, 0, 1]],
          [IPV6_ROUTE, [0, 4, 1, 0, 0, 0, 0]],
        ],
        UDP,
      ),
      problem(0, 50),
    ],
    [
      'the first piece of a packet',
      chain(
        [
          [IPV6_FRAG, [0, 0, 1, 0, 0, 0, 1]],
          [IPV6_ROUTE, [0, 4, 1, 0, 0, 0, 0]],
        ],
        UDP,
      ),
      undefined,
    ],
    ['a later piece', chain([[IPV6_FRAG, [0, 0, 8, 0, 0, 0, 1]]], TCP), undefined],
    [
      'a piece with an option before it',
      chain(
        [
          [HOPOPT, [0, 0x7e, 4, 0, 0, 0, 0]],
          [IPV6_FRAG, [0, 0, 1, 0, 0, 0, 1]],
        ],
        UDP,
      ),
      problem(undefined, 42),
    ],
  ]
  for (const [title, packet, expected] of cases) {
    it(`CIP-28 ${title}: ${expected === undefined ? 'nothing' : `code ${expected.code} at ${expected.pointer}`}`, () => {
      expect(upperLayer(packet), 'the chain is in order').to.not.equal(undefined)
      expect(ipv6HeaderProblem(packet, KNOWN)).to.deep.equal(expected)
    })
  }

  it('CIP-28 ends for any chain of headers that is in order, at a byte of the packet', () => {
    const types = fc.constantFrom(HOPOPT, IPV6_ROUTE, IPV6_FRAG, IPV6_OPTS, AH, UDP, TCP, IPV6_NONXT)
    const headers = fc.array(fc.tuple(types, fc.array(fc.nat(255), { minLength: 7, maxLength: 7 })), { maxLength: 6 })
    fc.assert(
      fc.property(headers, types, (list, upper) => {
        const packet = chain(list, upper)
        if (upperLayer(packet) === undefined) return
        const found = ipv6HeaderProblem(packet, KNOWN)
        if (found !== undefined) expect(found.pointer).to.be.within(6, packet.length - 1)
      }),
    )
  })
})

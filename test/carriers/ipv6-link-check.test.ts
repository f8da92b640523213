import { expect } from 'chai'
import { hintAtNarrowLink, Ipv6LinkCheck } from '../../src/carriers/ipv6-link-check.ts'
import type { LinkProbeResult } from '../../src/carriers/link-probe.ts'
import type { LinkProbe } from '../../src/config/sections.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { icmpv6EchoReplyTo } from '../../src/ip/icmpv6.ts'
import { until } from '../support/loopback.ts'

const FIRST = IpAddress.parse('fd00:89::2')
const SECOND = IpAddress.parse('fd00:89::3')
const TARGET = IpAddress.parse('ff02::1')
const PEER = IpAddress.parse('fe80::1')

/** A tunnel as the check sees it; its pings are answered as `answers` says. */
function openCheck(options: {
  policy?: LinkProbe
  mtu?: number
  settled?: boolean
  answers?: (size: number) => boolean
  timeoutMs?: number
}) {
  const carrier = {
    mtu: options.mtu ?? 1366,
    mtuSettled: options.settled ?? true,
    encapsulation: 'datagram' as 'datagram' | 'single-stream',
  }
  const state = {
    carrier,
    address: undefined as IpAddress | undefined,
    answers: options.answers ?? (() => true),
    pings: [] as number[],
    /** From which address each was sent. */
    sources: [] as string[],
    results: [] as LinkProbeResult[],
    aborts: [] as string[],
    errors: [] as unknown[],
  }
  const check: Ipv6LinkCheck = new Ipv6LinkCheck({
    policy: options.policy ?? 'require',
    carrier,
    address: () => state.address,
    ends: source => ({ source, target: TARGET }),
    send: request => {
      const size = request.length - 48
      state.pings.push(size)
      state.sources.push(String(IpAddress.from(6, request.subarray(8, 24))))
      if (state.answers(size)) expect(check.receive(icmpv6EchoReplyTo(request, PEER))).to.equal(true)
      return undefined
    },
    timing: { attempts: 2, timeoutMs: options.timeoutMs ?? 1 },
    heard: () => 0,
    onResult: result => state.results.push(result),
    abort: why => state.aborts.push(why),
    onError: error => state.errors.push(error),
  })
  return { check, ...state, state }
}

describe('the check that a tunnel carries what IPv6 needs', () => {
  it('CIP-33 ends a narrow tunnel when IPv6 is assigned later, and not before', () => {
    const { check, state, aborts } = openCheck({ mtu: 1279 })
    check.check()
    expect(aborts).to.deep.equal([])
    state.address = FIRST
    check.check()
    expect(aborts.join()).to.match(/^its MTU is 1279, because of/)
  })

  it('CIP-33 pings the address that the tunnel has by then, where the client has got another one meanwhile', async () => {
    const { check, state, results, sources } = openCheck({})
    state.address = FIRST
    check.check()
    state.address = SECOND
    check.check()
    await until(() => results.length === 1)
    expect([results, sources]).to.deep.equal([['ok'], [String(SECOND)]])
    // It is known of this one.
    check.check()
    await new Promise(resolve => setImmediate(resolve))
    expect(sources.length).to.equal(1)
  })

  it('CIP-33 ends a tunnel with IPv6 when its MTU falls below 1280 later', async () => {
    const { check, state, aborts, results, carrier } = openCheck({ mtu: 1280 })
    state.address = FIRST
    check.check()
    await until(() => results.length === 1)
    expect([results, aborts]).to.deep.equal([['ok'], []])
    carrier.mtu = 1279
    check.check()
    expect(aborts.length).to.equal(1)
  })

  it('CIP-33 waits for the search for the MTU, and judges by what it found', () => {
    const { check, state, aborts, pings, carrier } = openCheck({ mtu: 1166, settled: false })
    state.address = FIRST
    check.check()
    check.check()
    expect([aborts, pings]).to.deep.equal([[], []])
    Object.assign(carrier, { mtu: 1200, mtuSettled: true })
    check.check()
    expect(aborts.length).to.equal(1)
    check.stop()
  })

  it('CIP-33 pings again for another address and for a smaller MTU, and for nothing else', async () => {
    const { check, state, pings, results, carrier } = openCheck({})
    const settled = async (count: number) => {
      check.check()
      await until(() => results.length === count)
      check.check()
      expect(pings).to.deep.equal(new Array(count).fill(1232))
    }
    state.address = FIRST
    await settled(1)
    carrier.mtu = 1400
    await settled(1)
    carrier.mtu = 1300
    await settled(2)
    state.address = SECOND
    await settled(3)
  })

  it('CIP-33 looks again at once when the MTU changed during a probe', async () => {
    const { check, state, aborts, carrier } = openCheck({})
    state.address = FIRST
    check.check()
    carrier.mtu = 1200
    await until(() => aborts.length === 1)
    expect(aborts[0]).to.include('its MTU is 1200')
  })

  it('CIP-33 does not judge by an address that went meanwhile, and pings the one that came instead', async () => {
    const { check, state, aborts, results, errors } = openCheck({
      answers: () => state.sources.at(-1) === String(SECOND),
      timeoutMs: 200,
    })
    state.address = FIRST
    check.check()
    await until(() => state.pings.length === 1)
    state.address = SECOND
    await until(() => results.length === 1)
    expect([results, aborts, errors]).to.deep.equal([['ok'], [], []])
  })

  it('CIP-33 has nothing to say about an address that was taken away', async () => {
    const { check, state, aborts, results } = openCheck({ answers: () => false, timeoutMs: 200 })
    state.address = FIRST
    check.check()
    await until(() => state.pings.length === 1)
    state.address = undefined
    await until(() => state.pings.length === 2)
    await new Promise(resolve => setTimeout(resolve, 500))
    expect([results, aborts, state.pings]).to.deep.equal([[], [], [1232, 0]])
  })

  for (const [policy, answers, end] of [
    ['require', () => false, 'no ping to ff02::1 of that size was answered'],
    ['auto', () => false, undefined],
    ['require', (size: number) => size === 0, 'only smaller pings are answered'],
    ['auto', (size: number) => size === 0, 'only smaller pings are answered'],
  ] as const) {
    const what = answers(0) ? 'only small pings are' : 'no ping is'
    it(`CIP-33 ${end === undefined ? 'tolerates' : 'ends'} a tunnel on which ${what} answered, with "${policy}"`, async () => {
      const { check, state, results, aborts } = openCheck({ policy, answers })
      state.address = FIRST
      check.check()
      await until(() => results.length === 1)
      expect(aborts.length).to.equal(end === undefined ? 0 : 1)
      if (end !== undefined) expect(aborts[0]).to.include(end)
    })
  }

  it('CIP-33 has nothing to say where it is off, on streams, and when the tunnel has ended', () => {
    for (const prepare of [
      () => openCheck({ policy: 'off', mtu: 1000 }),
      () => {
        const opened = openCheck({ mtu: 1000 })
        opened.carrier.encapsulation = 'single-stream'
        return opened
      },
      () => {
        const opened = openCheck({ mtu: 1000 })
        opened.check.stop()
        return opened
      },
    ]) {
      const { check, state, aborts, pings } = prepare()
      state.address = FIRST
      check.check()
      expect([aborts, pings]).to.deep.equal([[], []])
    }
  })

  it('CIP-33 what can be seen of it at the other end stands behind the error code of the reset, and only then', () => {
    const carrier = { mtu: 1266, mtuSettled: true, encapsulation: 'datagram' as const }
    const hint = '; its MTU was 1266 bytes, and a tunnel that carries IPv6 has to have 1280 (RFC 9484 §7.2)'
    expect(hintAtNarrowLink(carrier, true)).to.equal(hint)
    expect(hintAtNarrowLink({ ...carrier, mtuSettled: false }, true)).to.include('as far as it was known, 1266')
    expect(hintAtNarrowLink(carrier, false)).to.equal('')
    expect(hintAtNarrowLink({ ...carrier, mtu: 1280 }, true)).to.equal('')
    expect(hintAtNarrowLink({ ...carrier, encapsulation: 'single-stream' }, true)).to.equal('')
    expect(hintAtNarrowLink(undefined, true)).to.equal('')
  })
})

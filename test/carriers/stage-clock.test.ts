import { expect } from 'chai'
import { FORWARD, POLICY, RECEIVE, SEND, StageClock } from '../../src/carriers/stage-clock.ts'
import { packet } from '../connect-ip/packets.ts'
import { idleCarrier, tunnelOn } from '../support/idle-tunnel.ts'

/** A clock of which each look costs 1 ms. */
function newClock() {
  const timed: [ms: number, stages: number[]][] = []
  const looks = { count: 0 }
  const clock = new StageClock({ onPacketTimed: (ms, stages) => timed.push([ms, [...stages]]) }, () => looks.count++)
  return { clock, timed, looks }
}

function pass(clock: StageClock, stages: readonly number[]): void {
  clock.begin()
  for (const stage of stages) clock.over(stage)
  clock.end()
}

const ALL = [RECEIVE, POLICY, FORWARD, SEND]

describe('the clock of stages', () => {
  it('times one packet in 64, and looks at the time for no other', () => {
    const { clock, timed, looks } = newClock()
    for (let i = 0; i < 640; i++) pass(clock, ALL)
    expect(timed).to.have.length(10)
    expect(looks.count).to.equal(10 * 6)
    expect(timed[0]).to.deep.equal([5, [1, 1, 1, 1]])
  })

  it('tells nothing of stages that a packet did not get to', () => {
    const { clock, timed } = newClock()
    pass(clock, [RECEIVE])
    for (let i = 0; i < 63; i++) pass(clock, ALL)
    pass(clock, [RECEIVE, POLICY])
    expect(timed.map(([, stages]) => stages)).to.deep.equal([
      [1, Number.NaN, Number.NaN, Number.NaN],
      [1, 1, Number.NaN, Number.NaN],
    ])
  })

  it('forgets a packet that was never ended', () => {
    const { clock, timed, looks } = newClock()
    clock.begin()
    clock.over(RECEIVE)
    pass(clock, ALL)
    expect([timed, looks.count]).to.deep.equal([[], 2])
  })

  it('is told by a tunnel of packets that pass, and of those that do not', () => {
    const { clock, timed } = newClock()
    const tunnel = tunnelOn(idleCarrier({ sendPacket: () => 'sent' }), {
      clock,
      owner: { onPacket: () => clock.over(FORWARD) },
    })
    const datagram = (bytes: Uint8Array) => Uint8Array.of(0, ...bytes)
    const good = datagram(packet('10.90.0.1', '10.89.0.2'))
    tunnel.onDatagram(good)
    for (let i = 0; i < 63; i++) tunnel.onDatagram(good)
    tunnel.onDatagram(datagram(Uint8Array.of(0x15)))
    expect(timed.map(([, stages]) => stages)).to.deep.equal([
      [1, 1, 1, Number.NaN],
      [1, Number.NaN, Number.NaN, Number.NaN],
    ])
  })
})

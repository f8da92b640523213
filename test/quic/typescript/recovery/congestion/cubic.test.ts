import { expect } from 'chai'
import { APPLICATION } from '../../../../../src/quic/typescript/packet-number-space.ts'
import { Cubic } from '../../../../../src/quic/typescript/recovery/congestion/cubic.ts'
import { SentPacket } from '../../../../../src/quic/typescript/recovery/sent-packet.ts'
import { acked, options, SIZE } from './packets.ts'

/** A window of so many datagrams, reached in slow start. */
function cubicOf(datagrams: number, rttMs = 100): Cubic {
  const cubic = new Cubic(options(rttMs))
  acked(cubic, datagrams - 10, 0)
  return cubic
}

/** What the window is after so many round trips in which all of it was acknowledged, in datagrams. */
function roundTrips(cubic: Cubic, count: number, from: number, rttMs = 100): number[] {
  return Array.from({ length: count }, (_, i) => {
    const now = from + i * rttMs
    acked(cubic, Math.round(cubic.window / SIZE), from, true, now)
    return cubic.window / SIZE
  })
}

describe('CUBIC', () => {
  it('leaves slow start when round trips become longer (§4.10, RFC 9406)', () => {
    const made = options(50)
    const cubic = new Cubic(made)
    let number = 0
    const round = (rttMs: number): void => {
      const packets = Array.from({ length: 10 }, () => new SentPacket(APPLICATION, number++, 0, SIZE, true, true))
      for (const packet of packets) cubic.onSent(packet)
      made.rtt.onSample(rttMs, 0, 0)
      for (const packet of packets) cubic.onAcked(packet, true, 0)
    }
    for (let i = 0; i < 5; i++) round(50)
    expect([cubic.window, cubic.slowStartThreshold]).to.deep.equal([60 * SIZE, Number.POSITIVE_INFINITY])
    for (let i = 0; i < 8; i++) round(70)
    expect(cubic.slowStartThreshold).to.be.within(60 * SIZE, 100 * SIZE)
  })

  it('keeps seven tenths of its window after a loss (RFC 9438 §4.6)', () => {
    const cubic = cubicOf(1000)
    expect(cubic.window).to.equal(1000 * SIZE)
    cubic.onCongestion(50, SIZE, 100)
    expect([cubic.window, cubic.slowStartThreshold]).to.deep.equal([700 * SIZE, 700 * SIZE])
    cubic.onCongestion(60, SIZE, 110)
    expect(cubic.window).to.equal(700 * SIZE)
  })

  it('is back where it was after K, slowly at the end, and faster and faster beyond (§4.2)', () => {
    const cubic = cubicOf(1000)
    cubic.onCongestion(50, SIZE, 100)
    const kMs = 1000 * Math.cbrt(300 / 0.4)
    const windows = roundTrips(cubic, Math.ceil((2 * kMs) / 100), 200)
    const at = (ms: number): number => windows[Math.round(ms / 100)]
    expect(at(kMs)).to.be.closeTo(1000, 10)
    expect(at(kMs / 2)).to.be.closeTo(1000 - 300 / 8, 15)
    expect(at(1.5 * kMs)).to.be.closeTo(1000 + 300 / 8, 15)
    expect(windows.every((window, i) => i === 0 || window >= windows[i - 1])).to.equal(true)
  })

  it('is no slower than Reno on a short round trip (§4.3)', () => {
    const cubic = cubicOf(20, 1)
    cubic.onCongestion(50, SIZE, 100)
    const windows = roundTrips(cubic, 50, 200, 1)
    // In 50 ms the curve would hardly have moved. Reno with the same β gains 0.53 datagrams a round trip.
    expect(windows[10]).to.be.closeTo(14 + 0.53 * 11, 1)
    // And a whole one where it was before.
    expect(windows[49]).to.be.closeTo(20 + (50 - 12), 3)
  })

  it('makes room for others when it did not get back to where it was (§4.7)', () => {
    const cubic = cubicOf(1000)
    cubic.onCongestion(50, SIZE, 100)
    cubic.onCongestion(150, SIZE, 200)
    expect(cubic.window).to.be.closeTo(490 * SIZE, 1)
    const kMs = 1000 * Math.cbrt((700 * 0.85 - 490) / 0.4)
    const windows = roundTrips(cubic, Math.ceil(kMs / 100) + 1, 300)
    expect(windows.at(-1)).to.be.closeTo(700 * 0.85, 10)
  })

  it('does not grow while it is not needed, nor for that time afterwards (§5.8)', () => {
    const cubic = cubicOf(100)
    cubic.onCongestion(50, SIZE, 100)
    acked(cubic, 70, 200, false, 200)
    acked(cubic, 70, 200, false, 60_000)
    expect(cubic.window).to.equal(70 * SIZE)
    acked(cubic, 70, 200, true, 60_000)
    expect(cubic.window).to.be.lessThan(80 * SIZE)
  })

  it('begins anew with two datagrams after persistent congestion', () => {
    const cubic = cubicOf(100)
    cubic.onCongestion(50, SIZE, 100)
    cubic.onPersistentCongestion()
    expect(cubic.window).to.equal(2 * SIZE)
    acked(cubic, 2, 60)
    expect(cubic.window).to.equal(4 * SIZE)
  })
})

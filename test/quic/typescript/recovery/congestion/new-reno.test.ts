import { expect } from 'chai'
import { NewReno } from '../../../../../src/quic/typescript/recovery/congestion/new-reno.ts'
import { acked, options, SIZE } from './packets.ts'

describe('NewReno', () => {
  it('begins with ten datagrams, of 14720 bytes at most (RFC 9002 §7.2)', () => {
    expect(new NewReno(options()).window).to.equal(10 * SIZE)
    expect(new NewReno({ ...options(), datagramSize: 1472 }).window).to.equal(14_720)
    expect(new NewReno({ ...options(), datagramSize: 9000 }).window).to.equal(18_000)
  })

  it('doubles in a round trip of slow start', () => {
    const reno = new NewReno(options())
    acked(reno, 10, 0)
    expect(reno.window).to.equal(20 * SIZE)
  })

  it('halves after a loss, once for all that was sent before, and then grows by a datagram a round trip', () => {
    const reno = new NewReno(options())
    reno.onCongestion(50, SIZE, 100)
    expect([reno.window, reno.slowStartThreshold]).to.deep.equal([5 * SIZE, 5 * SIZE])
    reno.onCongestion(60, SIZE, 110)
    expect(reno.window).to.equal(5 * SIZE)
    // Sent before the loss was seen.
    acked(reno, 5, 100)
    expect(reno.window).to.equal(5 * SIZE)
    acked(reno, 5, 101)
    expect(reno.window).to.equal(6 * SIZE)
    acked(reno, 5, 102)
    expect(reno.window).to.equal(6 * SIZE)
    acked(reno, 1, 102)
    expect(reno.window).to.equal(7 * SIZE)
  })

  it('does not grow while it is not needed (§7.8)', () => {
    const reno = new NewReno(options())
    acked(reno, 10, 0, false)
    expect(reno.window).to.equal(10 * SIZE)
  })

  it('never falls below two datagrams, and begins anew there after persistent congestion (§7.6.2)', () => {
    const reno = new NewReno(options())
    for (let i = 0; i < 10; i++) reno.onCongestion(i * 10 + 5, SIZE, i * 10 + 6)
    expect(reno.window).to.equal(2 * SIZE)
    const other = new NewReno(options())
    other.onCongestion(50, SIZE, 100)
    other.onPersistentCongestion()
    expect(other.window).to.equal(2 * SIZE)
    acked(other, 2, 60)
    expect(other.window).to.equal(4 * SIZE)
  })
})
